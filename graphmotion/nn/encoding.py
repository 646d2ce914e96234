"""Where a joint or a frame stands in its sequence, as a vector."""

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
    r"""The fixed position encoding from the `"Attention Is All You Need"
    <https://arxiv.org/abs/1706.03762>`_ paper: sines in the even channels, cosines in the odd.

    .. math::
        \mathbf{p}_{i, 2c} = \sin(i / 10000^{2c / C}), \quad
        \mathbf{p}_{i, 2c + 1} = \cos(i / 10000^{2c / C})

    Args:
        length (int): Number of positions.
        channels (int): Size :math:`C` of each vector; an odd one ends with a sine.
        device (torch.device, optional): Where the result is made. (default: :obj:`None`)
        dtype (torch.dtype, optional): Its type; what it is computed in is never less precise than
            single. (default: :obj:`None`)

    Shapes:
        - **output:** :math:`(\text{length}, C)`
    """
    dtype = dtype or torch.get_default_dtype()
    wide = torch.promote_types(dtype, torch.float32)
    position = torch.arange(length, device=device, dtype=wide).unsqueeze(1)
    exponent = torch.arange(0, channels, 2, device=device, dtype=wide)
    angle = position * torch.exp(exponent * (-math.log(10000.0) / max(channels, 1)))
    # Sine and cosine side by side, pair by pair.
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)[:, :channels].to(dtype)
