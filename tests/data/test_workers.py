"""Tests of calling a function in several processes."""

import multiprocessing
import os
import signal
import threading
import time
from collections import deque

import pytest
import torch

from graphmotion.data.workers import map_in_order


def is_alive(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize('num_workers', [0, 1, 2, 5])
def test_results_are_in_the_order_of_the_items(num_workers):
    def slow_at_first(item):
        time.sleep(0.02 * (item == 0))
        return item, torch.get_default_dtype(), os.getpid()

    torch.set_default_dtype(torch.float64)
    try:
        results = list(map_in_order(slow_at_first, range(40), num_workers))
    finally:
        torch.set_default_dtype(torch.float32)
    assert [item for item, _, _ in results] == list(range(40))
    assert {dtype for _, dtype, _ in results} == {torch.float64}
    processes = {process for _, _, process in results}
    assert (os.getpid() in processes) == (num_workers == 0)
    assert len(processes) <= max(num_workers, 1)
    assert list(map_in_order(slow_at_first, [], num_workers)) == []


def test_few_results_are_computed_ahead():
    progress = multiprocessing.get_context().Value('i', 0)

    def count(item):
        with progress.get_lock():
            progress.value += 1
        return item

    results = map_in_order(count, range(1000), 2)
    next(results)
    time.sleep(0.1)
    assert progress.value < 40
    results.close()


@pytest.mark.parametrize(
    ('end', 'cause'),
    [
        (lambda: os.kill(os.getpid(), signal.SIGKILL), 'was killed by SIGKILL, perhaps for lack'),
        (lambda: os.kill(os.getpid(), signal.SIGSEGV), 'was killed by SIGSEGV$'),
        (lambda: os._exit(3), 'ended with exit code 3$'),
    ],
)
def test_the_end_of_a_process_raises_with_the_item_and_the_cause(end, cause):
    def read(item):
        if item == 7:
            end()
        return os.getpid()

    processes = []
    with pytest.raises(RuntimeError, match=f'^the process that read file 7 {cause}'):
        processes += map_in_order(read, range(20), 2, 'file {}'.format)
    results = map_in_order(read, range(6), 2)
    processes = list(results)
    assert not any(map(is_alive, processes))


class Unrestorable:
    """It needs a file that does not exist."""

    def __reduce__(self):
        return open, ('nonsense',)


@pytest.mark.parametrize(
    ('result', 'cause'),
    [
        (lambda: lambda: 1, '(PicklingError|AttributeError): Can.t (pickle|get)'),
        (threading.Lock, 'TypeError: cannot pickle'),
        (lambda: 1 / 0, 'ZeroDivisionError: division by zero\n'),
        (Unrestorable, 'FileNotFoundError: .*nonsense'),
    ],
)
def test_a_result_that_cannot_be_sent_raises_with_the_item_and_the_exception(result, cause):
    results = map_in_order(
        lambda item: result() if item == 7 else item, range(20), 2, 'file {}'.format
    )
    with pytest.raises(RuntimeError, match=f'^the process that read file 7 failed with {cause}'):
        list(results)


def test_a_result_cut_off_in_the_middle_raises():
    def read(item):
        if item == 1:  # ends while its large result is sent, since nothing receives it
            signal.setitimer(signal.ITIMER_REAL, 0.2)
        return bytes(10**7)

    results = map_in_order(read, range(4), 1)
    assert len(next(results)) == 10**7
    (process,) = multiprocessing.active_children()
    process.join(60)
    with pytest.raises(RuntimeError, match='the process that read 1 was killed by SIGALRM'):
        list(results)


def test_closing_stops_the_processes():
    results = map_in_order(lambda _: os.getpid(), range(1000), 2)
    processes = {next(results) for _ in range(20)}
    results.close()
    assert not any(map(is_alive, processes))


def test_processes_end_with_the_main_process():
    context = multiprocessing.get_context('fork')
    receiver, sender = context.Pipe(duplex=False)

    def main():
        for process in map_in_order(lambda _: (time.sleep(0.01), os.getpid())[1], range(10**6), 3):
            sender.send(process)

    process = context.Process(target=main)
    process.start()
    sender.close()
    assert len({receiver.recv() for _ in range(30)}) == 3
    process.kill()
    process.join()
    # The receiver is at its end when no process has a copy of the sender.
    with pytest.raises(EOFError):
        deque(iter(lambda: receiver.poll(5) and receiver.recv(), False), 0)
