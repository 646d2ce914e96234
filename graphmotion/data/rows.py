"""Flat storage of the fields of all samples."""

from __future__ import annotations

import math
import tempfile
from typing import Any

import numpy as np
import torch
from torch import Tensor


def pack_bits(images: Tensor) -> Tensor:
    r"""Packs eight pixels of a row of binary images into a byte, the first into the highest bit.

    Args:
        images (Tensor): Images of zeros and ones :math:`(*, W)`.

    Returns:
        Tensor: Bytes :math:`(*, \lceil W / 8 \rceil)`.
    """
    return torch.from_numpy(np.packbits(images.cpu().numpy().astype(bool), axis=-1))


def unpack_bits(packed: Tensor, width: int) -> Tensor:
    r"""Inverts :func:`pack_bits` for images of a given width: bytes 0 and 1 :math:`(*, W)`."""
    shifts = torch.arange(7, -1, -1, dtype=torch.uint8, device=packed.device)
    bits = (packed.unsqueeze(-1) >> shifts) & 1
    return bits.flatten(-2)[..., :width].contiguous()


class Column:
    """Collects the rows of a field of all samples in memory, or in a file if a folder is given."""

    def __init__(self, first: Tensor, folder: str | None) -> None:
        self.dtype, self.shape, self.folder = first.dtype, first.shape[1:], folder
        self.lengths: list[int] = []
        self._rows: list[Tensor] = []
        self._file: Any = None

    def append(self, rows: Tensor) -> None:
        """Adds the rows of the next sample."""
        self.lengths.append(len(rows))
        if self.folder is None:
            self._rows.append(rows)
            return
        if self._file is None:
            # An unnamed file is removed even if the process is killed.
            self._file = tempfile.TemporaryFile(dir=self.folder)  # noqa: SIM115
        self._file.write(rows.detach().cpu().to(self.dtype).contiguous().numpy().tobytes())

    def joined(self) -> Tensor:
        """Returns all rows; rows in a file are mapped into memory."""
        if self.folder is None:
            return torch.cat(self._rows)
        shape = (sum(self.lengths), *self.shape)
        if not math.prod(shape):
            return torch.empty(shape, dtype=self.dtype)
        self._file.flush()
        kind = torch.empty(0, dtype=self.dtype).numpy().dtype
        return torch.from_numpy(np.memmap(self._file, kind, mode='c', shape=shape))

    def close(self) -> None:
        """Closes the file. Tensors from :meth:`joined` remain valid."""
        if self._file is not None:
            self._file.close()


class Rows:
    """Positions of the rows of each sample in the storage of one or more fields.

    Args:
        slices (Tensor): Boundaries of the rows of each sample [N + 1].
        frames (Tensor, optional): Number of frames of each sample [N], for fields along time.
            The rows of a sample are then the frames of its first node, of its second node and so
            on.
    """

    def __init__(self, slices: Tensor, frames: Tensor | None = None) -> None:
        self.slices = slices
        self.frames = frames
        # Items of a sample are its nodes for fields along time, otherwise its rows.
        rows = slices.diff()
        self.items = rows if frames is None else rows // frames
        # Number of rows of a sample if it is constant, so that samples are rows of a tensor.
        constant = [bool((n == n[0]).all()) for n in (rows, self.items)]
        self.rows_per_sample = int(rows[0]) if all(constant) else None

    def same(self, other: Rows) -> bool:
        """Whether both have the same positions."""
        return self.frames is other.frames and torch.equal(self.slices, other.slices)

    def get(self, values: Tensor, sample: int) -> Tensor:
        """Returns a sample of the field whose rows are ``values``."""
        if self.rows_per_sample is None:
            start, end = self.slices[sample : sample + 2].tolist()
        else:
            start, end = sample * self.rows_per_sample, (sample + 1) * self.rows_per_sample
        return self._to_items(values[start:end], sample)

    def find(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the index of samples for :meth:`take`, and the offsets of their items."""
        if self.rows_per_sample is not None:
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
        """Returns the items of samples of the field whose rows are ``values``.

        Args:
            values (Tensor): Rows of the field.
            found (Tensor): Index from :meth:`find`.
        """
        if self.rows_per_sample is None:
            out = values.index_select(0, found.flatten())
            return out.view(found.shape + values.shape[1:])
        values = values.view(len(self.items), self.rows_per_sample, *values.shape[1:])
        return self._to_items(values.index_select(0, found).flatten(0, 1), 0)

    def _to_items(self, rows: Tensor, sample: int) -> Tensor:
        """Reshapes rows to items with the number of frames of a sample."""
        if self.frames is None:
            return rows
        return rows.view(-1, int(self.frames[sample]), *rows.shape[1:])
