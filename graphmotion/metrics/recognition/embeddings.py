"""Embeddings in parts, read in blocks since they may not fit in memory."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

_BLOCK_BYTES = 2**25  # of the rows that are read at once


class Embeddings:
    r"""Embeddings in parts, :math:`(N, P, D)`, in single or double precision.

    Rows are converted when they are read, so that the embeddings may be mapped to a file.

    Args:
        embedding (Tensor or memmap): Embeddings.

    Shapes:
        - **embedding:** :math:`(N, D)` or :math:`(N, P, D)`

    Raises:
        ValueError: If the embeddings have another shape or are empty.
        TypeError: If they are not a floating-point tensor or memory-mapped array.
    """

    def __init__(self, embedding: Tensor | np.memmap) -> None:
        values: Any = embedding
        self.is_mapped = isinstance(embedding, np.memmap)
        if isinstance(embedding, np.memmap) and embedding.dtype.kind == 'f':
            with warnings.catch_warnings():
                warnings.filterwarnings('ignore', message='.*not writable')
                values = torch.from_numpy(np.asarray(embedding))
        if not isinstance(values, Tensor) or not values.is_floating_point():
            found = getattr(embedding, 'dtype', type(embedding).__name__)
            raise TypeError(f'embedding must be a floating-point tensor, got {found}')
        if values.dim() not in (2, 3) or values.numel() == 0:
            raise ValueError(
                f'embedding must have shape [N, D] or [N, P, D] and not be empty, got '
                f'{list(values.shape)}'
            )
        values = values.detach()
        self.values = values if values.dim() == 3 else values.unsqueeze(1)
        self.dtype = torch.float64 if values.dtype == torch.float64 else torch.float32
        # The name of the file to which torch.from_file mapped the tensor.
        self.is_mapped |= values.device.type == 'cpu' and bool(values.untyped_storage().filename)

    def __len__(self) -> int:
        return len(self.values)

    @property
    def device(self) -> torch.device:
        r"""Device of the embeddings."""
        return self.values.device

    @property
    def part_shape(self) -> tuple[int, int]:
        r"""Number of parts and their size."""
        return self.values.size(1), self.values.size(2)

    def __getitem__(self, rows: Tensor | slice) -> Tensor:
        r"""Returns rows, :math:`(n, P, D)`."""
        return self.values[rows].to(self.dtype)

    def blocks(self, rows: Tensor | None = None) -> Iterator[tuple[slice, Tensor]]:
        r"""Yields blocks of rows, or of all, with their positions."""
        for block in self.slices(len(self) if rows is None else len(rows)):
            yield block, self[block if rows is None else rows[block]]

    def slices(self, count: int) -> Iterator[slice]:
        r"""Yields the positions of blocks of this number of rows."""
        size = max(1, _BLOCK_BYTES // (self.values[0].numel() * self.dtype.itemsize))
        for start in range(0, count, size):
            yield slice(start, min(start + size, count))

    def empty(self, *shape: int) -> Tensor:
        r"""Returns an uninitialised tensor, in a temporary file if the embeddings are mapped,
        except on Windows.
        """
        if not self.is_mapped or os.name == 'nt':  # Windows locks open temporary files
            return self.values.new_empty(shape, dtype=self.dtype)
        with tempfile.NamedTemporaryFile() as file:
            size = int(np.prod(shape, dtype=np.int64))
            # Not sparse, so that a full disk is an error here and not a crash later.
            if hasattr(os, 'posix_fallocate'):
                os.posix_fallocate(file.fileno(), 0, size * self.dtype.itemsize)
            # The mapping holds the space of the file until the tensor is deleted.
            return torch.from_file(file.name, True, size, dtype=self.dtype).view(shape)
