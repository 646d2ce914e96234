"""Motion tensors as images of one row, whose convolutions are those along the frames."""

from __future__ import annotations

import torch
from torch import Tensor


def as_image(x: Tensor) -> Tensor:
    """Views [N, T, C] as a channels-last image [N, C, 1, T]."""
    return x.unsqueeze(1).permute(0, 3, 1, 2)


def differentiable_gradients(
    x: Tensor,
    weight: Tensor,
    gradient: Tensor,
    stride: int = 1,
    dilation: int = 1,
    padding: int = 0,
    needed: tuple[bool, bool] = (True, True),
) -> tuple[Tensor | None, Tensor | None]:
    """Computes the gradients of the input [N, T, C] and the weight [F, C, 1, k] of a convolution
    along the frames by differentiable operations.
    """
    x_grad, weight_grad, _ = torch.ops.aten.convolution_backward(
        as_image(gradient),
        as_image(x),
        weight,
        None,
        [1, stride],
        [0, padding],
        [1, dilation],
        False,
        [0, 0],
        1,
        [*needed, False],
    )
    return x_grad.permute(0, 2, 3, 1).squeeze(1) if needed[0] else None, weight_grad
