from itertools import pairwise

import numpy as np
import pytest
import torch
from PIL import Image

from graphmotion.skeletons import get_skeleton
from graphmotion.visualization import (
    animate_skeleton,
    plot_pose_gallery,
    plot_pose_strip,
    project,
)

from .conftest import check_nothing_is_cut_off, walk


def poses(ax):
    """The points of each pose drawn into axes: bones and joints alternate."""
    return [np.asarray(joints.get_offsets()) for joints in ax.collections[1::2]]


def ticks(ax):
    return [text.get_text() for text in ax.get_xticklabels()]


def test_strip_draws_the_frames_chosen():
    pos = walk()
    figure = plot_pose_strip(pos, 'emotion_gait16', frames=[0, 4, 5], view='front', title='happy')
    (ax,) = figure.axes
    assert ticks(ax) == ['0', '4', '5']
    assert figure.get_suptitle() == 'happy'
    drawn = poses(ax)
    assert len(drawn) == 3
    for points, t in zip(drawn, (0, 4, 5)):
        shape = points - points.mean(axis=0)
        expected = pos[:, t, :2].numpy()
        np.testing.assert_allclose(shape, expected - expected.mean(axis=0), atol=1e-6)
    assert len(ax.collections[0].get_segments()) == 15


def test_strip_chooses_frames_from_first_to_last():
    ax = plot_pose_strip(walk(num_frames=9), 'emotion_gait16', num_poses=5).axes[0]
    assert ticks(ax) == ['0', '2', '4', '6', '8']
    ax = plot_pose_strip(walk(num_frames=2), 'emotion_gait16', num_poses=5).axes[0]
    assert ticks(ax) == ['0', '1']
    ax = plot_pose_strip(walk(num_frames=1), 'emotion_gait16').axes[0]
    assert ticks(ax) == ['0']


@pytest.mark.parametrize('follow', [True, False])
def test_poses_do_not_overlap_and_stay_inside(follow):
    pos = walk(num_frames=6, travel=0.3)
    ax = plot_pose_strip(pos, 'emotion_gait16', follow=follow).axes[0]
    left, right = ax.get_xlim()
    bottom, top = ax.get_ylim()
    drawn = poses(ax)
    for points in drawn:
        assert left <= points[:, 0].min()
        assert points[:, 0].max() <= right
        assert bottom <= points[:, 1].min()
        assert points[:, 1].max() <= top
    for points, after in pairwise(drawn):
        assert points[:, 0].max() < after[:, 0].min()
    assert ax.get_aspect() == 1


def test_following_takes_the_way_over_the_ground_away_and_keeps_jumps():
    pos = walk(num_frames=3)
    still = pos - pos[:, :, :] + pos[:, :1]  # the first pose throughout
    moving = still.clone()
    moving[:, 1] += torch.tensor([2.0, 0.5, -3.0])
    ax = plot_pose_strip(moving, 'emotion_gait16', frames=[0, 1, 2], view=(30, 20)).axes[0]
    first, jump, last = poses(ax)
    step = (last - first)[0] / 2
    np.testing.assert_allclose(step[1], 0, atol=1e-6)
    shift = jump - first - step
    np.testing.assert_allclose(shift[:, 0], 0, atol=1e-6)
    np.testing.assert_allclose(shift[:, 1], 0.5 * np.cos(np.deg2rad(20)), atol=1e-6)


def test_following_without_the_centre_uses_the_joints_there_are():
    skeleton = get_skeleton('emotion_gait16')
    pos = walk(num_frames=2)
    pos[:, 1] = pos[:, 0] + torch.tensor([5.0, 0.0, 0.0])
    score = torch.ones(16, 2)
    score[skeleton.center] = 0
    ax = plot_pose_strip(pos, skeleton, score=score, view='front').axes[0]
    first, second = poses(ax)
    step = (second - first)[:, 0]
    np.testing.assert_allclose(step, step[0], atol=1e-6)
    assert step[0] < 2


def test_missing_joints_are_not_drawn():
    pos, score = walk(), torch.ones(16, 9)
    score[6, 0] = 0  # right_hand, a leaf
    pos[3, 4] = torch.nan  # head, a leaf
    ax = plot_pose_strip(pos, 'emotion_gait16', frames=[0, 4, 8], score=score).axes[0]
    assert [len(points) for points in poses(ax)] == [15, 15, 16]
    assert [len(bones.get_segments()) for bones in ax.collections[::2]] == [14, 14, 15]
    # A missing joint far away does not shrink the others.
    far = walk()
    far[6, 0] = 1000
    limits = plot_pose_strip(far, 'emotion_gait16', score=score, frames=[0]).axes[0].get_xlim()
    assert limits[1] - limits[0] < 2
    # Nothing at all to see.
    plot_pose_strip(walk(), 'emotion_gait16', score=torch.zeros(16, 9))


def test_two_dimensions_have_y_downwards():
    pose = walk('coco17', 2)[..., :2] * torch.tensor([100.0, -100.0]) + 300  # pixels
    ax = plot_pose_strip(pose, 'coco17', frames=[0]).axes[0]
    (points,) = poses(ax)
    skeleton = get_skeleton('coco17')
    assert points[skeleton.index('nose'), 1] > points[skeleton.index('left_ankle'), 1]
    ax = plot_pose_strip(pose, 'coco17', frames=[0], up='y').axes[0]
    (points,) = poses(ax)
    assert points[skeleton.index('nose'), 1] < points[skeleton.index('left_ankle'), 1]


def test_two_people_are_drawn_together():
    pos = torch.cat([walk('ntu25'), walk('ntu25') + torch.tensor([1.0, 0.0, 0.0])])
    ax = plot_pose_strip(pos, 'ntu25', frames=[0], view='front').axes[0]
    (points,) = poses(ax)
    assert len(points) == 50
    np.testing.assert_allclose(points[25:] - points[:25], [[1, 0]] * 25, atol=1e-6)
    assert len(ax.collections[0].get_segments()) == 48


def test_several_sequences_are_rows_of_one_scale():
    small, large = walk(num_frames=5), 2 * walk(num_frames=8)
    figure = plot_pose_strip([small, large], 'emotion_gait16', num_poses=3, labels=['a', 'b'])
    first, second = figure.axes
    assert [ax.get_ylabel() for ax in figure.axes] == ['a', 'b']
    assert ticks(first) == ['0', '2', '4']
    assert ticks(second) == ['0', '4', '7']
    assert first.get_xlim() == second.get_xlim()
    assert first.get_ylim() == second.get_ylim()
    check_nothing_is_cut_off(figure)
    scores = [torch.ones(16, 5), torch.zeros(16, 8)]
    figure = plot_pose_strip([small, large], 'emotion_gait16', score=scores)
    assert [len(poses(ax)[0]) for ax in figure.axes] == [16, 0]


def test_input_is_left_alone():
    pos, score = walk(), torch.ones(16, 9)
    before = pos.clone()
    plot_pose_strip(pos, 'emotion_gait16', score=score)
    assert torch.equal(pos, before)
    plot_pose_strip(pos.numpy(), 'emotion_gait16')  # arrays too
    plot_pose_strip(pos.requires_grad_(), 'emotion_gait16')


def test_file_is_written(tmp_path):
    plot_pose_strip(walk(), 'emotion_gait16', path=tmp_path / 'strip.png')
    with Image.open(tmp_path / 'strip.png') as image:
        image.load()
        assert image.size[0] > image.size[1]


@pytest.mark.parametrize(
    ('pos', 'options', 'error', 'message'),
    [
        (torch.zeros(15, 4, 3), {}, ValueError, '15 nodes, expected a multiple of the 16 joints'),
        (torch.zeros(16, 4), {}, ValueError, r'shape \[16, 4\], expected 3 dimensions'),
        (torch.zeros(16, 4, 4), {}, ValueError, '2 or 3 coordinates'),
        (torch.zeros(16, 0, 3), {}, ValueError, 'empty'),
        ('walk', {}, TypeError, "tensor or array of numbers, got 'walk'"),
        ([], {}, ValueError, 'no sequence'),
        (torch.zeros(16, 4, 3), {'frames': [4]}, ValueError, r'0\.\.3, got \[4\]'),
        (torch.zeros(16, 4, 3), {'frames': [-1]}, ValueError, r'0\.\.3, got \[-1\]'),
        (torch.zeros(16, 4, 3), {'frames': []}, ValueError, 'got none'),
        (torch.zeros(16, 4, 3), {'num_poses': 0}, ValueError, 'at least 1'),
        (torch.zeros(16, 4, 3), {'labels': ['a', 'b']}, ValueError, '2 labels for 1 seq'),
        (torch.zeros(16, 4, 3), {'score': torch.ones(16, 3)}, ValueError, r'score of pos.*16, 4'),
        ([torch.zeros(16, 4, 3)], {'score': []}, ValueError, '0 scores for 1 sequences'),
        ([torch.zeros(16, 4, 3), torch.zeros(9, 4, 3)], {}, ValueError, r'pos\[1\] has 9 nodes'),
    ],
)
def test_bad_strips_are_refused(pos, options, error, message):
    with pytest.raises(error, match=message):
        plot_pose_strip(pos, 'emotion_gait16', **options)


# Gallery ######################################################################


def test_gallery_sets_right_beside_wrong():
    sequences = [walk(num_frames=5, seed=i) for i in range(6)]
    target, prediction = torch.tensor([0, 1, 1, 0, 0, 1]), torch.tensor([0, 0, 1, 1, 0, 1])
    figure = plot_pose_gallery(
        sequences, 'emotion_gait16', target, prediction, ['happy', 'sad'], num_rows=3, title='run'
    )
    labels = [ax.get_ylabel() for ax in figure.axes]
    assert sorted(labels) == ['happy', 'happy', 'happy\nas sad', 'sad', 'sad\nas happy']
    headings = {ax.get_title() for ax in figure.axes} - {''}
    assert headings == {'recognised', 'mistaken'}
    assert all(len(poses(ax)) == 3 for ax in figure.axes)
    assert figure.get_suptitle() == 'run'
    check_nothing_is_cut_off(figure)
    # The sequences are those that the labels say.
    wrong = next(ax for ax in figure.axes if ax.get_ylabel() == 'sad\nas happy')
    expected = project(sequences[1][:, 0])[0]
    drawn = poses(wrong)[0]
    np.testing.assert_allclose(
        drawn - drawn.mean(axis=0), expected - expected.mean(axis=0), atol=1e-6
    )


def test_gallery_of_one_kind_has_one_column():
    figure = plot_pose_gallery([walk(), walk()], 'emotion_gait16', [0, 1], [0, 1], ['a', 'b'])
    assert [ax.get_ylabel() for ax in figure.axes] == ['a', 'b']
    figure = plot_pose_gallery([walk()], 'emotion_gait16', [0], [1], ['a', 'b'])
    assert [ax.get_title() for ax in figure.axes] == ['mistaken']


@pytest.mark.parametrize(
    ('sequences', 'target', 'prediction', 'message'),
    [
        (torch.zeros(16, 4, 3), [0], [0], 'list of sequences'),
        ([torch.zeros(16, 4, 3)], [0, 1], [0], '2 targets and 1 predictions for 1'),
        ([torch.zeros(16, 4, 3)], [0], [2], 'class 2 has no name'),
        ([], [], [], 'no sequence'),
    ],
)
def test_bad_galleries_are_refused(sequences, target, prediction, message):
    with pytest.raises(ValueError, match=message):
        plot_pose_gallery(sequences, 'emotion_gait16', target, prediction, ['a', 'b'])


# Animation ####################################################################


def test_animation_has_all_frames_and_its_speed(tmp_path):
    path = animate_skeleton(
        walk(num_frames=6), 'emotion_gait16', tmp_path / 'new' / 'walk.gif', fps=10, size=1.5
    )
    assert path == tmp_path / 'new' / 'walk.gif'
    with Image.open(path) as image:
        assert image.n_frames == 6
        assert image.info['duration'] == 100
        assert image.info['loop'] == 0
        assert image.format == 'GIF'
        frames = []
        for t in range(6):
            image.seek(t)
            frames.append(np.asarray(image.convert('RGB')).astype(int))
    assert (frames[0] != frames[3]).any()
    for color in ((0, 114, 178), (213, 94, 0)):  # both sides are there in their colours
        assert (np.abs(frames[2] - color).max(axis=-1) < 12).sum() > 20


def test_animation_keeps_its_axes(tmp_path):
    # A point that travels: its mean column moves through the image if the axes stand still.
    pos = walk(num_frames=4, travel=1.0)
    columns = {}
    for follow in (False, True):
        path = animate_skeleton(
            pos, 'emotion_gait16', tmp_path / 'walk.gif', view='front', follow=follow, size=1.5
        )
        columns[follow] = []
        with Image.open(path) as image:
            for t in range(4):
                image.seek(t)
                pixels = np.asarray(image.convert('RGB')).astype(int)
                blue = np.abs(pixels - (0, 114, 178)).max(axis=-1) < 40
                columns[follow].append(np.nonzero(blue)[1].mean())
    steps = np.diff(columns[False])
    assert (steps > 20).all()
    assert np.ptp(steps) < 8
    assert np.ptp(columns[True]) < 15


def test_animation_of_several_starts_the_short_ones_over(tmp_path):
    path = animate_skeleton(
        [walk(num_frames=5)[:, :2], walk(num_frames=5)],
        'emotion_gait16',
        tmp_path / 'walk.gif',
        labels=['short', 'long'],
        title='both',
        score=[torch.ones(16, 2), torch.ones(16, 5)],
        size=1.2,
    )
    with Image.open(path) as image:
        assert image.n_frames == 5
        halves = []
        for t in (0, 1, 2):
            image.seek(t)
            pixels = np.asarray(image.convert('RGB')).astype(int)
            # Without the counter of frames below.
            halves.append(pixels[: int(0.8 * len(pixels)), : pixels.shape[1] // 2])

    # The palette of a GIF may differ a little from frame to frame.
    def changed(a, b):
        return int((np.abs(a - b).max(axis=-1) > 60).sum())

    assert changed(halves[0], halves[2]) == 0
    assert changed(halves[0], halves[1]) > 20


@pytest.mark.parametrize(
    ('name', 'options', 'message'),
    [
        ('walk.mp4', {}, r'written as \.gif'),
        ('walk.gif', {'fps': 0}, 'fps is above 0 and at most 50'),
        ('walk.gif', {'fps': 60}, 'fps is above 0 and at most 50'),
        ('walk.gif', {'labels': ['a', 'b']}, '2 labels'),
        ('walk.gif', {'view': 'below'}, 'view is one of'),
    ],
)
def test_bad_animations_are_refused_and_write_nothing(tmp_path, name, options, message):
    with pytest.raises(ValueError, match=message):
        animate_skeleton(walk(), 'emotion_gait16', tmp_path / name, **options)
    assert list(tmp_path.iterdir()) == []
