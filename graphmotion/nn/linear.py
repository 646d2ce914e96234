"""Linear maps by the fastest products of the processor."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from graphmotion.nn.eager import is_eager, is_eager_cpu
from graphmotion.nn.kernels.linear import map_rows

# Products of a linear map from which a convolution saves time: a call takes 30 microseconds more,
# and the first one with a size about a millisecond.
MIN_PRODUCTS = 3 * 2**20
# The weights are rearranged in each call.
MIN_ROWS = 256
# With fewer images, torch convolves with kernels of size 1 by the products of MKL on one thread.
NUM_IMAGES = range(16, 64)
# Other products have the same speed.
DTYPES: tuple[torch.dtype, ...] = (torch.float32,)


class Linear(torch.nn.Linear):
    r"""A :class:`torch.nn.Linear` that is faster on some processors.

    PyTorch uses the matrix products of MKL, which do not use AVX-512 on AMD processors, while the
    convolutions of oneDNN do. A large map in single precision is therefore computed there as a
    convolution with a kernel of size one, which is twice as fast on a Zen 5
    (:obj:`python -m benchmarks.operators --operator Linear`). Results are equal up to rounding.
    Elsewhere, for small maps, and in code that is compiled or exported, it is a matrix product.

    :func:`torch.ao.quantization.quantize_dynamic` converts layers of exactly
    :class:`torch.nn.Linear`, so that :obj:`layer.__class__ = torch.nn.Linear` must precede it.

    .. code-block:: python

        lin = Linear(3, 16)
        print(lin(torch.randn(25, 60, 3)).shape)  # [25, 60, 16]

    Args:
        in_features (int): Size of each input feature.
        out_features (int): Size of each output feature.
        bias (bool, optional): If set to :obj:`False`, no bias is added. (default: :obj:`True`)
        device (torch.device, optional): Device of the parameters. (default: :obj:`None`)
        dtype (torch.dtype, optional): Type of the parameters. (default: :obj:`None`)

    Shapes:
        - **x:** features :math:`(*, F_{in})`
        - **output:** features :math:`(*, F_{out})`
    """

    def forward(self, input: Tensor) -> Tensor:
        """Maps the features."""
        return linear(input, self.weight, self.bias)


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Computes :func:`torch.nn.functional.linear` as :class:`Linear`."""
    mapped = map_rows(x, weight, bias)
    if mapped is not None:
        return mapped
    if prefers_convolutions(x) and is_eager_cpu(x, weight) and x.is_contiguous():
        num_rows = x.numel() // x.size(-1)
        large = num_rows >= MIN_ROWS and num_rows * weight.numel() >= MIN_PRODUCTS
        images = _as_images(x, num_rows) if large else None
        if images is not None:
            out = functional.conv2d(images, weight[:, :, None, None], bias)
            # Not a view, so that it can be overwritten.
            return torch.ops.aten._unsafe_view(
                out.permute(0, 2, 3, 1), [*x.shape[:-1], len(weight)]
            )
    return functional.linear(x, weight, bias)


def _as_images(x: Tensor, num_rows: int) -> Tensor | None:
    """Views features as channels-last images [N, C, 1, W], or returns None if there is no N."""
    num_images = next((n for n in NUM_IMAGES if num_rows % n == 0), None)
    if num_images is None:
        return None
    return x.view(num_images, 1, num_rows // num_images, x.size(-1)).permute(0, 3, 1, 2)


def prefers_convolutions(x: Tensor) -> bool:
    """Returns whether convolutions of ``x`` use instructions of the processor that products do not,
    and no compiler chooses between them.
    """
    fast = x.dtype in DTYPES and is_eager() and _has_slow_products()
    return fast and bool(torch.backends.mkldnn.enabled)  # users may have switched oneDNN off


@cache
def _has_slow_products() -> bool:
    return (
        torch.backends.mkl.is_available()
        and torch.backends.mkldnn.is_available()
        and torch.backends.cpu.get_cpu_capability() == 'AVX512'
        and 'AuthenticAMD' in _describe_processor()
    )


def _describe_processor() -> str:
    try:
        with Path('/proc/cpuinfo').open() as file:
            return next((line for line in file if line.startswith('vendor_id')), '')
    except OSError:
        return os.environ.get('PROCESSOR_IDENTIFIER', '')  # of Windows
