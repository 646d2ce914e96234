"""Attention of the nodes of one set to those of another, frame by frame."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import Linear

from graphmotion.nn.attention.node_attention import NodeAttention, project


class CrossAttention(NodeAttention):
    r"""Multi-head attention of target nodes to source nodes, frame by frame: of joints to parts,
    say, as in the `"Focal and Global Spatial-Temporal Transformer for Skeleton-based Action
    Recognition" <https://arxiv.org/abs/2210.02693>`_ paper.

    .. math::
        \mathbf{X}^{\prime}_t = \left[ \left( \mathrm{softmax}\left( \mathbf{Q}_{h,t}
        \mathbf{K}_{h,t}^{\top} / \sqrt{d} \right) + \mathbf{G}_h \right) \mathbf{V}_{h,t}
        \right]_{h=1}^{H} \mathbf{W} + \mathbf{b}

    with queries linear in the target and keys and values linear in the source. It is
    :class:`JointAttention` between two node sets, and takes the same options.

    Args:
        channels (int): Size of each input feature :math:`C`, on both sides.
        heads (int): Number of heads :math:`H`.
        out_channels (int, optional): Size of each output feature; :math:`C` if not given.
            (default: :obj:`None`)
        head_channels (int, optional): Size :math:`d` of the queries and keys, and of projected
            values, of one head; :math:`C / H` if not given. (default: :obj:`None`)
        value_projection (bool, optional): If set to :obj:`False`, each head's values are the
            source itself. (default: :obj:`True`)
        num_nodes (tuple, optional): Numbers of source and target nodes of the global map.
            (default: :obj:`None`)
        global_map (bool, optional): If set to :obj:`True`, learns the map :math:`\mathbf{G}` that
            all sequences share, initially :math:`1 / V_s`. (default: :obj:`False`)
        per_frame (bool, optional): If set to :obj:`False`, there is one map for all frames.
            (default: :obj:`True`)
        normalization (str, optional): :obj:`"softmax"` or :obj:`"tanh"`.
            (default: :obj:`"softmax"`)

    Shapes:
        Everything is a tuple for the source and the target, as in PyG's bipartite convolutions, and
        else as in :class:`JointAttention`:

        - **x:** features :math:`(|\mathcal{V}_s|, T, C)` and :math:`(|\mathcal{V}_t|, T, C)`
        - **num_nodes:** the numbers of nodes :math:`V_s` and :math:`V_t` of every graph, or
        - **batch:** batch vectors; with neither there is one graph
        - **batch_size:** the number of graphs
        - **position:** encodings added to the inputs of keys and of queries, each or :obj:`None`
        - **node_ids:** which nodes of the global map they are :math:`(B, T, V_s)` and
          :math:`(B, T, V_t)`, each or :obj:`None` where they are in the order of the map
        - **output:** target features :math:`(|\mathcal{V}_t|, T, F_{out})`, and with
          :obj:`return_attention` also the maps :math:`(B, T, H, V_t, V_s)`

    Raises:
        ValueError: If :math:`C` is not a multiple of :math:`H` and the size of a head is not given,
            or sizes do not fit.
    """

    def __init__(
        self,
        channels: int,
        heads: int,
        out_channels: int | None = None,
        head_channels: int | None = None,
        value_projection: bool = True,
        num_nodes: Sequence[int] | None = None,
        global_map: bool = False,
        per_frame: bool = True,
        normalization: str = 'softmax',
    ) -> None:
        if global_map and num_nodes is None:
            raise ValueError('global_map needs num_nodes')
        super().__init__(
            channels,
            heads,
            out_channels,
            head_channels,
            value_projection,
            num_nodes[::-1] if global_map and num_nodes is not None else None,
            per_frame,
            normalization,
        )
        self.q = Linear(channels, heads * self.head_channels)
        self.kv = Linear(channels, (1 + value_projection) * heads * self.head_channels)
        self.reset_parameters()

    def forward(
        self,
        x: tuple[Tensor, Tensor],
        num_nodes: tuple[int, int] | None = None,
        batch: tuple[Tensor, Tensor] | None = None,
        batch_size: int | None = None,
        position: tuple[Tensor | None, Tensor | None] | None = None,
        node_ids: tuple[Tensor | None, Tensor | None] | None = None,
        return_attention: bool = False,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Attend to the source from the target, the two entries of ``x``."""
        none = (None, None)
        if batch is not None and batch_size is None:  # a graph may have nodes on one side alone
            batch_size = max(int(part.max()) + 1 if part.numel() else 0 for part in batch)
        source, target = (
            self._nodes(part, num, vector, batch_size, encoding, ids)
            for part, num, vector, encoding, ids in zip(
                x, num_nodes or none, batch or none, position or none, node_ids or none
            )
        )
        if target.values.shape[::2] != source.values.shape[::2]:
            found = [[part.size(0), part.size(2)] for part in (target.values, source.values)]
            raise ValueError(
                f'the target has {found[0][0]} graphs of {found[0][1]} frames and the source '
                f'{found[1][0]} of {found[1][1]}, expected the same'
            )
        query = self.q(target.compared)
        if self.value_projection:
            key, value = project((source.compared, source.values), self.kv)
        else:
            key, value = self.kv(source.compared), source.values
        out, weights = self._attend(query, key, value, target, source, return_attention)
        out = self._restore(out, x[1], batch and batch[1])
        return out if weights is None else (out, weights)
