import math

import numpy as np
import pytest
import torch

from graphmotion.visualization import project


def test_y_points_down_in_images_and_up_in_space():
    assert project(torch.tensor([[3.0, 4.0]]))[0].tolist() == [[3, -4]]
    assert project(torch.tensor([[3.0, 4.0]]), up='y')[0].tolist() == [[3, 4]]
    points, nearness = project(torch.tensor([[3.0, 4.0, 5.0]]), 'front')
    np.testing.assert_allclose(points, [[3, 4]])
    np.testing.assert_allclose(nearness, [5])


@pytest.mark.parametrize('up', ['x', 'y', 'z', '-x', '-y', '-z'])
@pytest.mark.parametrize('view', ['front', 'side', 'oblique'])
def test_every_view_is_a_rotation_that_keeps_up(up, view):
    axis = 'xyz'.index(up[-1])
    sign = -1 if up.startswith('-') else 1
    points, nearness = project(torch.eye(3, dtype=torch.double), view, up)
    basis = np.concatenate([points, nearness[:, None]], axis=1)
    assert np.linalg.det(basis) == pytest.approx(1)  # a rotation
    np.testing.assert_allclose(basis @ basis.T, np.eye(3), atol=1e-12)
    assert points[axis, 0] == pytest.approx(0)
    assert sign * points[axis, 1] > 0.9


def test_azimuth_moves_the_viewer_to_the_right():
    # From the right, the near axis points left and the right axis towards the viewer.
    points, nearness = project(np.eye(3), 'side')
    np.testing.assert_allclose(points, [[0, 0], [0, 1], [-1, 0]], atol=1e-12)
    np.testing.assert_allclose(nearness, [1, 0, 0], atol=1e-12)
    points, nearness = project(np.eye(3), 'top')  # the near axis points down
    np.testing.assert_allclose(points, [[1, 0], [0, 0], [0, -1]], atol=1e-12)
    np.testing.assert_allclose(nearness, [0, 1, 0], atol=1e-12)
    points, _ = project(np.eye(3), (30, 0))
    np.testing.assert_allclose(points[0, 0], math.cos(math.pi / 6))
    np.testing.assert_allclose(points[2, 0], -math.sin(math.pi / 6))


def test_leading_dimensions():
    pos = torch.randn(5, 4, 3)
    points, nearness = project(pos, (20, 10))
    assert points.shape == (5, 4, 2)
    assert nearness.shape == (5, 4)
    np.testing.assert_allclose(points[2, 3], project(pos[2, 3], (20, 10))[0])


@pytest.mark.parametrize(
    ('shape', 'options', 'message'),
    [
        ((4, 4), {}, 'pos must have 2 or 3 coordinates'),
        ((4, 3), {'up': 'w'}, "up must be one of .*'w'"),
        ((4, 3), {'up': '-'}, 'up must be one of'),
        ((4, 2), {'up': 'z'}, r"\['x', 'y'\]"),
        ((4, 3), {'view': 'below'}, "view must be one of .*'below'"),
        ((4, 3), {'view': (1, 2, 3)}, r'must be a pair \(azimuth, elevation\)'),
    ],
)
def test_invalid_projections(shape, options, message):
    with pytest.raises(ValueError, match=message):
        project(torch.zeros(shape), **options)
