import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate
from torch_geometric.data import Data

from graphmotion.data import collate, from_array
from graphmotion.transforms import CropFraction, CropFrames, ResampleFrames, SkipFrames


@pytest.mark.parametrize('length', [1, 2, 7, 12, 31])
@pytest.mark.parametrize('window', [1.0, 0.6])
def test_matches_numpy(length, window, make):
    data = make(num_frames=12, padding=4, missing=None, dtype=torch.float64)
    out = ResampleFrames(length, window)(data)
    assert out.num_frames.tolist() == [length]
    margin = (1 - window) * 11 / 2
    times = np.linspace(margin, 11 - margin, length) if length > 1 else [5.5]
    for i in range(17):
        for d in range(3):
            expected = np.interp(times, np.arange(12), data.pos[i, :12, d])
            np.testing.assert_allclose(out.pos[i, :, d], expected, atol=1e-12)


def test_ends_are_kept_exactly(make):
    for n in range(1, 40):
        data = make(num_frames=n, missing=0.2)
        out = ResampleFrames(24)(data)
        assert torch.equal(out.pos[:, 0], data.pos[:, 0])
        assert torch.equal(out.pos[:, -1], data.pos[:, n - 1])


@pytest.mark.parametrize('length', [1, 2, 7, 12, 31, 64])
@pytest.mark.parametrize('n', [1, 2, 11, 12, 64, 100])
def test_unaligned_corners_match_torch(length, n, make):
    data = make(num_frames=n, padding=4, missing=None, dtype=torch.float64)
    out = ResampleFrames(length, align_corners=False)(data)
    frames = data.pos[:, :n].transpose(1, 2)
    expected = interpolate(frames, size=length, mode='linear', align_corners=False)
    torch.testing.assert_close(out.pos, expected.transpose(1, 2))
    assert out.num_frames.tolist() == [length]


def test_unaligned_corners_of_a_window(make):
    data = make(num_frames=12, padding=4, missing=None, dtype=torch.float64)
    out = ResampleFrames(6, window=0.5, align_corners=False)(data)  # six frames in the middle
    torch.testing.assert_close(out.pos, data.pos[:, 3:9])


def test_same_length_is_the_same(make, assert_same):
    data = make(missing=0.3, silhouettes=True)
    data.x = torch.randn(17, 12, 5)
    assert_same(ResampleFrames(12)(data), data, atol=0)


def test_missing_joints_are_left_out(make):
    data = make(num_frames=3, missing=0.0)
    data.score[0] = torch.tensor([0.8, 0.0, 0.0])
    data.pos[0, 1:] = 0
    out = ResampleFrames(5)(data)
    # At times 0, 0.5, 1, 1.5, 2: the only position there is, then nothing.
    torch.testing.assert_close(out.score[0], torch.tensor([0.8, 0.4, 0, 0, 0]))
    assert torch.equal(out.pos[0, 1], data.pos[0, 0])
    assert not out.pos[0, 2:].any()
    data.score[0] = torch.tensor([0.0, 0.8, 0.4])
    data.pos[0] = torch.tensor([0.0, 1.0, 2.0]).unsqueeze(1)
    out = ResampleFrames(5)(data)
    torch.testing.assert_close(out.score[0], torch.tensor([0, 0.4, 0.8, 0.6, 0.4]))
    assert out.pos[0, :, 0].tolist() == [0, 1, 1, 1.5, 2]


def test_features_and_silhouettes_follow(make):
    data = make(num_frames=4, missing=None, silhouettes=True)
    data.x = torch.randn(17, 4, 5)
    out = ResampleFrames(7)(data)
    torch.testing.assert_close(out.x[:, 1], (data.x[:, 0] + data.x[:, 1]) / 2)
    assert out.silhouettes.dtype == data.silhouettes.dtype
    assert torch.equal(out.silhouettes[0, ::2], data.silhouettes[0])
    assert torch.equal(out.silhouettes[0, 1::2], data.silhouettes[0, 1:])


def test_static_features_are_unchanged(make):
    data = make()
    data.x = torch.randn(17, 12)  # features, as many as there are frames
    assert torch.equal(ResampleFrames(7)(data).x, data.x)


def test_invalid_arguments():
    with pytest.raises(ValueError, match='num_frames must be an integer >= 1, got 0'):
        ResampleFrames(0)
    with pytest.raises(ValueError, match=r'window must be in \(0, 1\], got'):
        ResampleFrames(5, window=1.5)


@pytest.mark.parametrize('window', [1.0, 0.5])
def test_frame_rates_of_a_batch_become_one(window, make):
    rates, lengths = (25.0, 60.0, 29.97, 30.0), (26, 61, 11, 1)
    samples = [make(num_frames=n, missing=None, dtype=torch.float64) for n in lengths]
    for data, rate in zip(samples, rates):
        data.frame_rate = torch.tensor([rate])
    batch = collate([data.clone() for data in samples])
    out = ResampleFrames(rate=30, window=window)(batch)
    assert out.frame_rate.tolist() == [30] * 4
    if window == 1:
        # One second each of the first two, 10 / 29.97 s of the third.
        assert out.num_frames.tolist() == [31, 31, 11, 1]
    for i, (n, rate) in enumerate(zip(lengths, rates)):
        count = int(out.num_frames[i])
        begin = (1 - window) * (n - 1) / 2
        times = begin + np.arange(count) * rate / 30
        assert times[-1] <= begin + window * (n - 1) + 1e-3 < times[-1] + rate / 30
        pos = out.pos[17 * i : 17 * (i + 1)]
        expected = np.interp(times, np.arange(n), samples[i].pos[3, :, 1])
        np.testing.assert_allclose(pos[3, :count, 1], expected, atol=1e-4)
        assert torch.equal(pos[:, count:], pos[:, count - 1 : count].expand_as(pos[:, count:]))
        one = ResampleFrames(rate=30, window=window)(samples[i].clone())
        torch.testing.assert_close(one.pos, pos[:, :count])


def test_the_frame_rate_follows_the_frames(make):
    def rate_after(transform, num_frames=13):
        data = make(num_frames=num_frames, padding=2)
        data.frame_rate = torch.tensor([24.0])
        return transform(data).frame_rate.item()

    assert rate_after(ResampleFrames(7)) == 12  # 6 instead of 12 intervals
    assert rate_after(ResampleFrames(7, window=0.5)) == 24
    assert rate_after(ResampleFrames(26, align_corners=False)) == 48
    assert rate_after(ResampleFrames(1)) == 24
    assert rate_after(ResampleFrames(5), num_frames=1) == 24
    assert rate_after(SkipFrames(3)) == 8
    assert rate_after(CropFrames(5, 'random')) == rate_after(CropFrames(5, 'center')) == 24
    assert rate_after(CropFrames(26, 'uniform')) == rate_after(CropFrames(26, 'sample')) == 48
    assert rate_after(CropFrames(4, 'linspace')) == 6


def test_invalid_rates(make):
    for options in ({}, {'num_frames': 5, 'rate': 30}):
        with pytest.raises(ValueError, match='one of num_frames and rate must be given'):
            ResampleFrames(**options)
    with pytest.raises(ValueError, match='rate must be positive and finite, got 0'):
        ResampleFrames(rate=0)
    with pytest.raises(ValueError, match='align_corners must be True for a rate'):
        ResampleFrames(rate=5, align_corners=False)
    with pytest.raises(ValueError, match="must have a positive field 'frame_rate', got none"):
        ResampleFrames(rate=5)(make())


@pytest.mark.parametrize('options', [{'align_corners': False}, {'window': 0.9}, {'rate': 12}])
@pytest.mark.parametrize('crop', [CropFraction(0.8), CropFraction((0.5, 1.0), min_frames=6)])
def test_crop_equals_both_transforms_in_turn(options, crop):
    options = options if 'rate' in options else {'num_frames': 7, **options}
    samples = []
    for num_frames, seed in ((20, 0), (13, 1), (4, 2)):
        torch.manual_seed(seed)
        score = (torch.rand(num_frames, 17) > 0.3).float()
        samples.append(from_array(torch.rand(num_frames, 17, 3), 'coco17', score, frame_rate=30))
    batch = collate(samples)
    torch.manual_seed(0)
    expected = ResampleFrames(**options)(crop(batch))
    torch.manual_seed(0)
    actual = ResampleFrames(**options, crop=crop)(batch)
    for name in ('pos', 'score', 'num_frames', 'frame_rate'):
        assert torch.equal(actual[name], expected[name])


def test_many_rows_are_resampled_like_each_one():
    pos = torch.rand(900, 9, 3)
    out = ResampleFrames(5)(Data(pos=pos)).pos
    for row in (0, 399, 400, 899):
        assert torch.equal(out[row], ResampleFrames(5)(Data(pos=pos[row : row + 1])).pos[0])
