import math

import pytest
import torch
from torch_geometric.data import Batch

from graphmotion.transforms import CropFraction


def numbered(make, num_frames, padding=0):
    """Returns a sample whose positions are the frame numbers."""
    data = make(num_frames=num_frames, padding=padding, missing=None)
    data.pos = torch.arange(float(num_frames + padding)).view(1, -1, 1).expand(17, -1, 3).clone()
    return data


def frames_of(data):
    return data.pos[0, : int(data.num_frames), 0].int().tolist()


@pytest.mark.parametrize('fraction', [0.95, 0.6, 1, 0.05])
def test_the_middle_matches_integer_arithmetic(fraction, make):
    for n in range(1, 130):
        margin = int((1 - fraction) * n / 2)
        out = CropFraction(fraction)(numbered(make, n, padding=3))
        assert frames_of(out) == list(range(margin, n - margin))
        assert out.pos.size(1) == n + 3


def test_central_window_has_min_frames(make):
    for n in (1, 4, 5, 9, 20):
        frames = frames_of(CropFraction(0.2, min_frames=5)(numbered(make, n)))
        margin = min(int(0.8 * n / 2), max(n - 5, 0) // 2)
        assert frames == list(range(margin, n - margin))
        assert len(frames) >= min(n, 5)


@pytest.mark.parametrize('n', [40, 64, 90, 200])
def test_random_windows(n, make):
    torch.manual_seed(0)
    batch = Batch.from_data_list([numbered(make, n, padding=2)] * 2000)
    out = CropFraction((0.5, 1.0), min_frames=64)(batch)
    frames = out.pos.view(2000, 17, n + 2, 3)[:, 0, :, 0].long()
    length, start = out.num_frames, frames[:, 0]
    step = torch.arange(n + 2)
    expected = torch.minimum(start.unsqueeze(1) + step, (start + length - 1).unsqueeze(1))
    assert torch.equal(frames, expected)
    shortest = min(n, max(64, math.floor(0.5 * n)))
    assert int(length.min()) == shortest
    assert int((start + length).max()) <= n
    # How often it is as short as that, and where it begins: uniform in both draws.
    share = min(1.0, (shortest + 1 - 0.5 * n) / (0.5 * n))
    assert (length == shortest).double().mean().item() == pytest.approx(share, abs=0.04)
    place = (start.double() + 0.5) / (n - length + 1)
    assert place.mean().item() == pytest.approx(0.5, abs=0.02)
    if n > 64:
        shortest_windows = start[length == shortest]
        assert set(shortest_windows[: 40 * (n - shortest)].tolist()) <= set(range(n - shortest + 1))
        assert int(start.min()) == 0
        assert int((start + length).max()) == n


def test_all_starts_are_equally_likely(make):
    torch.manual_seed(0)
    batch = Batch.from_data_list([numbered(make, 8)] * 2000)
    out = CropFraction((0.5, 0.5))(batch)
    start = out.pos.view(2000, 17, 8, 3)[:, 0, 0, 0].long()
    counts = torch.bincount(start)
    assert out.num_frames.unique().tolist() == [4]
    assert counts.numel() == 5
    assert counts.min() > 330  # 400 expected, deviation 18


@pytest.mark.parametrize('fraction', [0, 1.5, (0.0, 0.5), (0.5, 2)])
def test_bad_fractions_raise(fraction):
    with pytest.raises(
        ValueError, match=r'fraction must be an interval \(low, high\) in \(0, 1\], got'
    ):
        CropFraction(fraction)


def test_invalid_arguments():
    with pytest.raises(
        ValueError, match=r'fraction must be an interval \(low, high\) in \(0, 1\], got'
    ):
        CropFraction((0.9, 0.1))
    with pytest.raises(ValueError, match='min_frames must be an integer >= 1, got 0'):
        CropFraction(0.5, min_frames=0)


@pytest.mark.parametrize(
    ('fraction', 'frames', 'kept'), [(0.8, 10, 8), (0.9, 20, 18), (0.8, 100, 80)]
)
def test_the_margin_is_not_rounded_below_an_integer(make, fraction, frames, kept):
    assert CropFraction(fraction)(numbered(make, frames)).num_frames.tolist() == [kept]
