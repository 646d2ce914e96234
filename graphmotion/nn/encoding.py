"""Position encodings of joints and frames."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def sinusoidal_encoding(
    length: int,
    channels: int,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> Tensor:
    r"""Returns the sinusoidal position encoding from the `"Attention Is All You Need"
    <https://arxiv.org/abs/1706.03762>`_ paper.

    .. math::
        \mathbf{p}_{i, 2c} = \sin(i / 10000^{2c / C}), \quad
        \mathbf{p}_{i, 2c + 1} = \cos(i / 10000^{2c / C})

    Args:
        length (int): Number of positions.
        channels (int): Size :math:`C` of each vector. If it is odd, the last channel is a sine.
        device (torch.device, optional): Device of the result. (default: :obj:`None`)
        dtype (torch.dtype, optional): Data type of the result; the computation is at least in
            single precision. (default: :obj:`None`)

    Shapes:
        - **output:** :math:`(\text{length}, C)`
    """
    dtype = dtype or torch.get_default_dtype()
    wide = torch.promote_types(dtype, torch.float32)
    position = torch.arange(length, device=device, dtype=wide).unsqueeze(1)
    exponent = torch.arange(0, channels, 2, device=device, dtype=wide)
    angle = position * torch.exp(exponent * (-math.log(10000.0) / max(channels, 1)))
    # Sines and cosines alternate.
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)[:, :channels].to(dtype)
