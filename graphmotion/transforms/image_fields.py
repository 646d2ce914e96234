"""Reading, conversion and resampling of images and landmarks."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import grid_sample
from torch_geometric.data import Data

from graphmotion.checks import as_list, check_number
from graphmotion.data import num_graphs


def get_image(data: Data) -> Tensor:
    """Returns the field ``image`` as ``[B, C, H, W]``, with one channel if it is grey."""
    image = data.get('image')
    grey = image is not None and image.dim() == 3
    color = image is not None and image.dim() == 4 and image.size(1) == 3
    if image is None or not (grey or color) or not image.numel() or len(image) != num_graphs(data):
        found = 'no field' if image is None else f'shape {list(image.shape)}'
        found += f' for {num_graphs(data)} samples'
        raise ValueError(
            f"field 'image' must have shape [1, H, W] or [1, 3, H, W] per sample, got {found}"
        )
    if image.dtype != torch.uint8 and not image.is_floating_point():
        raise ValueError(f"field 'image' must be uint8 or floating point, got {image.dtype}")
    return image.unsqueeze(1) if grey else image


def set_image(data: Data, image: Tensor) -> None:
    """Sets the field ``image`` from ``[B, C, H, W]``, without channels if it has none."""
    data.image = image.squeeze(1) if data.image.dim() == 3 else image


def get_landmarks(data: Data) -> Tensor | None:
    """Returns the field ``landmarks`` as ``[B, L, 2]``, or :obj:`None` if it is missing."""
    points = data.get('landmarks')
    if points is None:
        return None
    num_images = num_graphs(data)
    if points.dim() != 2 or points.size(1) != 2 or not len(points) or len(points) % num_images:
        raise ValueError(
            f"field 'landmarks' must have shape [L, 2] per image, got {list(points.shape)} for "
            f'{num_images} images'
        )
    return points.view(num_images, -1, 2)


def to_unit(image: Tensor) -> Tensor:
    """Converts bytes to intensities in [0, 1]; floating-point intensities are returned as is."""
    if image.dtype == torch.uint8:
        return image.float().div_(255)
    low, high = (float(value) for value in image.aminmax())
    if not 0 <= low <= high <= 1:  # also rejects NaN
        raise ValueError(
            f"field 'image' must be uint8 or in [0, 1], got values from {low:g} to {high:g}"
        )
    return image


def from_unit(value: Tensor, image: Tensor) -> Tensor:
    """Clamps intensities to [0, 1] in place and converts them to the type of ``image``."""
    value = value.clamp_(0, 1)
    if image.dtype == torch.uint8:
        return value.mul_(255).round_().byte()
    return value.to(image.dtype)


def check_translate(translate: float | Sequence[float]) -> tuple[float, float]:
    """Returns the maximum translations (horizontal, vertical), given as one number or a pair."""
    limits = [check_number('translate', limit, 0) for limit in as_list(translate, 2)]
    if len(limits) != 2:
        raise ValueError(f'translate must be a number or (horizontal, vertical), got {translate!r}')
    return limits[0], limits[1]


def warp(images: Tensor, inverse: Tensor, shift: Tensor, padding_mode: str) -> Tensor:
    """Applies an affine map about the centre of the image to each row, by bilinear sampling.

    With the centre ``c``, pixel ``p`` of the output is the input at
    ``c + inverse @ (p - c - shift)``.

    Args:
        images (Tensor): Images ``[B, C, H, W]``.
        inverse (Tensor): Inverse of the linear part ``[B, 2, 2]``, acting on ``(x, y)``.
        shift (Tensor): Translation ``[B, 2]`` in pixels.
        padding_mode (str): Value outside the image, as in ``grid_sample``.
    """
    height, width = images.shape[-2:]
    x = torch.arange(width, device=images.device) - (width - 1) / 2
    y = torch.arange(height, device=images.device) - (height - 1) / 2
    x = (x - shift[:, :1]).unsqueeze(1)  # [B, 1, W]
    y = (y - shift[:, 1:]).unsqueeze(2)  # [B, H, 1]
    xx, xy, yx, yy = inverse.reshape(-1, 4, 1, 1).unbind(dim=1)
    # grid_sample's coordinates are in half widths and half heights.
    grid = torch.stack([2 / width * (xx * x + xy * y), 2 / height * (yx * x + yy * y)], dim=-1)
    images = images.to(grid.dtype)
    return grid_sample(images, grid, padding_mode=padding_mode, align_corners=False)
