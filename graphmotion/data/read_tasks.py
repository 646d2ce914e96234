"""Reading raw files in several processes, with a journal."""

from __future__ import annotations

import builtins
import hashlib
import os
import pickle
import sys
import warnings
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch_geometric.data import Data
from tqdm import tqdm

from graphmotion.data.journal import Journal
from graphmotion.data.workers import map_in_order
from graphmotion.io import load_pickle
from graphmotion.io.files import FoundFile

# The progress is shown after this time.
_DELAY = 5.0
# Packages whose code is not part of a version.
_STABLE = {*sys.stdlib_module_names, 'torch', 'torch_geometric'}


class ReadTask(NamedTuple):
    r"""Raw files that are read independently of others.

    .. code-block:: python

        task = ReadTask('walk', {'walk.json': FoundFile('walk.json')}, labels=3)
        task.file.path  # walk.json

    Args:
        name (str): Name of the sample.
        files (mapping): The files by name.
        labels (Any, optional): Labels, with a unique :func:`repr`. (default: :obj:`None`)
    """

    name: str
    files: Mapping[str, FoundFile]
    labels: Any = None

    @property
    def file(self) -> FoundFile:
        r"""The first file."""
        return next(iter(self.files.values()))

    def key(self, version: str) -> str:
        r"""Returns a hash of the names, states and labels of the files.

        Raises:
            OSError: If a file does not exist.
        """
        states = [(name, file.state()) for name, file in self.files.items()]
        return hash_value((version, self.name, self.labels, states))


class _Outcome(NamedTuple):
    """The encoded result or the error of a task, and what it warned of."""

    result: Any
    error: Exception | None
    warnings: list[tuple[str, type[Warning], str, int]]


def read_tasks(
    read: Callable[[ReadTask], Any],
    tasks: Sequence[ReadTask],
    num_workers: int = 0,
    journal: Journal | None = None,
    version: str = '',
    title: str = 'Processing',
) -> Generator[Any, None, None]:
    r"""Yields the result of a function for each task, in the order of the tasks.

    Results, errors and warnings do not depend on the number of processes or on interruptions. The
    progress is shown after five seconds.

    Args:
        read (callable): Returns the result of a task: a :class:`~torch_geometric.data.Data`, array,
            tensor, number or text, or a plain container of them.
        tasks (sequence of ReadTask): The tasks.
        num_workers (int, optional): Number of processes that read; :obj:`0` reads in this process.
            (default: :obj:`0`)
        journal (Journal, optional): Where results are kept. (default: :obj:`None`)
        version (str, optional): Distinguishes results of other code in the journal.
            (default: :obj:`""`)
        title (str, optional): Start of the progress bar. (default: :obj:`"Processing"`)

    Raises:
        RuntimeError: If a process ends before its work is done, or a result or an exception cannot
            be pickled.
    """
    # Before reading, so that a change meanwhile is noticed.
    keys = [None if journal is None else _key(task, version) for task in tasks]
    known = [journal is not None and key is not None and key in journal for key in keys]
    unread = [task for task, is_known in zip(tasks, known) if not is_known]
    fresh = map_in_order(partial(_read, read), unread, num_workers, lambda task: task.file.path)
    progress = tqdm(total=len(tasks), initial=sum(known), desc=title, delay=_DELAY, mininterval=1)
    warned: set[tuple] = set()
    with closing(fresh), progress:
        for task, key, is_known in zip(tasks, keys, known):
            outcome = _recall(journal, key)
            if outcome is None:
                outcome = _read(read, task) if is_known else next(fresh)
                if journal is not None and key is not None:
                    _keep(journal, key, outcome, task)
                progress.update(not is_known)
            for warning in outcome.warnings:
                if warning not in warned:
                    warned.add(warning)
                    _warn(*warning)
            if outcome.error is not None:
                raise outcome.error
            yield _decode(outcome.result)


def code_version(objects: Iterable[Any]) -> str | None:
    r"""Returns a hash of the source files in the folders of modules that define classes or
    functions, except those of PyTorch, PyG and Python; or :obj:`None` if some are not defined in
    files.
    """
    folders = set()
    for item in objects:
        if item.__module__.partition('.')[0] in _STABLE:
            continue
        path = getattr(sys.modules.get(item.__module__), '__file__', None)
        if path is None:
            return None
        folders.add(os.path.dirname(os.path.abspath(path)))
    paths = [path for folder in sorted(folders) for path in sorted(Path(folder).glob('*.py'))]
    return hash_value([(str(path), FoundFile(str(path)).state()) for path in paths])


def _read(read: Callable[[ReadTask], Any], task: ReadTask) -> _Outcome:
    result, failure = None, None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        try:
            result = _encode(read(task))
        except Exception as error:
            failure = (
                error
                if _is_picklable(error)
                else RuntimeError(f'{task.file.path}: {type(error).__name__}: {error}')
            )
    warned = [(str(w.message), w.category, w.filename, w.lineno) for w in caught]
    return _Outcome(result, failure, warned)


def _is_picklable(error: Exception) -> bool:
    try:
        return type(pickle.loads(pickle.dumps(error))) is type(error)
    except Exception:
        return False


def _key(task: ReadTask, version: str) -> str | None:
    try:
        return task.key(version)
    except OSError:  # the error of the reader is clearer
        return None


def _keep(journal: Journal, key: str, outcome: _Outcome, task: ReadTask) -> None:
    """Adds an outcome to the journal unless it is an error or has a warning of an own type."""
    kinds = [getattr(builtins, kind.__name__, None) is kind for _, kind, *_ in outcome.warnings]
    if outcome.error is None and all(kinds):
        warned = [(text, kind.__name__, *place) for text, kind, *place in outcome.warnings]
        try:
            content = pickle.dumps((outcome.result, warned))
        except Exception as error:
            raise RuntimeError(
                f'{task.file.path}: the sample cannot be pickled: {error}'
            ) from error
        journal.add(key, content)


def _recall(journal: Journal | None, key: str | None) -> _Outcome | None:
    """Returns an outcome in the journal, or :obj:`None` if it is missing or damaged."""
    if journal is None or key is None:
        return None
    try:
        result, warned = load_pickle(journal.folder, journal.get(key) or b'')
        kinds = [(text, getattr(builtins, kind), *place) for text, kind, *place in warned]
    except (ValueError, TypeError, AttributeError):
        return None
    return _Outcome(result, None, kinds)


def _warn(text: str, category: type[Warning], filename: str, lineno: int) -> None:
    """Issues a warning of a task in this process, whose filters apply."""
    names = (n for n, m in list(sys.modules.items()) if getattr(m, '__file__', None) == filename)
    warnings.warn_explicit(text, category, filename, lineno, next(names, None))


def _encode(value: Any) -> Any:
    """Converts samples and tensors to plain containers and arrays."""
    if isinstance(value, Data):
        return _Sample, _encode(value.to_dict())
    if isinstance(value, Tensor):
        return _Tensor, value.detach().cpu().numpy()
    if isinstance(value, dict):
        return {name: _encode(item) for name, item in value.items()}
    if isinstance(value, tuple | list):
        items = map(_encode, value)
        return tuple(items) if isinstance(value, tuple) else list(items)
    return value


_Sample, _Tensor = '<sample>', '<tensor>'


def _decode(value: Any) -> Any:
    """Inverse of :func:`_encode`."""
    if isinstance(value, dict):
        return {name: _decode(item) for name, item in value.items()}
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str):
        if value[0] == _Sample:
            return Data(**_decode(value[1]))
        if value[0] == _Tensor:
            return torch.from_numpy(value[1])
    if isinstance(value, tuple | list):
        items = map(_decode, value)
        return tuple(items) if isinstance(value, tuple) else list(items)
    return value


def hash_value(value: Any) -> str:
    """Returns a hash of the representation of a value."""
    return hashlib.sha256(repr(value).encode()).hexdigest()
