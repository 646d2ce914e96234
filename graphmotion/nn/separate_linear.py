"""Linear maps with separate weights for each part."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import Module, Parameter
from torch.nn.init import xavier_uniform_


class SeparateLinear(Module):
    r"""Applies a separate linear map to each part of a body, such as a horizontal strip.

    .. math::
        \mathbf{x}^{\prime}_p = \mathbf{x}_p \mathbf{W}_p

    Weights are initialised as in the published code of GaitSet and OpenGait: Glorot initialisation
    of the full tensor :math:`P \times F_{in} \times F_{out}`, for which PyTorch counts
    :math:`F_{in} F_{out}` inputs and :math:`P F_{out}` outputs. Their standard deviation is
    :math:`\sqrt{2 / (F_{out} (F_{in} + P))}`, below the :math:`\sqrt{2 / (F_{in} + F_{out})}` of a
    single layer.

    .. code-block:: python

        linear = SeparateLinear(16, 32, 8)
        print(linear(torch.randn(4, 16, 32)).shape)  # [4, 16, 8]

    Args:
        num_parts (int): Number of parts :math:`P`.
        in_channels (int): Size of each input feature.
        out_channels (int): Size of each output feature.

    Shapes:
        - **x:** features :math:`(B, P, F_{in})`
        - **output:** features :math:`(B, P, F_{out})`

    Raises:
        ValueError: If the shape of :obj:`x` does not match the weights.
    """

    def __init__(self, num_parts: int, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.weight = Parameter(torch.empty(num_parts, in_channels, out_channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        r"""Resets all learnable parameters of the module."""
        xavier_uniform_(self.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Maps the parts of ``x``."""
        if x.dim() != 3 or x.shape[1:] != self.weight.shape[:2]:
            raise ValueError(
                f'x must have shape [B, {self.weight.size(0)}, {self.weight.size(1)}], got '
                f'{list(x.shape)}'
            )
        return torch.bmm(x.transpose(0, 1), self.weight).transpose(0, 1)

    def __repr__(self) -> str:
        num_parts, in_channels, out_channels = self.weight.shape
        return f'{self.__class__.__name__}({num_parts}, {in_channels}, {out_channels})'
