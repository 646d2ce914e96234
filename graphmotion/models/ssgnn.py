"""SSGNN, facial expressions on a graph over pixels or landmarks, and its two parts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import Dropout, Identity, Linear, Module, ModuleList, Parameter, ReLU, Sequential

from graphmotion.models.oriented_gradients import OrientedGradients
from graphmotion.models.registry import register_model
from graphmotion.nn import ClusterPooling, LocallyConnectedConv, MotionBatchNorm, SpectralConv
from graphmotion.nn.graphs import split_graphs
from graphmotion.nn.resettable import ResettableModule

_EPS = 1e-3  # added to the variance of a sample; grey values run from 0 to 1


class CoarserGraph(Protocol):
    """A level of a hierarchy: the cluster of each node of the finer graph, and its own edges."""

    @property
    def cluster(self) -> Tensor: ...  # noqa: D102

    @property
    def num_clusters(self) -> int: ...  # noqa: D102

    @property
    def edge_index(self) -> Tensor: ...  # noqa: D102


class SharedGraph(Protocol):
    r"""What these models read of the graph that all samples share; a
    :class:`~graphmotion.graphs.PointGraph` has it.

    :obj:`num_nodes` :math:`N`, :obj:`pos` :math:`(N, D)`, :obj:`edge_index` :math:`(2, E)`,
    :obj:`eigenvectors` :math:`(N, K)` or :obj:`None`, and :obj:`hierarchy`, its coarser graphs.
    """

    @property
    def num_nodes(self) -> int: ...  # noqa: D102

    @property
    def pos(self) -> Tensor: ...  # noqa: D102

    @property
    def edge_index(self) -> Tensor: ...  # noqa: D102

    @property
    def eigenvectors(self) -> Tensor | None: ...  # noqa: D102

    @property
    def hierarchy(self) -> Sequence[CoarserGraph]: ...  # noqa: D102


@register_model('spegnn', task='expression')
class SPEGNN(ResettableModule):
    r"""The spectral part of SSGNN, from "SSGNN: A Macro and Microfacial Expression Recognition
    Graph Neural Network Combining Spatial and Spectral Domain Features": a convolution in the
    eigenbasis :math:`\mathbf{V}` of the graph's Laplacian with a multiplier for each mode, channel
    and filter, and a fully connected layer.

    .. math::
        \mathbf{c}_j = \mathrm{ReLU}\left( \mathbf{V} \sum_{i=1}^{F_{in}} \mathrm{diag}(
        \theta_{1ij}, \ldots, \theta_{Kij}) \, \mathbf{V}^{\top} \mathbf{x}_i \right), \qquad
        \mathbf{y} = \mathbf{W} (\mathbf{c}_1 \, \Vert \, \dots \, \Vert \, \mathbf{c}_{F}) +
        \mathbf{b}

    The paper does not say how many filters there are; here, 8. It prints a ReLU around
    :math:`\mathbf{y}`, under which a sample whose logits are all negative has the same probability
    for each class and teaches nothing: :obj:`final_relu` puts it there.

    The basis is part of the state of the model, as eigenvectors come out with other signs, or
    rotated among themselves, when they are computed again. The state of a model of another graph
    is refused.

    Args:
        graph (PointGraph): The graph that all samples share, with eigenvectors. Any object with
            the attributes :obj:`num_nodes`, :obj:`pos`, :obj:`edge_index`, :obj:`eigenvectors` and
            :obj:`hierarchy` will do.
        num_classes (int): Number of classes.
        in_channels (int, optional): Size of each input feature. (default: :obj:`1`)
        channels (int or sequence of int, optional): Number of filters, of each layer where there
            are several. (default: :obj:`8`)
        num_modes (int, optional): How many modes :math:`K` to use, the smallest first; by default
            all that :obj:`graph` has. (default: :obj:`None`)
        num_knots (int, optional): Number of spline coefficients, for multipliers that are a smooth
            curve over the modes; see :class:`~graphmotion.nn.SpectralConv`.
            (default: :obj:`None`)
        basis_per_graph (bool, optional): If set to :obj:`True`, each sample has its own graph of
            :math:`N` nodes, landmarks for instance, and its own basis in the field
            :obj:`eigenvectors`, of which :obj:`graph` is an example. That needs
            :obj:`num_knots`: single modes of two graphs do not correspond.
            (default: :obj:`False`)
        num_pools (int, optional): Through how many levels of the hierarchy the filtered features
            are pooled. (default: :obj:`0`)
        reduce (str, optional): How they are pooled, :obj:`"mean"` or :obj:`"max"`.
            (default: :obj:`"mean"`)
        bias (bool, optional): Whether convolutions have one. (default: :obj:`False`)
        standardize (bool, optional): If set to :obj:`True`, each channel of each sample is brought
            to mean zero and deviation one over the nodes first. (default: :obj:`False`)
        num_directions (int, optional): If given, what the convolutions read is each channel and
            its gradient on the graph in so many directions; see
            :class:`~graphmotion.models.oriented_gradients.OrientedGradients`, which expects
            :obj:`standardize`. (default: :obj:`None`)
        batch_norm (bool, optional): Whether batch normalisation follows each convolution.
            (default: :obj:`False`)
        dropout (float, optional): Dropout probability before fully connected layers.
            (default: :obj:`0.0`)
        hidden_channels (int, optional): Size of a hidden fully connected layer.
            (default: :obj:`None`)
        final_relu (bool, optional): Whether logits go through a ReLU. (default: :obj:`False`)

    Shapes:
        - **x:** node features :math:`(B \cdot N, F_{in})`
        - **eigenvectors:** with :obj:`basis_per_graph`, :math:`(B \cdot N, K)` or more columns
        - **output:** logits :math:`(B, \text{num\_classes})`

    Raises:
        ValueError: If :obj:`graph` has no eigenvectors, fewer modes or fewer levels than asked
            for, or the shape of an input does not fit.
    """

    eigenvectors: Tensor | None

    def __init__(
        self,
        graph: SharedGraph,
        num_classes: int,
        in_channels: int = 1,
        channels: int | Sequence[int] = 8,
        num_modes: int | None = None,
        num_knots: int | None = None,
        basis_per_graph: bool = False,
        num_pools: int = 0,
        reduce: str = 'mean',
        bias: bool = False,
        standardize: bool = False,
        num_directions: int | None = None,
        batch_norm: bool = False,
        dropout: float = 0.0,
        hidden_channels: int | None = None,
        final_relu: bool = False,
    ) -> None:
        super().__init__()
        _check_graph(graph, num_pools)
        basis = graph.eigenvectors
        if basis is None:
            raise ValueError('the graph has no eigenvectors: make it with num_modes')
        num_modes = basis.size(1) if num_modes is None else num_modes
        if not 1 <= num_modes <= basis.size(1):
            raise ValueError(f'num_modes is 1 to {basis.size(1)} of this graph, got {num_modes}')
        if basis_per_graph and num_knots is None:
            raise ValueError(
                'basis_per_graph needs num_knots: multipliers of single modes belong to one graph'
            )
        if basis_per_graph and num_directions is not None:
            raise ValueError('num_directions is of one graph, not for basis_per_graph')
        self.num_nodes = graph.num_nodes
        self.num_classes = num_classes
        self.in_channels = in_channels
        self.num_modes = num_modes
        self.inputs = ('x', 'eigenvectors') if basis_per_graph else ('x',)
        # A copy: what is loaded goes into the tensors that are there.
        own = None if basis_per_graph else basis[:, :num_modes].clone().contiguous()
        self.register_buffer('eigenvectors', own)
        if not basis_per_graph:
            _remember_graph(self, graph)
        self.prepare = _preparation(graph, standardize, num_directions)
        self.convs, self.norms = ModuleList(), ModuleList()
        before = in_channels * (1 + (num_directions or 0))
        for after in [channels] if isinstance(channels, int) else channels:
            self.convs.append(SpectralConv(before, after, num_modes, num_knots, bias))
            self.norms.append(MotionBatchNorm(after) if batch_norm else Identity())
            before = after
        self.pools = ModuleList(_Pooling(level, reduce) for level in graph.hierarchy[:num_pools])
        size = graph.hierarchy[num_pools - 1].num_clusters if num_pools else graph.num_nodes
        self.head = _head(size * before, num_classes, hidden_channels, dropout, final_relu)

    def forward(self, x: Tensor, eigenvectors: Tensor | None = None) -> Tensor:
        """Logits of each sample; ``eigenvectors`` are those of each graph."""
        basis = self._basis(eigenvectors)
        x = self.prepare(_check_x(x, self.in_channels))
        for conv, norm in zip(self.convs, self.norms):
            x = norm(conv(x, basis, self.num_nodes)).relu()
        for pool in self.pools:
            x = pool(x)
        return self.head(x)

    @torch.no_grad()
    def node_weights(self, eigenvectors: Tensor | None = None) -> Tensor:
        r"""How strongly the first convolution weighs each node: the length of what it makes of an
        impulse there, over all channels that it reads, filters and nodes.

        .. math::
            w_u = \sqrt{\textstyle\sum_{i,j,k} \theta_{kij}^2 V_{uk}^2}

        Shapes:
            - **eigenvectors:** with :obj:`basis_per_graph`, those of one graph or of several
            - **output:** :math:`(N)`, or a row for each of :obj:`eigenvectors`
        """
        conv: Any = self.convs[0]
        return (self._basis(eigenvectors).square() @ conv.multipliers.square().sum((1, 2))).sqrt()

    def _basis(self, eigenvectors: Tensor | None) -> Tensor:
        if self.eigenvectors is not None:
            if eigenvectors is not None:
                raise ValueError(
                    'this model has a basis of its own: make it with basis_per_graph for others'
                )
            return self.eigenvectors
        if eigenvectors is None:
            raise ValueError('this model needs the eigenvectors of each graph')
        return eigenvectors[:, : self.num_modes]


@register_model('spagnn', task='expression')
class SPAGNN(ResettableModule):
    r"""The spatial part of SSGNN, from "SSGNN: A Macro and Microfacial Expression Recognition
    Graph Neural Network Combining Spatial and Spectral Domain Features": twice a convolution in
    which each edge of the graph has a weight of its own and a pooling of clusters, then a fully
    connected layer.

    .. math::
        \mathbf{o}_v = \mathrm{ReLU}\left( \sum_{u \in \mathcal{N}(v) \cup \{ v \}}
        \mathbf{x}_u \, \mathbf{\Theta}_{uv} \right), \qquad
        \mathbf{x}^{\prime}_m = \frac{1}{|\mathcal{C}_m|} \sum_{v \in \mathcal{C}_m} \mathbf{o}_v

    The paper says neither how many filters there are, here 8 and 16, nor which nodes are pooled:
    here the clusters of the graph's hierarchy, which a :class:`~graphmotion.graphs.PointGraph`
    makes
    with :obj:`levels=2, ratio=0.25`. It has no self-loops in the graph and a sum that contains the
    node itself; here nodes see themselves.

    Edges and clusters are part of the state of the model, and the state of a model of another
    graph is refused.

    Args:
        graph (PointGraph): The graph that all samples share, with a hierarchy of as many levels
            as there are layers. Any object with the attributes :obj:`num_nodes`,
            :obj:`pos`, :obj:`edge_index`, :obj:`eigenvectors` and :obj:`hierarchy` will do.
        num_classes (int): Number of classes.
        in_channels (int, optional): Size of each input feature. (default: :obj:`1`)
        channels (sequence of int, optional): Number of filters of each layer.
            (default: :obj:`(8, 16)`)
        add_self_loops (bool, optional): Whether nodes see themselves. (default: :obj:`True`)
        shared (bool, optional): If set to :obj:`True`, edges of equal rank share their weights,
            so that their number does not grow with the graph; see
            :class:`~graphmotion.nn.LocallyConnectedConv`. (default: :obj:`False`)
        reduce (str, optional): How clusters are pooled, :obj:`"mean"` or :obj:`"max"`.
            (default: :obj:`"mean"`)
        bias (bool, optional): Whether convolutions have one. (default: :obj:`False`)
        standardize (bool, optional): If set to :obj:`True`, each channel of each sample is brought
            to mean zero and deviation one over the nodes first. (default: :obj:`False`)
        num_directions (int, optional): If given, what the convolutions read is each channel and
            its gradient on the graph in so many directions; see
            :class:`~graphmotion.models.oriented_gradients.OrientedGradients`, which expects
            :obj:`standardize`. (default: :obj:`None`)
        batch_norm (bool, optional): Whether batch normalisation follows each convolution.
            (default: :obj:`False`)
        dropout (float, optional): Dropout probability before fully connected layers.
            (default: :obj:`0.0`)
        hidden_channels (int, optional): Size of a hidden fully connected layer.
            (default: :obj:`None`)
        final_relu (bool, optional): Whether logits go through a ReLU. (default: :obj:`False`)

    Shapes:
        - **x:** node features :math:`(B \cdot N, F_{in})`
        - **output:** logits :math:`(B, \text{num\_classes})`

    Raises:
        ValueError: If :obj:`graph` has fewer levels than there are layers, or the shape of
            :obj:`x` does not fit.
    """

    inputs = ('x',)

    def __init__(
        self,
        graph: SharedGraph,
        num_classes: int,
        in_channels: int = 1,
        channels: Sequence[int] = (8, 16),
        add_self_loops: bool = True,
        shared: bool = False,
        reduce: str = 'mean',
        bias: bool = False,
        standardize: bool = False,
        num_directions: int | None = None,
        batch_norm: bool = False,
        dropout: float = 0.0,
        hidden_channels: int | None = None,
        final_relu: bool = False,
    ) -> None:
        super().__init__()
        _check_graph(graph, len(channels))
        self.num_nodes = graph.num_nodes
        self.num_classes = num_classes
        self.in_channels = in_channels
        _remember_graph(self, graph)
        self.prepare = _preparation(graph, standardize, num_directions)
        self.convs, self.norms, self.pools = ModuleList(), ModuleList(), ModuleList()
        before = in_channels * (1 + (num_directions or 0))
        edge_index, size = graph.edge_index, graph.num_nodes
        for after, level in zip(channels, graph.hierarchy):
            conv = _LocalConv(before, after, edge_index, size, add_self_loops, shared, bias)
            self.convs.append(conv)
            self.norms.append(MotionBatchNorm(after) if batch_norm else Identity())
            self.pools.append(_Pooling(level, reduce))
            before, edge_index, size = after, level.edge_index, level.num_clusters
        self.head = _head(size * before, num_classes, hidden_channels, dropout, final_relu)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of each sample."""
        x = self.prepare(_check_x(x, self.in_channels))
        for conv, norm, pool in zip(self.convs, self.norms, self.pools):
            x = pool(norm(conv(x)).relu())
        return self.head(x)

    @torch.no_grad()
    def node_weights(self) -> Tensor:
        r"""How strongly the first convolution weighs each node: the length of what it makes of an
        impulse there, over all channels that it reads, filters and nodes.

        .. math::
            w_u = \sqrt{\textstyle\sum_{v, i, j} \Theta_{uvij}^2}

        Shapes:
            - **output:** :math:`(N)`
        """
        conv: Any = self.convs[0]
        square = conv.weight.square().sum((1, 2))
        if conv.shared:
            square = square[conv.slots % conv.max_degree]  # the rank of each edge
        return square.new_zeros(self.num_nodes).index_add(0, conv.edge_index[0], square).sqrt()


class DecisionFusion(Module):
    r"""One decision of several classifiers, from their logits.

    - :obj:`"max"`: :math:`p_c \propto \max_m p_{mc}`, the paper's maximum: the class is that of
      the more confident part;
    - :obj:`"mean"`: :math:`p_c = \frac{1}{M} \sum_m p_{mc}`;
    - :obj:`"product"`: :math:`p_c \propto \prod_m p_{mc}`;
    - :obj:`"learned"`: :math:`p_c = \sum_m a_m p_{mc}` with learned weights :math:`\mathbf{a}`
      that are positive and sum to one, equal at first.

    Args:
        num_parts (int): Number of classifiers :math:`M`.
        mode (str, optional): One of the above. (default: :obj:`"max"`)

    Shapes:
        - **logits:** :math:`M` tensors :math:`(B, \text{num\_classes})`
        - **output:** :math:`(B, \text{num\_classes})`, the logarithm of the fused probabilities,
          which sum to one: logits, whose softmax is the fused distribution
    """

    modes = ('max', 'mean', 'product', 'learned')

    def __init__(self, num_parts: int, mode: str = 'max') -> None:
        super().__init__()
        if mode not in self.modes:
            raise ValueError(f'fusion is one of {list(self.modes)}, got {mode!r}')
        self.mode = mode
        self.weight = Parameter(torch.zeros(num_parts)) if mode == 'learned' else None

    def reset_parameters(self) -> None:
        r"""Resets all learnable parameters of the module: equal weights."""
        if self.weight is not None:
            torch.nn.init.zeros_(self.weight)

    @torch.no_grad()
    def learn(self, logits: Sequence[Tensor], y: Tensor, num_steps: int = 1000) -> None:
        r"""Learn the weights :math:`\mathbf{a}` for classifiers that stay as they are.

        They become those under which the classes :obj:`y` are likeliest, by
        expectation-maximisation from equal ones:

        .. math::
            a_m \leftarrow \frac{1}{B} \sum_b \frac{a_m \, p_{mb}}{\sum_{m'} a_{m'} \, p_{m'b}}

        with :math:`p_{mb}` the probability that classifier :math:`m` gives the class of sample
        :math:`b`.

        Args:
            logits (sequence of Tensor): Those of samples that the classifiers were not trained
                with, or that were augmented; each :math:`(B, \text{num\_classes})`.
            y (Tensor): Their classes :math:`(B)`.
            num_steps (int, optional): The most steps to take. (default: :obj:`1000`)

        Raises:
            ValueError: If the mode is not :obj:`"learned"`.
        """
        if self.weight is None:
            raise ValueError(f"only fusion='learned' has weights to learn, this is {self.mode!r}")
        log = torch.stack(tuple(logits)).double().log_softmax(dim=-1)
        log = log.gather(2, y.view(1, -1, 1).expand(len(log), -1, 1)).squeeze(2)
        share = log.new_full((len(log), 1), 1 / len(log))
        for _ in range(num_steps):
            before = share
            share = (log + share.log()).softmax(dim=0).mean(dim=1, keepdim=True)
            if bool((share - before).abs().max() < 1e-7):
                break
        self.weight.copy_(share.clamp(min=1e-12).log().squeeze(1))

    def forward(self, logits: Sequence[Tensor]) -> Tensor:
        """Fuse the decisions."""
        log = torch.stack(tuple(logits)).log_softmax(dim=-1)
        if self.mode == 'max':
            fused = log.amax(dim=0)
        elif self.mode == 'product':
            fused = log.sum(dim=0)
        else:
            if self.weight is not None:
                log = log + self.weight.log_softmax(dim=0).view(-1, 1, 1)
            fused = log.logsumexp(dim=0)
        return fused.log_softmax(dim=-1)

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}({self.mode!r})'


class SSGNN(ResettableModule):
    r"""Facial expressions in the spatial and in the spectral domain, from "SSGNN: A Macro and
    Microfacial Expression Recognition Graph Neural Network Combining Spatial and Spectral Domain
    Features": :class:`SPAGNN` and :class:`SPEGNN`, whose decisions are fused.

    The paper takes the maximum; read as that of the two networks' probabilities. Each of them has
    a cross-entropy of its own, so train them alone and put them together,

    .. code-block:: python

        model = SSGNN(spagnn(graph, 7), spegnn(graph, 7))
        for part in (model.spatial, model.spectral):
            fit(ClassificationModule(part, 7, recipe), data, ...)

    or at once with the sum of both losses, which gives the same gradients:

    .. code-block:: python

        logits, parts = model(x, return_parts=True)
        loss = sum(cross_entropy(part, y) for part in parts)

    Learned weights of the fusion need a loss of the fused :obj:`logits`, which are the logarithm
    of the fused probabilities, or :meth:`DecisionFusion.learn`, once the parts are trained.

    Args:
        spatial (SPAGNN): The spatial part.
        spectral (SPEGNN): The spectral part.
        fusion (str, optional): :obj:`"max"`, :obj:`"mean"`, :obj:`"product"` or
            :obj:`"learned"`; see :class:`DecisionFusion`. (default: :obj:`"max"`)

    Shapes:
        - **x:** node features :math:`(B \cdot N, F_{in})`
        - **eigenvectors:** what :obj:`spectral` needs of them
        - **output:** logits :math:`(B, \text{num\_classes})`; with :obj:`return_parts` also a
          tuple of the logits of the spatial and of the spectral part

    Raises:
        ValueError: If the parts differ in their classes, nodes or input features.
    """

    def __init__(self, spatial: SPAGNN, spectral: SPEGNN, fusion: str = 'max') -> None:
        super().__init__()
        for name in ('num_classes', 'num_nodes', 'in_channels'):
            found = getattr(spatial, name), getattr(spectral, name)
            if found[0] != found[1]:
                raise ValueError(
                    f'{name} is {found[0]} in the spatial part and {found[1]} in the spectral part'
                )
        self.spatial = spatial
        self.spectral = spectral
        self.fusion = DecisionFusion(2, fusion)
        self.inputs = spectral.inputs

    def forward(
        self, x: Tensor, eigenvectors: Tensor | None = None, return_parts: bool = False
    ) -> Tensor | tuple[Tensor, tuple[Tensor, Tensor]]:
        """Logits of the fused decision of each sample, and on request those of both parts."""
        parts = self.spatial(x), self.spectral(x, eigenvectors)
        fused = self.fusion(parts)
        return (fused, parts) if return_parts else fused


# What the parts are made of ###################################################


def _preparation(graph: SharedGraph, standardize: bool, num_directions: int | None) -> Sequential:
    """What is done to the features of a sample before it is convolved."""
    layers: list[Module] = []
    if standardize:
        layers.append(_Standardize(graph.num_nodes))
    if num_directions is not None:
        layers.append(OrientedGradients(graph.pos, graph.edge_index, num_directions))
    return Sequential(*layers)


class _Standardize(Module):
    """Mean zero and deviation one in each sample; one without variation becomes zero."""

    def __init__(self, num_nodes: int) -> None:
        super().__init__()
        self.num_nodes = num_nodes

    def forward(self, x: Tensor) -> Tensor:
        graphs = split_graphs(x, self.num_nodes)
        graphs = graphs - graphs.mean(dim=1, keepdim=True)
        variance = graphs.square().mean(dim=1, keepdim=True)
        return (graphs * (variance + _EPS).rsqrt()).flatten(0, 1)


def _head(
    size: int, num_classes: int, hidden: int | None, dropout: float, final_relu: bool
) -> Sequential:
    """Logits from the features of all nodes of a sample."""
    layers: list[Module] = [_Flatten(size), Dropout(dropout)]
    if hidden is not None:
        layers += [Linear(size, hidden), ReLU(), Dropout(dropout)]
    layers.append(Linear(size if hidden is None else hidden, num_classes))
    return Sequential(*layers, *[ReLU()] * final_relu)


class _Flatten(Module):
    """Node features [B * N, F] as rows of samples [B, N * F]."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(-1, self.size)


class _LocalConv(LocallyConnectedConv):
    """With its edges in the state."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        _keep_in_state(self, 'edge_index')


class _Pooling(ClusterPooling):
    """With its clusters in the state."""

    def __init__(self, level: CoarserGraph, reduce: str) -> None:
        super().__init__(level.cluster, reduce)
        _keep_in_state(self, 'cluster')


def _keep_in_state(module: Module, name: str) -> None:
    """Save a buffer with the weights, which mean nothing without it, and refuse those of another
    graph: what was made from the buffer would not fit.
    """
    # A copy: what is loaded goes into the tensor that is there, which may be the graph's.
    module.register_buffer(name, getattr(module, name).clone(), persistent=True)
    module.register_load_state_dict_pre_hook(_Unchanged(name))


def _remember_graph(module: Module, graph: SharedGraph) -> None:
    """Save with the weights from which nodes and edges they were learned."""
    digest = hashlib.sha256()
    for value in (graph.pos, graph.edge_index):
        digest.update(value.detach().cpu().numpy().tobytes())
    # Integers, which no conversion of the model to another precision changes.
    value = torch.tensor(list(digest.digest()[:8]), dtype=torch.uint8, device=graph.pos.device)
    module.register_buffer('graph_digest', value)
    _keep_in_state(module, 'graph_digest')


class _Unchanged:
    """Reports a buffer that differs from the one that is to be loaded, and leaves it as it is."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(
        self, module: Module, state: MutableMapping[str, Tensor], prefix: str, *rest: Any
    ) -> None:
        own, stored = getattr(module, self.name), state.get(prefix + self.name)
        if stored is not None and not torch.equal(own, stored.to(own.device)):
            state[prefix + self.name] = own
            errors: list[str] = rest[-1]
            errors.append(
                f'{prefix}{self.name} is that of another graph: make the model with the graph '
                f'that the state was trained with'
            )


# What comes in ################################################################


def _check_graph(graph: SharedGraph, num_levels: int) -> None:
    names = ('num_nodes', 'pos', 'edge_index', 'eigenvectors', 'hierarchy')
    missing = [name for name in names if not hasattr(graph, name)]
    if missing:
        raise TypeError(
            f'graph is a PointGraph or has its attributes, got {type(graph).__name__} without '
            f'{missing}'
        )
    if len(graph.hierarchy) < num_levels:
        raise ValueError(
            f'the graph has {len(graph.hierarchy)} coarser levels, expected {num_levels}: make it '
            f'with levels={num_levels}, ratio=0.25'
        )


def _check_x(x: Tensor, channels: int) -> Tensor:
    if x.dim() != 2 or x.size(1) != channels:
        raise ValueError(f'x has the shape {list(x.shape)}, expected [num_nodes, {channels}]')
    return x


# Builders #####################################################################


spagnn = SPAGNN


spegnn = SPEGNN


@register_model('ssgnn', task='expression')
def ssgnn(
    graph: SharedGraph,
    num_classes: int,
    in_channels: int = 1,
    fusion: str = 'max',
    spatial: Mapping[str, Any] | None = None,
    spectral: Mapping[str, Any] | None = None,
) -> SSGNN:
    r"""SSGNN with the values of its paper.

    .. code-block:: python

        graph = PointGraph.from_points(
            sample_pixels(48, 48), k=8, num_modes=921, levels=2, ratio=0.25
        )
        model = ssgnn(graph, num_classes=7, fusion='mean', spectral={'num_knots': 16})

    Args:
        graph (PointGraph): The graph that all samples share, with eigenvectors and a hierarchy.
        num_classes (int): Number of classes.
        in_channels (int, optional): Size of each input feature. (default: :obj:`1`)
        fusion (str, optional): See :class:`DecisionFusion`. (default: :obj:`"max"`)
        spatial (mapping, optional): Options of :class:`SPAGNN`. (default: :obj:`None`)
        spectral (mapping, optional): Options of :class:`SPEGNN`. (default: :obj:`None`)
    """
    return SSGNN(
        SPAGNN(graph, num_classes, in_channels, **(spatial or {})),
        SPEGNN(graph, num_classes, in_channels, **(spectral or {})),
        fusion,
    )
