import pytest
import torch

from graphmotion.skeletons import get_skeleton
from graphmotion.transforms import CenterJoint, FillMissing


def test_centre_of_the_skeleton_by_frame(make):
    data = make('ntu25', missing=None)
    center = get_skeleton('ntu25').center
    out = CenterJoint('ntu25')(data)
    for t in range(12):
        for i in range(25):
            torch.testing.assert_close(out.pos[i, t], data.pos[i, t] - data.pos[center, t])


def test_first_frame_keeps_the_path(make):
    data = make('ntu25', missing=None)
    out = CenterJoint('ntu25', 'spine_base', per_frame=False)(data)
    torch.testing.assert_close(out.pos, data.pos - data.pos[0, 0])


def test_mean_of_several_joints(make):
    data = make(missing=0.0)
    skeleton = get_skeleton('coco17')
    left, right = skeleton.index('left_hip'), skeleton.index('right_hip')
    out = CenterJoint('coco17', ('left_hip', 'right_hip'))(data)
    torch.testing.assert_close(out.pos, data.pos - (data.pos[left] + data.pos[right]) / 2)


def test_people_are_centred_together_or_separately(make):
    data = make(people=2, missing=None)
    first, second = data.pos[:17], data.pos[17:]
    out = CenterJoint('coco17', 'left_hip')(data)
    torch.testing.assert_close(out.pos, data.pos - first[11])
    out = CenterJoint('coco17', 'left_hip', per_body=True)(data)
    torch.testing.assert_close(out.pos, torch.cat([first - first[11], second - second[11]]))


def test_missing_centre_is_interpolated(make):
    data = make(num_frames=8, padding=2, missing=0.0)
    hip = get_skeleton('coco17').index('left_hip')
    for t in (0, 3, 4, 7, 8, 9):
        data.score[hip, t] = data.pos[hip, t] = 0
    data.score[2, 5] = data.pos[2, 5] = 0
    center = FillMissing()(data).pos[hip]
    out = CenterJoint('coco17', 'left_hip')(data)
    expected = (data.pos - center) * (data.score > 0).unsqueeze(-1)
    torch.testing.assert_close(out.pos, expected)
    out = CenterJoint('coco17', 'left_hip', per_frame=False)(data)
    expected = (data.pos - data.pos[hip, 1]) * (data.score > 0).unsqueeze(-1)
    torch.testing.assert_close(out.pos, expected)


def test_joints_never_visible_are_ignored(make):
    data = make(missing=0.0)
    hips = [get_skeleton('coco17').index(name) for name in ('left_hip', 'right_hip')]
    data.score[hips[0]] = data.pos[hips[0]] = 0
    out = CenterJoint('coco17', hips)(data)
    others = [i for i in range(17) if i != hips[0]]
    torch.testing.assert_close(out.pos[others], (data.pos - data.pos[hips[1]])[others])
    data.score[hips[1]] = data.pos[hips[1]] = 0
    assert torch.equal(CenterJoint('coco17', hips)(data).pos, data.pos)


def test_unknown_joints_raise():
    with pytest.raises(ValueError, match="unknown joint 'pelvis'"):
        CenterJoint('coco17', 'pelvis')
    with pytest.raises(ValueError, match='unknown skeleton'):
        CenterJoint('left_hip')
    with pytest.raises(ValueError, match="joint must be one or more joints of 'coco17', got none"):
        CenterJoint('coco17', [])
