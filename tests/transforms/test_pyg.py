"""PyG's own transforms on motion sequences."""

import math
import random

import pytest
import torch
from torch_geometric.data import Batch
from torch_geometric.transforms import (
    Compose,
    RandomFlip,
    RandomRotate,
    RandomScale,
    RandomShear,
)

from graphmotion.transforms import (
    CenterJoint,
    CropFrames,
    RandomMirror,
    RandomRotateAxes,
    RandomScaling,
    ToStream,
)


def by_loops(pos, matrix):
    out = torch.empty_like(pos)
    for i in range(pos.size(0)):
        for t in range(pos.size(1)):
            out[i, t] = matrix @ pos[i, t]
    return out


@pytest.mark.parametrize('axis', [0, 1, 2])
def test_random_rotate(axis, make):
    data = make(dtype=torch.float64)
    random.seed(0)
    out = RandomRotate(180, axis)(data)
    random.seed(0)
    angle = math.radians(random.uniform(-180, 180))
    c, s = math.cos(angle), math.sin(angle)
    matrix = torch.tensor(
        [
            [[1, 0, 0], [0, c, s], [0, -s, c]],
            [[c, 0, -s], [0, 1, 0], [s, 0, c]],
            [[c, s, 0], [-s, c, 0], [0, 0, 1]],
        ][axis],
        dtype=torch.float64,
    )
    # PyG keeps its matrices in single precision.
    torch.testing.assert_close(out.pos, by_loops(data.pos, matrix), atol=1e-6, rtol=0)
    # Ours turns the other way: by the right hand.
    degrees = -math.degrees(angle)
    ours = RandomRotateAxes({'xyz'[axis]: (degrees, degrees)})(data)
    torch.testing.assert_close(ours.pos, out.pos, atol=1e-6, rtol=0)


def test_random_rotate_in_the_plane(make):
    data = make(dims=2)
    random.seed(0)
    out = RandomRotate((40, 90))(data)
    random.seed(0)
    angle = math.radians(random.uniform(40, 90))
    c, s = math.cos(angle), math.sin(angle)
    torch.testing.assert_close(out.pos, by_loops(data.pos, torch.tensor([[c, s], [-s, c]])))


def test_random_scale(make):
    data = make()
    random.seed(0)
    out = RandomScale((0.5, 2))(data)
    random.seed(0)
    factor = random.uniform(0.5, 2)
    torch.testing.assert_close(out.pos, data.pos * factor)
    torch.testing.assert_close(RandomScaling((factor, factor))(data).pos, out.pos)


@pytest.mark.parametrize('axis', [0, 1, 2])
def test_random_flip(axis, make):
    data = make()
    out = RandomFlip(axis, p=1)(data)
    signs = torch.ones(3)
    signs[axis] = -1
    torch.testing.assert_close(out.pos, by_loops(data.pos, signs.diag()))
    ours = RandomMirror('coco17', p=1, axis=axis, swap_sides=False)(data)
    assert torch.equal(ours.pos, out.pos)
    assert torch.equal(RandomFlip(axis, p=0)(data).pos, data.pos)


def test_random_shear(make):
    data = make()
    torch.manual_seed(0)
    out = RandomShear(0.3)(data)
    torch.manual_seed(0)
    matrix = torch.empty(3, 3).uniform_(-0.3, 0.3)
    matrix.fill_diagonal_(1)
    torch.testing.assert_close(out.pos, by_loops(data.pos, matrix))


def test_compose_with_ours(make):
    transform = Compose(
        [
            CenterJoint('coco17', ('left_hip', 'right_hip')),
            CropFrames(8, 'center'),
            RandomRotate((90, 90), axis=1),
            RandomScale((2, 2)),
            RandomFlip(axis=0, p=1),
            RandomShear(0.0),
            ToStream(['joint', 'joint_motion']),
        ]
    )
    samples = [make(missing=None, seed=i) for i in range(3)]
    out = transform(Batch.from_data_list(samples))
    assert out.pos.shape == (51, 8, 3)
    for data, result in zip(samples, out.to_data_list()):
        center = (data.pos[11] + data.pos[12]) / 2
        x, y, z = (data.pos - center)[:, 2:10].unbind(-1)
        # A quarter turn of PyG about y takes x to z and z to -x; the flip then negates x.
        pos = 2 * torch.stack([z, y, x], dim=-1)
        torch.testing.assert_close(result.pos, pos, atol=1e-5, rtol=0)
        torch.testing.assert_close(result.x[..., :3], pos, atol=1e-5, rtol=0)
        torch.testing.assert_close(result.x[:, :-1, 3:], pos.diff(dim=1), atol=1e-5, rtol=0)
    assert 'CropFrames(8' in repr(transform)
