"""Tests of the shared parts of the benchmarks."""

import json
import time
from types import SimpleNamespace

import pytest
import torch

from benchmarks import common


def test_common_options():
    args = common.parse_args(common.base_parser('doc'), ['--threads', '1', '--device', 'meta'])
    assert args.backward
    assert (args.device, args.threads, args.tiny, args.json) == ('meta', 1, False, None)
    assert not common.parse_args(
        common.base_parser('doc'), ['--threads', '1', '--no-backward']
    ).backward


def test_tiny_replaces_sizes_and_shortens_turns():
    options = common.base_parser('doc')
    options.add_argument('--batch', type=int, default=64)
    args = common.parse_args(options, ['--threads', '1', '--batch', '32', '--tiny'], {'batch': 2})
    assert (args.batch, args.rounds, args.seconds) == (2, 2, 0.001)


def test_threads_are_set():
    before = torch.get_num_threads()
    try:
        common.parse_args(common.base_parser('doc'), ['--threads', '1'])
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


def test_environment_has_versions_and_variables(monkeypatch):
    monkeypatch.setenv('THP_MEM_ALLOC_ENABLE', '1')
    monkeypatch.setenv('MALLOC_TOP_PAD_', '123')
    monkeypatch.setenv('SOMETHING_ELSE', 'secret')
    facts = common.environment('cpu', threads=1)
    assert facts['torch'] == torch.__version__
    assert facts['threads'] == 1
    assert facts['THP_MEM_ALLOC_ENABLE'] == '1'
    assert facts['MALLOC_TOP_PAD_'] == '123'
    assert 'secret' not in facts.values()


def test_a_busy_machine_causes_a_warning(monkeypatch, capsys):
    monkeypatch.setattr(common, 'busy_processors', lambda: 1e3)
    common.environment('cpu', threads=1)
    assert capsys.readouterr().out == ''
    common.environment('cpu', threads=2)
    assert 'Other programs are running' in capsys.readouterr().out


def test_functions_take_turns(monkeypatch):
    turns = []

    class Clock:
        def __init__(self, statement, globals, num_threads, timer):
            self.run = globals['run']

        def blocked_autorange(self, min_run_time):
            turns.append(self.run())
            return SimpleNamespace(median=len(turns))

    monkeypatch.setattr(common, 'Timer', Clock)
    runs = {name: lambda name=name: name for name in 'abc'}
    times = common.time_in_turns(runs, rounds=4, seconds=100.0, threads=1)
    assert ''.join(turns) == 'abc' + 'bca' + 'cab' + 'abc'
    assert times == {'a': [1, 6, 8, 10], 'b': [2, 4, 9, 11], 'c': [3, 5, 7, 12]}


def test_times_are_seconds_per_call():
    times = common.time_in_turns({'sleep': lambda: time.sleep(0.01)}, 3, 0.02, threads=1)
    assert 0.01 <= min(times['sleep']) < 0.1


def test_the_time_of_one_thread_excludes_waiting():
    clock = common.choose_clock('cpu', threads=1)
    assert common.time_once(lambda: time.sleep(0.05), clock) < 0.02
    clock = common.choose_clock('cpu', threads=2)
    assert common.time_once(lambda: time.sleep(0.05), clock) >= 0.05
    clock = common.choose_clock('cuda', threads=1)
    assert clock is common.choose_clock('cpu', threads=2)


def test_slow_functions_are_called_once_in_each_of_three_rounds():
    calls = []
    runs = {'sleep': lambda: calls.append(time.sleep(0.01))}
    times = common.time_in_turns(runs, 50, 0.0001, threads=1)['sleep']
    assert len(times) == 3
    assert len(calls) == 4  # the first round calls it twice to choose the number of calls
    assert min(times) >= 0.01


def test_quartiles_and_ratios():
    assert common.quartiles([4.0, 1.0, 2.0, 3.0, 5.0]) == {'median': 3, 'low': 2, 'high': 4}
    # Per round; the ratio of the medians would be 2 / 2.
    assert common.ratio([1, 2, 9], [2, 1, 3]) == {'median': 2, 'low': 1.25, 'high': 2.5}


def test_peak_memory_of_known_allocations():
    def run():
        first = torch.empty(1000)  # 4 kB
        second = torch.empty(2000)  # 12 kB are held
        del first, second
        return torch.empty(1500)

    assert common.peak_memory(run) == 12_000
    assert common.peak_memory(lambda: None) == 0


def test_peak_memory_includes_the_backward_pass():
    x = torch.randn(100, 1000, requires_grad=True)

    def run():
        return torch.autograd.grad(x.exp().exp().sum(), x)

    # Both exponentials are saved for the backward pass, which adds one gradient.
    size = x.numel() * 4
    assert 3 * size <= common.peak_memory(run) <= 4 * size


def test_peak_memory_excludes_earlier_allocations():
    held = torch.empty(10_000)
    assert common.peak_memory(lambda: held.neg()) == held.numel() * 4


@pytest.mark.cuda
def test_peak_memory_on_a_gpu():
    if not torch.cuda.is_available():
        pytest.skip('no CUDA device')
    size = 1 << 24

    def run():
        first = torch.empty(size, dtype=torch.uint8, device='cuda')
        second = torch.empty(size, dtype=torch.uint8, device='cuda')
        del first, second

    assert common.peak_memory(run, 'cuda') == 2 * size


def test_operations_of_forward_and_backward():
    x = torch.randn(5, 7, requires_grad=True)
    linear = torch.nn.Linear(7, 3)
    assert common.count_flops(lambda: linear(x)) == 2 * 5 * 7 * 3
    assert common.count_flops(lambda: linear(x).sum().backward()) == 3 * 2 * 5 * 7 * 3


def test_operations_of_fused_layers():
    """In evaluation mode without gradients, torch fuses a transformer layer."""
    layer = torch.nn.TransformerEncoderLayer(8, 2, 12, batch_first=True).eval()
    x = torch.randn(1, 5, 8)
    with torch.no_grad():
        assert common.count_flops(lambda: layer(x)) >= 2 * 5 * (4 * 8 * 8 + 2 * 8 * 12)
    assert torch.backends.mha.get_fastpath_enabled()


def test_operations_of_the_matrix_product():
    run, count = common.matrix_product('cpu', tiny=True)
    assert common.count_flops(run) == count == 2 * 64**3


def test_json_is_written_if_a_path_is_given(tmp_path):
    common.write_json(None, results=[])
    common.write_json(tmp_path / 'a.json', results=[1.5], environment={'threads': 1})
    written = json.loads((tmp_path / 'a.json').read_text())
    assert written == {'results': [1.5], 'environment': {'threads': 1}}


def test_each_name_is_measured_once_per_round():
    calls = []
    found = common.measure_in_turns('abc', 2, lambda name: calls.append(name) or len(calls))
    assert calls == list('abcbca')
    assert found == {'a': [1, 6], 'b': [2, 4], 'c': [3, 5]}
