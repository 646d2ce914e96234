"""Shared parts of the benchmarks: options, environment, timing, peak memory and tables.

A script defines functions that compute the same thing in different ways and times them in turns:

    args = parse_args(base_parser(__doc__), argv, tiny={'batch': 4})
    facts = environment(args.device, args.threads)
    times = time_in_turns({'ours': f, 'theirs': g}, args.rounds, args.seconds, args.threads)
    ratio(times['theirs'], times['ours'])   # median and quartiles of the ratios of the rounds
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
import torch_geometric
from torch import Tensor
from torch.autograd.profiler import profile
from torch.utils.benchmark import Timer, timer
from torch.utils.flop_counter import FlopCounterMode

from graphmotion.nn.linear import linear, prefers_convolutions

# Prefixes of the environment variables that affect threads, memory allocation and operators.
VARIABLES = (
    *('OMP_', 'MKL_', 'KMP_', 'THP_MEM_', 'MALLOC_', 'PYTORCH_', 'LD_PRELOAD', 'GLIBC_'),
    'GRAPHMOTION_KERNELS',
)

# Options ######################################################################################


def base_parser(
    description: str | None, rounds: int = 9, seconds: float = 0.1
) -> argparse.ArgumentParser:
    """Returns a parser with the options that all benchmarks have."""
    out = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    out.add_argument('--device', default='cpu', help='cpu or cuda')
    out.add_argument('--threads', type=int, default=torch.get_num_threads())
    out.add_argument(
        '--backward',
        action=argparse.BooleanOptionalAction,
        default=True,
        help='also time forward+backward (default)',
    )
    out.add_argument('--rounds', type=int, default=rounds, help='number of rounds')
    out.add_argument(
        '--seconds', type=float, default=seconds, help='duration of a measurement in each round'
    )
    out.add_argument('--tiny', action='store_true', help='smoke test: small sizes, short rounds')
    out.add_argument('--json', type=Path, metavar='FILE', help='write all results to a file')
    return out


def parse_args(
    parser: argparse.ArgumentParser,
    argv: list[str] | None = None,
    tiny: dict[str, Any] | None = None,
) -> argparse.Namespace:
    """Parses the options; with ``--tiny``, applies ``tiny`` and two short rounds on one thread.

    Also sets the number of threads and disables TF32 on GPUs.
    """
    args = parser.parse_args(argv)
    if args.tiny:
        vars(args).update({'rounds': 2, 'seconds': 0.001, 'threads': 1, **(tiny or {})})
    torch.set_num_threads(args.threads)
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    return args


# Environment ##################################################################################


def busy_processors(seconds: float = 0.3) -> float:
    """Returns how many processors other programs keep busy, or 0 if this is unknown."""

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
    """Describes the machine and the software, and warns if too few processors are idle."""
    if torch.device(device).type == 'cuda':
        name = torch.cuda.get_device_name(device)
    else:
        name = f'{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}'
    facts = {
        'device': name,
        'threads': threads,
        'processors': os.cpu_count() or 1,
        'busy': busy_processors(),
        'torch': torch.__version__,
        'torch_geometric': torch_geometric.__version__,
        'python': platform.python_version(),
        **{name: os.environ[name] for name in sorted(os.environ) if name.startswith(VARIABLES)},
    }
    if threads > 1 and facts['busy'] + threads > facts['processors'] + 0.2:
        print('Other programs are running: the times will include threads waiting for each other.')
        print('Use --threads 1, or wait until the machine is idle.\n')
    return facts


# Measurement ##################################################################################


def rotations(names: Iterable[str], rounds: int) -> Iterator[list[str]]:
    """Yields the names once per round, starting each round with the next name."""
    names = list(names)
    for i in range(rounds):
        first = i % len(names)
        yield names[first:] + names[:first]


def measure_in_turns(
    names: Iterable[str], rounds: int, measure: Callable[[str], float]
) -> dict[str, list[float]]:
    """Measures each name once per round, starting each round with the next name."""
    names = list(names)
    found: dict[str, list[float]] = {name: [] for name in names}
    for order in rotations(names, rounds):
        for name in order:
            found[name].append(measure(name))
    return found


def choose_clock(device: str | torch.device, threads: int) -> Callable[[], float]:
    """Returns the clock for functions that run in this process.

    For one thread on CPU, it is the processor time, which excludes the turns of other programs.
    """
    on_cpu = torch.device(device).type == 'cpu'
    return time.process_time if on_cpu and threads == 1 else timer


def time_in_turns(
    runs: dict[str, Callable[[], Any]],
    rounds: int,
    seconds: float,
    threads: int,
    clock: Callable[[], float] = timer,
) -> dict[str, list[float]]:
    """Times functions alternately and returns the median time of a call in each round.

    After three rounds, no further round starts once twice the planned time has passed. A function
    whose call takes longer than :obj:`seconds` is called once per round after the first.
    """
    torch.set_num_threads(threads)
    timers = {
        name: Timer('run()', globals={'run': run}, num_threads=threads, timer=clock)
        for name, run in runs.items()
    }
    times: dict[str, list[float]] = {name: [] for name in runs}
    start = time.perf_counter()
    for i, order in enumerate(rotations(runs, rounds)):
        if i >= 3 and time.perf_counter() - start > 2 * rounds * seconds * len(runs):
            break
        for name in order:
            if times[name] and times[name][-1] > seconds:
                times[name].append(time_once(runs[name], clock))
            else:
                times[name].append(timers[name].blocked_autorange(min_run_time=seconds).median)
    return times


def time_once(run: Callable[[], Any], clock: Callable[[], float] = timer) -> float:
    """Returns the seconds that one call takes, including the work of the device."""
    start = clock()
    run()
    return clock() - start


def quartiles(values: Sequence[float]) -> dict[str, float]:
    """Returns the median and the lower and upper quartile."""
    low, median, high = torch.tensor(values, dtype=torch.float64).quantile(
        torch.tensor([0.25, 0.5, 0.75], dtype=torch.float64)
    )
    return {'median': float(median), 'low': float(low), 'high': float(high)}


def ratio(numerator: Sequence[float], denominator: Sequence[float]) -> dict[str, float]:
    """Returns the quartiles of the ratios of times measured in the same round.

    The load of the machine is similar within a round, but not between rounds.
    """
    return quartiles([a / b for a, b in zip(numerator, denominator, strict=True)])


def relative_error(outputs: Sequence[Tensor], expected: Sequence[Tensor]) -> float:
    """Returns the largest norm of a difference relative to the norm of the expected tensor.

    Elements are not compared one by one: where the input of a ReLU is close to zero, rounding
    decides whether it passes a gradient.
    """
    pairs = list(zip(outputs, expected, strict=True))
    for a, b in pairs:
        if a.shape != b.shape:
            raise AssertionError(f'shapes differ: {list(a.shape)} and {list(b.shape)}')
    return max(float((a - b).norm() / b.norm()) for a, b in pairs)


def matrix_product(device: str | torch.device, tiny: bool = False) -> tuple[Callable, int]:
    """Returns a product of two large matrices and its number of operations.

    It is a convolution if the processor computes those faster.
    """
    on_cpu = torch.device(device).type == 'cpu'
    size = 64 if tiny else 1024 if on_cpu else 8192
    a, b = torch.randn(2, size, size, device=device)
    if on_cpu and prefers_convolutions(a):
        return lambda: linear(a, b), 2 * size**3
    out = torch.empty_like(a)
    return lambda: torch.mm(a, b, out=out), 2 * size**3


def count_flops(run: Callable[[], Any]) -> int:
    """Counts the floating-point operations of the matrix products and convolutions of a call.

    The call may run :meth:`backward`; the counter does not support :func:`torch.autograd.grad`.
    """
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # the counter misses fused layers
    try:
        with FlopCounterMode(display=False) as counter:
            run()
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
    return counter.get_total_flops()


def peak_memory(run: Callable[[], Any], device: str | torch.device = 'cpu') -> int:
    """Returns the peak memory of a call in bytes, without what was allocated before.

    On CPU, only memory from torch's allocator is counted.
    """
    if torch.device(device).type == 'cuda':
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        run()
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    os.environ.setdefault('KINETO_LOG_LEVEL', '99')  # otherwise each profile logs to stderr
    with profile(profile_memory=True) as profiler:
        run()
    events = [e for e in profiler.kineto_results.events() if e.name() == '[memory]']
    held = torch.tensor([0] + [e.nbytes() for e in sorted(events, key=lambda e: e.start_ns())])
    return int(held.cumsum(0).max())


# Reports ######################################################################################


def ratio_cells(ratio: dict[str, float] | None, digits: int = 2) -> tuple[str, str]:
    """Formats a ratio as its median and its quartiles; two empty cells if there is none."""
    if ratio is None:
        return '', ''
    median, low, high = (f'{ratio[key]:.{digits}f}' for key in ('median', 'low', 'high'))
    return median, f'{low} - {high}'


def format_environment(facts: dict[str, Any]) -> str:
    """Formats the environment as one line."""
    return ', '.join(f'{key} {value}' for key, value in facts.items())


def write_json(path: Path | None, **report: Any) -> None:
    """Writes the report if a path is given."""
    if path is not None:
        path.write_text(json.dumps(report, indent=2) + '\n')
