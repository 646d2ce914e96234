import pytest
import torch

from graphmotion.skeletons import Skeleton, get_skeleton, list_skeletons
from graphmotion.visualization import rest_pose


@pytest.mark.parametrize('name', list_skeletons())
def test_built_in_skeletons_are_upright_and_symmetric(name):
    skeleton = get_skeleton(name)
    pose = rest_pose(skeleton)
    assert pose.shape == (skeleton.num_joints, 3)
    height = dict(zip(skeleton.joints, pose[:, 1].tolist()))
    top = height.get('head', height.get('nose'))
    assert top > height['left_shoulder'] > height['left_elbow'] > height['left_hip']
    assert height['left_hip'] > height['left_knee']
    foot = height.get('left_ankle', height.get('left_foot'))
    assert height['left_knee'] > foot >= 0
    mirrored = pose[list(skeleton.mirror)] * torch.tensor([-1.0, 1.0, 1.0])
    torch.testing.assert_close(pose, mirrored)
    assert all(pose[left, 0] > 0 for left, _ in skeleton.pairs)
    assert all(float((pose[i] - pose[j]).norm()) > 0.01 for i, j in skeleton.bones)


@pytest.mark.parametrize('level', [1, 2, 3])
def test_parts_of_the_built_in_hierarchies_are_known(level):
    for name in list_skeletons():
        pose = rest_pose(get_skeleton(name).coarsen(level))
        assert float(pose[:, 1].min()) >= 0  # the layout for unknown names is centred at the origin
        assert len(pose.unique(dim=0)) == len(pose)


def test_layout_of_unknown_joints():
    skeleton = Skeleton(['hub', 'a', 'b', 'c', 'd'], [(0, 1), (0, 2), (0, 3), (3, 4)])
    pose = rest_pose(skeleton)
    assert pose.shape == (5, 3)
    assert torch.equal(pose, rest_pose(skeleton))
    distance = torch.cdist(pose, pose) + torch.eye(5)
    assert float(distance.min()) > 0.05
    assert (pose[:, 2] == 0).all()
    assert rest_pose(Skeleton(['only'], [])).shape == (1, 3)
    assert rest_pose(Skeleton(['one', 'two'], [(0, 1)])).shape == (2, 3)
