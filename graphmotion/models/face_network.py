"""Base class and options of the networks over facial graphs."""

from __future__ import annotations

import hashlib
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import Module, ReLU, Sequential
from torch_geometric.utils import scatter

from graphmotion.checks import as_list
from graphmotion.config import Configurable
from graphmotion.nn import ClusterPooling, OrientedGradients
from graphmotion.nn.dropout import Dropout
from graphmotion.nn.graphs import split_graphs
from graphmotion.nn.linear import Linear
from graphmotion.nn.resettable import ResettableModule

_EPS = 1e-3  # added to the variance of a sample; grey values are in 0..1


class CoarserGraph(Protocol):
    """A level of a hierarchy: the cluster of each finer node, and the edges between clusters."""

    @property
    def cluster(self) -> Tensor: ...  # noqa: D102

    @property
    def num_clusters(self) -> int: ...  # noqa: D102

    @property
    def edge_index(self) -> Tensor: ...  # noqa: D102

    @property
    def edge_weight(self) -> Tensor: ...  # noqa: D102


class SharedGraph(Protocol):
    r"""A graph that all samples share, such as a :class:`~graphmotion.graphs.PointGraph`.

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


@dataclass(frozen=True)
class FaceNetworkOptions:
    r"""Options of both :class:`SPAGNN` and :class:`SPEGNN`.

    Args:
        reduce (str, optional): Pooling of clusters, :obj:`"mean"` or :obj:`"max"`.
            (default: :obj:`"mean"`)
        bias (bool, optional): Whether convolutions have a bias. (default: :obj:`False`)
        standardize (bool, optional): If :obj:`True`, standardises each channel of each sample over
            the nodes first. (default: :obj:`False`)
        num_directions (int, optional): If given, appends the gradient of each channel in this
            number of directions to the input; see :class:`~graphmotion.nn.OrientedGradients`,
            which expects :obj:`standardize`. (default: :obj:`None`)
        batch_norm (bool, optional): Whether batch normalisation follows each convolution.
            (default: :obj:`False`)
        dropout (float, optional): Dropout probability before fully connected layers.
            (default: :obj:`0.0`)
        hidden_channels (int, optional): Size of a hidden fully connected layer.
            (default: :obj:`None`)
        final_relu (bool, optional): Whether a ReLU is applied to the logits.
            (default: :obj:`False`)
        residual (bool, optional): Whether the input of a convolution is added to its output if both
            have the same channels. (default: :obj:`False`)
    """

    reduce: str = 'mean'
    bias: bool = False
    standardize: bool = False
    num_directions: int | None = None
    batch_norm: bool = False
    dropout: float = 0.0
    hidden_channels: int | None = None
    final_relu: bool = False
    residual: bool = False


class FaceNetwork(Configurable, ResettableModule):
    r"""Base class of the networks over facial graphs.

    The state of the model records its graph, and loading the state of a model of a different graph
    is an error.

    Args:
        graph (PointGraph): The graph that all samples share.
        num_classes (int): Number of classes.
        in_channels (int): Size of each input feature.
        num_levels (int): Number of levels of the hierarchy that the network uses.
        options (FaceNetworkOptions): Options of the network.

    Raises:
        TypeError: If :obj:`graph` lacks an attribute.
        ValueError: If :obj:`graph` has fewer levels.
    """

    def __init__(
        self,
        graph: SharedGraph,
        num_classes: int,
        in_channels: int,
        num_levels: int,
        options: FaceNetworkOptions,
    ) -> None:
        super().__init__()
        _check_graph(graph, num_levels)
        self.num_nodes = graph.num_nodes
        self.num_classes = num_classes
        self.in_channels = in_channels
        layers: list[Module] = []
        if options.standardize:
            layers.append(_Standardize(graph.num_nodes))
        if options.num_directions is not None:
            layers.append(OrientedGradients(graph.pos, graph.edge_index, options.num_directions))
        self.prepare = Sequential(*layers)
        #: Size of the features that the first convolution reads.
        self.prepared_channels = in_channels * (1 + (options.num_directions or 0))

    def check_features(self, x: Tensor) -> None:
        r"""Raises an error if the input features have an invalid shape."""
        if x.dim() != 2 or x.size(1) != self.in_channels:
            raise ValueError(
                f'x must have shape [num_nodes, {self.in_channels}], got {list(x.shape)}'
            )

    def record_graph(self, graph: SharedGraph) -> None:
        r"""Stores a fingerprint of the nodes and edges in the state."""
        digest = hashlib.sha256()
        for value in (graph.pos, graph.edge_index):
            digest.update(value.detach().cpu().numpy().tobytes())
        # Integers, which conversion of the model to another precision does not change.
        value = torch.tensor(list(digest.digest()[:8]), dtype=torch.uint8, device=graph.pos.device)
        self.register_buffer('graph_digest', value)
        keep_in_state(self, 'graph_digest')

    def make_head(self, size: int, options: FaceNetworkOptions) -> Sequential:
        r"""Returns the layers that map the features of all nodes of a sample to logits."""
        hidden, dropout = options.hidden_channels, options.dropout
        layers: list[Module] = [_Flatten(size), Dropout(dropout)]
        if hidden is not None:
            layers += [Linear(size, hidden), ReLU(), Dropout(dropout)]
        layers.append(Linear(size if hidden is None else hidden, self.num_classes))
        return Sequential(*layers, *[ReLU()] * options.final_relu)


def expand_num_layers(num_layers: int | Sequence[int], size: int) -> tuple[int, ...]:
    """Returns the number of convolutions for each of the ``size`` numbers of channels."""
    out = tuple(as_list(num_layers, size))
    if len(out) != size or min(out) < 1:
        raise ValueError(f'num_layers must be positive, one number or {size}, got {num_layers}')
    return out


def cluster_centers(pos: Tensor, level: CoarserGraph) -> Tensor:
    """Returns the mean position of the members of each cluster."""
    return scatter(pos, level.cluster, dim_size=level.num_clusters, reduce='mean')


class StatefulPooling(ClusterPooling):
    """Cluster pooling with its clusters in the state."""

    def __init__(self, level: CoarserGraph, reduce: str) -> None:
        super().__init__(level.cluster, reduce)
        keep_in_state(self, 'cluster')


def keep_in_state(module: Module, name: str) -> None:
    """Makes a buffer part of the state and rejects states in which it differs, since weights depend
    on the graph they were trained with.
    """
    # A copy, since loading writes to the tensor, which may belong to the graph.
    module.register_buffer(name, getattr(module, name).clone(), persistent=True)
    module.register_load_state_dict_pre_hook(_Unchanged(name))


class _Unchanged:
    """Load hook that reports a buffer that differs from the stored one and keeps its value."""

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
                f'{prefix}{self.name} belongs to another graph: build the model with the graph '
                f'that the state was trained with'
            )


class _Standardize(Module):
    """Standardises each sample over its nodes; constant samples become zero."""

    def __init__(self, num_nodes: int) -> None:
        super().__init__()
        self.num_nodes = num_nodes

    def forward(self, x: Tensor) -> Tensor:
        graphs = split_graphs(x, self.num_nodes)
        graphs = graphs - graphs.mean(dim=1, keepdim=True)
        variance = graphs.square().mean(dim=1, keepdim=True)
        return (graphs * (variance + _EPS).rsqrt()).flatten(0, 1)


class _Flatten(Module):
    """Reshapes node features [B * N, F] to rows of samples [B, N * F]."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(-1, self.size)


def _check_graph(graph: SharedGraph, num_levels: int) -> None:
    names = ('num_nodes', 'pos', 'edge_index', 'eigenvectors', 'hierarchy')
    missing = [name for name in names if not hasattr(graph, name)]
    if missing:
        raise TypeError(
            f'graph must be a PointGraph or have its attributes, got {type(graph).__name__} '
            f'without {missing}'
        )
    if len(graph.hierarchy) < num_levels:
        raise ValueError(
            f'graph must have {num_levels} coarser levels, got {len(graph.hierarchy)}: build it '
            f'with levels={num_levels}, ratio=0.25'
        )
