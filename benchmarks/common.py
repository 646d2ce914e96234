"""What the benchmarks share: options, timing in turns, peak memory, the environment, tables.

A script makes functions that do the same in different ways, and measures them together:

    args = parse(parser(__doc__), argv, tiny={'batch': 4})
    facts = environment(args.device, args.threads)
    times = time_together({'ours': f, 'theirs': g}, args.rounds, args.seconds, args.threads)
    ratio(times['theirs'], times['ours'])   # of one round each: its median and quartiles
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
import torch_geometric
from torch.autograd.profiler import profile
from torch.utils.benchmark import Timer, timer
from torch.utils.flop_counter import FlopCounterMode

# Prefixes of the variables that decide how memory is handed out, and by how many threads used.
VARIABLES = ('OMP_', 'MKL_', 'KMP_', 'THP_MEM_', 'MALLOC_', 'PYTORCH_', 'LD_PRELOAD', 'GLIBC_')

# Options ######################################################################################


def parser(doc: str | None, rounds: int = 9, seconds: float = 0.1) -> argparse.ArgumentParser:
    """The options of all benchmarks; a script adds its own."""
    out = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    out.add_argument('--device', default='cpu', help='cpu or cuda')
    out.add_argument('--threads', type=int, default=torch.get_num_threads())
    out.add_argument(
        '--backward',
        action=argparse.BooleanOptionalAction,
        default=True,
        help='also time forward+backward (default)',
    )
    out.add_argument('--rounds', type=int, default=rounds, help='how often each side has its turn')
    out.add_argument('--seconds', type=float, default=seconds, help='how long a turn lasts')
    out.add_argument('--tiny', action='store_true', help='small and short: does it run?')
    out.add_argument('--json', type=Path, metavar='FILE', help='write all numbers there')
    return out


def parse(
    options: argparse.ArgumentParser,
    argv: list[str] | None = None,
    tiny: dict[str, Any] | None = None,
) -> argparse.Namespace:
    """The options as given; with ``--tiny``, those of ``tiny`` and two short rounds of one thread.

    Sets the number of threads, and single precision to be single precision on a GPU, too.
    """
    args = options.parse_args(argv)
    if args.tiny:
        vars(args).update({'rounds': 2, 'seconds': 0.001, 'threads': 1, **(tiny or {})})
    torch.set_num_threads(args.threads)
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    return args


# Environment ##################################################################################


def busy_processors(seconds: float = 0.3) -> float:
    """How many processors other programs keep busy; 0 where the system does not tell."""

    def used() -> float:
        counts = Path('/proc/stat').read_text().split(maxsplit=4)[1:4]
        return sum(map(int, counts)) / os.sysconf('SC_CLK_TCK')

    try:
        before = used()
        time.sleep(seconds)
        return round((used() - before) / seconds, 1)
    except OSError:
        return 0.0


def environment(device: str, threads: int) -> dict[str, Any]:
    """What the numbers depend on. Prints a warning if the machine is too busy for the threads."""
    if torch.device(device).type == 'cuda':
        kind = torch.cuda.get_device_name(device)
    else:
        kind = f'{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}'
    facts = {
        'device': kind,
        'threads': threads,
        'processors': os.cpu_count() or 1,
        'busy': busy_processors(),
        'torch': torch.__version__,
        'torch_geometric': torch_geometric.__version__,
        'python': platform.python_version(),
        **{name: os.environ[name] for name in sorted(os.environ) if name.startswith(VARIABLES)},
    }
    if threads > 1 and facts['busy'] + threads > facts['processors'] + 0.2:
        print('Other programs are running: threads that wait for each other measure the waiting.')
        print('Use --threads 1, or wait until the machine is idle.\n')
    return facts


# Measurement ##################################################################################


def time_together(
    runs: dict[str, Callable[[], Any]], rounds: int, seconds: float, threads: int
) -> dict[str, list[float]]:
    """Time all in turn, several rounds, each round beginning with another of them.

    Returns the median time of a call in each round. Where calls are slow, rounds become fewer
    (not below 3): none begins after twice the time that all turns should last. One that lasts
    longer than its turn is called once in it, after the first round.
    """
    torch.set_num_threads(threads)
    timers = {
        name: Timer('run()', globals={'run': run}, num_threads=threads)
        for name, run in runs.items()
    }
    names = list(runs)
    times: dict[str, list[float]] = {name: [] for name in names}
    start = time.perf_counter()
    for i in range(rounds):
        if i >= 3 and time.perf_counter() - start > 2 * rounds * seconds * len(runs):
            break
        for name in names[i % len(names) :] + names[: i % len(names)]:
            if times[name] and times[name][-1] > seconds:
                times[name].append(time_once(runs[name]))
            else:
                times[name].append(timers[name].blocked_autorange(min_run_time=seconds).median)
    return times


def time_once(run: Callable[[], Any]) -> float:
    """Seconds of one call, until the device has finished."""
    start = timer()
    run()
    return timer() - start


def quartiles(values: Sequence[float]) -> dict[str, float]:
    """Median, lower and upper quartile."""
    low, median, high = torch.tensor(values, dtype=torch.float64).quantile(
        torch.tensor([0.25, 0.5, 0.75], dtype=torch.float64)
    )
    return {'median': float(median), 'low': float(low), 'high': float(high)}


def ratio(over: Sequence[float], under: Sequence[float]) -> dict[str, float]:
    """Quartiles of the ratio of times taken in one round each.

    In one round the machine was equally busy; medians of different moments do not compare.
    """
    return quartiles([a / b for a, b in zip(over, under, strict=True)])


def matrix_product(device: str | torch.device, tiny: bool = False) -> tuple[Callable, int]:
    """A product of two large matrices, and its number of operations: the limit of the machine."""
    size = 64 if tiny else 1024 if torch.device(device).type == 'cpu' else 8192
    a, b = torch.randn(2, size, size, device=device)
    out = torch.empty_like(a)
    return lambda: torch.mm(a, b, out=out), 2 * size**3


def operations(run: Callable[[], Any]) -> int:
    """Floating point operations in the matrix products and convolutions of one call.

    It may call :meth:`backward`; torch's counter does not go with :func:`torch.autograd.grad`.
    """
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # kernels of whole layers, which do not count
    try:
        with FlopCounterMode(display=False) as counter:
            run()
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
    return counter.get_total_flops()


def peak_memory(run: Callable[[], Any], device: str | torch.device = 'cpu') -> int:
    """Bytes that one call holds at most, beyond what was held before it.

    On CPU the sum of what torch's allocator hands out and takes back; what libraries keep for
    themselves is not in it.
    """
    if torch.device(device).type == 'cuda':
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        run()
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    os.environ.setdefault('KINETO_LOG_LEVEL', '99')  # else each profile reports on stderr
    with profile(profile_memory=True) as profiler:
        run()
    events = [e for e in profiler.kineto_results.events() if e.name() == '[memory]']
    held = torch.tensor([0] + [e.nbytes() for e in sorted(events, key=lambda e: e.start_ns())])
    return int(held.cumsum(0).max())


# Reports ######################################################################################


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]], left: Sequence[str] = ()) -> str:
    """A table; columns named in ``left`` are aligned there, the others to the right."""
    lines = [list(map(str, line)) for line in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    aligns = ['<' if name in left else '>' for name in head]
    rule = ['-' * (w - 1) + ('-' if a == '<' else ':') for w, a in zip(widths, aligns)]
    return '\n'.join(
        '| ' + ' | '.join(f'{c:{a}{w}}' for c, a, w in zip(line, aligns, widths)) + ' |'
        for line in (lines[0], rule, *lines[1:])
    )


def facts_line(facts: dict[str, Any]) -> str:
    """The environment or the sizes, in one line."""
    return ', '.join(f'{key} {value}' for key, value in facts.items())


def write_json(path: Path | None, **report: Any) -> None:
    """Write the report, where a file was asked for."""
    if path is not None:
        path.write_text(json.dumps(report, indent=2) + '\n')
