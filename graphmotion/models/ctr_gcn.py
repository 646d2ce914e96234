"""CTR-GCN, action recognition with a learned topology for each channel."""

from __future__ import annotations

from collections.abc import Sequence

from torch.nn import Module

from graphmotion.checks import as_list
from graphmotion.models.registry import register_model
from graphmotion.models.residual_gcn import CHANNELS, ResidualGCN
from graphmotion.nn import ChannelTopologyConv, MultiScaleTemporalConv
from graphmotion.skeletons import Skeleton, get_skeleton


@register_model('ctr_gcn', task='action')
class CTRGCN(ResidualGCN):
    r"""The channel-wise topology refinement graph-convolutional network from the `"Channel-wise
    Topology Refinement Graph Convolution for Skeleton-Based Action Recognition"
    <https://arxiv.org/abs/2107.12213>`_ paper.

    Each layer is a :class:`~graphmotion.nn.ChannelTopologyConv` and a
    :class:`~graphmotion.nn.MultiScaleTemporalConv`. The topologies are initially the published
    partitions, :obj:`skeleton.adjacency('spatial', normalization='column', per_partition=True)`.
    The authors train with :func:`~graphmotion.transforms.ctr_gcn_train_transform`.

    Rows of the ablation studies: :obj:`refine=False` is the baseline and the variant without
    refinement, and one boolean for each layer replaces some layers of the baseline;
    :obj:`shared_topology=False` is the variant without shared topologies; :obj:`correlation`,
    :obj:`reduction` and :obj:`activation` are the choices of the correlation.

    .. code-block:: python

        model = ctr_gcn('ntu25', num_classes=60, channels=(16, 32))
        print(model(torch.randn(25, 32, 3)).shape)  # [1, 60]

    Args:
        skeleton (Skeleton or str): A skeleton or the name of a built-in layout. The graph of the
            published code and weights is :obj:`"ntu25_st_gcn"` for NTU RGB+D and
            :obj:`"kinect20"` for Northwestern-UCLA.
        num_classes (int): Number of classes.
        in_channels (int, optional): Size of each input feature. (default: :obj:`3`)
        channels (sequence of int, optional): Output size of each layer, a multiple of the number
            of branches of the temporal convolution. Except for the first layer, the temporal stride
            is 2 where the size grows. (default: the ten layers of the paper)
        kernel_size (int, optional): Number of frames of the temporal kernels. (default: :obj:`5`)
        dilations (sequence of int, optional): Dilations of the temporal kernels.
            (default: :obj:`(1, 2)`)
        reduction (int, optional): See :class:`~graphmotion.nn.ChannelTopologyConv`.
            (default: :obj:`8`)
        correlation (str, optional): See :class:`~graphmotion.nn.ChannelTopologyConv`.
            (default: :obj:`"difference"`)
        activation (str, optional): See :class:`~graphmotion.nn.ChannelTopologyConv`.
            (default: :obj:`"tanh"`)
        shared_topology (bool, optional): If set to :obj:`False`, there is no topology shared by all
            channels. (default: :obj:`True`)
        learn_topology (bool, optional): If set to :obj:`False`, the shared topology is the fixed
            adjacency. (default: :obj:`True`)
        refine (bool or sequence of bool, optional): Whether topologies are refined for each
            channel; one for all layers, or one for each. (default: :obj:`True`)
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
        kernel_size: int = 5,
        dilations: Sequence[int] = (1, 2),
        reduction: int = 8,
        correlation: str = 'difference',
        activation: str = 'tanh',
        shared_topology: bool = True,
        learn_topology: bool = True,
        refine: bool | Sequence[bool] = True,
        dropout: float = 0.0,
        num_people: int = 1,
    ) -> None:
        body = get_skeleton(skeleton)
        adj = body.adjacency('spatial', normalization='column', per_partition=True)
        refined = as_list(refine, len(channels))
        if len(refined) != len(channels):
            raise ValueError(
                f'refine must be a boolean or {len(channels)}, one for each layer, got {refine!r}'
            )

        def make_spatial(before: int, after: int, layer: int) -> Module:
            return ChannelTopologyConv(
                before,
                after,
                adj,
                reduction,
                correlation,
                activation,
                shared_topology,
                learn_topology,
                refined[layer],
            )

        def make_temporal(size: int, stride: int) -> Module:
            return MultiScaleTemporalConv(size, size, kernel_size, stride, dilations)

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
        if module == 'spatial' or module.startswith('spatial.'):
            if leaf in ('alpha', 'topology'):
                return [f'gcn1.{"PA" if leaf == "topology" else leaf}']
            conv = {'spatial.query': 'conv1', 'spatial.key': 'conv2'}.get(module)
            conv = conv or ('conv4' if leaf.startswith('refine') else 'conv3')
            kind = leaf.removeprefix('refine_')
            return [f'gcn1.convs.{k}.{conv}.{kind}' for k in range(3)]
        if not module.startswith('temporal'):
            return super()._reference_modules(module, leaf)
        temporal = self.layers[0].temporal
        assert isinstance(temporal, MultiScaleTemporalConv)
        pool = len(temporal.dilations)
        branches, point = range(pool), pool + 1
        if module == 'temporal.norm.norm':
            modules = [f'{b}.3.bn' for b in branches] + [f'{pool}.4', f'{point}.1']
        elif module == 'temporal.point.conv':
            modules = [f'{point}.0']
        elif module.startswith('temporal.convs'):
            modules = [f'{module.split(".")[2]}.3.conv']
        else:
            part = 0 if module == 'temporal.reduce' else 1
            modules = [f'{b}.{part}' for b in range(pool + 1)]
        return [f'tcn1.branches.{name}.{leaf}' for name in modules]


ctr_gcn = CTRGCN
