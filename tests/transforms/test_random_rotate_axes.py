import math

import pytest
import torch
from scipy.spatial.transform import Rotation
from torch_geometric.data import Batch, Data

from graphmotion.transforms import RandomRotateAxes


def test_matches_scipy(make):
    data = make(dtype=torch.float64)
    angles = {'x': 20.0, 'y': -70.0, 'z': 110.0}
    out = RandomRotateAxes({axis: (angle, angle) for axis, angle in angles.items()})(data)
    # Small letters: about the axes of the room, x first.
    rotation = Rotation.from_euler('xyz', list(angles.values()), degrees=True).as_matrix()
    expected = torch.einsum('de,vte->vtd', torch.from_numpy(rotation), data.pos)
    torch.testing.assert_close(out.pos, expected)


@pytest.mark.parametrize('order', ['xyz', 'yxz', 'zyx'])
def test_order_matches_the_rotations(order, make):
    data = make(dtype=torch.float64)
    angles = {'x': 20.0, 'y': -70.0, 'z': 110.0}
    transform = RandomRotateAxes({axis: (a, a) for axis, a in angles.items()}, order=order)
    rotation = Rotation.from_euler(order, [angles[axis] for axis in order], degrees=True)
    expected = torch.einsum('de,vte->vtd', torch.from_numpy(rotation.as_matrix()), data.pos)
    torch.testing.assert_close(transform(data).pos, expected)


def test_integer_degrees_with_both_ends(make):
    torch.manual_seed(0)
    data = make(num_frames=1, dims=2, missing=None, dtype=torch.float64)
    data.pos[:] = torch.tensor([1.0, 0.0], dtype=torch.float64)
    batch = Batch.from_data_list([data] * 700)
    out = RandomRotateAxes({'z': (-3, 3)}, integer_degrees=True)(batch).pos[::17, 0]
    angles = torch.atan2(out[:, 1], out[:, 0]) * 180 / math.pi
    torch.testing.assert_close(angles, angles.round(), atol=1e-9, rtol=0)
    counts = torch.bincount(angles.round().long() + 3)
    assert counts.numel() == 7
    assert counts.min() > 65  # 100 expected, deviation 9


@pytest.mark.parametrize(
    ('axis', 'start', 'end'),
    [('x', [0, 1, 0], [0, 0, 1]), ('y', [0, 0, 1], [1, 0, 0]), ('z', [1, 0, 0], [0, 1, 0])],
)
def test_right_hand_rule(axis, start, end, make):
    data = make(missing=None)
    data.pos[:] = torch.tensor(start).float()
    out = RandomRotateAxes({axis: (90, 90)})(data).pos
    torch.testing.assert_close(out, torch.tensor(end).float().expand_as(out))


def test_in_the_plane(make):
    data = make(dims=2, dtype=torch.float64)
    for degrees in ((30, 30), {'z': (30, 30)}):
        out = RandomRotateAxes(degrees)(data).pos
        c, s = math.cos(math.pi / 6), math.sin(math.pi / 6)
        x, y = data.pos.unbind(-1)
        torch.testing.assert_close(out, torch.stack([c * x - s * y, s * x + c * y], dim=-1))


def test_one_rotation_per_graph_within_the_interval(make):
    torch.manual_seed(0)
    samples = [make(num_frames=3, dims=2, missing=None, people=2, seed=i) for i in range(300)]
    batch = Batch.from_data_list(samples)
    out = RandomRotateAxes(25)(batch)

    def angle(p):
        return torch.atan2(p[..., 1], p[..., 0])

    turn = (angle(out.pos) - angle(batch.pos)).view(300, -1) * 180 / math.pi
    turn = (turn + 180) % 360 - 180
    torch.testing.assert_close(turn, turn[:, :1].expand_as(turn), atol=1e-2, rtol=0)
    assert turn.abs().max() <= 25.01
    assert turn.min() < -23
    assert turn.max() > 23


def test_each_axis_has_its_own_angle(make):
    torch.manual_seed(0)
    data = make(missing=None)
    data.pos[:] = torch.eye(3)[torch.arange(17) % 3].unsqueeze(1)
    matrix = RandomRotateAxes(60)(data).pos[:3, 0].t()
    angles = Rotation.from_matrix(matrix.numpy()).as_euler('xyz', degrees=True)
    assert len({round(float(angle), 2) for angle in angles}) == 3
    torch.testing.assert_close(matrix @ matrix.t(), torch.eye(3))


def test_invalid_arguments(make):
    with pytest.raises(ValueError, match=r"axis must be one of .*, got 'up'"):
        RandomRotateAxes({'up': 10})
    with pytest.raises(ValueError, match='degrees must be an interval'):
        RandomRotateAxes((10, -10))
    for order in ('xy', 'xxyz', 'abc'):
        with pytest.raises(
            ValueError, match=f"order must be a permutation of 'xyz', got '{order}'"
        ):
            RandomRotateAxes(10, order=order)
    with pytest.raises(ValueError, match=r"degrees must be integers, got \{'z': \(-2\.5, 2\.5\)\}"):
        RandomRotateAxes({'z': 2.5}, integer_degrees=True)
    with pytest.raises(ValueError, match='at least one axis'):
        RandomRotateAxes({})
    with pytest.raises(ValueError, match=r"of axis 'z' for 2D positions, got \['y'\]"):
        RandomRotateAxes({'y': 10})(make(dims=2))


def test_positions_are_contiguous(make):
    assert RandomRotateAxes(10)(make()).pos.is_contiguous()


def test_graphs_of_different_sizes_have_their_own_angles():
    samples = [Data(pos=torch.rand(n, 4, 3)) for n in (2, 5)]
    torch.manual_seed(0)
    batch = RandomRotateAxes(40)(Batch.from_data_list(samples))
    torch.manual_seed(0)
    for i, data in enumerate(samples):
        assert torch.allclose(batch[i].pos, RandomRotateAxes(40)(data).pos, atol=1e-6)
