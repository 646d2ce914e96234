"""Temporal convolution with several dilations and max pooling."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import cast

import torch
from torch import Tensor
from torch.nn import ModuleList
from torch.nn.functional import max_pool2d
from torch.nn.init import kaiming_normal_, normal_, zeros_

from graphmotion.nn.frames import stride_mask, zero_padding
from graphmotion.nn.linear import Linear
from graphmotion.nn.norm import MotionBatchNorm
from graphmotion.nn.resettable import ResettableModule
from graphmotion.nn.temporal.temporal_conv import TemporalConv


class MultiScaleTemporalConv(ResettableModule):
    r"""The multi-scale temporal convolution from the `"Channel-wise Topology Refinement Graph
    Convolution for Skeleton-Based Action Recognition" <https://arxiv.org/abs/2107.12213>`_ paper,
    a simplification of the one from the `"Disentangling and Unifying Graph Convolutions for
    Skeleton-Based Action Recognition" <https://arxiv.org/abs/2003.14111>`_ paper.

    .. math::
        [\mathbf{H}_1, \ldots, \mathbf{H}_{D+1}] &= \mathrm{ReLU}(\mathrm{BN}(\mathbf{X}
        \mathbf{W} + \mathbf{b})) \\
        \mathbf{X}^{\prime} &= \mathrm{BN}([\mathrm{TCN}_{d_1}(\mathbf{H}_1), \ldots,
        \mathrm{TCN}_{d_D}(\mathbf{H}_D), \mathrm{maxpool}(\mathbf{H}_{D+1}), \mathbf{X}
        \mathbf{V} + \mathbf{c}])

    There is one branch for each of the :math:`D` dilations, one with the maximum over three frames
    and one with a linear map. All branches have the same number of output channels. The result is
    normalised, without an activation.

    .. code-block:: python

        conv = MultiScaleTemporalConv(16, 32, stride=2)
        print(conv(torch.randn(25, 30, 16)).shape)  # [25, 15, 32]

    Args:
        in_channels (int): Size of each input feature.
        out_channels (int): Size of each output feature, a multiple of the number of branches.
        kernel_size (int, optional): Kernel size of the convolutions in frames, odd.
            (default: :obj:`5`)
        stride (int, optional): Stride :math:`s` over the frames. (default: :obj:`1`)
        dilations (sequence of int, optional): Dilations :math:`d`. (default: :obj:`(1, 2)`)

    Shapes:
        - **x:** node features :math:`(|\mathcal{V}|, T, F_{in})`
        - **mask:** boolean :math:`(|\mathcal{V}|, T)`, :obj:`False` for padded frames
        - **output:** node features :math:`(|\mathcal{V}|, \lceil T / s \rceil, F_{out})`

    Raises:
        ValueError: If the number of branches does not divide the output channels, or the kernel
            size is not odd.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 5,
        stride: int = 1,
        dilations: Sequence[int] = (1, 2),
    ) -> None:
        super().__init__()
        num_branches = len(dilations) + 2
        if out_channels % num_branches:
            raise ValueError(
                f'out_channels must be a multiple of the {num_branches} branches, '
                f'got {out_channels}'
            )
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = kernel_size
        self.stride = stride
        self.dilations = tuple(dilations)
        self.branch_channels = size = out_channels // num_branches
        self.reduce = Linear(in_channels, (num_branches - 1) * size)
        self.reduce_norm = MotionBatchNorm((num_branches - 1) * size)
        self.convs = ModuleList(
            TemporalConv(size, size, kernel_size, stride, dilation) for dilation in dilations
        )
        self.point = TemporalConv(in_channels, size, kernel_size=1, stride=stride)
        self.norm = MotionBatchNorm(out_channels)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        r"""Resets all learnable parameters of the module.

        As in the authors' code, biases are zero, weights are normally distributed with a variance
        given by the number of outputs, and scales of the normalisation are close to one.
        """
        super().reset_parameters()
        normal_(self.reduce.weight, std=math.sqrt(2 / self.branch_channels))
        zeros_(self.reduce.bias)
        for conv in (*self.convs, self.point):
            kaiming_normal_(conv.conv.weight, mode='fan_out')
            zeros_(conv.conv.bias)
        for norm in (self.reduce_norm, self.norm):
            normal_(norm.norm.weight, 1.0, 0.02)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Convolves ``x`` along its frames at several scales."""
        reduced = self.reduce_norm(self.reduce(x), mask).relu()
        # Zeros do not change the maximum either, as no feature is negative.
        *convolved, pooled = zero_padding(reduced, mask).split(self.branch_channels, -1)
        outs = [conv(part) for conv, part in zip(self.convs, convolved)]
        image = pooled.unsqueeze(1).permute(0, 3, 1, 2)
        image = max_pool2d(image, (1, 3), (1, self.stride), (0, 1))
        outs += [image.permute(0, 2, 3, 1).squeeze(1), self.point(x)]
        return self.norm(torch.cat(outs, dim=-1), stride_mask(mask, self.stride))

    @property
    def reach(self) -> int:
        """Number of frames before and after a frame on which its result depends."""
        return max([1, *(conv.reach for conv in cast(Iterable[TemporalConv], self.convs))])

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({self.in_channels}, {self.out_channels}, '
            f'kernel_size={self.kernel_size}, stride={self.stride}, dilations={self.dilations})'
        )
