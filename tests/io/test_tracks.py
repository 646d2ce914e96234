import numpy as np
import pytest
import torch

from graphmotion.data import from_array
from graphmotion.io import Detection, Track, link_tracks, stack_tracks
from graphmotion.io.tracks import find_detection, make_tracks


def person(x, y=0.0, size=1.0, missing=(), identity=None):
    """Returns a triangle at a position."""
    pos = np.array([[x - size / 2, y], [x + size / 2, y], [x, y + size]], np.float32)
    score = np.full(3, 0.5, np.float32)
    pos[list(missing)], score[list(missing)] = 0, 0
    return Detection(pos, score, identity)


def positions(tracks):
    return [
        [None if p is None else round(float(p.pos[2, 0]), 2) for p in track] for track in tracks
    ]


def test_tracks_do_not_depend_on_the_order_in_a_frame():
    frames = [
        [person(0), person(5), person(9)],
        [person(9.2), person(0.2), person(4.8)],
        [person(4.6), person(9.4), person(0.4)],
    ]
    assert positions(link_tracks(frames)) == [[0, 0.2, 0.4], [5, 4.8, 4.6], [9, 9.2, 9.4]]


def test_assignment_minimises_the_total_distance():
    # The second person is nearest to the next position of the first, but the total decides.
    frames = [[person(0), person(0.8)], [person(0.5), person(1.2)]]
    assert positions(link_tracks(frames)) == [[0, 0.5], [0.8, 1.2]]


def test_people_enter_and_leave():
    frames = [[person(0)], [person(0.1), person(5)], [], [person(5.1)], [person(0.2), person(5.2)]]
    assert positions(link_tracks(frames)) == [[0, 0.1, None, None, 0.2], [None, 5, None, 5.1, 5.2]]


def test_distant_detections_start_a_new_track():
    height = 2**0.5  # the diagonal of the box
    frames = [[person(0)], [person(0.99 * height)], [person(2.01 * height)]]
    assert len(link_tracks(frames)) == 2
    assert len(link_tracks(frames, max_distance=1.1)) == 1
    # Distances are relative to the size of the person.
    larger = [[person(100 * p.pos[2, 0], size=100) for p in frame] for frame in frames]
    assert len(link_tracks(larger)) == 2


def test_close_matches_take_precedence_over_distant_ones():
    frames = [[person(0), person(100)], [person(0.9), person(50)]]
    assert positions(link_tracks(frames)) == [[0, 0.9], [100, None], [None, 50]]


def test_long_gaps_start_a_new_track():
    frames = [[person(0)], *([[]] * 3), [person(0)]]
    assert len(link_tracks(frames, max_gap=3)) == 1
    assert len(link_tracks(frames, max_gap=2)) == 2


def test_missing_joints_do_not_affect_the_centroid():
    frames = [[person(8)], [person(8.1, missing=[0])], [person(8.2, missing=[1, 2])]]
    assert len(link_tracks(frames)) == 1


def test_no_frames_and_empty_frames():
    assert link_tracks([]) == []
    assert link_tracks([[], []]) == []


def test_tracks_cover_all_frames_most_visible_first():
    frames = [[person(9)], [person(9), person(1, missing=[1])], [person(1)], [person(1)]]
    tracks = make_tracks(frames, 'file')
    assert [track.pos.shape for track in tracks] == [(4, 3, 2)] * 2
    assert tracks[0].score.tolist() == [[0] * 3, [0.5, 0, 0.5], [0.5] * 3, [0.5] * 3]
    assert tracks[0].pos[:, 2, 0].tolist() == [0, 1, 1, 1]
    assert tracks[0].pos[1, 1].tolist() == [0, 0]
    assert tracks[1].pos[:, 2, 0].tolist() == [9, 9, 0, 0]
    assert tracks[0].pos.dtype == tracks[0].score.dtype == np.float32


def test_track_ids_take_precedence_over_positions():
    frames = [[person(0, identity=4)], [person(9, identity=4), person(0, identity=2)]]
    tracks = make_tracks(frames, 'file')
    assert [track.pos[:, 2, 0].tolist() for track in tracks] == [[0, 9], [0, 0]]
    # Track IDs are ignored if a person has none.
    frames[1][1] = person(0)
    assert [track.pos[:, 2, 0].tolist() for track in make_tracks(frames, 'file')] == [
        [0, 0],
        [0, 9],
    ]


def test_of_duplicate_track_ids_the_more_visible_is_kept():
    frames = [
        [person(3, identity=1), person(7, missing=[0], identity=1)],
        [person(9, identity=2)],
    ]
    assert [track.pos[:, 2, 0].tolist() for track in make_tracks(frames, 'file')] == [
        [3, 0],
        [0, 9],
    ]


def test_a_track_id_shared_by_all_is_ignored():
    frames = [[person(x, identity=0) for x in order] for order in ((0, 9), (9, 0), (0, 9))]
    tracks = make_tracks(frames, 'file')
    assert [track.pos[:, 2, 0].tolist() for track in tracks] == [[0, 0, 0], [9, 9, 9]]
    # A single person in every frame keeps the ID.
    assert len(make_tracks([[person(0, identity=0)], [person(9, identity=0)]], 'file')) == 1


def test_frames_missing_from_the_recording_are_no_gap():
    frames = [[person(0)], None, None, None, [person(0)]]
    assert positions(link_tracks(frames, max_gap=0)) == [[0, None, None, None, 0]]


def test_no_people_and_different_joint_numbers_raise():
    other = Detection(np.ones((4, 2), np.float32), np.ones(4, np.float32))
    with pytest.raises(ValueError, match=r'file: number of joints: .* found 3 and 4'):
        make_tracks([[person(0)], [other]], 'file')
    with pytest.raises(ValueError, match=r'file: people: expected at least one .* found none'):
        make_tracks([[], []], 'file')


def test_detections_are_finite_with_scores_up_to_one():
    joints = [[1, 2, 0.5], [3, 4, 1.2], [5, 6, 0], [7, 8, -1], [np.nan, 9, 0.5], [1, 1, np.nan]]
    found = find_detection(np.array(joints), 'file', 'field', 3)
    np.testing.assert_allclose(found.score, [0.5, 1, 0, 0, 0, 0])
    assert found.pos.tolist() == [[1, 2], [3, 4], [0, 0], [0, 0], [0, 0], [0, 0]]
    assert found.identity == 3
    assert find_detection(np.zeros((4, 3)), 'file', 'field') is None


def test_stacked_tracks_become_a_sample():
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
