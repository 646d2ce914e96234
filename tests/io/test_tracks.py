import numpy as np
import pytest
import torch

from graphmotion.data import from_array
from graphmotion.io import Detection, Track, link_tracks, stack_tracks
from graphmotion.io.tracks import find_detection, make_tracks


def person(x, y=0.0, size=1.0, missing=(), identity=None):
    """A triangle around that place."""
    pos = np.array([[x - size / 2, y], [x + size / 2, y], [x, y + size]], np.float32)
    score = np.full(3, 0.5, np.float32)
    pos[list(missing)], score[list(missing)] = 0, 0
    return Detection(pos, score, identity)


def places(tracks):
    return [
        [None if p is None else round(float(p.pos[2, 0]), 2) for p in track] for track in tracks
    ]


def test_people_are_followed_whatever_their_order_in_a_frame():
    frames = [
        [person(0), person(5), person(9)],
        [person(9.2), person(0.2), person(4.8)],
        [person(4.6), person(9.4), person(0.4)],
    ]
    assert places(link_tracks(frames)) == [[0, 0.2, 0.4], [5, 4.8, 4.6], [9, 9.2, 9.4]]


def test_the_sum_of_distances_decides_and_not_who_comes_first():
    # The first person is nearest to the second's next place, but has one of their own.
    frames = [[person(0), person(0.8)], [person(0.5), person(1.2)]]
    assert places(link_tracks(frames)) == [[0, 0.5], [0.8, 1.2]]


def test_people_come_and_go():
    frames = [[person(0)], [person(0.1), person(5)], [], [person(5.1)], [person(0.2), person(5.2)]]
    assert places(link_tracks(frames)) == [[0, 0.1, None, None, 0.2], [None, 5, None, 5.1, 5.2]]


def test_who_is_too_far_away_is_somebody_else():
    height = 2**0.5  # the diagonal of the box
    frames = [[person(0)], [person(0.99 * height)], [person(2.01 * height)]]
    assert len(link_tracks(frames)) == 2
    assert len(link_tracks(frames, max_distance=1.1)) == 1
    # Sizes count, not pixels.
    larger = [[person(100 * p.pos[2, 0], size=100) for p in frame] for frame in frames]
    assert len(link_tracks(larger)) == 2


def test_nobody_near_is_given_up_for_someone_far():
    frames = [[person(0), person(100)], [person(0.9), person(50)]]
    assert places(link_tracks(frames)) == [[0, 0.9], [100, None], [None, 50]]


def test_who_was_out_of_sight_for_long_is_somebody_else():
    frames = [[person(0)], *([[]] * 3), [person(0)]]
    assert len(link_tracks(frames, max_gap=3)) == 1
    assert len(link_tracks(frames, max_gap=2)) == 2


def test_missing_joints_have_no_place():
    frames = [[person(8)], [person(8.1, missing=[0])], [person(8.2, missing=[1, 2])]]
    assert len(link_tracks(frames)) == 1


def test_no_frame_and_nobody():
    assert link_tracks([]) == []
    assert link_tracks([[], []]) == []


def test_tracks_have_all_frames_and_the_best_seen_first():
    frames = [[person(9)], [person(9), person(1, missing=[1])], [person(1)], [person(1)]]
    tracks = make_tracks(frames, 'file')
    assert [track.pos.shape for track in tracks] == [(4, 3, 2)] * 2
    assert tracks[0].score.tolist() == [[0] * 3, [0.5, 0, 0.5], [0.5] * 3, [0.5] * 3]
    assert tracks[0].pos[:, 2, 0].tolist() == [0, 1, 1, 1]
    assert tracks[0].pos[1, 1].tolist() == [0, 0]
    assert tracks[1].pos[:, 2, 0].tolist() == [9, 9, 0, 0]
    assert tracks[0].pos.dtype == tracks[0].score.dtype == np.float32


def test_numbers_of_people_go_before_places():
    frames = [[person(0, identity=4)], [person(9, identity=4), person(0, identity=2)]]
    tracks = make_tracks(frames, 'file')
    assert [track.pos[:, 2, 0].tolist() for track in tracks] == [[0, 9], [0, 0]]
    # Where one has no number, none counts.
    frames[1][1] = person(0)
    assert [track.pos[:, 2, 0].tolist() for track in make_tracks(frames, 'file')] == [
        [0, 0],
        [0, 9],
    ]


def test_of_two_with_one_number_the_better_seen_stays():
    frames = [
        [person(3, identity=1), person(7, missing=[0], identity=1)],
        [person(9, identity=2)],
    ]
    assert [track.pos[:, 2, 0].tolist() for track in make_tracks(frames, 'file')] == [
        [3, 0],
        [0, 9],
    ]


def test_a_number_shared_by_all_identifies_nobody():
    frames = [[person(x, identity=0) for x in order] for order in ((0, 9), (9, 0), (0, 9))]
    tracks = make_tracks(frames, 'file')
    assert [track.pos[:, 2, 0].tolist() for track in tracks] == [[0, 0, 0], [9, 9, 9]]
    # One person alone in every frame keeps the number.
    assert len(make_tracks([[person(0, identity=0)], [person(9, identity=0)]], 'file')) == 1


def test_frames_that_the_recording_does_not_have_are_no_gap():
    frames = [[person(0)], None, None, None, [person(0)]]
    assert places(link_tracks(frames, max_gap=0)) == [[0, None, None, None, 0]]


def test_people_with_other_joints_or_nobody_are_errors():
    other = Detection(np.ones((4, 2), np.float32), np.ones(4, np.float32))
    with pytest.raises(ValueError, match=r'file: number of joints: .* found 3 and 4'):
        make_tracks([[person(0)], [other]], 'file')
    with pytest.raises(ValueError, match=r'file: people: expected at least one .* found none'):
        make_tracks([[], []], 'file')


def test_a_detection_has_no_nan_and_scores_up_to_one():
    joints = [[1, 2, 0.5], [3, 4, 1.2], [5, 6, 0], [7, 8, -1], [np.nan, 9, 0.5], [1, 1, np.nan]]
    found = find_detection(np.array(joints), 'file', 'field', 3)
    np.testing.assert_allclose(found.score, [0.5, 1, 0, 0, 0, 0])
    assert found.pos.tolist() == [[1, 2], [3, 4], [0, 0], [0, 0], [0, 0], [0, 0]]
    assert found.identity == 3
    assert find_detection(np.zeros((4, 3)), 'file', 'field') is None


def test_people_in_one_array_become_a_sample():
    tracks = [Track(np.full((5, 17, 2), k, np.float32), np.ones((5, 17))) for k in (1, 2, 3)]
    pos, score = stack_tracks(tracks, 2)
    data = from_array(pos, 'coco17', score, axes='MTVC')
    assert data.pos.shape == (34, 5, 2)
    assert data.pos[17:].eq(2).all()
    pos, score = stack_tracks(tracks[:1], 2)
    data = from_array(pos, 'coco17', score, axes='MTVC')
    assert torch.equal(data.score, torch.cat([torch.ones(17, 5), torch.zeros(17, 5)]))
    with pytest.raises(ValueError, match='tracks must not be empty'):
        stack_tracks([], 2)
    with pytest.raises(ValueError, match='num_people must be at least 1, got 0'):
        stack_tracks(tracks, 0)
