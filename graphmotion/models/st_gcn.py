"""ST-GCN, the standard graph convolution baseline for skeletons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor
from torch.nn import Module, ModuleList

from graphmotion.config import Configurable
from graphmotion.models.published_weights import LoadsPublishedWeights, match_state_dict
from graphmotion.models.registry import register_model
from graphmotion.nn import MotionBatchNorm, SpatialConv, TemporalConv
from graphmotion.nn.dropout import Dropout
from graphmotion.nn.frames import mask_padding, stride_mask
from graphmotion.nn.graphs import check_graph_sizes, graph_mean
from graphmotion.nn.linear import Linear
from graphmotion.nn.resettable import ResettableModule
from graphmotion.nn.sample_blocks import apply_to_samples
from graphmotion.nn.shortcut import make_shortcut
from graphmotion.nn.sliding import SlidingFrames
from graphmotion.skeletons import Skeleton, get_skeleton


class SpatioTemporalBlock(torch.nn.Module):
    r"""One layer of :class:`STGCN`: spatial convolution, temporal convolution, shortcut.

    .. math::
        \mathbf{X}^{\prime} = \mathrm{ReLU}(\mathrm{BN}(\mathrm{TCN}(\mathrm{ReLU}(\mathrm{BN}(
        \mathrm{GCN}(\mathbf{X}))))) + \mathrm{shortcut}(\mathbf{X}))

    Args:
        in_channels (int): Size of each input feature.
        out_channels (int): Size of each output feature.
        adj (Tensor): Partitioned adjacency :math:`(K, V, V)`.
        kernel_size (int, optional): Number of frames of the temporal kernel. (default: :obj:`9`)
        stride (int, optional): Temporal stride. (default: :obj:`1`)
        edge_importance (bool, optional): If set to :obj:`True`, edges have learned weights.
            (default: :obj:`True`)
        shortcut (bool, optional): If set to :obj:`False`, there is no shortcut.
            (default: :obj:`True`)
        dropout (float, optional): Dropout probability after the temporal convolution.
            (default: :obj:`0.0`)

    Shapes:
        - **x:** node features :math:`(B \cdot V, T, F_{in})`
        - **mask:** boolean :math:`(B \cdot V, T)`, :obj:`False` for padded frames
        - **output:** node features :math:`(B \cdot V, \lceil T / s \rceil, F_{out})`
    """

    adj: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        adj: Tensor,
        kernel_size: int = 9,
        stride: int = 1,
        edge_importance: bool = True,
        shortcut: bool = True,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.register_buffer('adj', adj, persistent=False)
        self.stride = stride
        self.spatial = SpatialConv(
            in_channels, out_channels, adj.size(0), adj.size(1), edge_importance
        )
        self.spatial_norm = MotionBatchNorm(out_channels)
        self.temporal = TemporalConv(out_channels, out_channels, kernel_size, stride)
        self.temporal_norm = MotionBatchNorm(out_channels)
        self.dropout = Dropout(dropout)
        self.shortcut = make_shortcut(in_channels, out_channels, stride) if shortcut else None

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Applies the layer."""
        out = self.temporal(self.spatial_norm(self.spatial(x, self.adj), mask).relu(), mask)
        out = self.dropout(self.temporal_norm(out, stride_mask(mask, self.stride)))
        if self.shortcut is not None:
            out = out + self.shortcut(x, mask)
        return out.relu()

    def forward_sliding(self, x: SlidingFrames) -> SlidingFrames:
        """Applies the layer to a window that slides over a sequence."""

        def convolve_frames(out: Tensor, x: Tensor) -> Tensor:
            out = self.temporal_norm(self.temporal(out))
            return (out if self.shortcut is None else out + self.shortcut(x)).relu()

        out = x.map(lambda x: self.spatial_norm(self.spatial(x, self.adj)).relu())
        return out.map(convolve_frames, x, reach=self.temporal.reach, stride=self.stride)


@register_model('st_gcn', task='action')
class STGCN(Configurable, LoadsPublishedWeights, ResettableModule):
    r"""The spatial temporal graph convolutional network from the `"Spatial Temporal Graph
    Convolutional Networks for Skeleton-Based Action Recognition"
    <https://arxiv.org/abs/1801.07455>`_ paper.

    .. code-block:: python

        model = st_gcn('coco17', num_classes=5, in_channels=2, channels=(16, 32))
        print(model(torch.randn(17, 32, 2)).shape)  # [1, 5]

    Args:
        skeleton (Skeleton or str): A skeleton or the name of a built-in layout.
        num_classes (int): Number of classes.
        in_channels (int, optional): Size of each input feature. (default: :obj:`3`)
        channels (sequence of int, optional): Output size of each layer. Except for the first
            layer, the temporal stride is 2 where the size grows.
            (default: the ten layers of the paper)
        kernel_size (int, optional): Number of frames of the temporal kernels. (default: :obj:`9`)
        strategy (str, optional): Partition strategy of
            :meth:`~graphmotion.skeletons.Skeleton.adjacency`. (default: :obj:`"spatial"`)
        max_hop (int, optional): Maximum number of bones between neighbours. (default: :obj:`1`)
        cap_distance (bool, optional): If set to :obj:`True`, uses the spatial partition of the
            published weights; see :meth:`~graphmotion.skeletons.Skeleton.adjacency`.
            (default: :obj:`False`)
        edge_importance (bool, optional): If set to :obj:`True`, edges have learned weights in
            every layer. (default: :obj:`True`)
        input_norm (bool, optional): If set to :obj:`False`, the input is not batch-normalised.
            (default: :obj:`True`)
        dropout (float, optional): Dropout probability in every layer except the first, as in the
            published code. (default: :obj:`0.5`)
        num_people (int, optional): Number of skeletons in a sample; their features are averaged.
            (default: :obj:`1`)

    Shapes:
        - **x:** node features :math:`(B \cdot M \cdot V, T, F_{in})`
        - **num_frames:** number of frames of each sample before padding :math:`(B)`; padded frames
          have no effect
        - **output:** logits :math:`(B, \text{num\_classes})`

    Raises:
        ValueError: If the number of nodes is not a multiple of the nodes of a sample.
    """

    inputs = ('x', 'batch')
    optional_inputs = ('num_frames',)

    def __init__(
        self,
        skeleton: str | Skeleton,
        num_classes: int,
        in_channels: int = 3,
        channels: Sequence[int] = (64, 64, 64, 64, 128, 128, 128, 256, 256, 256),
        kernel_size: int = 9,
        strategy: str = 'spatial',
        max_hop: int = 1,
        cap_distance: bool = False,
        edge_importance: bool = True,
        input_norm: bool = True,
        dropout: float = 0.5,
        num_people: int = 1,
    ) -> None:
        super().__init__()
        self.skeleton = get_skeleton(skeleton)
        self.in_channels = in_channels
        self.num_people = num_people
        adj = self.skeleton.adjacency(strategy, max_hop, cap_distance=cap_distance)
        self.input_norm = (
            MotionBatchNorm(in_channels, self.skeleton.num_joints) if input_norm else None
        )
        sizes = [in_channels, *channels]
        self._width = sizes[1]
        self.layers = ModuleList(
            SpatioTemporalBlock(
                size,
                out_size,
                adj,
                kernel_size,
                stride=2 if i > 0 and out_size > size else 1,
                edge_importance=edge_importance,
                shortcut=i > 0,
                dropout=dropout if i > 0 else 0.0,
            )
            for i, (size, out_size) in enumerate(pairwise(sizes))
        )
        self.lin = Linear(sizes[-1], num_classes)

    @property
    def head(self) -> Module:
        r"""The layers that map pooled features to logits."""
        return self.lin

    def forward(
        self, x: Tensor, batch: Tensor | None = None, num_frames: Tensor | None = None
    ) -> Tensor:
        """Returns the logits of each sample; ``batch`` only validates the number of people."""
        check_graph_sizes(x, batch, self.skeleton.num_joints, self.num_people)
        num_nodes = self.num_people * self.skeleton.num_joints
        x, mask = mask_padding(x, num_frames, num_nodes)
        return apply_to_samples(self, self._classify, x, mask, num_nodes, self._width)

    def _classify(self, x: Tensor, mask: Tensor | None) -> Tensor:
        num_nodes = self.num_people * self.skeleton.num_joints
        if self.input_norm is not None:
            x = self.input_norm(x, mask)
        for layer in self.layers:
            x = layer(x, mask)
            mask = stride_mask(mask, cast(SpatioTemporalBlock, layer).stride)
        return self.lin(graph_mean(x, num_nodes, mask=mask))

    def forward_sliding(self, x: SlidingFrames) -> Tensor:
        """Returns the logits of a window that slides over a sequence."""
        if self.input_norm is not None:
            x = x.map(self.input_norm)
        for layer in self.layers:
            x = cast(SpatioTemporalBlock, layer).forward_sliding(x)
        return self.lin(graph_mean(x.features, self.num_people * self.skeleton.num_joints))

    def convert_reference_state_dict(
        self, state_dict: Mapping[str, Tensor], strict: bool = True
    ) -> dict[str, Tensor]:
        r"""Returns the weights of a published checkpoint, with names such as
        :obj:`st_gcn_networks.0.gcn.conv.weight`, with the names and shapes of this model.

        The checkpoints were trained on the graphs :obj:`"ntu25_st_gcn"` and
        :obj:`"openpose18_st_gcn"` and the partition of :obj:`cap_distance=True`:

        .. code-block:: python

            model = st_gcn('ntu25_st_gcn', 60, num_people=2, cap_distance=True)
            model.load_reference_state_dict(torch.load('st_gcn.pt', weights_only=True))

        Raises:
            ValueError: If the graph does not match or, with :obj:`strict`, a name or a shape.
        """
        own, names, weights = self.state_dict(), _published_names(len(self.layers)), []
        for name, value in state_dict.items():
            name = name.removeprefix('module.')
            if name == 'A':
                self._check_graph(value, strict)
                continue
            prefix, _, leaf = name.rpartition('.')
            key = names.get(name) or f'{names.get(prefix)}.{leaf}'
            if key.endswith('edge_importance') and value.dim() == 3:
                value = value.transpose(1, 2)  # from columns that receive to rows that receive
            elif prefix.endswith('gcn.conv') and key in own and value.numel() == own[key].numel():
                shape = own[key].shape  # from [K * C_out, C_in, 1, 1] to [K, C_in, C_out]
                value = value.reshape(shape[0], shape[-1], -1).transpose(1, 2).reshape(shape)
            weights.append((name, key, value))
        return match_state_dict(weights, own, strict)

    def _check_graph(self, adj: Tensor, strict: bool) -> None:
        """Compares the graph of a published checkpoint, in which columns receive. A graph of
        another size, whose weights do not fit, raises only if strict.
        """
        layer = self.layers[0]
        assert isinstance(layer, SpatioTemporalBlock)
        expected = layer.adj.transpose(1, 2)
        if adj.shape != expected.shape and not strict:
            return
        if adj.shape != expected.shape or not torch.allclose(adj.to(expected), expected, atol=1e-5):
            raise ValueError(
                'the checkpoint was trained on another graph; published weights require the '
                "skeleton 'ntu25_st_gcn' or 'openpose18_st_gcn' and cap_distance=True"
            )


def _published_names(num_layers: int) -> dict[str, str]:
    """Returns the names of modules in this model by their names in published checkpoints."""
    names = {'data_bn': 'input_norm.norm', 'fcn': 'lin'}
    for i in range(num_layers):
        names[f'edge_importance.{i}'] = f'layers.{i}.spatial.edge_importance'
        for published, own in (
            ('gcn.conv', 'spatial'),
            ('tcn.0', 'spatial_norm.norm'),
            ('tcn.2', 'temporal.conv'),
            ('tcn.3', 'temporal_norm.norm'),
            ('residual.0', 'shortcut.0.conv'),
            ('residual.1', 'shortcut.1.norm'),
        ):
            names[f'st_gcn_networks.{i}.{published}'] = f'layers.{i}.{own}'
    return names


st_gcn = STGCN
