"""The base of all motion datasets."""

from __future__ import annotations

import copy
import math
import os
import tempfile
import warnings
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Batch, Data, InMemoryDataset

from graphmotion.data import TIME_DIMS, edges_of_bodies, random_split, stratified_folds
from graphmotion.data.storage import load_tensors, save_tensors
from graphmotion.skeletons import Skeleton

# Fields [V, T, *] of a sample are stored as rows [V * T, *], so that samples may differ in
# their number of frames and of nodes; the clip fields [1, T, *] likewise.
_VERSION = 1

# Copied for every batch: to make one, PyG makes a class each time.
_EMPTY_BATCH = Batch(_base_cls=Data)


class MotionDataset(InMemoryDataset):
    r"""A set of motion sequences that share a skeleton, with PyG's contract for datasets.

    Samples may differ in length and in the number of people. A subclass sets :obj:`skeleton` and
    :obj:`class_names` before it calls this constructor, and yields its samples from
    :meth:`read`; it names :obj:`raw_file_names` if it reads files. Without a :obj:`root`, samples
    are made in memory and nothing is written.

    :obj:`dataset[i]` is a :class:`~torch_geometric.data.Data` with the fields :obj:`pos`
    :math:`(V, T, D)`, :obj:`edge_index`, :obj:`num_frames` and what else the set provides.
    :meth:`get_batch` puts many together at once.

    Args:
        root (str, optional): Where :obj:`raw/` is found and :obj:`processed/` is written.
            (default: :obj:`None`)
        transform (callable, optional): Applied to each sample on access. (default: :obj:`None`)
        pre_transform (callable, optional): Applied to each sample once, before it is stored.
            (default: :obj:`None`)
        pre_filter (callable, optional): Samples for which it is false are not stored.
            (default: :obj:`None`)
        force_reload (bool, optional): Process again what was processed before.
            (default: :obj:`False`)

    Raises:
        ValueError: If a processed file is damaged or holds something else.
    """

    skeleton: Skeleton
    class_names: tuple[str, ...] = ()

    def __init__(
        self,
        root: str | None = None,
        transform: Callable | None = None,
        pre_transform: Callable | None = None,
        pre_filter: Callable | None = None,
        force_reload: bool = False,
    ) -> None:
        self._in_memory = root is None
        super().__init__(root, transform, pre_transform, pre_filter, force_reload=force_reload)
        if self._in_memory:
            self._unpack(self._pack(self.read()))
        else:
            self._load()

    # What a subclass provides #################################################

    def read(self) -> Iterable[Data]:
        r"""Yield the samples, from the raw files or generated."""
        raise NotImplementedError

    @property
    def raw_file_names(self) -> list[str]:
        r"""The files expected in :obj:`raw/`."""
        return []

    @property
    def processed_file_names(self) -> list[str]:
        r"""The file written to :obj:`processed/`."""
        return ['data.pt']

    @property
    def num_classes(self) -> int:
        r"""Number of classes."""
        return len(self.class_names) or self._infer_num_classes(self._data.y)

    # Processing ###############################################################

    @property
    def has_download(self) -> bool:
        r"""Whether raw files have to be there."""
        return not self._in_memory and super().has_download

    def _process(self) -> None:
        # PyG's own version of this step unpickles what it finds in processed/ without limits.
        if self._in_memory:
            return
        if self.force_reload or not all(os.path.exists(path) for path in self.processed_paths):
            self.process()

    def process(self) -> None:
        r"""Read all samples and write them to :obj:`processed/`, whole or not at all."""
        os.makedirs(self.processed_dir, exist_ok=True)
        try:
            save_tensors(self._pack(self.read(), self.processed_dir), self.processed_paths[0])
        except BaseException:
            with suppress(OSError):  # it is left where it holds something else
                os.rmdir(self.processed_dir)
            raise

    def _load(self) -> None:
        path = self.processed_paths[0]
        try:
            stored = load_tensors(path, mmap=True)
        except ValueError as error:
            raise ValueError(f'{error}; process it again with force_reload=True') from error
        expected = {'version', 'pre_transform', 'pre_filter', 'fields', 'slices'}
        if not isinstance(stored, dict) or set(stored) != expected or not _consistent(stored):
            raise ValueError(f'{path}: not a processed motion dataset')
        if stored['version'] != _VERSION:
            raise ValueError(
                f'{path}: written in version {stored["version"]} of the format, expected '
                f'{_VERSION}; process it again with force_reload=True'
            )
        for name in ('pre_transform', 'pre_filter'):
            if stored[name] != _describe(getattr(self, name)):
                warnings.warn(
                    f'{path} was processed with {name}={stored[name]}, not with '
                    f'{_describe(getattr(self, name))}; pass force_reload=True to process it again',
                    stacklevel=3,
                )
        self._unpack(stored)

    def _pack(self, samples: Iterable[Data], folder: str | None = None) -> dict[str, Any]:
        """All samples as plain tensors: rows of each field, and where each sample's rows begin.

        With a folder, rows wait in files there, so that a set may be larger than the memory.
        """
        columns: dict[str, _Column] = {}
        try:
            self._fill(columns, samples, folder)
            return {
                'version': _VERSION,
                'pre_transform': _describe(self.pre_transform),
                'pre_filter': _describe(self.pre_filter),
                'fields': {name: column.joined() for name, column in columns.items()},
                'slices': {
                    name: torch.tensor([0, *column.lengths]).cumsum(0)
                    for name, column in columns.items()
                },
            }
        finally:
            for column in columns.values():
                column.close()

    def _fill(
        self, columns: dict[str, _Column], samples: Iterable[Data], folder: str | None
    ) -> None:
        count = 0
        for data in samples:
            if self.pre_filter is not None and not self.pre_filter(data):
                continue
            if self.pre_transform is not None:
                data = self.pre_transform(data)
            self._check(data, count)
            fields = {k: v for k, v in data.to_dict().items() if k != 'edge_index'}
            if count and fields.keys() != columns.keys() - {'stored_frames'}:
                raise ValueError(
                    f'{type(self).__name__}: sample {count} has the fields {sorted(fields)}, '
                    f'the first has {sorted(columns.keys() - {"stored_frames"})}'
                )
            for name, value in fields.items():
                rows = value.flatten(0, 1) if name in TIME_DIMS else value
                column = columns.setdefault(name, _Column(rows, folder))
                if rows.shape[1:] != column.shape:
                    raise ValueError(
                        f'{type(self).__name__}: sample {count} has {name!r} of shape '
                        f'{list(value.shape)}, which does not go with that of the first sample'
                    )
                column.append(rows)
            frames = torch.tensor([data.pos.size(1)])
            columns.setdefault('stored_frames', _Column(frames, folder)).append(frames)
            count += 1
        if not count:
            raise ValueError(f'{type(self).__name__}: there is no sample to store')

    def _check(self, data: Data, number: int) -> None:
        """Refuse what would not come back as it was stored."""
        where = f'{type(self).__name__}: sample {number}'
        fields = data.to_dict()
        bad = [k for k, v in fields.items() if not isinstance(v, Tensor) or v.dim() == 0]
        if bad:
            raise ValueError(f'{where}: the fields {bad} are not tensors of one dimension or more')
        pos = fields.get('pos')
        if pos is None or pos.dim() != 3:
            raise ValueError(f"{where} has no field 'pos' [num_nodes, num_frames, D]")
        if not pos.size(1):
            raise ValueError(f"{where} has the field 'pos' {list(pos.shape)}: no frame")
        for name in TIME_DIMS:
            if name in fields and fields[name].shape[1:2] != pos.shape[1:2]:
                raise ValueError(
                    f'{where}: {name!r} has the shape {list(fields[name].shape)}, expected '
                    f'{pos.size(1)} frames in its second dimension'
                )
        num_joints = self.skeleton.num_joints
        bones = edges_of_bodies(self.skeleton.edge_index, num_joints, pos.size(0) // num_joints)
        edge_index = fields.get('edge_index', bones)
        if pos.size(0) % num_joints or not torch.equal(edge_index, bones):
            raise ValueError(
                f'{where} has {pos.size(0)} nodes and {edge_index.size(1)} edges that are not the '
                f'joints and bones of {self.skeleton.name!r}, which all samples share; change '
                f'graphs by transform, not by pre_transform'
            )

    def _unpack(self, stored: dict[str, Any]) -> None:
        self._data = Data(**stored['fields'])
        self.slices = stored['slices']
        self._bones: Tensor | None = None
        # Positions are reckoned on the CPU, wherever the dataset is moved to.
        self._frames = stored['fields']['stored_frames']
        self._rows: dict[str, _Rows] = {}
        for name, slices in self.slices.items():
            rows = _Rows(slices, self._frames if name in TIME_DIMS else None)
            # Fields that lie alike share one object, so that a batch looks for its rows once.
            self._rows[name] = next((r for r in self._rows.values() if r.same(rows)), rows)

    # Samples ##################################################################

    def get(self, idx: int) -> Data:
        r"""The stored sample of that number; its tensors are views of the storage."""
        assert self._data is not None
        out = Data()
        for name, values in self._data.to_dict().items():
            if name != 'stored_frames':
                out[name] = self._rows[name].get(values, idx)
        out.edge_index = self._edges(out.pos.size(0) // self.skeleton.num_joints)
        return out

    def get_batch(self, samples: Sequence[int] | Tensor) -> Batch:
        r"""Assemble samples into a batch from the stored tensors at once.

        The result is that of :meth:`Batch.from_data_list` on the samples, before
        :obj:`transform`, but samples may differ in length: shorter ones are padded at the end by
        their last frame, and :obj:`num_frames` tells how many frames are theirs.

        Args:
            samples (sequence of int): Positions in this dataset, or a mask of booleans.

        Returns:
            Batch: With fields :obj:`pos` :math:`(\sum_i V_i, \max_i T_i, D)` and so on.

        Raises:
            IndexError: If there is no sample at a position, or none was asked for.
        """
        assert self._data is not None
        samples = self._stored_positions(samples)
        fields = self._data.to_dict()
        device = fields.pop('stored_frames').device
        out = copy.copy(_EMPTY_BATCH)
        slices: dict[str, Tensor] = {}
        taken: dict[_Rows, tuple[Tensor, Tensor]] = {}
        for name, values in fields.items():
            rows = self._rows[name]
            if rows not in taken:
                index, ptr = rows.find(samples)
                taken[rows] = index.to(device), ptr
            index, slices[name] = taken[rows]
            out[name] = rows.take(values, index)
        ptr = slices['pos']
        out.ptr = ptr.to(device, copy=True)
        out.batch = torch.repeat_interleave(ptr.diff()).to(device)
        num_joints = self.skeleton.num_joints
        out.edge_index = self._edges(len(out.batch) // num_joints)
        slices['edge_index'] = ptr // num_joints * self.skeleton.num_bones * 2
        # What PyG needs to take the batch apart again.
        out._num_graphs = len(samples)
        out._slice_dict = slices
        out._inc_dict = dict.fromkeys(slices, torch.zeros_like(samples))
        out._inc_dict['edge_index'] = ptr[:-1]
        return out

    def _stored_positions(self, samples: Sequence[int] | Tensor) -> Tensor:
        """Positions in the storage of positions, or of a mask, in this dataset."""
        samples = torch.as_tensor(samples).view(-1)
        if samples.dtype == torch.bool:
            if len(samples) != len(self):
                raise IndexError(f'a mask of {len(samples)} booleans for {len(self)} samples')
            samples = samples.nonzero().view(-1)
        if samples.is_floating_point() or not len(samples):
            raise IndexError(f'samples are positions in the dataset, at least one, got {samples}')
        if int(samples.min()) < -len(self) or int(samples.max()) >= len(self):
            raise IndexError(f'positions are below {len(self)}, got {samples.tolist()}')
        samples = samples.long() % len(self)
        if self._indices is None:
            return samples
        return torch.as_tensor(self._indices, dtype=torch.long)[samples]

    def _edges(self, num_bodies: int) -> Tensor:
        """The bones of that many bodies."""
        assert self._data is not None
        device, size = self._data.stored_frames.device, num_bodies * self.skeleton.num_bones * 2
        bones = self._bones
        if bones is None or bones.size(1) < size or bones.device != device:
            one = self.skeleton.edge_index.to(device)
            bones = self._bones = edges_of_bodies(one, self.skeleton.num_joints, num_bodies)
        # Those of fewer bodies are the first of them; a copy, which the caller may change.
        return bones[:, :size].clone(memory_format=torch.contiguous_format)

    def copy(self, idx: Any = None) -> MotionDataset:
        r"""A dataset of its own with the selected samples; see
        :meth:`~torch_geometric.data.InMemoryDataset.copy`.
        """
        chosen = self if idx is None else self.index_select(idx)
        out = super().index_select(range(len(self)))
        out.pre_transform = out.pre_filter = None  # these samples went through them already
        out._unpack(out._pack(self.get(i) for i in chosen.indices()))
        out.pre_transform, out.pre_filter = self.pre_transform, self.pre_filter
        out._indices = None
        return out

    # Splits ###################################################################

    def split(
        self, ratios: Sequence[float] = (8, 1, 1), seed: int = 0, by: str | None = None
    ) -> list[MotionDataset]:
        r"""Random parts of the dataset; see :func:`~graphmotion.data.random_split`.

        .. code-block:: python

            train, val, test = dataset.split((8, 1, 1), seed=0, by='subject')

        Args:
            ratios (sequence of float, optional): Ratio of each part. (default: :obj:`(8, 1, 1)`)
            seed (int, optional): The same seed gives the same parts. (default: :obj:`0`)
            by (str, optional): A field, such as :obj:`"subject"`, none of whose values may be in
                two parts. (default: :obj:`None`)
        """
        parts = random_split(len(self), ratios, seed, None if by is None else self.labels(by))
        return [self.index_select(part) for part in parts]

    def folds(
        self, num_folds: int = 5, seed: int = 0, by: str | None = None
    ) -> list[tuple[MotionDataset, MotionDataset]]:
        r"""Stratified cross-validation; see :func:`~graphmotion.data.stratified_folds`.

        .. code-block:: python

            for train, test in dataset.folds(5, seed=0):
                ...

        Args:
            num_folds (int, optional): Number of folds. (default: :obj:`5`)
            seed (int, optional): The same seed gives the same folds. (default: :obj:`0`)
            by (str, optional): A field, such as :obj:`"subject"`, none of whose values may be in
                two folds. (default: :obj:`None`)
        """
        groups = None if by is None else self.labels(by)
        folds = stratified_folds(self.labels('y'), num_folds, seed, groups)
        return [(self.index_select(train), self.index_select(test)) for train, test in folds]

    def labels(self, field: str = 'y') -> Tensor:
        r"""A field with one number a sample, such as :obj:`y` or :obj:`subject`, for all samples.

        Raises:
            ValueError: If the dataset has no such field.
        """
        values = self._data.get(field)
        if values is None or field in TIME_DIMS or len(values) != self.len():
            sizes = {k: len(v) for k, v in self._data.to_dict().items() if k != 'stored_frames'}
            names = [name for name, size in sizes.items() if size == self.len()]
            raise ValueError(f'no field {field!r} with one number a sample; there are {names}')
        return values[torch.as_tensor(self.indices(), dtype=torch.long)]

    def len(self) -> int:
        r"""Number of samples stored."""
        assert self._data is not None
        return len(self._data.stored_frames)


def _consistent(stored: dict[str, Any]) -> bool:
    """Whether every field is rows of a tensor, and its slices lead from the first to the last."""
    fields, slices = stored['fields'], stored['slices']
    if not isinstance(fields, dict) or not isinstance(slices, dict):
        return False
    tensors = [*fields.values(), *slices.values()]
    if (
        not all(isinstance(t, Tensor) and t.dim() for t in tensors)
        or fields.keys() != slices.keys()
    ):
        return False
    if not {'pos', 'stored_frames'} <= fields.keys():
        return False
    frames = fields['stored_frames']
    if not len(frames) or bool((frames < 1).any()):
        return False
    return all(
        len(s) == len(frames) + 1
        and int(s[0]) == 0
        and int(s[-1]) == len(fields[name])
        and bool((s.diff() >= 0).all())
        and not (name in TIME_DIMS and bool((s.diff() % frames).any()))
        for name, s in slices.items()
    )


class _Column:
    """The rows of one field of all samples, as they come: in memory, or in a file of the folder."""

    def __init__(self, first: Tensor, folder: str | None) -> None:
        self.dtype, self.shape, self.folder = first.dtype, first.shape[1:], folder
        self.lengths: list[int] = []
        self._rows: list[Tensor] = []
        self._file: Any = None

    def append(self, rows: Tensor) -> None:
        """Take the rows of one more sample."""
        self.lengths.append(len(rows))
        if self.folder is None:
            self._rows.append(rows)
            return
        if self._file is None:
            # It has no name, so that nothing is left of it, however the process ends.
            self._file = tempfile.TemporaryFile(dir=self.folder)  # noqa: SIM115
        self._file.write(rows.detach().cpu().to(self.dtype).contiguous().numpy().tobytes())

    def joined(self) -> Tensor:
        """All rows; those in a file stay there until they are read."""
        if self.folder is None:
            return torch.cat(self._rows)
        shape = (sum(self.lengths), *self.shape)
        if not math.prod(shape):
            return torch.empty(shape, dtype=self.dtype)
        self._file.flush()
        kind = torch.empty(0, dtype=self.dtype).numpy().dtype
        return torch.from_numpy(np.memmap(self._file, kind, mode='c', shape=shape))

    def close(self) -> None:
        """Let go of the file; what was joined stays as it is."""
        if self._file is not None:
            self._file.close()


class _Rows:
    """Where the rows of each sample lie, in the storage of fields that lie alike.

    Args:
        slices (Tensor): Where the rows of each sample begin and end, [N + 1].
        frames (Tensor, optional): Number of frames of each sample [N], if the fields are along
            time: the rows of a sample are then its nodes' frames, node after node.
    """

    def __init__(self, slices: Tensor, frames: Tensor | None = None) -> None:
        self.slices = slices
        self.frames = frames
        # Items are what the field has several of in a sample: nodes, or rows.
        rows = slices.diff()
        self.items = rows if frames is None else rows // frames
        # The rows of a sample, if all have as many, and they can be taken as a whole.
        alike = [bool((n == n[0]).all()) for n in (rows, self.items)]
        self.whole = int(rows[0]) if all(alike) else None

    def same(self, other: _Rows) -> bool:
        """Whether the fields of both lie alike."""
        return self.frames is other.frames and torch.equal(self.slices, other.slices)

    def get(self, values: Tensor, sample: int) -> Tensor:
        """What a field, stored in rows ``values``, is in a sample."""
        if self.whole is None:
            start, end = self.slices[sample : sample + 2].tolist()
        else:
            start, end = sample * self.whole, (sample + 1) * self.whole
        return self._shape(values[start:end], sample)

    def find(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """What :meth:`take` needs to take these samples, and where the items of each begin."""
        if self.whole is not None:
            return samples, torch.arange(len(samples) + 1) * self.items[0]
        start, items = self.slices[samples], self.items[samples]
        ptr = torch.cat([items.new_zeros(1), items.cumsum(0)])
        graph = torch.repeat_interleave(items)
        item = torch.arange(int(ptr[-1])) - ptr[graph]
        if self.frames is None:
            return start[graph] + item, ptr
        frames = self.frames[samples]
        # Behind its last frame, a sample stays in it.
        frame = torch.minimum(torch.arange(int(frames.max())), frames.unsqueeze(1) - 1)
        first = start[graph] + item * frames[graph]
        return first.unsqueeze(1) + frame.index_select(0, graph), ptr

    def take(self, values: Tensor, found: Tensor) -> Tensor:
        """The items of a field, stored in rows ``values``, of the samples that were found."""
        if self.whole is None:
            out = values.index_select(0, found.flatten())
            return out.view(found.shape + values.shape[1:])
        out = values.view(len(self.items), self.whole, *values.shape[1:]).index_select(0, found)
        return self._shape(out.flatten(0, 1), 0)

    def _shape(self, rows: Tensor, sample: int) -> Tensor:
        """Rows as items, with the number of frames of that sample."""
        if self.frames is None:
            return rows
        return rows.view(-1, int(self.frames[sample]), *rows.shape[1:])


def _describe(transform: Callable | None) -> str:
    """The name of a transform, without the address that a function's has."""
    return str(transform).split(' at 0x')[0]
