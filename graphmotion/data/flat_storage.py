"""Storage of samples in a few flat tensors."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Data

from graphmotion.data.rows import Column, Rows, pack_bits, unpack_bits

# The field that is stored as bits, eight pixels of a row in a byte.
_BITS = 'silhouettes'
# The number of frames of each sample, stored like a field.
_FRAMES = 'stored_frames'
# Fields that are derived from others and not stored.
_DERIVED = ('edge_index', 'num_nodes')
# Maximum number of bytes of a field in a fingerprint, and number of pieces of larger fields.
_HASHED = 2**26
_PIECES = 64


class FlatStorage:
    r"""Stores the rows of each field in a flat tensor, one sample after another.

    Fields along time :math:`(V, T, *)` are stored as rows :math:`(V \cdot T, *)`, so that samples
    may differ in their numbers of nodes and frames. A :class:`FlatWriter` collects the rows.

    Args:
        stored (dict): The content of :meth:`FlatWriter.content`.
        frame_fields (collection of str): The fields whose second dimension is time.
    """

    def __init__(self, stored: dict[str, Any], frame_fields: Collection[str]) -> None:
        #: The rows of each field. A dataset moves them between devices.
        self.data = Data(**stored['fields'])
        self.slices: dict[str, Tensor] = stored['slices']
        self._width: int = stored['width']
        # Positions of rows are computed on the CPU, whatever the device of the rows.
        frames = stored['fields'][_FRAMES]
        self._rows: dict[str, Rows] = {}
        for name, slices in self.slices.items():
            rows = Rows(slices, frames if name in frame_fields else None)
            # Fields with the same layout share one object, so that a batch looks up its rows once.
            self._rows[name] = next((r for r in self._rows.values() if r.same(rows)), rows)

    @staticmethod
    def is_consistent(stored: dict[str, Any], frame_fields: Collection[str]) -> bool:
        r"""Returns whether fields are rows of tensors, and slices cover all rows in order."""
        fields, slices = stored['fields'], stored['slices']
        if not isinstance(fields, dict) or not isinstance(slices, dict):
            return False
        tensors = [*fields.values(), *slices.values()]
        if (
            not all(isinstance(t, Tensor) and t.dim() for t in tensors)
            or fields.keys() != slices.keys()
        ):
            return False
        if _FRAMES not in fields or not isinstance(stored['width'], int):
            return False
        frames = fields[_FRAMES]
        if not len(frames) or bool((frames < 1).any()):
            return False
        return all(
            len(s) == len(frames) + 1
            and int(s[0]) == 0
            and int(s[-1]) == len(fields[name])
            and bool((s.diff() >= 0).all())
            and not (name in frame_fields and bool((s.diff() % frames).any()))
            for name, s in slices.items()
        )

    def __len__(self) -> int:
        return len(self.data[_FRAMES])

    @property
    def device(self) -> torch.device:
        r"""The device of the rows."""
        return self.data[_FRAMES].device

    @property
    def fields(self) -> dict[str, Tensor]:
        r"""The rows of each field."""
        return {name: rows for name, rows in self.data.to_dict().items() if name != _FRAMES}

    def num_items(self, name: str, samples: Tensor) -> Tensor:
        r"""Returns the number of nodes of a field along time, or of rows of another field, in each
        of the given samples.
        """
        return self._rows[name].items[samples]

    def get(self, sample: int) -> dict[str, Tensor]:
        r"""Returns the fields of a sample, as views of the storage unless they are unpacked."""
        return {
            name: self._unpack(name, self._rows[name].get(values, sample))
            for name, values in self.fields.items()
        }

    def take(self, samples: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        r"""Returns the concatenated fields of the given samples, and the offset of each sample in
        them. Shorter samples are padded with their last frame.
        """
        fields, offsets = self.fields, {}
        found: dict[Rows, tuple[Tensor, Tensor]] = {}
        for name, values in fields.items():
            rows = self._rows[name]
            if rows not in found:
                index, ends = rows.find(samples)
                found[rows] = index.to(self.device), ends
            index, offsets[name] = found[rows]
            fields[name] = self._unpack(name, rows.take(values, index))
        return fields, offsets

    def fingerprint(self, samples: Tensor) -> str:
        r"""Returns a hash of the stored content and of the selected samples. Only 64 pieces of
        fields above 64 MB are read.
        """
        total = hashlib.sha256(samples.numpy().tobytes())
        for name, values in sorted(self.data.to_dict().items()):
            total.update(repr((name, values.dtype, tuple(values.shape))).encode())
            total.update(self.slices[name].numpy().tobytes())
            num_bytes = values.numel() * values.element_size()
            pieces = [values]
            if num_bytes > _HASHED:
                size = max(1, len(values) * _HASHED // (_PIECES * num_bytes))
                starts = torch.linspace(0, len(values) - size, _PIECES).long().tolist()
                pieces = [values[start : start + size] for start in starts]
            for piece in pieces:
                total.update(piece.detach().cpu().contiguous().numpy().tobytes())
        return total.hexdigest()

    def _unpack(self, name: str, values: Tensor) -> Tensor:
        return unpack_bits(values, self._width) if name == _BITS else values


class FlatWriter:
    r"""Collects samples for a :class:`FlatStorage`.

    .. code-block:: python

        with FlatWriter(frame_fields=('pos',)) as writer:
            for data in SyntheticGait(num_subjects=1):
                writer.append(data, f'sample {len(writer)}')
            storage = FlatStorage(writer.content(), ('pos',))

    Args:
        frame_fields (collection of str): The fields whose second dimension is time.
        folder (str, optional): Folder of temporary files for the rows, so that a dataset may be
            larger than the memory; by default, rows are kept in memory. (default: :obj:`None`)
        check (callable, optional): Called with each sample and its name in error messages; raises
            :class:`ValueError` if the sample is invalid. (default: :obj:`None`)
    """

    def __init__(
        self,
        frame_fields: Collection[str],
        folder: str | None = None,
        check: Callable[[Data, str], None] | None = None,
    ) -> None:
        self.frame_fields = frame_fields
        self.folder = folder
        self.check = check
        self._columns: dict[str, Column] = {}
        self._width = 0  # of silhouettes, in pixels

    def __enter__(self) -> FlatWriter:
        return self

    def __exit__(self, *_: object) -> None:
        for column in self._columns.values():
            column.close()

    def __len__(self) -> int:
        return len(self._columns[_FRAMES].lengths) if self._columns else 0

    def append(self, data: Data, where: str) -> None:
        r"""Adds a sample.

        Args:
            data (Data): The sample.
            where (str): Name of the sample in error messages.

        Raises:
            ValueError: If a field cannot be stored, or the fields differ from those of the first
                sample in name, type or size.
        """
        _check_tensors(data, where)
        if self.check is not None:
            self.check(data, where)
        fields = {name: v for name, v in data.to_dict().items() if name not in _DERIVED}
        num_frames = _count_frames(fields, self.frame_fields, where)
        if _BITS in fields:
            _check_bits(fields[_BITS], where)
        known = self._columns.keys() - {_FRAMES}
        if self._columns and fields.keys() != known:
            raise ValueError(
                f'{where} must have the fields {sorted(known)} of the first sample, got '
                f'{sorted(fields)}'
            )
        for name, value in fields.items():
            rows = value.flatten(0, 1) if name in self.frame_fields else value
            if name == _BITS:
                rows, width = pack_bits(rows), rows.size(-1)
                if width != (self._width or width):
                    raise ValueError(
                        f'{where}: {name!r} must be {self._width} pixels wide as in the first '
                        f'sample, got {width}'
                    )
                self._width = width
            column = self._columns.setdefault(name, Column(rows, self.folder))
            if rows.dtype != column.dtype:
                raise ValueError(
                    f'{where}: {name!r} must be of {column.dtype} as in the first sample, got '
                    f'{rows.dtype}'
                )
            if rows.shape[1:] != column.shape:
                raise ValueError(
                    f'{where}: the shape of {name!r} must match the first sample, got '
                    f'{list(value.shape)}'
                )
            column.append(rows)
        frames = torch.tensor([num_frames])
        self._columns.setdefault(_FRAMES, Column(frames, self.folder)).append(frames)

    def content(self) -> dict[str, Any]:
        r"""Returns all samples as plain tensors: the rows of each field, and the offset of each
        sample in them. Rows in files stay there until they are accessed.
        """
        return {
            'fields': {name: column.joined() for name, column in self._columns.items()},
            'slices': {
                name: torch.tensor([0, *column.lengths]).cumsum(0)
                for name, column in self._columns.items()
            },
            'width': self._width,
        }


def _check_tensors(data: Data, where: str) -> None:
    fields = {name: v for name, v in data.to_dict().items() if name != 'num_nodes'}
    bad = [name for name, v in fields.items() if not isinstance(v, Tensor) or v.dim() == 0]
    if bad:
        raise ValueError(f'{where}: fields {bad} must be tensors of at least one dimension')


def _count_frames(fields: dict[str, Tensor], frame_fields: Collection[str], where: str) -> int:
    """Returns the number of frames of all fields along time, or 1 without such fields."""
    shapes = {name: fields[name].shape for name in frame_fields if name in fields}
    num_frames = next((shape[1] for shape in shapes.values() if len(shape) > 1), 1)
    for name, shape in shapes.items():
        if shape[1:2] != (num_frames,):
            raise ValueError(
                f'{where}: {name!r} must have {num_frames} frames in its second dimension, got '
                f'shape {list(shape)}'
            )
    return num_frames


def _check_bits(images: Tensor, where: str) -> None:
    if images.dim() != 4 or images.size(0) != 1 or not images.numel():
        raise ValueError(
            f'{where}: {_BITS!r} must have shape [1, T, H, W], got {list(images.shape)}'
        )
    if bool(((images != 0) & (images != 1)).any()):
        raise ValueError(f'{where}: {_BITS!r} must hold no values other than 0 and 1')
