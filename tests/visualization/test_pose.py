from itertools import pairwise

import numpy as np
import pytest
import torch
from PIL import Image
from torch_geometric.data import Data

from graphmotion.skeletons import get_skeleton
from graphmotion.visualization import plot_pose_gallery, plot_pose_strip, project

from .conftest import check_nothing_is_clipped, walk


def poses(ax):
    """Returns the points of each pose; bones and joints alternate in the axes."""
    return [np.asarray(joints.get_offsets()) for joints in ax.collections[1::2]]


def ticks(ax):
    return [text.get_text() for text in ax.get_xticklabels()]


def test_strip_of_given_frames():
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


def test_evenly_spaced_frames():
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


def test_follow_removes_horizontal_motion_and_keeps_jumps():
    pos = walk(num_frames=3)
    still = pos - pos[:, :, :] + pos[:, :1]  # the first pose in all frames
    moving = still.clone()
    moving[:, 1] += torch.tensor([2.0, 0.5, -3.0])
    ax = plot_pose_strip(moving, 'emotion_gait16', frames=[0, 1, 2], view=(30, 20)).axes[0]
    first, jump, last = poses(ax)
    step = (last - first)[0] / 2
    np.testing.assert_allclose(step[1], 0, atol=1e-6)
    shift = jump - first - step
    np.testing.assert_allclose(shift[:, 0], 0, atol=1e-6)
    np.testing.assert_allclose(shift[:, 1], 0.5 * np.cos(np.deg2rad(20)), atol=1e-6)


def test_follow_without_the_centre_joint():
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
    # No joint is visible.
    plot_pose_strip(walk(), 'emotion_gait16', score=torch.zeros(16, 9))


def test_y_points_down_in_two_dimensions():
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


def test_sequences_are_rows_of_one_scale():
    small, large = walk(num_frames=5), 2 * walk(num_frames=8)
    figure = plot_pose_strip([small, large], 'emotion_gait16', num_poses=3, labels=['a', 'b'])
    first, second = figure.axes
    assert [ax.get_ylabel() for ax in figure.axes] == ['a', 'b']
    assert ticks(first) == ['0', '2', '4']
    assert ticks(second) == ['0', '4', '7']
    assert first.get_xlim() == second.get_xlim()
    assert first.get_ylim() == second.get_ylim()
    check_nothing_is_clipped(figure)
    scores = [torch.ones(16, 5), torch.zeros(16, 8)]
    figure = plot_pose_strip([small, large], 'emotion_gait16', score=scores)
    assert [len(poses(ax)[0]) for ax in figure.axes] == [16, 0]


def test_input_is_not_modified():
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
        (torch.zeros(15, 4, 3), {}, ValueError, 'must have a multiple of 16 nodes, .* got 15'),
        (torch.zeros(16, 4), {}, ValueError, r'pos must be 3D, got shape \[16, 4\]'),
        (torch.zeros(16, 4, 4), {}, ValueError, '2 or 3 coordinates'),
        (torch.zeros(16, 0, 3), {}, ValueError, 'must not be empty'),
        ('walk', {}, TypeError, "must be a tensor or array of numbers, got 'walk'"),
        ([], {}, ValueError, 'at least one sequence'),
        (torch.zeros(16, 4, 3), {'frames': [4]}, ValueError, r'in \[0, 3\], got \[4\]'),
        (torch.zeros(16, 4, 3), {'frames': [-1]}, ValueError, r'in \[0, 3\], got \[-1\]'),
        (
            torch.zeros(16, 4, 3),
            {'frames': []},
            ValueError,
            r'one or more indices in \[0, 3\], got \[\]',
        ),
        (
            torch.zeros(16, 4, 3),
            {'num_poses': 0},
            ValueError,
            'num_poses must be an integer >= 1, got 0',
        ),
        (
            torch.zeros(16, 4, 3),
            {'labels': ['a', 'b']},
            ValueError,
            'labels must have length 1, got 2',
        ),
        (
            torch.zeros(16, 4, 3),
            {'score': torch.ones(16, 3)},
            ValueError,
            r'score must have shape \[16, 4\], got \[16, 3\]',
        ),
        ([torch.zeros(16, 4, 3)], {'score': []}, ValueError, 'score must have length 1, got 0'),
        (
            [torch.zeros(16, 4, 3), torch.zeros(9, 4, 3)],
            {},
            ValueError,
            r'pos\[1\] must have a multiple of 16 nodes, .* got 9',
        ),
    ],
)
def test_invalid_strips(pos, options, error, message):
    with pytest.raises(error, match=message):
        plot_pose_strip(pos, 'emotion_gait16', **options)


# Gallery ######################################################################


def test_gallery_of_correct_and_misclassified_sequences():
    sequences = [walk(num_frames=5, seed=i) for i in range(6)]
    target, prediction = torch.tensor([0, 1, 1, 0, 0, 1]), torch.tensor([0, 0, 1, 1, 0, 1])
    figure = plot_pose_gallery(
        sequences, 'emotion_gait16', target, prediction, ['happy', 'sad'], num_rows=3, title='run'
    )
    labels = [ax.get_ylabel() for ax in figure.axes]
    assert sorted(labels) == [
        'happy',
        'happy',
        'happy\npredicted sad',
        'sad',
        'sad\npredicted happy',
    ]
    headings = {ax.get_title() for ax in figure.axes} - {''}
    assert headings == {'correct', 'misclassified'}
    assert all(len(poses(ax)) == 3 for ax in figure.axes)
    assert figure.get_suptitle() == 'run'
    check_nothing_is_clipped(figure)
    # Labels and sequences match.
    wrong = next(ax for ax in figure.axes if ax.get_ylabel() == 'sad\npredicted happy')
    expected = project(sequences[1][:, 0])[0]
    drawn = poses(wrong)[0]
    np.testing.assert_allclose(
        drawn - drawn.mean(axis=0), expected - expected.mean(axis=0), atol=1e-6
    )


def test_gallery_without_misclassified_sequences_has_one_column():
    figure = plot_pose_gallery([walk(), walk()], 'emotion_gait16', [0, 1], [0, 1], ['a', 'b'])
    assert [ax.get_ylabel() for ax in figure.axes] == ['a', 'b']
    figure = plot_pose_gallery([walk()], 'emotion_gait16', [0], [1], ['a', 'b'])
    assert [ax.get_title() for ax in figure.axes] == ['misclassified']


@pytest.mark.parametrize(
    ('sequences', 'target', 'prediction', 'message'),
    [
        (torch.zeros(16, 4, 3), [0], [0], 'pos must be a list of sequences, got Tensor'),
        (
            [torch.zeros(16, 4, 3)],
            [0, 1],
            [0],
            'one entry for each of the 1 sequences, got 2 and 1',
        ),
        (
            [torch.zeros(16, 4, 3)],
            [0],
            [2],
            r'must be in \[0, 1\], the indices of class_names, got 2',
        ),
        ([], [], [], 'at least one sequence'),
    ],
)
def test_invalid_galleries(sequences, target, prediction, message):
    with pytest.raises(ValueError, match=message):
        plot_pose_gallery(sequences, 'emotion_gait16', target, prediction, ['a', 'b'])


def test_missing_joints_of_samples_are_not_drawn():
    pos = walk(num_frames=4)
    pos[3, 1] = 0
    score = torch.ones(pos.shape[:2])
    score[3, 1] = 0
    sample = Data(pos=pos, score=score)
    expected = plot_pose_strip(pos, 'emotion_gait16', score=score).axes[0]
    for samples, scores in ((sample, None), ([sample], None), (Data(pos=pos), score)):
        given = scores if scores is None or not isinstance(samples, list) else [scores]
        ax = plot_pose_strip(samples, 'emotion_gait16', score=given).axes[0]
        for points, others in zip(poses(ax), poses(expected), strict=True):
            np.testing.assert_array_equal(points, others)
    counts = [len(points) for points in poses(expected)]
    assert counts == [16, 15, 16, 16]
