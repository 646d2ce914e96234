"""The layout of the fields of all samples in flat tensors."""

from __future__ import annotations

import math
import tempfile
from typing import Any

import numpy as np
import torch
from torch import Tensor


def pack_bits(images: Tensor) -> Tensor:
    r"""Packs images of zeros and ones, eight pixels of a row in a byte with the first pixel in its
    highest bit.

    Args:
        images (Tensor): :math:`(*, W)`.

    Returns:
        Tensor: :math:`(*, \lceil W / 8 \rceil)`, bytes.
    """
    return torch.from_numpy(np.packbits(images.cpu().numpy().astype(bool), axis=-1))


def unpack_bits(packed: Tensor, width: int) -> Tensor:
    r"""Unpacks the output of :func:`pack_bits` to bytes 0 and 1, :math:`(*, W)`."""
    shifts = torch.arange(7, -1, -1, dtype=torch.uint8, device=packed.device)
    bits = (packed.unsqueeze(-1) >> shifts) & 1
    return bits.flatten(-2)[..., :width].contiguous()


class Column:
    """Collects the rows of one field of all samples, in memory or in a file in a folder."""

    def __init__(self, first: Tensor, folder: str | None) -> None:
        self.dtype, self.shape, self.folder = first.dtype, first.shape[1:], folder
        self.lengths: list[int] = []
        self._rows: list[Tensor] = []
        self._file: Any = None

    def append(self, rows: Tensor) -> None:
        """Adds the rows of a sample."""
        self.lengths.append(len(rows))
        if self.folder is None:
            self._rows.append(rows)
            return
        if self._file is None:
            # An unnamed file is removed even if the process is killed.
            self._file = tempfile.TemporaryFile(dir=self.folder)  # noqa: SIM115
        self._file.write(rows.detach().cpu().to(self.dtype).contiguous().numpy().tobytes())

    def joined(self) -> Tensor:
        """Returns all rows; those in a file stay there until they are read."""
        if self.folder is None:
            return torch.cat(self._rows)
        shape = (sum(self.lengths), *self.shape)
        if not math.prod(shape):
            return torch.empty(shape, dtype=self.dtype)
        self._file.flush()
        kind = torch.empty(0, dtype=self.dtype).numpy().dtype
        return torch.from_numpy(np.memmap(self._file, kind, mode='c', shape=shape))

    def close(self) -> None:
        """Closes the file; rows that were joined stay accessible."""
        if self._file is not None:
            self._file.close()


class Rows:
    """The rows of each sample in the storage of fields with the same layout.

    Args:
        slices (Tensor): Where the rows of each sample begin and end, [N + 1].
        frames (Tensor, optional): Number of frames of each sample [N], for fields along time: the
            rows of a sample are then the frames of its nodes, node after node.
    """

    def __init__(self, slices: Tensor, frames: Tensor | None = None) -> None:
        self.slices = slices
        self.frames = frames
        # The items of a sample are the nodes of a field along time, or the rows of other fields.
        rows = slices.diff()
        self.items = rows if frames is None else rows // frames
        # Number of rows of every sample, or None if it differs between samples.
        constant = [bool((n == n[0]).all()) for n in (rows, self.items)]
        self.size = int(rows[0]) if all(constant) else None

    def same(self, other: Rows) -> bool:
        """Returns whether both describe the same layout."""
        return self.frames is other.frames and torch.equal(self.slices, other.slices)

    def get(self, values: Tensor, sample: int) -> Tensor:
        """Returns the field of a sample, given the rows ``values`` of all samples."""
        if self.size is None:
            start, end = self.slices[sample : sample + 2].tolist()
        else:
            start, end = sample * self.size, (sample + 1) * self.size
        return self._shape(values[start:end], sample)

    def find(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the index for :meth:`take`, and the offset of the items of each sample."""
        if self.size is not None:
            return samples, torch.arange(len(samples) + 1) * self.items[0]
        start, items = self.slices[samples], self.items[samples]
        offsets = torch.cat([items.new_zeros(1), items.cumsum(0)])
        graph = torch.repeat_interleave(items)
        item = torch.arange(int(offsets[-1])) - offsets[graph]
        if self.frames is None:
            return start[graph] + item, offsets
        frames = self.frames[samples]
        # Shorter samples repeat their last frame.
        frame = torch.minimum(torch.arange(int(frames.max())), frames.unsqueeze(1) - 1)
        first = start[graph] + item * frames[graph]
        return first.unsqueeze(1) + frame.index_select(0, graph), offsets

    def take(self, values: Tensor, found: Tensor) -> Tensor:
        """Returns the items of a field, given the rows ``values`` of all samples and the index of
        :meth:`find`.
        """
        if self.size is None:
            out = values.index_select(0, found.flatten())
            return out.view(found.shape + values.shape[1:])
        out = values.view(len(self.items), self.size, *values.shape[1:]).index_select(0, found)
        return self._shape(out.flatten(0, 1), 0)

    def _shape(self, rows: Tensor, sample: int) -> Tensor:
        """Views rows as items with the number of frames of the sample."""
        if self.frames is None:
            return rows
        return rows.view(-1, int(self.frames[sample]), *rows.shape[1:])
