import numpy as np
import pytest
import torch
from torch_geometric.data import Batch

from graphmotion.transforms import CropFrames, PadFrames


@pytest.mark.parametrize(('n', 'length', 'start'), [(12, 5, 3), (12, 6, 3), (12, 12, 0)])
def test_center(n, length, start, make):
    data = make(num_frames=n, padding=3, missing=0.2, silhouettes=True)
    data.x = torch.randn(17, n + 3, 4)
    out = CropFrames(length, 'center')(data)
    assert out.num_frames.tolist() == [length]
    for name in ('pos', 'score', 'x', 'silhouettes'):
        assert torch.equal(out[name], data[name][:, start : start + length])


@pytest.mark.parametrize(
    ('n', 'length', 'frames'),
    [
        (10, 5, [1, 3, 5, 7, 9]),
        (9, 3, [1, 4, 7]),
        (7, 7, [0, 1, 2, 3, 4, 5, 6]),
        (3, 6, [0, 0, 1, 1, 2, 2]),
        (11, 1, [5]),
    ],
)
def test_uniform_takes_the_middles_of_equal_parts(n, length, frames, make):
    data = make(num_frames=n, padding=4)
    out = CropFrames(length, 'uniform')(data)
    assert torch.equal(out.pos, data.pos[:, frames])
    assert out.num_frames.tolist() == [length]


@pytest.mark.parametrize('length', [1, 2, 7, 52, 64])
def test_linspace_matches_numpy(length, make):
    for n in range(1, 260):
        data = make('emotion_gait16', num_frames=n, padding=2, dims=2, missing=None)
        data.pos[:] = torch.arange(n + 2.0).view(1, -1, 1)
        out = CropFrames(length, 'linspace')(data)
        frames = np.linspace(0, n - 1, length).astype(int)
        assert out.pos[0, :, 0].int().tolist() == frames.tolist()
    assert out.num_frames.tolist() == [length]


@pytest.mark.parametrize('n', [1, 2, 40])
def test_samples_are_drawn_without_replacement_from_a_hundred_copies(n, make):
    torch.manual_seed(0)
    data = make('emotion_gait16', num_frames=n, padding=3, dims=2, missing=None)
    data.pos[:] = torch.arange(n + 3.0).view(1, -1, 1)
    out = CropFrames(52, 'sample')(Batch.from_data_list([data] * 1500))
    frames = out.pos.view(1500, 16, 52, 2)[:, 0, :, 0].long()
    assert out.num_frames.unique().tolist() == [52]
    assert bool((frames.diff(dim=1) >= 0).all())
    counts = torch.nn.functional.one_hot(frames, n).sum(dim=1).double()
    mean, total = 52 / n, 100 * n
    variance = mean * (1 - 1 / n) * (total - 52) / (total - 1)  # hypergeometric
    expected = torch.full((n,), mean, dtype=torch.float64)
    torch.testing.assert_close(counts.mean(dim=0), expected, atol=0.25, rtol=0)
    # For two frames 9.7, and 13 with replacement
    assert counts.var(dim=0).mean().item() == pytest.approx(variance, rel=0.12)


def test_no_more_samples_than_copies(make):
    data = make(num_frames=2)
    out = CropFrames(200, 'sample')(data)
    assert torch.equal(out.pos, data.pos.repeat_interleave(100, dim=1))
    with pytest.raises(ValueError, match=r'at most 100 times the frames .* got 201 for 2'):
        CropFrames(201, 'sample')(data)


def test_random_is_one_window_per_graph_with_a_uniform_start(make):
    torch.manual_seed(0)
    samples = [make(num_frames=9, padding=3, missing=None) for _ in range(600)]
    for data in samples:
        data.pos = torch.arange(12.0).view(1, -1, 1).expand(17, -1, 3).clone()
    out = CropFrames(5)(Batch.from_data_list(samples))
    frames = out.pos.view(600, 17, 5, 3)
    start = frames[:, 0, 0, 0]
    expected = start.view(-1, 1, 1, 1) + torch.arange(5.0).view(1, 1, -1, 1)
    assert torch.equal(frames, expected.expand_as(frames))
    counts = torch.bincount(start.long(), minlength=5)
    assert counts.numel() == 5
    assert counts.min() > 80  # 120 expected, deviation 10


def test_window_of_all_frames_leaves_no_choice(make, assert_same):
    data = make(num_frames=9, missing=0.3)
    assert_same(CropFrames(9)(data), data, atol=0)


@pytest.mark.parametrize('pad', ['loop', 'edge', 'zero'])
@pytest.mark.parametrize('mode', ['random', 'center'])
def test_short_sequences_are_padded(mode, pad, make, assert_same):
    data = make(num_frames=5, padding=2, missing=0.2, silhouettes=True)
    assert_same(CropFrames(13, mode, pad)(data), PadFrames(13, pad)(data), atol=0)


def test_invalid_arguments():
    with pytest.raises(ValueError, match=r"mode must be one of .*, got 'middle'"):
        CropFrames(6, 'middle')
    with pytest.raises(ValueError, match=r"pad must be one of .*, got 'reflect'"):
        CropFrames(6, pad='reflect')
    with pytest.raises(ValueError, match='must be an integer >= 1, got True'):
        CropFrames(True)


@pytest.mark.parametrize(
    ('n', 'shift', 'start'),
    [(12, 0, 3), (12, -2, 1), (12, 2, 5), (12, -20, 0), (12, 20, 7), (5, -1, 0), (5, 1, 0)],
)
def test_a_shifted_centre_stays_within_the_sequence(n, shift, start, make):
    data = make(num_frames=n, padding=3, missing=0.2)
    out = CropFrames(5, 'center', shift=shift)(data)
    for name in ('pos', 'score'):
        assert torch.equal(out[name], data[name][:, start : start + 5])


def test_a_shifted_centre_of_a_short_sequence_is_the_sequence(make, assert_same):
    data = make(num_frames=4, padding=2)
    assert_same(CropFrames(6, 'center', shift=20)(data), PadFrames(6)(data), atol=0)


@pytest.mark.parametrize('shift', [1.5, True, None])
def test_bad_shifts_raise(shift):
    with pytest.raises(ValueError, match='shift must be an integer, got'):
        CropFrames(6, 'center', shift=shift)
    with pytest.raises(ValueError, match="mode must be 'center' if shift is given, got 'rand"):
        CropFrames(6, 'random', shift=3)
