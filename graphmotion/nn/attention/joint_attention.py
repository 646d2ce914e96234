"""Self-attention over the joints of each frame."""

from __future__ import annotations

from torch import Tensor
from torch.nn import Linear

from graphmotion.nn.attention.node_attention import NodeAttention, project


class JointAttention(NodeAttention):
    r"""Multi-head self-attention over the joints of each frame, as in the `"GaitMixer:
    Skeleton-based Gait Representation Learning via Wide-spectrum Multi-axial Mixer"
    <https://arxiv.org/abs/2210.15491>`_ paper.

    .. math::
        \mathbf{X}^{\prime}_t = \left[ \left( \mathrm{softmax}\left( \mathbf{Q}_{h,t}
        \mathbf{K}_{h,t}^{\top} / \sqrt{d} \right) + \mathbf{G}_h \right) \mathbf{V}_{h,t}
        \right]_{h=1}^{H} \mathbf{W} + \mathbf{b}

    with queries, keys and values linear in :math:`\mathbf{X}_t`. The map :math:`\mathbf{G}`, which
    all sequences share, is left out by default. With it, and with values that are not projected, it
    is the spatial attention of the `"Focal and Global Spatial-Temporal Transformer for
    Skeleton-based Action Recognition" <https://arxiv.org/abs/2210.02693>`_ paper; with one map a
    clip and a hyperbolic tangent also that of the `"Decoupled Spatial-Temporal Attention Network
    for Skeleton-Based Action Recognition" <https://arxiv.org/abs/2007.03263>`_ paper, where

    .. math::
        \alpha_h \tanh \left( \frac{1}{T d} \sum_t \mathbf{Q}_{h,t} \mathbf{K}_{h,t}^{\top} \right)

    takes the place of the softmax.

    Args:
        channels (int): Size of each input feature :math:`C`.
        heads (int): Number of heads :math:`H`.
        out_channels (int, optional): Size of each output feature; :math:`C` if not given.
            (default: :obj:`None`)
        head_channels (int, optional): Size :math:`d` of the queries and keys, and of projected
            values, of one head; :math:`C / H` if not given. (default: :obj:`None`)
        value_projection (bool, optional): If set to :obj:`False`, each head's values are the input
            itself. (default: :obj:`True`)
        num_nodes (int, optional): Number of nodes of the global map. (default: :obj:`None`)
        global_map (bool, optional): If set to :obj:`True`, learns :math:`\mathbf{G}`, initially
            :math:`1 / V`. (default: :obj:`False`)
        per_frame (bool, optional): If set to :obj:`False`, there is one map for all frames, of the
            scores' mean over frames: divided by :math:`T \sqrt{d}` before a softmax.
            (default: :obj:`True`)
        normalization (str, optional): What becomes of the scores: :obj:`"softmax"`, or
            :obj:`"tanh"` with a learned factor :math:`\alpha_h`. (default: :obj:`"softmax"`)

    Shapes:
        - **x:** node features :math:`(|\mathcal{V}|, T, C)`
        - **num_nodes:** the number of nodes :math:`V` of every graph, or
        - **batch:** batch vector :math:`(|\mathcal{V}|)` for graphs of different size; with neither
          there is one graph
        - **batch_size:** the number of graphs in :obj:`batch`. It and :obj:`num_nodes`, then the
          most nodes that a graph has, are counted if not given; compilation and export need them
        - **position:** encoding :math:`(V, C)` or :math:`(V, T, C)` that is added to the input of
          queries and keys, not to that of values; or of all nodes, with :math:`|\mathcal{V}|` for
          :math:`V`, as a batch vector needs it
        - **node_ids:** which node of the global map each is :math:`(B, T, V)`, where it is not in
          the order of the map: :obj:`joint_ids` of :class:`~graphmotion.nn.TopKJointPooling`
        - **output:** node features :math:`(|\mathcal{V}|, T, F_{out})`, and with
          :obj:`return_attention` also the maps :math:`(B, T, H, V, V)`, with one frame if they are
          shared by the frames

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
        num_nodes: int | None = None,
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
            (num_nodes, num_nodes) if global_map and num_nodes is not None else None,
            per_frame,
            normalization,
        )
        self.qkv = Linear(channels, (2 + value_projection) * heads * self.head_channels)
        self.reset_parameters()

    def forward(
        self,
        x: Tensor,
        num_nodes: int | None = None,
        batch: Tensor | None = None,
        batch_size: int | None = None,
        position: Tensor | None = None,
        node_ids: Tensor | None = None,
        return_attention: bool = False,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Attend to the joints of each frame of ``x``."""
        nodes = self._nodes(x, num_nodes, batch, batch_size, position, node_ids)
        if self.value_projection:
            query, key, value = project((nodes.compared, nodes.compared, nodes.values), self.qkv)
        else:
            query, key = project((nodes.compared, nodes.compared), self.qkv)
            value = nodes.values
        out, weights = self._attend(query, key, value, nodes, nodes, return_attention)
        out = self._restore(out, x, batch)
        return out if weights is None else (out, weights)
