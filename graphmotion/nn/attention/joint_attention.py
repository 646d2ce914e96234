"""Self-attention over the joints of each frame."""

from __future__ import annotations

from torch import Tensor

from graphmotion.nn.attention.node_attention import NodeAttention, project
from graphmotion.nn.linear import Linear


class JointAttention(NodeAttention):
    r"""Multi-head self-attention over the joints of each frame, as in the `"GaitMixer:
    Skeleton-based Gait Representation Learning via Wide-spectrum Multi-axial Mixer"
    <https://arxiv.org/abs/2210.15491>`_ paper.

    .. math::
        \mathbf{X}^{\prime}_t = \left[ \left( \mathrm{softmax}\left( \mathbf{Q}_{h,t}
        \mathbf{K}_{h,t}^{\top} / \sqrt{d} \right) + \mathbf{G}_h \right) \mathbf{V}_{h,t}
        \right]_{h=1}^{H} \mathbf{W} + \mathbf{b}

    where queries, keys and values are linear in :math:`\mathbf{X}_t`. The map :math:`\mathbf{G}`,
    which all sequences share, is optional. With it and without a projection of the values, the
    operator is the spatial attention of the `"Focal and Global Spatial-Temporal Transformer for
    Skeleton-based Action Recognition" <https://arxiv.org/abs/2210.02693>`_ paper. With one map per
    clip and a hyperbolic tangent in addition, it is the spatial attention of the `"Decoupled
    Spatial-Temporal Attention Network for Skeleton-Based Action Recognition"
    <https://arxiv.org/abs/2007.03263>`_ paper, where the softmax is replaced by

    .. math::
        \alpha_h \tanh \left( \frac{1}{T d} \sum_t \mathbf{Q}_{h,t} \mathbf{K}_{h,t}^{\top} \right)

    .. code-block:: python

        attention = JointAttention(16, heads=4, num_nodes=25)
        print(attention(torch.randn(25, 30, 16)).shape)  # [25, 30, 16]

    Args:
        channels (int): Size of each input feature :math:`C`.
        heads (int): Number of heads :math:`H`.
        out_channels (int, optional): Size of each output feature; :math:`C` if not given.
            (default: :obj:`None`)
        head_channels (int, optional): Size :math:`d` of the queries, keys and projected values of
            each head; :math:`C / H` if not given. (default: :obj:`None`)
        value_projection (bool, optional): If set to :obj:`False`, the values of each head are the
            input features. (default: :obj:`True`)
        num_nodes (int, optional): Number of nodes in the global map. (default: :obj:`None`)
        global_map (bool, optional): If set to :obj:`True`, learns :math:`\mathbf{G}`, initially
            :math:`1 / V`. (default: :obj:`False`)
        per_frame (bool, optional): If set to :obj:`False`, all frames share one attention map,
            computed from the mean of the scores over the frames: the scores are summed over frames
            and divided by :math:`T \sqrt{d}` before a softmax. (default: :obj:`True`)
        normalization (str, optional): Normalisation of the scores: :obj:`"softmax"`, or
            :obj:`"tanh"` with a learned factor :math:`\alpha_h`. (default: :obj:`"softmax"`)

    Shapes:
        - **x:** node features :math:`(|\mathcal{V}|, T, C)`
        - **num_nodes:** number of nodes :math:`V` of every graph, or
        - **batch:** batch vector :math:`(|\mathcal{V}|)` for graphs of different sizes, where
          :obj:`num_nodes` is the size of the largest graph; with neither, there is a single graph
        - **batch_size:** number of graphs in :obj:`batch`. With :obj:`batch`, compilation and
          export require :obj:`num_nodes` and :obj:`batch_size`, which are counted otherwise
        - **position:** encoding :math:`(V, C)` or :math:`(V, T, C)` added to the input of queries
          and keys but not of values; with a batch vector, :math:`(|\mathcal{V}|, C)` or
          :math:`(|\mathcal{V}|, T, C)`
        - **node_ids:** index of each node in the global map :math:`(B, T, V)` if nodes are not in
          the order of the map, for instance :obj:`joint_ids` of
          :class:`~graphmotion.nn.TopKJointPooling`
        - **mask:** boolean :math:`(|\mathcal{V}|, T)`, :obj:`False` for nodes or frames that are
          padding, to which no node attends
        - **first_only:** if :obj:`True`, only the output of the first node of each graph is
          computed, :math:`(B, T, F_{out})`
        - **output:** node features :math:`(|\mathcal{V}|, T, F_{out})`, and with
          :obj:`return_attention` also the attention maps :math:`(B, T, H, V, V)`, with a single
          frame if all frames share them

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
        num_nodes: int | None = None,
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
            None if num_nodes is None else (num_nodes, num_nodes),
            global_map,
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
        mask: Tensor | None = None,
        return_attention: bool = False,
        first_only: bool = False,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Attends to the joints of each frame of ``x``."""
        nodes = self._nodes(x, num_nodes, batch, batch_size, position, node_ids, mask)
        targets = nodes.compared[:, :1] if first_only else nodes.compared
        if self.value_projection:
            query, key, value = project((targets, nodes.compared, nodes.values), self.qkv)
        else:
            query, key = project((targets, nodes.compared), self.qkv)
            value = nodes.values
        out, weights = self._attend(query, key, value, nodes, nodes, return_attention)
        if first_only:
            out = out.view(out.size(0), *x.shape[1:-1], out.size(-1))
            return out if weights is None else (out, weights)
        out = self._to_nodes(out, x, batch)
        return out if weights is None else (out, weights)
