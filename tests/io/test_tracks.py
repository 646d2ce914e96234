import numpy as np
import pytest
import torch

from graphmotion.data import from_array
from graphmotion.io import Detection, Track, link_tracks, stack_tracks, tracks
from graphmotion.io.tracks import find_detection, make_tracks


def person(x, y=0.0, size=1.0, missing=(), identity=None):
    """Returns a triangle at a position."""
    pos = np.array([[x - size / 2, y], [x + size / 2, y], [x, y + size]], np.float32)
    score = np.full(3, 0.5, np.float32)
    pos[list(missing)], score[list(missing)] = 0, 0
    return Detection(pos, score, identity)


def positions(tracks, num_frames):
    return [
        [round(float(track[t].pos[2, 0]), 2) if t in track else None for t in range(num_frames)]
        for track in tracks
    ]


def test_tracks_do_not_depend_on_the_order_in_a_frame():
    frames = [
        [person(0), person(5), person(9)],
        [person(9.2), person(0.2), person(4.8)],
        [person(4.6), person(9.4), person(0.4)],
    ]
    assert positions(link_tracks(frames), len(frames)) == [
        [0, 0.2, 0.4],
        [5, 4.8, 4.6],
        [9, 9.2, 9.4],
    ]


def test_assignment_minimises_the_total_distance():
    # The second person is nearest to the next position of the first, but the total decides.
    frames = [[person(0), person(0.8)], [person(0.5), person(1.2)]]
    assert positions(link_tracks(frames), len(frames)) == [[0, 0.5], [0.8, 1.2]]


def test_people_enter_and_leave():
    frames = [[person(0)], [person(0.1), person(5)], [], [person(5.1)], [person(0.2), person(5.2)]]
    assert positions(link_tracks(frames), len(frames)) == [
        [0, 0.1, None, None, 0.2],
        [None, 5, None, 5.1, 5.2],
    ]


def test_distant_detections_start_a_new_track():
    height = 2**0.5  # the diagonal of the box
    # The other two people do not remain the only candidates.
    frames = [[person(0), person(50), person(90)], [person(0.99 * height), person(70)],
              [person(2.99 * height), person(20), person(90)]]  # fmt: skip
    assert positions(link_tracks(frames), 3)[0] == [0, 1.4, None]
    assert positions(link_tracks(frames, max_distance=1.1), 3)[0] == [0, 1.4, 4.23]
    # Distances are relative to the size of the person.
    larger = [[person(100 * p.pos[2, 0], size=100) for p in frame] for frame in frames]
    assert positions(link_tracks(larger), 3)[0] == [0, 140.01, None]


def test_a_single_person_is_one_track_at_any_speed():
    frames = [[person(x)] for x in (0, 5, 100, 90, 300)]
    assert positions(link_tracks(frames), 5) == [[0, 5, 100, 90, 300]]
    assert len(link_tracks([*frames, [], [person(-9)]], max_gap=0)) == 2


def test_the_only_remaining_person_may_be_fast():
    # A spectator and a runner.
    frames = [[person(20), person(3 * t)] for t in range(5)]
    frames[2].reverse()
    assert positions(link_tracks(frames), 5) == [[20] * 5, [0, 3, 6, 9, 12]]
    frames = [[person(100), person(8 * t)] for t in range(3)]  # too fast
    assert len(link_tracks(frames)) == 4


@pytest.mark.parametrize('gap', [0, 7])
def test_people_who_cross_are_predicted_at_constant_velocity(gap):
    def frame(t):
        left, right = person(0.1 * t), person(3.03 - 0.1 * t, y=0.05, size=1.15)
        return [left, right] if t % 2 else [right, left]

    frames = [[] if abs(t - 15) < gap / 2 else frame(t) for t in range(31)]
    tracks = link_tracks(frames)
    assert sorted((float(t[0].pos[2, 0]), round(float(t[30].pos[2, 0]), 2)) for t in tracks) == [
        (0, 3), (pytest.approx(3.03), 0.03),
    ]  # fmt: skip


def test_people_in_one_place_are_distinguished_by_shape():
    rng = np.random.default_rng(0)
    frames = []
    for t in range(20):
        pos = rng.normal(0, 0.02, size=2)
        frames.append([person(*pos), person(*pos, size=1.3)][:: 1 if t % 3 else -1])
    for track in link_tracks(frames):
        assert len({round(float(np.ptp(p.pos[:, 1])), 2) for p in track.values()}) == 1


def test_a_person_may_stop_while_not_detected():
    frames = [[person(0.3 * t), person(50)] for t in range(5)]
    frames += [[person(50)]] * 8 + [[person(1.2), person(50)]]
    assert len(link_tracks(frames)) == 2


def test_close_matches_take_precedence_over_distant_ones():
    frames = [[person(0), person(100)], [person(0.9), person(50)]]
    assert positions(link_tracks(frames), len(frames)) == [[0, 0.9], [100, None], [None, 50]]


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
    # The others keep their track IDs if a person has none.
    frames[1][1] = person(0)
    assert [track.pos[:, 2, 0].tolist() for track in make_tracks(frames, 'file')] == [
        [0, 9],
        [0, 0],
    ]


def test_people_without_a_track_id_are_linked_to_those_with_one():
    # The positions are exchanged after the second frame, as the IDs tell.
    frames = [[person(0, identity=None if t in missing else 1), person(9, identity=2)]
              for missing in [(0, 3)] for t in range(5)]  # fmt: skip
    for frame in frames[2:]:
        frame[:] = [person(9, identity=frame[0].identity), person(0, identity=2)]
    tracks = make_tracks(frames, 'file')
    assert [track.pos[:, 2, 0].tolist() for track in tracks] == [[0, 0, 9, 9, 9], [9, 9, 0, 0, 0]]
    # A new ID is a new person, even at the place of a known one.
    frames = [[person(0, identity=1)], [person(0, identity=2)]]
    assert len(make_tracks(frames, 'file')) == 2


def test_long_recordings_keep_the_most_visible_people(monkeypatch):
    monkeypatch.setattr(tracks, '_MOST_BYTES', 2 * 4 * 6 * 9)  # two people
    frames = [[person(100 * (t // 2), identity=t // 2)] for t in range(5)] + [[]]
    with pytest.warns(UserWarning, match='file: kept the 2 most visible of 3 people'):
        kept = make_tracks(frames, 'file')
    assert [track.pos[:, 2, 0].tolist() for track in kept] == [
        [0, 0, 0, 0, 0, 0],
        [0, 0, 100, 100, 0, 0],
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
    assert positions(link_tracks(frames, max_gap=0), len(frames)) == [[0, None, None, None, 0]]


def test_no_people_and_different_joint_numbers_raise():
    other = Detection(np.ones((4, 2), np.float32), np.ones(4, np.float32))
    with pytest.raises(ValueError, match=r'file: number of joints: .* found 3 and 4'):
        make_tracks([[person(0)], [other]], 'file')
    with pytest.raises(ValueError, match=r'file: people: expected at least one .* found none'):
        make_tracks([[], []], 'file')


def test_detections_are_finite_with_scores_up_to_one():
    joints = [[1, 2, 0.5], [3, 4, 1.2], [5, 6, 0], [7, 8, -1], [np.nan, 9, 0.5], [1, 1, np.nan]]
    found = find_detection(np.array(joints), 'file', 'field', 3)
    (track,) = make_tracks([[found]], 'file')
    np.testing.assert_allclose(track.score, [[0.5, 1, 0, 0, 0, 0]])
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


def test_stacked_tracks_warn_if_they_cover_few_frames():
    frames = [[person(50 * (t % 3), identity=t % 3), person(-9, identity=9)] for t in range(9)]
    found = make_tracks(frames, 'file')
    with pytest.warns(UserWarning, match='the 2 most visible of 4 people have 12 of 18 detections'):
        stack_tracks(found, 2)
    # The most visible person is in all frames.
    assert stack_tracks(found, 1).score.any(axis=(0, 2)).all()
    assert stack_tracks(found, 4).score.shape == (4, 9, 3)


def test_absurd_coordinates_are_an_error():
    far = person(1)._replace(pos=np.full((3, 2), 1e155))
    with pytest.raises(
        ValueError, match=r'file: positions: expected coordinates of at most 1e\+09'
    ):
        make_tracks([[far], [person(1)]], 'file')


def test_repr_has_the_shapes():
    track = Track(np.zeros((4, 3, 2)), np.ones((4, 3)))
    assert repr([track]) == '[Track(pos=[4, 3, 2], score=[4, 3])]'
