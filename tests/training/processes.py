"""Training runs in processes that are forked from one that has imported everything."""

import multiprocessing
import os
import signal
import socket
import sys
import traceback
from contextlib import ExitStack, contextmanager

import torch

from tests.training import run

_CONTEXT = multiprocessing.get_context('forkserver')
_CONTEXT.set_forkserver_preload(['tests.training.run'])


def _main(arguments, environment, log):
    os.environ.update(environment)
    torch.set_num_threads(1)
    # Shells let their background jobs ignore it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with open(log, 'a') as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        try:
            run.main(arguments)
        except BaseException:
            traceback.print_exc()
            raise
        finally:
            sys.stderr.flush()


@contextmanager
def start(directory, *options, **environment):
    """Starts a run and kills it on exit, if it is not finished."""
    arguments = [str(directory), *options]
    log = f'{directory}.log'
    process = _CONTEXT.Process(target=_main, args=(arguments, environment, log))
    process.start()
    process.log = log
    try:
        yield process
    finally:
        process.kill()
        process.join()


def finish(process, expected=0):
    """Waits for a run and checks its exit code, which is the negative number of a signal."""
    process.join(240)
    with open(process.log) as log:
        assert process.exitcode == expected, log.read()[-4000:]


def run_one(directory, *options, expected=0):
    """Runs a single process."""
    with start(directory, *options) as process:
        finish(process, expected)


def run_group(directory, number, *options):
    """Runs processes with the environment variables of torchrun."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    shared = {'MASTER_ADDR': '127.0.0.1', 'MASTER_PORT': str(port), 'WORLD_SIZE': str(number)}
    shared |= {'TORCHELASTIC_RUN_ID': 'test', 'GROUP_RANK': '0'}
    options = (*options, '--devices', str(number))
    runs = [
        start(directory, *options, RANK=str(rank), LOCAL_RANK=str(rank), **shared)
        for rank in range(number)
    ]
    with ExitStack() as stack:
        for process in [stack.enter_context(one) for one in runs]:
            finish(process)
