"""AGCN, the adaptive graph convolutional network of 2s-AGCN."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import Module

from graphmotion.models.registry import register_model
from graphmotion.models.residual_gcn import CHANNELS, ResidualGCN
from graphmotion.nn import AdaptiveSpatialConv, MotionBatchNorm, TemporalConv
from graphmotion.nn.frame_sequential import FrameSequential
from graphmotion.skeletons import Skeleton, get_skeleton


@register_model('agcn', task='action')
class AGCN(ResidualGCN):
    r"""The adaptive graph-convolutional network from the `"Two-Stream Adaptive Graph Convolutional
    Networks for Skeleton-Based Action Recognition" <https://arxiv.org/abs/1805.07694>`_ paper.

    2s-AGCN adds the scores of two such networks, one for joints and one for bones; see
    :class:`~graphmotion.transforms.ToStream` and :func:`~graphmotion.metrics.fuse_streams`.

    Each layer is an :class:`~graphmotion.nn.AdaptiveSpatialConv` and a
    :class:`~graphmotion.nn.TemporalConv`. The adjacency is that of the published code, in which
    partitions are normalised separately and joints receive along columns.

    Rows of the ablation study: :obj:`fixed=False` is the network without :math:`\mathbf{A}`,
    :obj:`learned=False` without :math:`\mathbf{B}`, and :obj:`similarity=False` without
    :math:`\mathbf{C}`.

    .. code-block:: python

        model = agcn('ntu25', num_classes=60, channels=(16, 32))
        print(model(torch.randn(25, 32, 3)).shape)  # [1, 60]

    Args:
        skeleton (Skeleton or str): A skeleton or the name of a built-in layout. The graph of the
            published code and weights is :obj:`"ntu25_st_gcn"` for NTU RGB+D and
            :obj:`"openpose18_st_gcn"` for Kinetics.
        num_classes (int): Number of classes.
        in_channels (int, optional): Size of each input feature. (default: :obj:`3`)
        channels (sequence of int, optional): Output size of each layer. Except for the first
            layer, the temporal stride is 2 where the size grows.
            (default: the ten layers of the paper)
        kernel_size (int, optional): Number of frames of the temporal kernels. (default: :obj:`9`)
        fixed (bool, optional): If set to :obj:`False`, the adjacency of the skeleton is omitted.
            (default: :obj:`True`)
        learned (bool, optional): If set to :obj:`False`, the learned adjacency shared by all
            samples is omitted. (default: :obj:`True`)
        similarity (bool, optional): If set to :obj:`False`, the adjacency from the similarity of
            joints in each sample is omitted. (default: :obj:`True`)
        dropout (float, optional): Dropout probability before the classifier.
            (default: :obj:`0.0`)
        num_people (int, optional): Number of skeletons in a sample. Each has its own
            normalisation of the input; their features are averaged. (default: :obj:`1`)

    Shapes:
        - **x:** node features :math:`(B \cdot M \cdot V, T, F_{in})`
        - **num_frames:** number of frames of each sample before padding :math:`(B)`; padded frames
          have no effect
        - **output:** logits :math:`(B, \text{num\_classes})`

    Raises:
        ValueError: If an option is invalid, or the number of nodes is not a multiple of the nodes
            of a sample.
    """

    def __init__(
        self,
        skeleton: str | Skeleton,
        num_classes: int,
        in_channels: int = 3,
        channels: Sequence[int] = CHANNELS,
        kernel_size: int = 9,
        fixed: bool = True,
        learned: bool = True,
        similarity: bool = True,
        dropout: float = 0.0,
        num_people: int = 1,
    ) -> None:
        body = get_skeleton(skeleton)
        adj = body.adjacency('spatial', normalization='column', per_partition=True)
        adj = adj.transpose(1, 2).contiguous()

        def make_spatial(before: int, after: int, layer: int) -> Module:
            return AdaptiveSpatialConv(
                before, after, adj, fixed=fixed, learned=learned, similarity=similarity
            )

        def make_temporal(size: int, stride: int) -> Module:
            return FrameSequential(
                TemporalConv(size, size, kernel_size, stride), MotionBatchNorm(size)
            )

        super().__init__(
            body,
            num_classes,
            in_channels,
            channels,
            make_spatial,
            make_temporal,
            dropout,
            num_people,
        )

    def _reference_modules(self, module: str, leaf: str) -> list[str]:
        if leaf == 'residual_adjacency':
            return ['gcn1.PA']
        conv = {
            'spatial': 'conv_d',
            'spatial.conv': 'conv_d',
            'spatial.key': 'conv_a',
            'spatial.query': 'conv_b',
        }.get(module)
        if conv is not None:
            return [f'gcn1.{conv}.{k}.{leaf}' for k in range(3)]
        temporal = {'temporal.0.conv': 'tcn1.conv', 'temporal.1.norm': 'tcn1.bn'}.get(module)
        if temporal is not None:
            return [f'{temporal}.{leaf}']
        return super()._reference_modules(module, leaf)

    def _convert(self, key: str, value: Tensor) -> Tensor:
        if key.endswith('residual_adjacency'):
            return value.transpose(1, 2)  # from columns that receive to rows that receive
        if key.endswith('spatial.conv.weight'):
            return value.transpose(0, 1)  # from [C_out, C_in] to [C_in, C_out]
        return value


agcn = AGCN
