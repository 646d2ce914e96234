import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex
from PIL import Image

from graphmotion.skeletons import get_skeleton
from graphmotion.visualization import plot_focal_joints

from .conftest import check_nothing_is_clipped, walk

NAME = 'kinect20'
GREEN = '#009e73'
PARTS = get_skeleton(NAME).assignment(1)


def focus(times=4, k=5, seed=0, bodies=()):
    """Returns focal joints, their scores and their attention to the parts."""
    generator = torch.Generator().manual_seed(seed)
    shape = (*bodies, times)
    ids = torch.rand(*shape, 20, generator=generator).argsort(dim=-1)[..., :k]
    score = torch.rand(*shape, k, generator=generator)
    return ids, score, torch.rand(*shape, k, len(PARTS), generator=generator)


def layers(ax, links=True):
    """Returns the joints, lines, line ends and dots of each pose."""
    size = 5 if links else 3  # bones, joints, (lines, ends,) dots
    assert len(ax.collections) % size == 0
    poses = [ax.collections[i : i + size] for i in range(0, len(ax.collections), size)]
    return [pose[1:] for pose in poses]


def offsets(dots):
    return np.asarray(dots.get_offsets())


def test_dots_are_focal_joints_and_grow_with_the_score():
    pos, (ids, score, _) = walk(NAME, 12), focus()  # every third frame
    figure = plot_focal_joints(pos, NAME, ids, score, num_poses=4, title='clapping')
    ax, bar = figure.axes
    assert [t.get_text() for t in ax.get_xticklabels()] == ['0', '3', '6', '9']
    assert figure.get_suptitle() == 'clapping'
    for i, (joints, dots) in enumerate(layers(ax, links=False)):
        np.testing.assert_allclose(offsets(dots), offsets(joints)[ids[i]])
        ranks = score[i].argsort().numpy()
        assert (np.diff(dots.get_sizes()[ranks]) > 0).all()
        darkness = 1 - dots.get_facecolor()[:, :3].mean(axis=1)
        assert (np.diff(darkness[ranks]) > 0).all()
    np.testing.assert_allclose(bar.get_ylim(), [score.min(), score.max()], rtol=1e-6)
    assert bar.get_ylabel() == 'score'
    assert figure.legends == []
    check_nothing_is_clipped(figure)


def test_frames_between_selections_show_the_previous_one():
    pos, (ids, score, attention) = walk(NAME, 12), focus()
    ax = plot_focal_joints(pos, NAME, ids, score, attention, frames=[2, 3, 11]).axes[0]
    assert [t.get_text() for t in ax.get_xticklabels()] == ['2', '3', '11']
    for (joints, _, _, dots), i in zip(layers(ax), (0, 1, 3)):
        np.testing.assert_allclose(offsets(dots), offsets(joints)[ids[i]])


@pytest.mark.parametrize(('num_frames', 'times'), [(12, 12), (13, 7), (52, 13), (5, 1)])
def test_strides(num_frames, times):
    ids, score, _ = focus(times)
    figure = plot_focal_joints(walk(NAME, num_frames), NAME, ids, score, num_poses=2)
    last = (times - 1) * int(np.ceil(num_frames / times))
    expected = sorted({0, last})
    assert [int(t.get_text()) for t in figure.axes[0].get_xticklabels()] == expected


def test_lines_connect_joints_to_the_parts_of_largest_attention():
    pos, (ids, score, attention) = walk(NAME, 4), focus()
    figure = plot_focal_joints(pos, NAME, ids, score, attention, num_links=3, num_poses=4)
    for i, (joints, lines, ends, _) in enumerate(layers(figure.axes[0])):
        points = offsets(joints)
        found = {}
        for segment, width in zip(lines.get_segments(), lines.get_linewidths()):
            found[tuple(np.round(segment, 5).ravel())] = width
        best = attention[i].flatten().argsort(descending=True)[:3]
        expected = {}
        for place in best.tolist():
            k, part = divmod(place, len(PARTS))
            members = [v for v in range(20) if PARTS[part, v]]
            segment = np.stack([points[ids[i, k]], points[members].mean(axis=0)])
            share = float(attention[i, k, part] / attention.max())
            expected[tuple(np.round(segment, 5).ravel())] = 0.3 + 2.2 * share
        assert found.keys() == expected.keys()
        for segment, width in expected.items():
            assert found[segment] == pytest.approx(width)
        assert to_hex(lines.get_color()[0]) == GREEN
        targets = {tuple(s[2:]) for s in expected}
        assert {tuple(np.round(e, 5)) for e in offsets(ends)} == targets
    (legend,) = figure.legends
    assert f'{attention.max():.2f}' in legend.get_texts()[0].get_text()
    check_nothing_is_clipped(figure)


def test_custom_parts():
    parts = np.zeros((2, 20))
    parts[0, :4], parts[1, 3:] = 1, 1
    pos, (ids, score, _) = walk(NAME, 4), focus()
    attention = np.zeros((4, 5, 2))
    attention[:, 2, 0] = 1
    ax = plot_focal_joints(pos, NAME, ids, score, attention, parts, num_poses=1).axes[0]
    ((joints, lines, _, _),) = layers(ax)
    points = offsets(joints)
    (segment,) = lines.get_segments()  # zeros are not drawn
    np.testing.assert_allclose(segment, [points[ids[0, 2]], points[:4].mean(axis=0)])


def test_invisible_joints_have_neither_dot_nor_line():
    pos, (ids, score, _) = walk(NAME, 4), focus()
    lost = int(ids[0, 0])
    pos[lost, 0] = torch.nan
    attention = torch.zeros(4, 5, len(PARTS))
    home = int(PARTS[:, lost].argmax())
    other = (home + 1) % len(PARTS)
    attention[0, 0, other] = 0.9
    attention[0, 1, home] = 0.5
    ax = plot_focal_joints(pos, NAME, ids, score, attention, frames=[0]).axes[0]
    ((joints, lines, _, dots),) = layers(ax)
    assert len(offsets(dots)) == 4
    points = np.insert(offsets(joints), lost, np.nan, axis=0)
    (segment,) = lines.get_segments()
    members = [v for v in range(20) if PARTS[home, v] and v != lost]
    np.testing.assert_allclose(segment, [points[ids[0, 1]], points[members].mean(axis=0)])


def test_sequences_are_rows_with_one_colour_scale():
    first, second = focus(4), focus(3, seed=1)
    pos = [walk(NAME, 8), walk(NAME, 3)]
    ids, score, attention = zip(first, second)
    score = [score[0] / 2, score[1]]
    figure = plot_focal_joints(
        pos, NAME, ids, score, list(attention), labels=['a', 'b'], num_poses=4
    )
    upper, lower, bar = figure.axes
    assert [upper.get_ylabel(), lower.get_ylabel()] == ['a', 'b']
    assert [t.get_text() for t in upper.get_xticklabels()] == ['0', '2', '4', '6']
    assert [t.get_text() for t in lower.get_xticklabels()] == ['0', '1', '2']
    lowest, highest = min(s.min() for s in score), max(s.max() for s in score)
    np.testing.assert_allclose(bar.get_ylim(), [lowest, highest], rtol=1e-6)
    for i, (joints, _, _, dots) in enumerate(layers(lower)):
        np.testing.assert_allclose(offsets(dots), offsets(joints)[second[0][i]])
    check_nothing_is_clipped(figure)
    # Stacked outputs of a batch.
    stacked = [torch.stack(values) for values in zip(first, focus(4, seed=2))]
    assert len(plot_focal_joints([pos[0], pos[0]], NAME, *stacked).axes) == 3


def test_focal_joints_of_two_people():
    pos = torch.cat([walk(NAME, 4), walk(NAME, 4) + torch.tensor([1.0, 0, 0])])
    ids, score, _ = focus(bodies=(2,))
    attention = torch.zeros(2, 4, 5, len(PARTS))
    attention[1, 0, 2, 0] = 1
    ax = plot_focal_joints(pos, NAME, ids, score, attention, frames=[0]).axes[0]
    joints, *over = ax.collections[1:]
    points = offsets(joints)
    assert len(points) == 40
    lines, ends, dots = over[::3], over[1::3], over[2::3]
    assert len(lines) == len(ends) == len(dots) == 2
    np.testing.assert_allclose(offsets(dots[0]), points[ids[0, 0]])
    np.testing.assert_allclose(offsets(dots[1]), points[20 + ids[1, 0]])
    assert len(lines[0].get_segments()) == 0
    members = [20 + v for v in range(20) if PARTS[0, v]]
    (segment,) = lines[1].get_segments()
    np.testing.assert_allclose(segment, [points[20 + ids[1, 0, 2]], points[members].mean(axis=0)])


def test_equal_scores_arrays_and_files(tmp_path):
    pos, (ids, _, attention) = walk(NAME, 4).numpy(), focus()
    path = tmp_path / 'new' / 'focal.png'
    plot_focal_joints(
        pos, NAME, ids.numpy(), np.ones((4, 5)), attention.requires_grad_(), path=path
    )
    with Image.open(path) as image:
        image.load()
        assert min(image.size) > 100
    # Without positive attention, there are no lines and no legend.
    figure = plot_focal_joints(pos, NAME, ids, np.ones((4, 5)), -attention)
    assert figure.legends == []


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (
            {'joint_ids': torch.zeros(4, 5) + 20},
            r"integers in \[0, 19\], the joints of 'kinect20', got 20",
        ),
        ({'joint_ids': torch.zeros(4, 5) - 1}, 'got -1'),
        ({'joint_ids': torch.zeros(4, 5) + 0.5}, r'got 0\.5'),
        (
            {'joint_ids': torch.zeros(9, 5)},
            'must have the 8 frames of pos divided by an integer stride, got 9',
        ),
        ({'joint_ids': torch.zeros(5, 5)}, 'divided by an integer stride, got 5'),
        (
            {'joint_ids': torch.zeros(2, 4, 5)},
            r"joint_ids must have shape \[1, T', K\], got \[2, 4, 5\]",
        ),
        ({'score': torch.zeros(4, 6)}, r'score must have shape \[1, 4, 5\], got \[1, 4, 6\]'),
        (
            {'score': torch.full((4, 5), torch.nan)},
            'score must be finite, got 20 non-finite values',
        ),
        ({'joint_to_part': torch.zeros(4, 5, 9)}, r'joint_to_part must have shape \[1, 4, 5, 10\]'),
        ({'parts': torch.zeros(10, 19)}, r'parts must have shape \[P, 20\], got \[10, 19\]'),
        ({'frames': [8]}, r'in \[0, 7\], got \[8\]'),
        ({'num_links': 0}, 'num_links must be an integer >= 1'),
        ({'labels': ['a', 'b']}, 'labels must have length 1, got 2'),
        ({'pos': [torch.zeros(20, 8, 3)]}, 'joint_ids must have length 1, got 4'),
        ({'pos': torch.zeros(19, 8, 3)}, 'multiple of 20 nodes, .* got 19'),
    ],
)
def test_invalid_input(change, message):
    ids, score, attention = focus()
    options = {
        'pos': walk(NAME, 8), 'joint_ids': ids, 'score': score, 'joint_to_part': attention,
    } | change  # fmt: skip
    with pytest.raises(ValueError, match=message):
        plot_focal_joints(skeleton=NAME, **options)


def test_lines_require_parts():
    plain = get_skeleton(NAME).subset(range(20))
    ids, score, attention = focus()
    plot_focal_joints(walk(NAME, 4), plain, ids, score)
    plot_focal_joints(walk(NAME, 4), plain, ids, score, attention, PARTS)
    with pytest.raises(ValueError, match='hierarch'):
        plot_focal_joints(walk(NAME, 4), plain, ids, score, attention)
