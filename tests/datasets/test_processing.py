"""Processing with several processes, and interrupted processing."""

import errno
import multiprocessing
import os
import signal
import time
import warnings

import pytest
import torch

from graphmotion.data import journal as journals
from graphmotion.data import read_tasks as reading
from graphmotion.datasets import NTURGBD
from tests.datasets.interrupt import SETS, kill_and_continue, processed, start, write_set


def process(make, root, **options):
    """Returns the processed files and the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        make(root, force_reload=True, **options)
    return processed(root), [(str(w.message), w.category) for w in caught]


@pytest.mark.parametrize('name', SETS)
def test_the_result_does_not_depend_on_the_number_of_workers(tmp_path, name):
    make = write_set(name, tmp_path).make
    expected = process(make, tmp_path)
    assert len(expected[0]) == 1
    assert any('skipped' in message for message, _ in expected[1])
    for num_workers in (1, 2):
        assert process(make, tmp_path, num_workers=num_workers) == expected


def test_random_transforms_do_not_depend_on_the_number_of_workers(tmp_path):
    write_set('NTURGBD', tmp_path)

    class Jitter:
        def __call__(self, data):
            data.pos = data.pos + torch.randn(data.pos.shape)
            return data

        def __repr__(self):
            return 'Jitter()'

    found = []
    for num_workers in (0, 2):
        torch.manual_seed(1)
        found.append(process(NTURGBD, tmp_path, num_workers=num_workers, pre_transform=Jitter()))
    assert found[0] == found[1]


@pytest.mark.slow
@pytest.mark.parametrize('num_workers', [0, 2])
@pytest.mark.parametrize('name', ['NTURGBD', 'CASIABSilhouettes'])
def test_killed_processing_continues_to_the_same_result(name, num_workers):
    kill_and_continue(name, num_workers, times=1, seed=0)


class Stopping(NTURGBD):
    """Stops at a file, in a way that the test chooses."""

    stop = None

    def read_recording(self, path, content):
        if 'A021' in path and self.stop is not None:
            self.stop()
        return super().read_recording(path, content)


@pytest.fixture
def unread(monkeypatch, tmp_path):
    """A folder of raw files, and a journal that keeps each sample at once."""
    monkeypatch.setattr(journals, '_SECONDS', 0.0)
    write_set('NTURGBD', tmp_path)
    return tmp_path


def continue_reading(root, monkeypatch):
    """Returns the number of files read to complete a processing, and checks its result."""
    count = []
    read = Stopping.read_recording
    monkeypatch.setattr(Stopping, 'read_recording', lambda *args: (count.append(1), read(*args))[1])
    with pytest.warns(UserWarning, match='skipped 5 of 40'):
        Stopping(root)
    (content,) = processed(root).values()
    os.remove(root / 'processed' / 'ntu60_2_denoised.pt')
    with pytest.warns(UserWarning, match='skipped 5 of 40'):
        Stopping(root, num_workers=2)
    assert content == next(iter(processed(root).values()))
    return len(count)


def test_a_worker_that_dies_ends_the_processing(unread, monkeypatch):
    monkeypatch.setattr(Stopping, 'stop', lambda _: os.kill(os.getpid(), signal.SIGKILL))
    message = r'read .*A021\.skeleton was killed by SIGKILL, perhaps for lack of memory$'
    with pytest.raises(RuntimeError, match=message):
        Stopping(unread, num_workers=2)
    (folder,) = os.listdir(unread / 'processed')
    assert folder.endswith('.parts')
    monkeypatch.setattr(Stopping, 'stop', None)
    assert continue_reading(unread, monkeypatch) <= 25


def test_an_error_ends_the_processing_and_its_workers(unread, monkeypatch):
    def stop(_):
        raise TypeError('a fault of the reader')

    monkeypatch.setattr(Stopping, 'stop', stop)
    for num_workers in (0, 2):
        with pytest.raises(TypeError, match=r'^a fault of the reader$'):
            Stopping(unread, num_workers=num_workers)
    assert not multiprocessing.active_children()


@pytest.mark.parametrize('num_workers', [0, 2])
def test_processing_continues_after_ctrl_c(unread, monkeypatch, num_workers):
    monkeypatch.setattr(Stopping, 'stop', lambda _: time.sleep(60))
    main = start(Stopping, unread, num_workers=num_workers)
    end = time.monotonic() + 30
    while len(list(unread.glob('processed/*.parts/*.pt'))) < 18 and time.monotonic() < end:
        time.sleep(0.01)
    os.killpg(main.pid, signal.SIGINT)  # as a terminal does
    main.join(20)
    assert main.exitcode == 1
    (folder,) = os.listdir(unread / 'processed')
    assert folder.endswith('.parts')
    monkeypatch.setattr(Stopping, 'stop', None)
    assert continue_reading(unread, monkeypatch) <= 25


def test_processes_that_open_a_set_at_once_agree(unread):
    starts = [start(NTURGBD, unread, num_workers=number) for number in (0, 1, 2)]
    for main in starts:
        main.join()
    assert [main.exitcode for main in starts] == [0, 0, 0]
    (content,) = processed(unread).values()
    assert process(NTURGBD, unread)[0] == {'ntu60_2_denoised.pt': content}


def test_a_full_disk_leaves_nothing(unread, monkeypatch):
    save = torch.save

    def fail(content, file):
        if 'fields' not in content:  # a part of the journal
            return save(content, file)
        assert list(unread.glob('processed/*.parts/*.pt'))
        try:
            raise OSError(errno.ENOSPC, 'No space left on device')
        finally:
            raise RuntimeError('enforce fail at inline_container.cc')  # as torch.save does

    monkeypatch.setattr(torch, 'save', fail)
    with pytest.warns(UserWarning, match='skipped'), pytest.raises(RuntimeError, match='enforce'):
        NTURGBD(unread)
    assert not (unread / 'processed').exists()


def test_opening_a_processed_set_removes_a_journal_left_by_a_killed_process(tmp_path):
    raw = write_set('NTURGBD', tmp_path)
    start(raw.make, tmp_path).join()
    expected = processed(tmp_path)
    (name,) = expected
    (tmp_path / 'processed' / f'{name}.parts').mkdir()
    raw.make(tmp_path)
    assert processed(tmp_path) == expected


def test_reloading_does_not_continue(unread, monkeypatch):
    monkeypatch.setattr(Stopping, 'stop', lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        Stopping(unread)
    monkeypatch.setattr(Stopping, 'stop', None)
    count = []
    read = Stopping.read_recording
    monkeypatch.setattr(Stopping, 'read_recording', lambda *args: (count.append(1), read(*args))[1])
    with pytest.warns(UserWarning, match='skipped 5 of 40'):
        Stopping(unread, force_reload=True)
    assert len(count) == 40
    assert len(processed(unread)) == 1


def test_progress_is_shown_after_a_while(unread, monkeypatch, capsys):
    with pytest.warns(UserWarning, match='skipped'):
        NTURGBD(unread)
    assert capsys.readouterr().err == ''
    monkeypatch.setattr(reading, '_DELAY', 0.0)
    with pytest.warns(UserWarning, match='skipped'):
        NTURGBD(unread, force_reload=True)
    assert 'Reading NTURGBD: 100%' in capsys.readouterr().err


@pytest.mark.parametrize('number', [-1, 1.5, None])
def test_invalid_numbers_of_workers_raise(tmp_path, number):
    write_set('NTURGBD', tmp_path)
    with pytest.raises(ValueError, match='num_workers must be'):
        NTURGBD(tmp_path, num_workers=number)
