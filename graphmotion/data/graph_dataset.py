"""The base of all datasets."""

from __future__ import annotations

import copy
import hashlib
import os
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data, InMemoryDataset

from graphmotion.data.rows import Column, Rows, pack_bits, unpack_bits
from graphmotion.data.splits import random_split, stratified_folds, stratified_subset
from graphmotion.data.storage import load_tensors, save_tensors

# Fields [V, T, *] of a sample are stored as rows [V * T, *], so that samples may differ in
# their number of frames and of nodes; the clip fields [1, T, *] likewise. Silhouettes are stored
# as bits, eight pixels of a row in a byte.
_VERSION = 2
_BITS = 'silhouettes'
# Bytes of a field that are read to tell one dataset from another.
_HASHED = 2**26
# What is not stored, as it follows from the rest.
_MADE = ('edge_index', 'num_nodes')

_Self = TypeVar('_Self', bound='GraphDataset')

# Copied for every batch: to make one, PyG makes a class each time.
_EMPTY_BATCH = Batch(_base_cls=Data)


class GraphDataset(InMemoryDataset):
    r"""A set of samples that are kept as few flat tensors, with PyG's contract for datasets.

    Samples may differ in length and in the number of nodes. A subclass names the fields along time
    in :obj:`frame_fields`, sets :obj:`class_names` before it calls this constructor, and yields its
    samples from :meth:`read`; it names :obj:`raw_file_names` if it reads files. Without a
    :obj:`root`, samples are made in memory and nothing is written.

    :obj:`dataset[i]` is a :class:`~torch_geometric.data.Data`; :meth:`get_batch` puts many together
    at once. Fields :obj:`silhouettes` are stored as bits.

    Args:
        root (str or Path, optional): Where :obj:`raw/` is found and :obj:`processed/` is written.
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

    class_names: tuple[str, ...] = ()
    #: The fields of a sample that have a second dimension of frames.
    frame_fields: tuple[str, ...] = ()
    #: For each official protocol the field that parts training from test samples, and its values
    #: in training; the first protocol is the default.
    protocols: Mapping[str, Any] = {}

    def __init__(
        self,
        root: str | Path | None = None,
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

    def check(self, data: Data, where: str) -> None:
        r"""Refuse a sample that is not as it has to be.

        Args:
            data (Data): The sample.
            where (str): Which one it is, for the error.

        Raises:
            ValueError: If a field is missing or has another shape.
        """

    def count_nodes(self, samples: Tensor) -> Tensor | None:
        r"""Number of nodes of the stored samples; :obj:`None` if they have no nodes yet."""
        return None

    def make_edges(self, ptr: Tensor) -> tuple[Tensor, Tensor] | None:
        r"""The edges of graphs whose nodes begin and end at :obj:`ptr`, and where the edges of each
        begin and end; :obj:`None` if samples have no edges yet.
        """
        return None

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
        expected = {'version', 'dataset', 'pre_transform', 'pre_filter'}
        expected |= {'fields', 'slices', 'width'}
        if (
            isinstance(stored, dict)
            and {'version', 'fields', 'slices'} <= set(stored)
            and (stored['version'] != _VERSION)
        ):
            raise ValueError(
                f'{path}: written in version {stored["version"]} of the format, expected '
                f'{_VERSION}; process it again with force_reload=True'
            )
        if not isinstance(stored, dict) or set(stored) != expected or not self._consistent(stored):
            raise ValueError(f'{path}: not a processed dataset')
        if stored['dataset'] != type(self).__name__:
            raise ValueError(
                f'{path}: processed by {stored["dataset"]}, not by {type(self).__name__}; give '
                f'each dataset a root of its own, or process it again with force_reload=True'
            )
        for name in ('pre_transform', 'pre_filter'):
            if stored[name] != _describe(getattr(self, name)):
                warnings.warn(
                    f'{path} was processed with {name}={stored[name]}, not with '
                    f'{_describe(getattr(self, name))}; pass force_reload=True to process it again',
                    stacklevel=3,
                )
        self._unpack(stored)

    def _consistent(self, stored: dict[str, Any]) -> bool:
        """Whether fields are rows of tensors, and slices lead from the first to the last row."""
        fields, slices = stored['fields'], stored['slices']
        if not isinstance(fields, dict) or not isinstance(slices, dict):
            return False
        tensors = [*fields.values(), *slices.values()]
        if (
            not all(isinstance(t, Tensor) and t.dim() for t in tensors)
            or fields.keys() != slices.keys()
        ):
            return False
        if 'stored_frames' not in fields or not isinstance(stored['width'], int):
            return False
        frames = fields['stored_frames']
        if not len(frames) or bool((frames < 1).any()):
            return False
        return all(
            len(s) == len(frames) + 1
            and int(s[0]) == 0
            and int(s[-1]) == len(fields[name])
            and bool((s.diff() >= 0).all())
            and not (name in self.frame_fields and bool((s.diff() % frames).any()))
            for name, s in slices.items()
        )

    def _pack(self, samples: Iterable[Data], folder: str | None = None) -> dict[str, Any]:
        """All samples as plain tensors: rows of each field, and where each sample's rows begin.

        With a folder, rows wait in files there, so that a set may be larger than the memory.
        """
        columns: dict[str, Column] = {}
        try:
            self._fill(columns, samples, folder)
            return {
                'version': _VERSION,
                'dataset': type(self).__name__,
                'pre_transform': _describe(self.pre_transform),
                'pre_filter': _describe(self.pre_filter),
                'fields': {name: column.joined() for name, column in columns.items()},
                'slices': {
                    name: torch.tensor([0, *column.lengths]).cumsum(0)
                    for name, column in columns.items()
                },
                'width': self._width,
            }
        finally:
            for column in columns.values():
                column.close()

    def _fill(
        self, columns: dict[str, Column], samples: Iterable[Data], folder: str | None
    ) -> None:
        count = 0
        self._width = 0  # of silhouettes, in pixels
        for data in samples:
            if self.pre_filter is not None and not self.pre_filter(data):
                continue
            if self.pre_transform is not None:
                data = self.pre_transform(data)
            self._check(data, count)
            fields = {k: v for k, v in data.to_dict().items() if k not in _MADE}
            if count and fields.keys() != columns.keys() - {'stored_frames'}:
                raise ValueError(
                    f'{type(self).__name__}: sample {count} has the fields {sorted(fields)}, '
                    f'the first has {sorted(columns.keys() - {"stored_frames"})}'
                )
            for name, value in fields.items():
                rows = value.flatten(0, 1) if name in self.frame_fields else value
                if name == _BITS:
                    rows, width = pack_bits(rows), rows.size(-1)
                    if width != (self._width or width):
                        raise ValueError(
                            f'{type(self).__name__}: sample {count} has silhouettes {width} pixels '
                            f'wide, the first has {self._width}'
                        )
                    self._width = width
                column = columns.setdefault(name, Column(rows, folder))
                if rows.dtype != column.dtype:
                    raise ValueError(
                        f'{type(self).__name__}: sample {count} has {name!r} of {rows.dtype}, the '
                        f'first has {column.dtype}'
                    )
                if rows.shape[1:] != column.shape:
                    raise ValueError(
                        f'{type(self).__name__}: sample {count} has {name!r} of shape '
                        f'{list(value.shape)}, which does not go with that of the first sample'
                    )
                column.append(rows)
            frames = torch.tensor([self._num_frames(data)])
            columns.setdefault('stored_frames', Column(frames, folder)).append(frames)
            count += 1
        if not count:
            raise ValueError(f'{type(self).__name__}: there is no sample to store')

    def _num_frames(self, data: Data) -> int:
        return next((data[name].size(1) for name in self.frame_fields if name in data), 1)

    def _check(self, data: Data, number: int) -> None:
        """Refuse what would not come back as it was stored."""
        where = f'{type(self).__name__}: sample {number}'
        fields = {k: v for k, v in data.to_dict().items() if k != 'num_nodes'}
        bad = [k for k, v in fields.items() if not isinstance(v, Tensor) or v.dim() == 0]
        if bad:
            raise ValueError(f'{where}: the fields {bad} are not tensors of one dimension or more')
        self.check(data, where)
        num_frames = self._num_frames(data)
        for name in self.frame_fields:
            if name in fields and fields[name].shape[1:2] != (num_frames,):
                raise ValueError(
                    f'{where}: {name!r} has the shape {list(fields[name].shape)}, expected '
                    f'{num_frames} frames in its second dimension'
                )
        images = fields.get(_BITS)
        if images is not None:
            if images.dim() != 4 or images.size(0) != 1 or not images.numel():
                raise ValueError(
                    f'{where} has silhouettes {list(images.shape)}, expected [1, T, H, W]'
                )
            if bool(((images != 0) & (images != 1)).any()):
                raise ValueError(f'{where} has silhouettes with other values than 0 and 1')

    def _unpack(self, stored: dict[str, Any]) -> None:
        self._data = Data(**stored['fields'])
        self.slices = stored['slices']
        self._width = stored['width']
        # Positions are reckoned on the CPU, wherever the dataset is moved to.
        self._frames = stored['fields']['stored_frames']
        self._rows: dict[str, Rows] = {}
        for name, slices in self.slices.items():
            rows = Rows(slices, self._frames if name in self.frame_fields else None)
            # Fields that lie alike share one object, so that a batch looks for its rows once.
            self._rows[name] = next((r for r in self._rows.values() if r.same(rows)), rows)

    # Samples ##################################################################

    def get(self, idx: int) -> Data:
        r"""The stored sample of that number; its tensors are views of the storage."""
        assert self._data is not None
        out = Data()
        for name, values in self._data.to_dict().items():
            if name != 'stored_frames':
                out[name] = self._restore(name, self._rows[name].get(values, idx))
        nodes = self.count_nodes(torch.tensor([idx]))
        if nodes is not None:
            if out.pos is None:
                out.num_nodes = int(nodes)
            edges = self.make_edges(torch.tensor([0, int(nodes)]))
            if edges is not None:
                out.edge_index = edges[0]
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
        taken: dict[Rows, tuple[Tensor, Tensor]] = {}
        for name, values in fields.items():
            rows = self._rows[name]
            if rows not in taken:
                index, ptr = rows.find(samples)
                taken[rows] = index.to(device), ptr
            index, slices[name] = taken[rows]
            out[name] = self._restore(name, rows.take(values, index))
        nodes = self.count_nodes(samples)
        if nodes is not None:
            ptr = torch.cat([nodes.new_zeros(1), nodes.cumsum(0)])
            out.ptr = ptr.to(device, copy=True)
            out.batch = torch.repeat_interleave(nodes).to(device)
            if 'pos' not in fields:
                out.num_nodes = int(ptr[-1])
                out._store._num_nodes = nodes.tolist()
            edges = self.make_edges(ptr)
            if edges is not None:
                out.edge_index, slices['edge_index'] = edges
        # What PyG needs to take the batch apart again.
        out._num_graphs = len(samples)
        out._slice_dict = slices
        out._inc_dict = dict.fromkeys(slices, torch.zeros_like(samples))
        if 'edge_index' in slices:
            out._inc_dict['edge_index'] = ptr[:-1]
        return out

    def _restore(self, name: str, values: Tensor) -> Tensor:
        """A field as it was before it was stored."""
        return unpack_bits(values, self._width) if name == _BITS else values

    @property
    def device(self) -> torch.device:
        r"""Where the storage is, and hence what :meth:`get_batch` gives."""
        assert self._data is not None
        return self._data.stored_frames.device

    def fingerprint(self) -> str:
        r"""Tells sets and parts of a set apart by their content: all that is stored, or, of fields
        of more than 64 MB, 64 pieces of it.
        """
        assert self._data is not None
        total = hashlib.sha256(torch.as_tensor(self.indices()).numpy().tobytes())
        for name, values in sorted(self._data.to_dict().items()):
            total.update(repr((name, values.dtype, tuple(values.shape))).encode())
            total.update(self.slices[name].numpy().tobytes())
            rows = len(values)
            pieces = [values]
            if values.numel() * values.element_size() > _HASHED:
                size = max(1, rows * _HASHED // (64 * values.numel() * values.element_size()))
                starts = torch.linspace(0, rows - size, 64).long().tolist()
                pieces = [values[start : start + size] for start in starts]
            for piece in pieces:
                total.update(piece.detach().cpu().contiguous().numpy().tobytes())
        return total.hexdigest()

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

    def copy(self: _Self, idx: Any = None) -> _Self:
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
        self: _Self, ratios: Sequence[float] = (8, 1, 1), seed: int = 0, by: str | None = None
    ) -> list[_Self]:
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
        self: _Self, num_folds: int = 5, seed: int = 0, by: str | None = None
    ) -> list[tuple[_Self, _Self]]:
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

    def leave_one_out(self: _Self, by: str = 'subject') -> list[tuple[_Self, _Self]]:
        r"""For each value of a field, in their order, all samples without it for training and those
        with it for test.

        .. code-block:: python

            for train, test in dataset.leave_one_out('subject'):
                ...

        Args:
            by (str, optional): The field. (default: :obj:`"subject"`)

        Raises:
            ValueError: If there is no such field, or it has one value only.
        """
        labels = self.labels(by)
        values = labels.unique()
        if len(values) < 2:
            raise ValueError(f'all samples have one value of {by!r}, nothing is left to train on')
        return [
            (self.index_select(labels != value), self.index_select(labels == value))
            for value in values
        ]

    def subset(self: _Self, ratio: float, seed: int = 0) -> _Self:
        r"""A random share of the samples of each class, such as of the training samples; with one
        seed, a smaller share is part of a larger one. See
        :func:`~graphmotion.data.stratified_subset`.

        .. code-block:: python

            for ratio in (0.1, 0.2, 0.5, 1.0):
                part = train.subset(ratio)

        Args:
            ratio (float): The share, above 0 and at most 1; one sample of each class at least.
            seed (int, optional): The same seed gives the same samples. (default: :obj:`0`)
        """
        return self.index_select(stratified_subset(self.labels('y').cpu(), ratio, seed))

    def official_split(self: _Self, protocol: str | None = None) -> tuple[_Self, _Self]:
        r"""The training and the test samples of an official protocol.

        .. code-block:: python

            train, test = dataset.official_split()
            print(list(dataset.protocols))  # the first one is the default

        Args:
            protocol (str, optional): A name in :obj:`protocols`; by default the first.
                (default: :obj:`None`)

        Raises:
            ValueError: If there is no such protocol.
        """
        chosen = next(iter(self.protocols), None) if protocol is None else protocol
        if chosen is None or chosen not in self.protocols:
            raise ValueError(
                f'{type(self).__name__} has the protocols {list(self.protocols)}, got {protocol!r}'
            )
        return self._parts(self.protocols[chosen])

    def _parts(self: _Self, protocol: Any) -> tuple[_Self, _Self]:
        """The training and the test samples of a value of :obj:`protocols`."""
        field, values = protocol
        labels = self.labels(field)
        train = torch.isin(labels, torch.tensor(sorted(values), device=labels.device))
        return self.index_select(train), self.index_select(~train)

    def labels(self, field: str = 'y') -> Tensor:
        r"""A field with one number a sample, such as :obj:`y` or :obj:`subject`, for all samples.

        Raises:
            ValueError: If the dataset has no such field.
        """
        values = self._data.get(field)
        if values is None or field in self.frame_fields or len(values) != self.len():
            sizes = {k: len(v) for k, v in self._data.to_dict().items() if k != 'stored_frames'}
            names = [name for name, size in sizes.items() if size == self.len()]
            raise ValueError(f'no field {field!r} with one number a sample; there are {names}')
        return values[torch.as_tensor(self.indices(), dtype=torch.long)]

    def len(self) -> int:
        r"""Number of samples stored."""
        assert self._data is not None
        return len(self._data.stored_frames)


def _describe(transform: Callable | None) -> str:
    """The name of a transform, without the address that a function's has."""
    return str(transform).split(' at 0x')[0]
