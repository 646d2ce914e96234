import numpy as np
import pytest
import torch

from graphmotion.skeletons import get_skeleton
from graphmotion.visualization import plot_grad_cam, plot_grad_cam_on_body

from .conftest import check_nothing_is_clipped, walk


def part_labels(ax):
    return [label.get_text() for label in ax.child_axes[0].get_yticklabels()]


def test_heat_maps_are_relative_and_grouped_by_part():
    skeleton = get_skeleton('emotion_gait16')
    maps = {'one': torch.rand(16, 9), 'none': np.zeros((16, 12))}
    figure = plot_grad_cam(maps, skeleton, title='maps')
    left, right, bar = figure.axes
    assert [left.get_title(), right.get_title()] == ['one', 'none']
    assert left.get_xlabel() == 'frame'
    assert bar.get_ylabel() == 'relative importance'
    order = [v for members in skeleton.hierarchy().members(2) for v in members]
    assert [t.get_text() for t in left.get_yticklabels()] == [skeleton.joints[v] for v in order]
    shown = np.asarray(left.images[0].get_array())
    np.testing.assert_allclose(shown, (maps['one'] / maps['one'].max())[order])
    assert not np.asarray(right.images[0].get_array()).any()
    assert left.images[0].get_clim() == (0, 1)
    parts = [name.replace('\n', ' ') for name in part_labels(left)]
    assert parts == [name.replace('_', ' ') for name in skeleton.hierarchy().names(2)]
    lines = [line.get_ydata()[0] for line in left.lines]
    sizes = np.cumsum([len(members) for members in skeleton.hierarchy().members(2)])
    np.testing.assert_allclose(lines, sizes[:-1] - 0.5)
    assert figure.get_suptitle() == 'maps'
    check_nothing_is_clipped(figure)


def test_node_names_and_several_bodies(tmp_path):
    path = tmp_path / 'new' / 'map.png'
    ax = plot_grad_cam(torch.rand(3, 4), ['head', 'hand', 'foot'], path=path).axes[0]
    assert [t.get_text() for t in ax.get_yticklabels()] == ['head', 'hand', 'foot']
    assert path.stat().st_size > 0
    ax = plot_grad_cam(torch.rand(3, 4)).axes[0]
    assert [t.get_text() for t in ax.get_yticklabels()] == ['0', '1', '2']
    figure = plot_grad_cam(torch.rand(34, 4), 'coco17')
    names = [t.get_text() for t in figure.axes[0].get_yticklabels()]
    assert (names[0], names[17]) == ('nose 1', 'nose 2')
    check_nothing_is_clipped(figure)
    plain = get_skeleton('coco17').subset(range(17))
    figure = plot_grad_cam(torch.rand(17, 4), plain)
    assert len(figure.axes[0].lines) == 0
    figure = plot_grad_cam(torch.rand(100, 4))
    assert figure.axes[0].get_ylabel() == 'node'
    check_nothing_is_clipped(figure)


def test_dots_on_the_body_grow_with_the_map():
    pos, name = walk(num_frames=9), 'emotion_gait16'
    maps = {'one': torch.rand(16, 9), 'two': torch.zeros(16, 9)}
    maps['one'][3] = 0
    maps['two'][5, 4] = 7.0
    figure = plot_grad_cam_on_body(maps, pos, name, frames=[0, 4], title='maps')
    upper, lower, bar = figure.axes
    assert [upper.get_ylabel(), lower.get_ylabel()] == ['one', 'two']
    assert [t.get_text() for t in lower.get_xticklabels()] == ['0', '4']
    for i, t in enumerate((0, 4)):
        joints, dots = upper.collections[3 * i + 1 : 3 * i + 3]
        share = (maps['one'][:, t] / maps['one'].max()).numpy()
        rank = [v for v in share.argsort() if share[v] > 0]
        assert 3 not in rank
        np.testing.assert_allclose(dots.get_offsets(), joints.get_offsets()[rank])
        np.testing.assert_allclose(dots.get_sizes(), 6 + 70 * share[rank])
    joints, dots = lower.collections[4:]
    np.testing.assert_allclose(dots.get_offsets(), joints.get_offsets()[[5]])
    assert len(lower.collections[2].get_offsets()) == 0
    assert bar.get_ylabel() == 'relative importance'
    check_nothing_is_clipped(figure)


@pytest.mark.parametrize(
    ('maps', 'nodes', 'message'),
    [
        (torch.rand(3, 4), ['a', 'b'], 'nodes must have length 3, got 2'),
        (torch.rand(18, 4), 'coco17', 'maps must have a multiple of 17 nodes, .* got 18'),
        (-torch.rand(3, 4), None, 'maps must be non-negative'),
        (
            {'a': torch.rand(3, 4, 1)},
            None,
            r"maps\['a'\] must be 2D, got shape \[3, 4, 1\]",
        ),
        (
            {'a': torch.rand(3, 4), 'b': torch.rand(4, 4)},
            None,
            'the same number of nodes, got shapes',
        ),
        ({}, None, 'maps must not be empty'),
        (torch.full((3, 4), torch.nan), None, 'must be finite'),
    ],
)
def test_invalid_maps(maps, nodes, message):
    with pytest.raises(ValueError, match=message):
        plot_grad_cam(maps, nodes)


def test_maps_of_another_sequence():
    with pytest.raises(ValueError, match=r"maps\['a'\] must have shape \[16, 9\], got \[16, 8\]"):
        plot_grad_cam_on_body({'a': torch.rand(16, 8)}, walk(num_frames=9), 'emotion_gait16')
    with pytest.raises(ValueError, match=r'in \[0, 8\], got \[9\]'):
        plot_grad_cam_on_body(torch.rand(16, 9), walk(num_frames=9), 'emotion_gait16', frames=[9])
