import numpy as np
import pytest
import torch

from graphmotion.skeletons import get_skeleton
from graphmotion.transforms import ScaleByBodySize


def size_by_loops(data, segments):
    """Segments are pairs of lists of joints; the mean over segments of their mean lengths."""
    pos, score = data.pos.numpy(), data.get('score', torch.ones(data.pos.shape[:2])).numpy()
    means = []
    for a, b in segments:
        lengths = [
            np.linalg.norm(pos[a, t].mean(axis=0) - pos[b, t].mean(axis=0))
            for t in range(int(data.num_frames))
            if (score[[*a, *b], t] > 0).all()
        ]
        if lengths:
            means.append(np.mean(lengths))
    return np.mean(means)


def bones(skeleton, people=1):
    skeleton = get_skeleton(skeleton)
    return [
        ([m * skeleton.num_joints + i], [m * skeleton.num_joints + j])
        for m in range(people)
        for i, j in skeleton.bones
    ]


@pytest.mark.parametrize('missing', [None, 0.3])
@pytest.mark.parametrize('people', [1, 2])
def test_matches_loops(missing, people, make):
    data = make('ntu25', padding=3, people=people, missing=missing, dtype=torch.float64)
    size = size_by_loops(data, bones('ntu25', people))
    torch.testing.assert_close(ScaleByBodySize('ntu25')(data).pos, data.pos / size)


def test_between_two_places(make):
    data = make(missing=0.2, dtype=torch.float64)
    size = size_by_loops(data, [([5, 6], [11, 12])])
    ends = ('left_shoulder', 'right_shoulder'), ('left_hip', 'right_hip')
    torch.testing.assert_close(ScaleByBodySize('coco17', ends)(data).pos, data.pos / size)


def test_does_not_depend_on_unit_place_or_direction(make):
    data = make(dtype=torch.float64)
    transform = ScaleByBodySize('coco17')
    expected = transform(data).pos
    rotation = torch.linalg.qr(torch.randn(3, 3, dtype=torch.float64)).Q
    moved = data.clone()
    moved.pos = 40 * (data.pos @ rotation).flip(1) + 7
    back = (transform(moved).pos - transform(moved).pos[:1]).flip(1) @ rotation.t()
    torch.testing.assert_close(back, expected - expected[:1])


def test_absent_second_person_is_ignored(make):
    one = make(missing=None)
    two = one.clone()
    two.pos = torch.cat([one.pos, torch.zeros_like(one.pos)])
    transform = ScaleByBodySize('coco17')
    torch.testing.assert_close(transform(two).pos[:17], transform(one).pos)


def test_nothing_to_measure_changes_nothing(make):
    data = make()
    data.pos, data.score = torch.zeros_like(data.pos), torch.zeros_like(data.score)
    assert torch.equal(ScaleByBodySize('coco17')(data).pos, data.pos)


def test_invalid_segment():
    with pytest.raises(ValueError, match='two ends'):
        ScaleByBodySize('coco17', 'nose')
    with pytest.raises(ValueError, match="unknown joint 'tail'"):
        ScaleByBodySize('coco17', ('nose', 'tail'))
