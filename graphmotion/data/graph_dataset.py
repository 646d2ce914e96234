"""The base class of datasets."""

from __future__ import annotations

import copy
import errno
import os
import re
import shutil
import warnings
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data

from graphmotion.checks import check_int
from graphmotion.data.batching import make_batch, set_edges, set_nodes
from graphmotion.data.flat_storage import FlatStorage, FlatWriter
from graphmotion.data.journal import Journal
from graphmotion.data.read_tasks import ReadTask, code_version, hash_value, read_tasks
from graphmotion.data.splittable_dataset import SplittableDataset
from graphmotion.data.tensor_files import load_tensors, save_tensors
from graphmotion.io import load_pickle
from graphmotion.io.files import list_files

# The version of the format of processed files.
_VERSION = 4

_Self = TypeVar('_Self', bound='GraphDataset')
_Graph = TypeVar('_Graph', bound=Data)


class GraphDataset(SplittableDataset):
    r"""The base class of datasets that store their samples in a few flat tensors.

    It implements the interface of :class:`~torch_geometric.data.InMemoryDataset`, and
    :meth:`get_batch` assembles a batch without creating its samples.

    Raw files are processed again, with a warning, if their names, sizes, modification times or
    labels have changed since the samples were stored, or if the format of stored samples has.

    Processing that was interrupted continues when the dataset is created again, unless raw files,
    options or code have changed: the samples of each ten seconds are kept in
    :obj:`processed/*.parts` until the processed file is complete.

    Samples may differ in length and in the number of nodes. A subclass names the fields along time
    in :obj:`frame_fields`, sets :obj:`class_names` before it calls this constructor, and yields its
    samples in :meth:`read`; it names :obj:`raw_file_names` if it reads files, and passes them to
    :meth:`read_tasks` to read them in several processes. Without a :obj:`root`, samples are kept in
    memory and nothing is written. The field :obj:`silhouettes` is stored as bits.

    .. code-block:: python

        dataset = SyntheticGait(num_subjects=10, num_takes=1)
        train, val, test = dataset.split((8, 1, 1), by='subject')
        happy = dataset[dataset.labels() == dataset.class_names.index('happy')]

    Args:
        root (str or Path, optional): The folder that contains :obj:`raw/` and :obj:`processed/`.
            (default: :obj:`None`)
        transform (callable, optional): Applied to each sample on access, also by
            :func:`~graphmotion.data.graph_loader`. (default: :obj:`None`)
        pre_transform (callable, optional): Applied to each sample once, before it is stored.
            (default: :obj:`None`)
        pre_filter (callable, optional): Samples for which it returns :obj:`False` are not stored.
            (default: :obj:`None`)
        force_reload (bool, optional): If set to :obj:`True`, processes the raw files again from the
            start. (default: :obj:`False`)
        num_workers (int, optional): Number of processes that read the raw files; :obj:`0` reads
            them in this process. The result is the same. (default: :obj:`0`)

    Raises:
        ValueError: If a processed file is damaged or invalid, or a label is not less than the
            number of :obj:`class_names`.
    """

    class_names: tuple[str, ...] = ()
    #: The fields of a sample whose second dimension is time.
    frame_fields: tuple[str, ...] = ()
    _journal: Journal | None = None

    def __init__(
        self,
        root: str | Path | None = None,
        transform: Callable | None = None,
        pre_transform: Callable | None = None,
        pre_filter: Callable | None = None,
        force_reload: bool = False,
        num_workers: int = 0,
    ) -> None:
        self.num_workers = check_int('num_workers', num_workers, 0)
        self._in_memory = root is None
        # PyG expands "~" in strings only.
        root = None if root is None else os.fspath(root)
        super().__init__(root, transform, pre_transform, pre_filter, force_reload=force_reload)
        if self._in_memory:
            self._set_storage(self._pack(self._prepare(self.read())))
        else:
            self._load()
        self._check_classes()

    # Hooks of a subclass ######################################################

    def read(self) -> Iterable[Data]:
        r"""Yields the samples, read from the raw files or generated."""
        raise NotImplementedError

    def read_task(self, task: ReadTask) -> Any:
        r"""Reads the files of a task, independently of others and perhaps in another process.

        Args:
            task (ReadTask): The files and labels.

        Returns:
            Any: A sample, array, tensor, number or text, or a plain container of them.
        """
        raise NotImplementedError

    def check(self, data: Data, where: str) -> None:
        r"""Checks a sample before it is stored.

        Args:
            data (Data): The sample.
            where (str): Name of the sample in error messages.

        Raises:
            ValueError: If a field is missing or has a wrong shape.
        """

    def count_nodes(self, samples: Tensor) -> Tensor | None:
        r"""Returns the number of nodes of the given stored samples, or :obj:`None` if samples have
        no nodes yet.
        """
        return None

    def make_edges(self, num_nodes: Tensor) -> tuple[Tensor, Tensor] | None:
        r"""Returns the edges of graphs with the given numbers of nodes, one graph after another,
        and the number of edges of each; or :obj:`None` if samples have no edges yet.
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

    def read_tasks(self, tasks: Iterable[ReadTask]) -> Generator[Any, None, None]:
        r"""Yields the result of :meth:`read_task` for each task, in the order of the tasks, read by
        :obj:`num_workers` processes.

        .. code-block:: python

            def read(self):
                tasks = [ReadTask(path, {path: FoundFile(path)}) for path in self.raw_paths]
                yield from self.read_tasks(tasks)

        Raises:
            RuntimeError: If a process ends before its work is done.
        """
        reader = copy.copy(self)  # which may have to be pickled
        reader.transform = reader.pre_transform = reader.pre_filter = reader._journal = None
        version = code_version(self.reading_code()) if self._journal is not None else None
        yield from read_tasks(
            reader.read_task,
            list(tasks),
            self.num_workers,
            None if version is None else self._journal,
            hash_value((_VERSION, type(self).__name__, torch.get_default_dtype(), version)),
            f'Reading {type(self).__name__}',
        )

    def reading_code(self) -> list[Any]:
        r"""Returns the classes and functions that read raw files. An interrupted processing does
        not continue if they have changed.
        """
        return [*type(self).__mro__, load_pickle]

    def source_files(self) -> list[str]:
        r"""Returns the paths of the files from which the samples are read."""
        return [
            path
            for entry in self.raw_paths
            for path in (list_files(entry) if os.path.isdir(entry) else [entry])
        ]

    def source_labels(self) -> Any:
        r"""Returns what stored labels depend on, with a unique :func:`repr`."""
        return self.class_names

    def _source_hash(self) -> str:
        """Returns a hash of names, sizes and times of the raw files; empty if there are none."""
        states = []
        relative: dict[str, str] = {}  # there may be a million files in a few folders
        for path in self.source_files():
            folder, name = os.path.split(path)
            if folder not in relative:
                relative[folder] = os.path.relpath(folder, self.root)
            with suppress(OSError):
                state = os.stat(path)
                states.append((relative[folder], name, state.st_size, state.st_mtime_ns))
        return hash_value(states) if states else ''

    @property
    def has_download(self) -> bool:
        r"""Whether raw files are required."""
        return not self._in_memory and super().has_download

    def _process(self) -> None:
        # PyG's implementation unpickles files in processed/ without restrictions.
        if self._in_memory:
            return
        if self.force_reload or not all(os.path.exists(path) for path in self.processed_paths):
            self.process()
        else:  # left by a process that was killed after it had written the file
            shutil.rmtree(self._journal_folder, ignore_errors=True)

    @property
    def _journal_folder(self) -> str:
        return f'{self.processed_paths[0]}.parts'

    def process(self) -> None:
        r"""Reads all samples and writes them to :obj:`processed/` atomically."""
        os.makedirs(self.processed_dir, exist_ok=True)
        journal = self._journal = Journal(self._journal_folder)
        if self.force_reload:
            journal.remove()
        try:
            with closing(self._prepare(self.read())) as samples:
                content = self._pack(samples, self.processed_dir)
            save_tensors(content, self.processed_paths[0])
            journal.remove()
        except BaseException as error:
            if _is_disk_full(error) or _is_disk_full(error.__context__):
                journal.remove()
            with suppress(OSError):  # the folder remains if it contains other files
                os.rmdir(self.processed_dir)
            raise
        finally:
            self._journal = None

    def _prepare(self, samples: Iterable[Data]) -> Generator[Data, None, None]:
        """Applies pre_filter and pre_transform to the samples."""
        for data in samples:
            if self.pre_filter is None or self.pre_filter(data):
                yield data if self.pre_transform is None else self.pre_transform(data)

    def _pack(self, samples: Iterable[Data], folder: str | None = None) -> dict[str, Any]:
        """Returns the content of a processed file."""
        # Before reading, so that a change meanwhile is noticed.
        sources = '' if folder is None else self._source_hash()
        labels = '' if folder is None else hash_value(self.source_labels())
        with FlatWriter(self.frame_fields, folder, self.check) as writer:
            for data in samples:
                writer.append(data, f'{type(self).__name__}: sample {len(writer)}')
            if not len(writer):
                raise ValueError(f'{type(self).__name__}: no sample to store')
            return {
                'version': _VERSION,
                'dataset': type(self).__name__,
                'sources': sources,
                'labels': labels,
                'pre_transform': _describe(self.pre_transform),
                'pre_filter': _describe(self.pre_filter),
                **writer.content(),
            }

    def _load(self) -> None:
        path = self.processed_paths[0]
        known = self._read_processed(path)
        reason = self._find_change(known)
        if reason:
            warnings.warn(f'{path}: processing again, since {reason}', stacklevel=3)
            self.process()
            known = self._read_processed(path)
        header = {'version', 'dataset', 'sources', 'labels', 'pre_transform', 'pre_filter'}
        if known.keys() != header | {'fields', 'slices', 'width'} or not FlatStorage.is_consistent(
            known, self.frame_fields
        ):
            raise ValueError(f'{path}: not a processed dataset')
        if known['dataset'] != type(self).__name__:
            raise ValueError(
                f'{path}: processed by {known["dataset"]}, not by {type(self).__name__}; use a '
                f'separate root for each dataset, or process it again with force_reload=True'
            )
        for name in ('pre_transform', 'pre_filter'):
            if known[name] != _describe(getattr(self, name)):
                warnings.warn(
                    f'{path} was processed with {name}={known[name]}, not with '
                    f'{_describe(getattr(self, name))}; pass force_reload=True to process it again',
                    stacklevel=3,
                )
        self._set_storage(known)

    def _read_processed(self, path: str) -> dict[str, Any]:
        try:
            stored = load_tensors(path, mmap=True)
        except ValueError as error:
            raise ValueError(f'{error}; process it again with force_reload=True') from error
        return stored if isinstance(stored, dict) else {}

    def _find_change(self, known: dict[str, Any]) -> str | None:
        """Returns why the raw files must be processed again, if they must."""
        if known.get('dataset') != type(self).__name__ or 'version' not in known:
            return None  # not a file of this dataset
        current = self._source_hash()
        if known['version'] != _VERSION:
            reason = f'it has version {known["version"]} of the format, not {_VERSION}'
            if self.source_files() and not current:
                raise ValueError(
                    f'{self.processed_paths[0]}: {reason}, and the raw files to process it again '
                    f'are missing'
                )
            return reason
        if not current:
            return None
        if current != known['sources']:
            return 'the raw files have changed'
        return (
            None if known['labels'] == hash_value(self.source_labels()) else 'labels have changed'
        )

    def _check_classes(self) -> None:
        """Raises if a label has no class name."""
        y = self._storage.fields.get('y')
        if y is None or y.is_floating_point() or not self.class_names:
            return
        if int(y.max()) >= len(self.class_names):
            raise ValueError(
                f'{type(self).__name__}: y must be less than {len(self.class_names)}, the number '
                f'of class_names, got {int(y.min())} to {int(y.max())}'
            )

    def _set_storage(self, stored: dict[str, Any]) -> None:
        self._storage = FlatStorage(stored, self.frame_fields)
        # Attributes that methods of InMemoryDataset access, such as to().
        self._data, self.slices = self._storage.data, self._storage.slices

    # Samples ##################################################################

    def get(self, idx: int) -> Data:
        r"""Returns a stored sample by its number. Its tensors are views of the storage."""
        out = Data(**self._storage.get(idx))
        return self._add_graphs(out, torch.tensor([idx]))

    def get_batch(self, samples: Sequence[int] | Tensor) -> Batch:
        r"""Assembles a batch from the storage, before :obj:`transform`.

        The result equals that of :meth:`Batch.from_data_list`, except that samples may differ in
        length: shorter samples are padded by their last frame, and :obj:`num_frames` is their
        number of frames before padding.

        Args:
            samples (sequence of int): Positions in this dataset, or a boolean mask.

        Returns:
            Batch: The batch, with fields such as :obj:`pos` :math:`(\sum_i V_i, \max_i T_i, D)`.

        Raises:
            IndexError: If a position is out of range, or no sample is selected.
        """
        stored = self._stored_positions(samples)
        return self._add_graphs(make_batch(*self._storage.take(stored)), stored)

    def _add_graphs(self, data: _Graph, samples: Tensor) -> _Graph:
        """Sets the nodes and edges of stored samples that have them."""
        num_nodes = self.count_nodes(samples)
        if num_nodes is not None:
            set_nodes(data, num_nodes)
            edges = self.make_edges(num_nodes)
            if edges is not None:
                set_edges(data, *edges)
        return data

    @property
    def device(self) -> torch.device:
        r"""The device of the storage and of the batches of :meth:`get_batch`."""
        return self._storage.device

    def fingerprint(self) -> str:
        r"""Returns a hash that distinguishes datasets, and parts of a dataset, by their content."""
        return self._storage.fingerprint(torch.as_tensor(self.indices()))

    def _stored_positions(self, samples: Sequence[int] | Tensor) -> Tensor:
        """Converts positions in this dataset, or a mask, to positions in the storage."""
        samples = torch.as_tensor(samples).view(-1)
        if samples.dtype == torch.bool:
            if len(samples) != len(self):
                raise IndexError(f'a mask must have {len(self)} entries, got {len(samples)}')
            samples = samples.nonzero().view(-1)
        if samples.is_floating_point() or not len(samples):
            raise IndexError(f'samples must be one or more positions, got {samples}')
        if int(samples.min()) < -len(self) or int(samples.max()) >= len(self):
            raise IndexError(
                f'positions must be in [{-len(self)}, {len(self) - 1}], got {samples.tolist()}'
            )
        samples = samples.long() % len(self)
        if self._indices is None:
            return samples
        return torch.as_tensor(self._indices, dtype=torch.long)[samples]

    def copy(self: _Self, idx: Any = None) -> _Self:
        r"""Returns a dataset with a copy of the selected samples; see
        :meth:`~torch_geometric.data.InMemoryDataset.copy`.
        """
        selected = self if idx is None else self.index_select(idx)
        out = copy.copy(self)
        out._indices = None
        # pre_filter and pre_transform are already applied to stored samples.
        out._set_storage(self._pack(self.get(i) for i in selected.indices()))
        return out

    def labels(self, field: str = 'y') -> Tensor:
        r"""Returns a field with one number per sample, such as :obj:`y`, for all samples.

        Raises:
            ValueError: If the dataset has no such field.
        """
        fields = self._storage.fields
        values = fields.get(field)
        if values is None or field in self.frame_fields or len(values) != self.len():
            names = [name for name, rows in fields.items() if len(rows) == self.len()]
            raise ValueError(
                f'the dataset has no field {field!r} with one number per sample; it has {names}'
            )
        return values[torch.as_tensor(self.indices(), dtype=torch.long)]

    def len(self) -> int:
        r"""Returns the number of stored samples."""
        return len(self._storage)


def _is_disk_full(error: BaseException | None) -> bool:
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def _describe(transform: Callable | None) -> str:
    """Returns the representation of a transform without the address of a function."""
    return re.sub(' at 0x[0-9a-f]+', '', str(transform))
