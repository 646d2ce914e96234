import pytest
import torch

from graphmotion.nn import LargeKernelTemporalConv, MultiScaleTemporalConv, TemporalConv
from graphmotion.nn.frame_sequential import FrameSequential
from graphmotion.nn.sliding import SlidingCache


class Recorder:
    """Applies a function and records the number of frames that it is called with."""

    def __init__(self, function):
        self.function, self.frames = function, []

    def __call__(self, *inputs):
        self.frames.append(inputs[0].size(1))
        return self.function(*inputs)


def slide(x, length, hops, run):
    """Yields windows of a sequence and the result of a function of sliding frames."""
    cache = SlidingCache(min_flops=0)
    first = 0
    for hop in hops:
        first += hop
        window = x[:, first : first + length]
        yield window, run(cache.slide(window, first)).features


@pytest.fixture(autouse=True)
def no_grad():
    torch.manual_seed(0)
    with torch.no_grad():
        yield


CONVS = {
    'zeros': (lambda: TemporalConv(3, 4, 5), 1, 4 + 4 + 3),
    'dilated': (lambda: TemporalConv(3, 4, 3, dilation=3), 1, 6 + 6 + 3),
    'max': (lambda: MultiScaleTemporalConv(3, 8, 3), 1, 2 * 4 + 3),
    'strided': (lambda: TemporalConv(3, 4, 5, stride=2), 2, None),
    'stride of 3': (lambda: TemporalConv(3, 4, 7, stride=3), 3, None),
    'start': (lambda: LargeKernelTemporalConv(3, 4, 6), 1, 5 + 5 + 3),
    'reflect': (lambda: LargeKernelTemporalConv(3, 4, 7, 'reflect'), 1, None),
    'two': (lambda: FrameSequential(TemporalConv(3, 4, 3, 2), TemporalConv(4, 4, 5)), 2, None),
}


@pytest.mark.parametrize('name', CONVS)
@pytest.mark.parametrize('hop', [1, 2, 3, 7, 100])
def test_a_layer_equals_its_result_on_each_window(name, hop):
    make, stride, _ = CONVS[name]
    conv = make().double().eval()
    record = Recorder(conv)
    x = torch.randn(6, 160, 3).double()
    starts = range(0, 120, hop)
    for window, out in slide(
        x,
        40,
        [hop * (i > 0) for i in range(len(starts))],
        lambda frames: frames.map(record, reach=conv.reach, stride=stride),
    ):
        torch.testing.assert_close(out, conv(window), rtol=0, atol=1e-12)
    if hop < 5:
        assert max(record.frames[6:]) < 40


@pytest.mark.parametrize('name', ['zeros', 'dilated', 'max', 'start'])
def test_only_ends_and_new_frames_are_evaluated(name):
    make, _, expected = CONVS[name]
    conv = make().eval()
    record = Recorder(conv)
    run = lambda frames: frames.map(record, reach=conv.reach)  # noqa: E731
    for _ in slide(torch.randn(6, 80, 3), 40, [0] + [3] * 10, run):
        pass
    assert record.frames[0] == 40
    assert set(record.frames[1:]) <= {expected, expected + 1, expected + 2}


def test_functions_of_single_frames_are_evaluated_once():
    record = Recorder(torch.sin)
    x = torch.randn(2, 50, 3)
    for window, out in slide(x, 20, [0, 1, 1, 4], lambda frames: frames.map(record)):
        assert torch.equal(out, window.sin())
    assert record.frames == [20, 1, 1, 4]


@pytest.mark.parametrize('hop', [1, 2, 3, 5])
def test_stacked_layers_with_strides_and_shortcuts(hop):
    convs = [TemporalConv(3, 3, 5, stride).double() for stride in (1, 2, 1, 2)]
    records = [Recorder(lambda x, y, c=c: c(x).relu() + y[:, :: c.stride]) for c in convs]

    def run(frames):
        for conv, record in zip(convs, records):
            frames = frames.map(record, frames, reach=conv.reach, stride=conv.stride)
        return frames

    x = torch.randn(4, 120, 3).double()
    for window, out in slide(x, 61, [0] + [hop] * 20, run):
        expected = window
        for conv in convs:
            expected = conv(expected).relu() + expected[:, :: conv.stride]
        torch.testing.assert_close(out, expected, rtol=0, atol=1e-12)
    for record, full in zip(records, (61, 61, 31, 31)):
        assert record.frames[-1] < full


def test_a_function_of_all_frames_is_always_evaluated():
    record = Recorder(lambda x: x - x.mean(dim=1, keepdim=True))
    after = Recorder(torch.sin)
    x = torch.randn(2, 50, 3)
    run = lambda frames: frames.map(record, reach=None).map(after)  # noqa: E731
    for window, out in slide(x, 20, [0, 1, 1], run):
        torch.testing.assert_close(out, (window - window.mean(dim=1, keepdim=True)).sin())
    assert record.frames == after.frames == [20] * 3


@pytest.mark.parametrize('name', ['zeros', 'start', 'reflect', 'strided'])
def test_growing_and_shrinking_windows(name):
    make, stride, _ = CONVS[name]
    conv = make().double().eval()
    record = Recorder(conv)
    cache = SlidingCache(min_flops=0)
    x = torch.randn(6, 80, 3).double()
    ends = [(0, n) for n in range(8, 41)] + [(n, 40 + n) for n in range(1, 5)]
    for first, last in [*ends, (4, 40), (5, 30), (5, 30), (5, 50), (60, 80)]:
        window = x[:, first:last]
        out = cache.slide(window, first).map(record, reach=conv.reach, stride=stride).features
        torch.testing.assert_close(out, conv(window), rtol=0, atol=1e-12)
    assert record.frames[30] < 20  # the start of a growing window does not change


@pytest.mark.parametrize('name', ['zeros', 'start', 'two'])
def test_frames_that_change_later_are_evaluated_again(name):
    """Missing joints may be interpolated once later frames are known."""
    make, stride, _ = CONVS[name]
    conv = make().double().eval()
    cache = SlidingCache(min_flops=0)
    x = torch.randn(6, 100, 3).double()
    generator = torch.Generator().manual_seed(1)
    for first in range(60):
        if first % 4 == 0:
            x = x.clone()
            frame = first + int(torch.randint(40, (1,), generator=generator))
            x[first % 6, frame] += 1
        window = x[:, first : first + 40]
        out = cache.slide(window, first).map(conv, reach=conv.reach, stride=stride).features
        torch.testing.assert_close(out, conv(window), rtol=0, atol=1e-12)


def test_missing_values_are_not_reused():
    x = torch.randn(2, 30, 3)
    x[1, 15] = torch.nan
    for window, out in slide(x, 20, [0, 1, 1], lambda frames: frames.map(torch.sin)):
        torch.testing.assert_close(out, window.sin(), equal_nan=True)


def test_another_number_of_nodes_starts_again():
    cache = SlidingCache(min_flops=0)
    for nodes in (2, 3, 2):
        x = torch.randn(nodes, 20, 3)
        assert torch.equal(cache.slide(x, 0).map(torch.sin).features, x.sin())
    with pytest.raises(ValueError, match='first must be at least 5, got 4'):
        cache.slide(x, 5) and cache.slide(x, 4)


def test_memory_is_bounded():
    conv, cache = TemporalConv(3, 4, 5, stride=4), SlidingCache(min_flops=0)
    x = torch.randn(2, 300, 3)

    def size():
        results = [result for call in cache._calls for result in call.results.values()]
        return len(results), sum(result.features.numel() for result in results)

    sizes = []
    for first in range(200):
        cache.slide(x[:, first : first + 60], first).map(conv, reach=2, stride=4)
        sizes.append(size())
    assert sizes[10] == sizes[-1] == (4, 4 * 2 * 15 * 4)
    assert len(cache._changed) == 60
    cache.clear()
    assert size() == (0, 0)


def test_small_functions_are_not_worth_reuse():
    lin = torch.nn.Linear(3, 5)
    for min_flops, used in ((39 * 2 * 2 * 15 + 1, False), (39 * 2 * 2 * 15, True)):
        record, cache = Recorder(lin), SlidingCache(min_flops)
        x = torch.randn(2, 60, 3)
        for first in range(3):
            window = x[:, first : first + 40]
            out = cache.slide(window, first).map(record).features
            torch.testing.assert_close(out, lin(window))
        assert record.frames == ([40, 1, 1] if used else [40] * 3)
    assert cache.is_used


def test_reuse_that_cannot_pay_keeps_nothing():
    cache = SlidingCache(min_flops=1e9)
    cache.slide(torch.randn(2, 60, 3), 0).map(torch.nn.Linear(3, 5))
    assert not cache.is_used
