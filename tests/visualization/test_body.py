import importlib
import sys

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from graphmotion.skeletons import Skeleton
from graphmotion.visualization import draw_body

BLUE, ORANGE, GREY = '#0072B2', '#D55E00', '#4D4D4D'
LEG = Skeleton(
    ['pelvis', 'left_hip', 'left_knee', 'right_hip', 'right_knee', 'head'],
    [(0, 1), (1, 2), (0, 3), (3, 4), (0, 5)],
    center='pelvis',
)


@pytest.mark.parametrize('module', ['matplotlib.axes', 'PIL'])
def test_missing_extra(monkeypatch, module):
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(sys.modules, 'graphmotion.visualization._figure')
    with pytest.raises(ImportError, match=r"pip install -e '\.\[vis\]'"):
        importlib.import_module('graphmotion.visualization._figure')


def drawn(points, skeleton, **options):
    ax = Figure().add_subplot()
    draw_body(ax, points, skeleton, **options)
    bones, joints = ax.collections
    return bones, joints


def bone_colors(bones):
    return {
        tuple(map(tuple, segment)): tuple(color[:3])
        for segment, color in zip(bones.get_segments(), bones.get_colors())
    }


def test_colours_of_the_sides():
    points = np.arange(12.0).reshape(6, 2)
    bones, joints = drawn(points, LEG)
    found = bone_colors(bones)
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


def test_bones_with_an_invisible_joint_are_not_drawn():
    points = np.arange(12.0).reshape(6, 2)
    visible = np.array([True, False, True, True, True, True])
    bones, joints = drawn(points, LEG, visible=visible)
    assert len(bones.get_segments()) == 3  # without the two at the left hip
    np.testing.assert_allclose(joints.get_offsets(), points[visible])
    bones, joints = drawn(points, LEG, visible=np.zeros(6, dtype=bool))
    assert len(bones.get_segments()) == 0


def test_nearer_bones_are_drawn_on_top():
    points = np.arange(12.0).reshape(6, 2)
    bones, _ = drawn(points, LEG, nearness=np.array([0.0, 5, 5, -5, -5, 0]))
    order = [tuple(sorted(int(x) // 2 for x, _ in s)) for s in bones.get_segments()]
    assert order == [(3, 4), (0, 3), (0, 5), (0, 1), (1, 2)]


def test_two_bodies_and_one_colour():
    points = np.arange(24.0).reshape(12, 2)
    bones, joints = drawn(points, LEG, color='black')
    assert len(bones.get_segments()) == 10
    assert (bones.get_colors()[:, :3] == 0).all()
    assert len(joints.get_offsets()) == 12
