"""Attention from one set of nodes to another in each frame."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from graphmotion.nn.attention.node_attention import NodeAttention, project
from graphmotion.nn.graphs import check_same_graphs, count_graphs
from graphmotion.nn.linear import Linear


class CrossAttention(NodeAttention):
    r"""Multi-head attention of target nodes to source nodes in each frame, such as of joints to
    body parts in the `"Focal and Global Spatial-Temporal Transformer for Skeleton-based Action
    Recognition" <https://arxiv.org/abs/2210.02693>`_ paper.

    .. math::
        \mathbf{X}^{\prime}_t = \left[ \left( \mathrm{softmax}\left( \mathbf{Q}_{h,t}
        \mathbf{K}_{h,t}^{\top} / \sqrt{d} \right) + \mathbf{G}_h \right) \mathbf{V}_{h,t}
        \right]_{h=1}^{H} \mathbf{W} + \mathbf{b}

    where queries are linear in the target, and keys and values are linear in the source. The
    options are those of :class:`JointAttention`.

    .. code-block:: python

        attention = CrossAttention(16, heads=4)
        parts, joints = torch.randn(5, 30, 16), torch.randn(25, 30, 16)
        print(attention((parts, joints)).shape)  # joints attend to parts: [25, 30, 16]

    Args:
        channels (int): Size of each input feature :math:`C` of source and target.
        heads (int): Number of heads :math:`H`.
        out_channels (int, optional): Size of each output feature; :math:`C` if not given.
            (default: :obj:`None`)
        head_channels (int, optional): Size :math:`d` of the queries, keys and projected values of
            each head; :math:`C / H` if not given. (default: :obj:`None`)
        value_projection (bool, optional): If set to :obj:`False`, the values of each head are the
            source features. (default: :obj:`True`)
        num_nodes (tuple, optional): Numbers of source and target nodes in the global map.
            (default: :obj:`None`)
        global_map (bool, optional): If set to :obj:`True`, learns the map :math:`\mathbf{G}` that
            all sequences share, initially :math:`1 / V_s`. (default: :obj:`False`)
        per_frame (bool, optional): If set to :obj:`False`, all frames share one attention map.
            (default: :obj:`True`)
        normalization (str, optional): :obj:`"softmax"` or :obj:`"tanh"`.
            (default: :obj:`"softmax"`)

    Shapes:
        Inputs except the mask are tuples for source and target, as in PyG's bipartite convolutions:

        - **x:** features :math:`(|\mathcal{V}_s|, T, C)` and :math:`(|\mathcal{V}_t|, T, C)`
        - **num_nodes:** numbers of nodes :math:`V_s` and :math:`V_t` of every graph, or
        - **batch:** batch vectors; with neither, there is a single graph
        - **batch_size:** number of graphs
        - **position:** encodings added to the inputs of keys and queries; each may be :obj:`None`
        - **node_ids:** indices of the nodes in the global map, :math:`(B, T, V_s)` and
          :math:`(B, T, V_t)`; each may be :obj:`None` if nodes are in the order of the map
        - **mask:** boolean :math:`(|\mathcal{V}_s|, T)`, :obj:`False` for source nodes or frames
          that are padding, to which no node attends
        - **output:** target features :math:`(|\mathcal{V}_t|, T, F_{out})`, and with
          :obj:`return_attention` also the attention maps :math:`(B, T, H, V_t, V_s)`

    Raises:
        ValueError: If :math:`C` is not a multiple of :math:`H` and :obj:`head_channels` is not
            given, or if shapes do not match.
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
        super().__init__(
            channels,
            heads,
            out_channels,
            head_channels,
            value_projection,
            None if num_nodes is None else num_nodes[::-1],
            global_map,
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
        mask: Tensor | None = None,
        return_attention: bool = False,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Attends from the target to the source, given in ``x`` as (source, target)."""
        none = (None, None)
        if batch is not None and batch_size is None:  # one side may lack nodes of the last graph
            batch_size = count_graphs(*batch)
        source, target = (
            self._nodes(part, num, vector, batch_size, encoding, ids, valid)
            for part, num, vector, encoding, ids, valid in zip(
                x,
                num_nodes or none,
                batch or none,
                position or none,
                node_ids or none,
                (mask, None),
            )
        )
        check_same_graphs(source.values.shape[::2], target.values.shape[::2])
        query = self.q(target.compared)
        if self.value_projection:
            key, value = project((source.compared, source.values), self.kv)
        else:
            key, value = self.kv(source.compared), source.values
        out, weights = self._attend(query, key, value, target, source, return_attention)
        out = self._to_nodes(out, x[1], batch and batch[1])
        return out if weights is None else (out, weights)
