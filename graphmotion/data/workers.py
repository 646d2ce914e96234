"""Calling a function in several processes."""

from __future__ import annotations

import multiprocessing
import signal
import traceback
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import Process
from multiprocessing.connection import Connection, wait
from multiprocessing.reduction import ForkingPickler
from typing import Any, TypeVar, cast

import torch

# Number of items in a process at a time, so that it need not wait for the next one.
_AT_ONCE = 2
# Number of results per process that may be ahead of a slow item, which bounds their memory.
_AHEAD = 8

_Item = TypeVar('_Item')


def map_in_order(
    function: Callable[[_Item], Any],
    items: Sequence[_Item],
    num_workers: int = 0,
    describe: Callable[[_Item], str] = str,
) -> Generator[Any, None, None]:
    r"""Yields the result of a function for each item, in the order of the items.

    Args:
        function (callable): The function. Its results must be picklable if there are processes.
        items (sequence): The items.
        num_workers (int, optional): Number of processes that call the function; :obj:`0` calls it
            in this process. (default: :obj:`0`)
        describe (callable, optional): Returns the name of an item in error messages.
            (default: :obj:`str`)

    Raises:
        RuntimeError: If a process ends before its work is done, the function raises an exception in
            a process, or its result cannot be pickled. The message names the item and the signal,
            exit code or exception.
    """
    if not num_workers or not items:
        yield from map(function, items)
        return
    num_workers = min(num_workers, len(items))
    with _start(function, items, num_workers) as workers:
        pending: dict[Connection, deque[int]] = {connection: deque() for connection in workers}
        results: dict[int, Any] = {}
        sent = 0
        for position in range(len(items)):
            while position not in results:
                last = min(len(items), position + _AHEAD * num_workers)
                for connection, numbers in pending.items():
                    while len(numbers) < _AT_ONCE and sent < last:
                        with suppress(ConnectionError):  # its end is noticed below
                            connection.send(sent)
                        numbers.append(sent)
                        sent += 1
                for connection in cast('list[Connection]', wait(list(workers))):
                    numbers = pending[connection]
                    name = describe(items[numbers[0]]) if numbers else 'files'
                    result, failure = _receive(connection, workers[connection])
                    if failure is not None:
                        raise RuntimeError(f'the process that read {name} {failure}')
                    results[numbers.popleft()] = result
            yield results.pop(position)


@contextmanager
def _start(
    function: Callable, items: Sequence, num_workers: int
) -> Iterator[dict[Connection, Process]]:
    """Starts processes and stops them on exit."""
    context = multiprocessing.get_context()
    workers: dict[Connection, Process] = {}
    try:
        for _ in range(num_workers):
            ours, theirs = context.Pipe()
            # A process must not hold the other ends, so that they close with the main process.
            arguments = (theirs, [*workers, ours], function, items, torch.get_default_dtype())
            process = context.Process(target=_work, args=arguments, daemon=True)
            with warnings.catch_warnings():
                # Python warns of forks in a process with threads; a worker uses none of them.
                warnings.simplefilter('ignore', DeprecationWarning)
                process.start()
            workers[ours] = process
            theirs.close()
        yield workers
    finally:
        for connection, process in workers.items():
            connection.close()
            process.kill()
            process.join()
            process.close()


def _work(
    connection: Connection,
    others: Sequence[Connection],
    function: Callable,
    items: Sequence,
    dtype: torch.dtype,
) -> None:
    """Calls the function for the items at the positions received."""
    for other in others:
        other.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the main process stops its workers
    torch.set_num_threads(1)
    torch.set_default_dtype(dtype)
    with suppress(EOFError, ConnectionError):  # the main process has ended
        while True:
            item = items[connection.recv()]
            try:
                answer = ForkingPickler.dumps((function(item), None))
            except Exception as error:
                answer = ForkingPickler.dumps((None, _describe_exception(error)))
            connection.send_bytes(answer)


def _receive(connection: Connection, process: Process) -> tuple[Any, str | None]:
    """Returns a result, or what happened instead."""
    try:
        answer = connection.recv_bytes()
    except (EOFError, OSError):
        process.join()
        return None, _describe_end(process)
    try:
        return ForkingPickler.loads(answer)
    except Exception as error:
        return None, _describe_exception(error)


def _describe_exception(error: Exception) -> str:
    lines = traceback.format_exception(type(error), error, error.__traceback__)
    return f'failed with {type(error).__name__}: {error}\n\n{"".join(lines)}'


def _describe_end(process: Process) -> str:
    code = process.exitcode or 0
    if code >= 0:
        return f'ended with exit code {code}'
    name = signal.Signals(-code).name
    return f'was killed by {name}' + ', perhaps for lack of memory' * (name == 'SIGKILL')
