"""What the transforms read of images and of the landmarks in them."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.data import Data

from graphmotion.data import num_graphs


def images(data: Data) -> Tensor:
    """The field ``image``, checked to be ``[B, H, W]``."""
    image = data.get('image')
    if image is None or image.dim() != 3 or not image.numel():
        found = 'none' if image is None else f'one of shape {list(image.shape)}'
        raise ValueError(f"expected a field 'image' [1, H, W], of a batch [B, H, W], found {found}")
    if image.dtype != torch.uint8 and not image.is_floating_point():
        raise ValueError(f"the field 'image' is of bytes or of real numbers, found {image.dtype}")
    return image


def landmarks(data: Data) -> Tensor | None:
    """The field ``landmarks``, as ``[B, L, 2]``, if there is one."""
    points = data.get('landmarks')
    if points is None:
        return None
    num_images = num_graphs(data)
    if points.dim() != 2 or points.size(1) != 2 or not len(points) or len(points) % num_images:
        raise ValueError(
            f"the field 'landmarks' has the shape {list(points.shape)}, expected [L, 2] for each "
            f'of {num_images} images'
        )
    return points.view(num_images, -1, 2)


def to_unit(image: Tensor) -> Tensor:
    """Grey from 0 to 1, as real numbers; those there are stay as they are."""
    if image.dtype == torch.uint8:
        return image.float().div_(255)
    low, high = (float(value) for value in image.aminmax())
    if not 0 <= low <= high <= 1:  # also of what is no number
        raise ValueError(
            f"the field 'image' is of bytes, or of real numbers from 0 to 1, found some from "
            f'{low:g} to {high:g}'
        )
    return image


def from_unit(value: Tensor, image: Tensor) -> Tensor:
    """The inverse of :func:`to_unit`, cut to the range from black to white."""
    value = value.clamp_(0, 1)
    if image.dtype == torch.uint8:
        return value.mul_(255).round_().byte()
    return value.to(image.dtype)
