"""Sequences of modules that act on padded frames."""

from __future__ import annotations

from torch import Tensor
from torch.nn import Sequential

from graphmotion.nn.frames import stride_mask
from graphmotion.nn.norm import MotionBatchNorm
from graphmotion.nn.temporal.temporal_conv import TemporalConv


class FrameSequential(Sequential):
    r"""Modules in sequence, of which temporal convolutions and normalisations receive a mask.

    Without modules, it is the identity.

    Shapes:
        - **x:** node features :math:`(|\mathcal{V}|, T, F_{in})`
        - **mask:** boolean :math:`(|\mathcal{V}|, T)`, :obj:`False` for padded frames
        - **output:** node features :math:`(|\mathcal{V}|, \lceil T / s \rceil, F_{out})`, with
          :math:`s` the product of the strides
    """

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Applies the modules to ``x``."""
        for module in self:
            if isinstance(module, TemporalConv):
                x, mask = module(x, mask), stride_mask(mask, module.stride)
            else:
                x = module(x, mask) if isinstance(module, MotionBatchNorm) else module(x)
        return x

    @property
    def reach(self) -> int:
        """Number of frames before and after a frame on which its result depends."""
        reach, step = 0, 1
        for module in self:
            if isinstance(module, TemporalConv):
                reach, step = reach + step * module.reach, step * module.stride
        return reach
