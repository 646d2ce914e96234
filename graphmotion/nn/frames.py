"""Masks of the frames of sequences that were padded to the longest one of a batch.

A mask [N, T] is False for the padded frames of each node, at the end of its sequence. Instead of a
mask, None stands for sequences without padding.
"""

from __future__ import annotations

import torch
from torch import Tensor


def frame_mask(num_frames: Tensor | None, num_graphs: int, length: int) -> Tensor | None:
    """Returns a mask [B, T] of ``length`` frames, or None if no frame is known to be padded.

    Only on a CPU and in eager mode, numbers are checked and a mask without padding is None, since
    reading them would wait for the device.
    """
    if num_frames is None:
        return None
    if num_frames.dim() != 1 or num_frames.size(0) != num_graphs:
        raise ValueError(
            f'num_frames must have shape [{num_graphs}], one number for each sample, got '
            f'{list(num_frames.shape)}'
        )
    if num_frames.device.type == 'cpu' and not torch.compiler.is_compiling() and num_graphs:
        low, high = (int(end) for end in num_frames.aminmax())
        if not 1 <= low <= high <= length:
            raise ValueError(
                f'num_frames must be in [1, {length}], got {low} to {high}; a transform that '
                f'changes the number of frames must set it'
            )
        if low == length:
            return None
    return torch.arange(length, device=num_frames.device) < num_frames.unsqueeze(1)


def mask_padding(
    x: Tensor, num_frames: Tensor | None, num_nodes: int
) -> tuple[Tensor, Tensor | None]:
    """Sets the padded frames of graphs [B * V, T, C] to zero; also returns the mask [B * V, T].

    ``num_frames`` [B] is the number of frames of each graph before it was padded.
    """
    mask = repeat_mask(frame_mask(num_frames, x.size(0) // num_nodes, x.size(1)), num_nodes)
    return zero_padding(x, mask), mask


def repeat_mask(mask: Tensor | None, num_nodes: int) -> Tensor | None:
    """Repeats the mask of graphs [B, T] for their nodes: [B * V, T]."""
    return None if mask is None else mask.repeat_interleave(num_nodes, dim=0)


def stride_mask(mask: Tensor | None, stride: int) -> Tensor | None:
    """Returns the mask of the output of a temporal convolution with a stride."""
    return mask if mask is None or stride == 1 else mask[:, ::stride]


def zero_padding(x: Tensor, mask: Tensor | None) -> Tensor:
    """Sets padded frames to zero, the padding of temporal convolutions."""
    return x if mask is None else x.masked_fill(~mask.unsqueeze(-1), 0)


def frame_mean(x: Tensor, mask: Tensor | None = None) -> Tensor:
    """Averages over the frames of each node that are not padding: [N, T, C] to [N, C]."""
    if mask is None:
        return x.mean(dim=1)
    return zero_padding(x, mask).sum(dim=1) / mask.sum(dim=1, keepdim=True)


def padded_frames(x: Tensor, mask: Tensor | None) -> Tensor | None:
    """Returns which frames of x [N, T, C] are padding, or None if ``mask`` is None.

    A node without any real frame keeps all of its frames, since a maximum needs at least one.
    """
    if mask is None:
        return None
    if mask.shape != x.shape[:2] or mask.dtype != torch.bool:
        raise ValueError(
            f'mask must be a boolean tensor of shape {list(x.shape[:2])}, got {mask.dtype} of '
            f'shape {list(mask.shape)}'
        )
    return ~(mask | ~mask.any(dim=1, keepdim=True))


def frame_max(x: Tensor, padded: Tensor | None) -> Tensor:
    """Returns the maximum over the frames of each node that are not padding: [N, C]."""
    if padded is not None:
        x = x.masked_fill(padded.unsqueeze(-1), -torch.inf)
    return x.amax(dim=1)
