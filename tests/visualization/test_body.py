import importlib
import math
import sys

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from graphmotion.skeletons import Skeleton, get_skeleton, list_skeletons
from graphmotion.visualization import draw_body, project, rest_pose

BLUE, ORANGE, GREY = '#0072B2', '#D55E00', '#4D4D4D'
LEG = Skeleton(
    ['pelvis', 'left_hip', 'left_knee', 'right_hip', 'right_knee', 'head'],
    [(0, 1), (1, 2), (0, 3), (3, 4), (0, 5)],
    center='pelvis',
)


@pytest.mark.parametrize('module', ['matplotlib.axes', 'PIL'])
def test_missing_extra_is_named(monkeypatch, module):
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(sys.modules, 'graphmotion.visualization._figure')
    with pytest.raises(ImportError, match=r"pip install -e '\.\[vis\]'"):
        importlib.import_module('graphmotion.visualization._figure')


# Projection ###################################################################


def test_images_have_y_downwards_and_bodies_have_it_upwards():
    assert project(torch.tensor([[3.0, 4.0]]))[0].tolist() == [[3, -4]]
    assert project(torch.tensor([[3.0, 4.0]]), up='y')[0].tolist() == [[3, 4]]
    points, near = project(torch.tensor([[3.0, 4.0, 5.0]]), 'front')
    np.testing.assert_allclose(points, [[3, 4]])
    np.testing.assert_allclose(near, [5])


@pytest.mark.parametrize('up', ['x', 'y', 'z', '-x', '-y', '-z'])
@pytest.mark.parametrize('view', ['front', 'side', 'oblique'])
def test_up_is_up_in_every_view_and_nothing_is_mirrored(up, view):
    axis = 'xyz'.index(up[-1])
    sign = -1 if up.startswith('-') else 1
    points, near = project(torch.eye(3, dtype=torch.double), view, up)
    basis = np.concatenate([points, near[:, None]], axis=1)
    assert np.linalg.det(basis) == pytest.approx(1)  # a rotation
    np.testing.assert_allclose(basis @ basis.T, np.eye(3), atol=1e-12)
    assert points[axis, 0] == pytest.approx(0)
    assert sign * points[axis, 1] > 0.9


def test_the_viewer_goes_round_to_the_right():
    # From the right the near axis grows to the left, and what was right is near.
    points, near = project(np.eye(3), 'side')
    np.testing.assert_allclose(points, [[0, 0], [0, 1], [-1, 0]], atol=1e-12)
    np.testing.assert_allclose(near, [1, 0, 0], atol=1e-12)
    points, near = project(np.eye(3), 'top')  # what was near is below
    np.testing.assert_allclose(points, [[1, 0], [0, 0], [0, -1]], atol=1e-12)
    np.testing.assert_allclose(near, [0, 1, 0], atol=1e-12)
    points, _ = project(np.eye(3), (30, 0))
    np.testing.assert_allclose(points[0, 0], math.cos(math.pi / 6))
    np.testing.assert_allclose(points[2, 0], -math.sin(math.pi / 6))


def test_any_leading_dimensions_are_projected():
    pos = torch.randn(5, 4, 3)
    points, near = project(pos, (20, 10))
    assert points.shape == (5, 4, 2)
    assert near.shape == (5, 4)
    np.testing.assert_allclose(points[2, 3], project(pos[2, 3], (20, 10))[0])


@pytest.mark.parametrize(
    ('shape', 'options', 'message'),
    [
        ((4, 4), {}, '2 or 3 dimensions'),
        ((4, 3), {'up': 'w'}, "up is one of .*'w'"),
        ((4, 3), {'up': '-'}, 'up is one of'),
        ((4, 2), {'up': 'z'}, r"\['x', 'y'\]"),
        ((4, 3), {'view': 'below'}, "view is one of .*'below'"),
        ((4, 3), {'view': (1, 2, 3)}, 'azimuth and elevation'),
    ],
)
def test_bad_projections_are_refused(shape, options, message):
    with pytest.raises(ValueError, match=message):
        project(torch.zeros(shape), **options)


# Rest poses ###################################################################


@pytest.mark.parametrize('name', list_skeletons())
def test_built_in_skeletons_stand_upright_and_symmetric(name):
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
def test_parts_of_the_built_in_hierarchies_have_places(level):
    for name in list_skeletons():
        pose = rest_pose(get_skeleton(name).coarsen(level))
        assert float(pose[:, 1].min()) >= 0  # the layout of unknown names is about the origin
        assert len(pose.unique(dim=0)) == len(pose)


def test_unknown_joints_are_laid_out_apart():
    skeleton = Skeleton(['hub', 'a', 'b', 'c', 'd'], [(0, 1), (0, 2), (0, 3), (3, 4)])
    pose = rest_pose(skeleton)
    assert pose.shape == (5, 3)
    assert torch.equal(pose, rest_pose(skeleton))
    distance = torch.cdist(pose, pose) + torch.eye(5)
    assert float(distance.min()) > 0.05
    assert (pose[:, 2] == 0).all()
    assert rest_pose(Skeleton(['only'], [])).shape == (1, 3)
    assert rest_pose(Skeleton(['one', 'two'], [(0, 1)])).shape == (2, 3)


# Drawing ######################################################################


def drawn(points, skeleton, **options):
    ax = Figure().add_subplot()
    draw_body(ax, points, skeleton, **options)
    bones, joints = ax.collections
    return bones, joints


def color_of_bones(bones):
    return {
        tuple(map(tuple, segment)): tuple(color[:3])
        for segment, color in zip(bones.get_segments(), bones.get_colors())
    }


def test_bones_have_the_colour_of_their_side():
    points = np.arange(12.0).reshape(6, 2)
    bones, joints = drawn(points, LEG)
    found = color_of_bones(bones)
    expected = {(0, 1): BLUE, (1, 2): BLUE, (0, 3): ORANGE, (3, 4): ORANGE, (0, 5): GREY}
    assert len(found) == 5
    for segment, color in found.items():
        ends = tuple(sorted(int(x) // 2 for x, _ in segment))
        assert color == pytest.approx(to_rgb(expected[ends]))
    np.testing.assert_allclose(joints.get_offsets(), points)
    faces = joints.get_facecolors()[:, :3]
    np.testing.assert_allclose(faces[2], to_rgb(BLUE))
    np.testing.assert_allclose(faces[5], to_rgb(GREY))
    sizes = joints.get_sizes()
    assert sizes[5] > sizes[0]  # the head


def test_missing_joints_take_their_bones_with_them():
    points = np.arange(12.0).reshape(6, 2)
    seen = np.array([True, False, True, True, True, True])
    bones, joints = drawn(points, LEG, seen=seen)
    assert len(bones.get_segments()) == 3  # not the two at the left hip
    np.testing.assert_allclose(joints.get_offsets(), points[seen])
    bones, joints = drawn(points, LEG, seen=np.zeros(6, dtype=bool))
    assert len(bones.get_segments()) == 0


def test_nearer_bones_are_drawn_last():
    points = np.arange(12.0).reshape(6, 2)
    bones, _ = drawn(points, LEG, near=np.array([0.0, 5, 5, -5, -5, 0]))
    order = [tuple(sorted(int(x) // 2 for x, _ in s)) for s in bones.get_segments()]
    assert order == [(3, 4), (0, 3), (0, 5), (0, 1), (1, 2)]


def test_two_bodies_and_one_colour():
    points = np.arange(24.0).reshape(12, 2)
    bones, joints = drawn(points, LEG, color='black')
    assert len(bones.get_segments()) == 10
    assert (bones.get_colors()[:, :3] == 0).all()
    assert len(joints.get_offsets()) == 12
