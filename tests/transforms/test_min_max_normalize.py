import pytest
import torch

from graphmotion.transforms import MinMaxNormalize


def test_fills_the_range_on_each_axis(make):
    data = make(num_frames=9, padding=3, missing=0.3)
    valid = torch.arange(12) < 9
    there = (data.score > 0) & valid
    out = MinMaxNormalize((-1, 1))(data).pos
    for d in range(3):
        values = data.pos[..., d][there]
        low, high = values.min(), values.max()
        expected = (out[..., d][there] + 1) / 2 * (high - low) + low
        torch.testing.assert_close(expected, values)
        torch.testing.assert_close(out[..., d][there].min(), torch.tensor(-1.0))
        torch.testing.assert_close(out[..., d][there].max(), torch.tensor(1.0))


def test_common_scale_keeps_the_shape(make):
    data = make(dims=2, missing=None)
    data.pos[..., 1] *= 5
    out = MinMaxNormalize((0, 1), per_axis=False)(data).pos
    low, high = data.pos.amin((0, 1)), data.pos.amax((0, 1))
    extent = (high - low)[1]
    torch.testing.assert_close(out[..., 1], (data.pos[..., 1] - low[1]) / extent)
    middle = (low[0] + high[0]) / 2
    torch.testing.assert_close(out[..., 0], (data.pos[..., 0] - middle) / extent + 0.5)


def test_constant_axis_maps_to_the_middle(make):
    data = make(missing=None)
    data.pos[..., 2] = 40
    assert torch.equal(MinMaxNormalize((0, 3))(data).pos[..., 2], torch.full((17, 12), 1.5))


def test_sample_without_joints_stays_zero(make):
    data = make()
    data.pos, data.score = torch.zeros_like(data.pos), torch.zeros_like(data.score)
    assert not MinMaxNormalize()(data).pos.any()


@pytest.mark.parametrize('bounds', [(1, -1), 3, (0, float('inf')), (0, 1, 2)])
def test_invalid_interval(bounds):
    with pytest.raises(ValueError, match='bounds must be an interval'):
        MinMaxNormalize(bounds)
