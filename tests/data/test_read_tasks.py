"""Tests of reading raw files in several processes, with a journal."""

import os
import sys
import types
import warnings

import numpy as np
import pytest
import torch
from torch_geometric.data import Data

from graphmotion.data import journal as journals
from graphmotion.data.journal import Journal
from graphmotion.data.read_tasks import ReadTask, code_version, read_tasks
from graphmotion.io import MalformedFileError
from graphmotion.io.files import FoundFile


@pytest.fixture(autouse=True)
def immediate(monkeypatch):
    """Writes each result at once."""
    monkeypatch.setattr(journals, '_SECONDS', 0.0)


@pytest.fixture
def tasks(tmp_path):
    """Twelve files that hold their numbers."""
    paths = [tmp_path / f'{number}.txt' for number in range(12)]
    for number, path in enumerate(paths):
        path.write_text(f'{number}')
    return [ReadTask(path.stem, {path.name: FoundFile(str(path))}, {'y': 1}) for path in paths]


def read(task):
    """All kinds of results, and two warnings that files share."""
    number = int(task.file.read())
    if number < 0:
        raise MalformedFileError(task.file.path, 'number', 'positive', f'{number}')
    if number % 4 == 0:
        warnings.warn('a multiple of four', stacklevel=1)
    if number == 5:
        warnings.warn(f'{task.file.path}: five', RuntimeWarning, stacklevel=1)
    pos = torch.full((2, 3), number, dtype=torch.float64)
    sample = Data(pos=pos, y=torch.tensor([number]))
    return {'a': [sample, (np.arange(number), f'{number}', None)], 'b': number}


def collect(*args):
    """Returns comparable results and warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        results = list(read_tasks(*args))
    samples = [result['a'][0] for result in results]
    assert all(isinstance(sample, Data) for sample in samples)
    values = [(s.pos.tolist(), s.pos.dtype, s.y.tolist(), r['b']) for s, r in zip(samples, results)]
    others = [(a.dtype, a.tolist(), *rest) for a, *rest in (r['a'][1] for r in results)]
    return values, others, [(str(w.message), w.category, w.filename, w.lineno) for w in caught]


def test_results_and_warnings_do_not_depend_on_processes_and_interruptions(tasks, tmp_path):
    expected = collect(read, tasks)
    assert [value[2] for value in expected[0]] == [[number] for number in range(12)]
    # Equal warnings are shown once, as by default for warnings of one place.
    assert [w[:2] for w in expected[2]] == [
        ('a multiple of four', UserWarning),
        (f'{tasks[5].file.path}: five', RuntimeWarning),
    ]
    assert {w[2] for w in expected[2]} == {__file__}
    for num_workers in (1, 2):
        assert collect(read, tasks, num_workers) == expected
    folder = str(tmp_path / 'parts')
    for stop in (5, 9):  # two interruptions
        results = read_tasks(read, tasks, 2, Journal(folder))
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            for _ in range(stop):
                next(results)
        results.close()
    assert len(Journal(folder)) == 9
    calls = []

    def read_new(task):
        calls.append(task.name)
        return read(task)

    assert collect(read_new, tasks, 0, Journal(folder)) == expected
    assert calls == ['9', '10', '11']
    assert collect(None, tasks, 0, Journal(folder)) == expected


@pytest.mark.parametrize('num_workers', [0, 1, 2])
def test_errors_are_raised_in_their_place(tasks, tmp_path, num_workers):
    for number in (3, 6):
        with open(tasks[number].file.path, 'w') as file:
            file.write(f'{-number}')
    folder = str(tmp_path / 'parts')
    results = read_tasks(read, tasks[1:], num_workers, Journal(folder))
    assert [next(results)['b'] for _ in range(2)] == [1, 2]
    message = rf'{tasks[3].file.path}: number: expected positive, found -3'
    with pytest.raises(MalformedFileError, match=message) as error:
        next(results)
    assert error.value.reason == 'with number not positive'
    assert len(Journal(folder)) == 2


class UnpicklableError(Exception):
    """Its constructor has other arguments than its message."""

    def __init__(self, one, other):
        super().__init__(f'{one} and {other}')


@pytest.mark.parametrize('num_workers', [0, 2])
def test_errors_that_cannot_be_pickled_are_described(tasks, num_workers):
    def fail(task):
        raise UnpicklableError('this', 'that')

    message = f'^{tasks[0].file.path}: UnpicklableError: this and that$'
    with pytest.raises(RuntimeError, match=message):
        list(read_tasks(fail, tasks, num_workers))


@pytest.mark.parametrize('num_workers', [0, 2])
def test_results_that_cannot_be_pickled_are_named(tasks, tmp_path, num_workers):
    def read_lambda(task):
        return Data(x=lambda: 1)

    journal = Journal(str(tmp_path / 'parts'))
    with pytest.raises(RuntimeError, match=rf'{tasks[0].file.path}.*: Can.t (pickle|get)'):
        list(read_tasks(read_lambda, tasks, num_workers, journal))


@pytest.mark.parametrize('num_workers', [0, 2])
def test_warnings_can_be_errors(tasks, num_workers):
    with warnings.catch_warnings():
        warnings.simplefilter('error', RuntimeWarning)
        warnings.simplefilter('ignore', UserWarning)
        results = read_tasks(read, tasks, num_workers)
        assert [next(results)['b'] for _ in range(5)] == [0, 1, 2, 3, 4]
        with pytest.raises(RuntimeWarning, match='five'):
            next(results)


def test_changed_files_labels_and_code_are_read_again(tasks, tmp_path):
    folder = str(tmp_path / 'parts')

    def kept(tasks, version=''):
        calls = []
        list(read_tasks(lambda task: calls.append(task.name), tasks, 0, Journal(folder), version))
        return [task.name for task in tasks if task.name not in calls]

    assert kept(tasks) == []
    assert kept(tasks) == [task.name for task in tasks]
    path = tasks[2].file.path
    os.utime(path, ns=(0, os.stat(path).st_mtime_ns + 1))
    os.remove(tasks[3].file.path)
    changed = [*tasks[:4], ReadTask('4', tasks[4].files, {'y': 2}), *tasks[5:]]
    assert kept(changed) == [name for name in map(str, range(12)) if name not in '234']
    assert kept(tasks, 'other') == []


def test_damaged_results_are_read_again(tasks, tmp_path):
    folder = str(tmp_path / 'parts')
    journal = Journal(folder)
    key = tasks[0].key('')
    for content in (b'.', b'nonsense', b'cos\nsystem\n(S"false"\ntR.'):
        journal.add(key, content)
        (result,) = read_tasks(lambda task: 7, tasks[:1], 0, Journal(folder))
        assert result == 7
        journal.remove()


class Unusual(UserWarning):
    """A category that a journal cannot name."""


def test_results_with_unusual_warnings_are_not_kept(tasks, tmp_path):
    folder = str(tmp_path / 'parts')
    for _ in range(2):
        with pytest.warns(Unusual, match='rare'):
            list(read_tasks(lambda _: warnings.warn('rare', Unusual, 1), tasks, 0, Journal(folder)))
    assert len(Journal(folder)) == 0


def test_the_version_depends_on_the_code(tmp_path, monkeypatch):
    path = tmp_path / 'my_reader.py'
    path.write_text('1')
    module = types.ModuleType('my_reader')
    module.__file__ = str(path)
    monkeypatch.setitem(sys.modules, 'my_reader', module)
    reader = type('Reader', (), {'__module__': 'my_reader'})
    versions = [code_version([reader, torch.nn.Module, dict])]
    assert versions[0] == code_version([reader])
    (tmp_path / 'helper.py').write_text('2')
    versions.append(code_version([reader]))
    path.write_text('33')
    versions.append(code_version([reader]))
    versions.append(code_version([reader, FoundFile]))
    assert len(set(versions)) == 4
    del module.__file__  # of a class that was defined in a notebook
    assert code_version([reader]) is None
