import pytest
import torch
from torch_geometric.data import Batch

from graphmotion.transforms import JointNoise


def test_noise_of_each_point(make):
    torch.manual_seed(0)
    data = make(num_frames=400, missing=None, dtype=torch.float64)
    noise = JointNoise(std=0.3)(data).pos - data.pos
    assert abs(float(noise.std()) - 0.3) < 0.01
    assert abs(float(noise.mean())) < 0.01
    assert noise.unique().numel() == noise.numel()


def test_noise_of_each_joint_is_constant_over_time(make):
    torch.manual_seed(0)
    samples = [make('ntu25', num_frames=3, missing=None, people=2) for _ in range(20)]
    batch = Batch.from_data_list(samples)
    noise = JointNoise(joint_std=0.3)(batch).pos - batch.pos
    torch.testing.assert_close(noise, noise[:, :1].expand_as(noise), atol=1e-6, rtol=0)
    noise = noise[:, 0]
    assert abs(float(noise.std()) - 0.3) < 0.02
    assert noise.unique().numel() > 0.99 * noise.numel()


def test_both(make):
    torch.manual_seed(0)
    data = make(num_frames=3000, missing=None)
    noise = JointNoise(std=0.1, joint_std=5)(data).pos - data.pos
    joint = noise.mean(dim=1, keepdim=True)
    assert 3 < float(joint.std()) < 7
    assert abs(float((noise - joint).std()) - 0.1) < 0.01


def test_none(make, assert_same):
    data = make()
    assert_same(JointNoise()(data), data, atol=0)


@pytest.mark.parametrize('argument', ['std', 'joint_std'])
def test_negative_deviations_raise(argument):
    with pytest.raises(ValueError, match=f'{argument} must be a number at least 0, got -1'):
        JointNoise(**{argument: -1})
