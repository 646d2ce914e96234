import json

import numpy as np
import pytest

from graphmotion.data import from_array
from graphmotion.io import read_openpose


def joints(x, num_joints=25, score=0.5):
    pos = np.random.default_rng(num_joints).uniform(0, 100, size=(num_joints, 2)) + np.array([x, 0])
    return np.concatenate([pos, np.full((num_joints, 1), score)], axis=1)


def write(folder, frames, pattern='walk_{:012d}_keypoints.json'):
    """Writes frames by number, each a list of (joints, person ID)."""
    folder.mkdir(exist_ok=True)
    for number, people in frames.items():
        content = [
            {'person_id': [identity], 'pose_keypoints_2d': np.ravel(pose).tolist()}
            for pose, identity in people
        ]
        text = json.dumps({'version': 1.3, 'people': content})
        (folder / pattern.format(number)).write_text(text)
    return str(folder)


@pytest.mark.parametrize(('num_joints', 'layout'), [(25, 'body25'), (18, 'openpose18')])
def test_reads_a_recording(tmp_path, num_joints, layout):
    pose = joints(0, num_joints)
    lost = pose.copy()
    lost[3] = 0
    folder = write(tmp_path / 'a', {0: [(pose, -1)], 1: [(lost, -1)], 2: []})
    (track,) = read_openpose(folder)
    assert track.pos.shape == (3, num_joints, 2)
    np.testing.assert_allclose(track.pos[0], pose[:, :2], rtol=1e-6)
    assert track.score[:, 3].tolist() == [0.5, 0, 0]
    data = from_array(track.pos, layout, track.score)
    assert data.score.sum(dim=0).tolist() == [num_joints / 2, (num_joints - 1) / 2, 0]


def test_frames_are_in_the_order_of_their_numbers_with_gaps(tmp_path):
    frames = {10: [(joints(10), -1)], 9: [(joints(9), -1)], 12: [(joints(12), -1)]}
    (track,) = read_openpose(write(tmp_path / 'a', frames, 'walk_{}_keypoints.json'))
    np.testing.assert_allclose(
        track.pos[:, 0, 0] - joints(0)[0, 0], [9, 10, -joints(0)[0, 0], 12], rtol=1e-5
    )
    assert track.score[:, 0].tolist() == [0.5, 0.5, 0, 0.5]


def test_people_are_tracked_by_position_or_id(tmp_path):
    left, right = joints(0), joints(300)
    frames = {0: [(left, -1), (right, -1)], 1: [(right, -1), (left, -1)]}
    tracks = read_openpose(write(tmp_path / 'a', frames))
    assert sorted(track.pos[:, 0, 0].round().tolist() for track in tracks) == [
        [left[0, 0].round()] * 2,
        [right[0, 0].round()] * 2,
    ]
    frames = {0: [(left, 1), (right, 2)], 1: [(right, 1), (left, 2)]}
    for track in read_openpose(write(tmp_path / 'b', frames)):
        assert abs(track.pos[1, 0, 0] - track.pos[0, 0, 0]) > 200


def test_people_without_a_pose_and_other_files_are_skipped(tmp_path):
    folder = write(tmp_path / 'a', {0: [(joints(0), -1), ([], -1)]})
    (tmp_path / 'a' / 'notes.txt').write_text('')
    (tmp_path / 'a' / 'settings.json').write_text('{}')
    assert len(read_openpose(folder)) == 1


@pytest.mark.parametrize(
    ('content', 'reason'),
    [
        ('', 'with content not JSON'),
        ('{"people": [{"pose_keypoints_2d": [1', 'with content not JSON'),
        ('[]', 'with people not a list'),
        ('{"people": 3}', 'with people not a list'),
        ('{"people": [3]}', r'with people\[0\] not an object'),
        ('{"people": [{"pose_keypoints_2d": [1, 2, 3, 4]}]}', 'not 3 numbers per joint'),
        ('{"people": [{"pose_keypoints_2d": [1, 2, 3]}]}', 'not 18 or 25 joints'),
        ('{"people": [{"pose_keypoints_2d": ["a", "b", "c"]}]}', 'not numbers of shape'),
    ],
)
def test_a_frame_that_cannot_be_read_is_counted(tmp_path, content, reason):
    folder = write(tmp_path / 'a', {0: [(joints(0), -1)], 2: [(joints(2), -1)]})
    (tmp_path / 'a' / 'walk_000000000001_keypoints.json').write_text(content)
    with pytest.warns(UserWarning, match=rf'skipped 1 of 3 samples: 1 .*{reason}.*\(walk_0+1_'):
        (track,) = read_openpose(folder)
    assert track.score[:, 0].tolist() == [0.5, 0, 0.5]
    for name in ('walk_000000000000_keypoints.json', 'walk_000000000002_keypoints.json'):
        (tmp_path / 'a' / name).unlink()
    with pytest.raises(ValueError, match=rf'a: all 1 samples were skipped: 1 .*{reason}'):
        read_openpose(folder)


def test_other_folders_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='nowhere: no such folder'):
        read_openpose(str(tmp_path / 'nowhere'))
    (tmp_path / 'a').mkdir()
    with pytest.raises(ValueError, match=r'a: files: expected \*_keypoints.json .* found none'):
        read_openpose(str(tmp_path / 'a'))
    folder = write(tmp_path / 'a', {0: [(joints(0), -1)]})
    write(tmp_path / 'a', {0: [(joints(0), -1)]}, 'run_{:012d}_keypoints.json')
    with pytest.raises(ValueError, match=r"found recordings \['run', 'walk'\]"):
        read_openpose(folder)
    folder = write(tmp_path / 'b', {0: [(joints(0), -1)], 10**9: [(joints(0), -1)]})
    with pytest.raises(ValueError, match=r'frame numbers: .* found 2 of 0\.\.1000000000'):
        read_openpose(folder)
    with pytest.raises(ValueError, match='people: expected at least one'):
        read_openpose(write(tmp_path / 'c', {0: []}))


def test_a_shared_person_id_is_ignored(tmp_path):
    frames = {t: [(joints(0), 0), (joints(300), 0)] for t in range(4)}
    tracks = read_openpose(write(tmp_path / 'a', frames))
    assert [np.ptp(track.pos[:, 0, 0]) for track in tracks] == [0, 0]


def test_missing_files_are_no_gap_and_the_gap_can_be_set(tmp_path):
    frames = {t: [(joints(t), -1)] for t in (0, 61, 119)}
    with pytest.warns(UserWarning, match='only 3 of 0..119 exist'):
        assert len(read_openpose(write(tmp_path / 'a', frames))) == 1
    frames = {0: [(joints(0), -1)], 1: [], 2: [], 3: [(joints(0), -1)]}
    folder = write(tmp_path / 'b', frames)
    assert len(read_openpose(folder)) == 1
    assert len(read_openpose(folder, max_gap=1)) == 2


def test_suffixes_are_not_case_sensitive(tmp_path):
    folder = write(tmp_path / 'a', {0: [(joints(0), -1)], 1: [(joints(1), -1)]})
    name = tmp_path / 'a' / 'walk_000000000001_keypoints.json'
    name.rename(name.with_suffix('.JSON'))
    assert read_openpose(folder)[0].pos.shape == (2, 25, 2)


def test_fields_of_other_versions(tmp_path):
    folder = tmp_path / 'a'
    folder.mkdir()
    pose = np.concatenate([joints(0), np.ones((25, 1))], axis=1)
    for number, (field, values) in enumerate(
        [('pose_keypoints', joints(0)), ('pose_keypoints_3d', pose)]
    ):
        person = {'pose_keypoints_2d': [], field: values.ravel().tolist()}
        file = folder / 'walk_0_keypoints.json'
        file.write_text(json.dumps({'people': [person]}))
        (track,) = read_openpose(str(folder))
        assert track.pos.shape == (1, 25, 2 + number)
        np.testing.assert_allclose(track.pos[0], values[:, :-1], rtol=1e-6)


def test_a_recording_of_several_can_be_chosen(tmp_path):
    write(tmp_path / 'a', {0: [(joints(0), -1)]})
    folder = write(tmp_path / 'a', {0: [(joints(9), -1)]}, 'run_{:012d}_keypoints.json')
    (track,) = read_openpose(folder, recording='run')
    np.testing.assert_allclose(track.pos[0], joints(9)[:, :2], rtol=1e-6)


def test_frames_at_regular_steps_are_consecutive(tmp_path):
    # One frame a second of a video of 60 frames per second.
    folder = write(tmp_path / 'a', {60 * t: [(joints(t), -1)] for t in range(4)})
    with pytest.warns(UserWarning, match='the 4 numbers 0..180 are multiples of 60 apart'):
        (track,) = read_openpose(folder)
    np.testing.assert_allclose(track.pos[:, 0, 0] - joints(0)[0, 0], [0, 1, 2, 3], atol=1e-4)


def test_two_files_of_a_frame_are_an_error(tmp_path):
    folder = write(tmp_path / 'a', {0: [(joints(0), -1)]}, 'walk_{}_keypoints.json')
    write(tmp_path / 'a', {0: [(joints(0), -1)]}, 'walk_{:03d}_keypoints.json')
    found = 'found walk_000_keypoints.json and walk_0_keypoints.json'
    with pytest.raises(ValueError, match=f'files: expected one file per frame, {found}'):
        read_openpose(folder)


def test_a_file_instead_of_a_folder(tmp_path):
    folder = write(tmp_path / 'a', {0: [(joints(0), -1)]})
    with pytest.raises(ValueError, match=r'expected a folder with one file .* found a file'):
        read_openpose(f'{folder}/walk_000000000000_keypoints.json')


def test_frames_named_by_time_are_an_error(tmp_path):
    folder = write(tmp_path / 'a', {0: [(joints(0), -1)]}, '1.0{}_keypoints.json')
    with pytest.raises(ValueError, match=r'frames named by time must be renumbered, found 1\.00_'):
        read_openpose(folder)


def test_files_without_bodies_are_an_error(tmp_path):
    folder = tmp_path / 'a'
    folder.mkdir()
    person = {'pose_keypoints_2d': [], 'hand_left_keypoints_2d': [1.0] * 63}
    for number in range(2):
        (folder / f'walk_{number}_keypoints.json').write_text(json.dumps({'people': [person]}))
    reason = r'bodies with pose_keypoints_2d \(faces and hands are not read\)'
    with pytest.raises(ValueError, match=f'all 2 samples were skipped: 2 with people not {reason}'):
        read_openpose(str(folder))
    body = {'pose_keypoints_2d': joints(0).ravel().tolist()}
    text = json.dumps({'people': [person, body]})
    (folder / 'walk_2_keypoints.json').write_text(text)
    with pytest.warns(UserWarning, match='skipped 2 of 3 samples'):
        (track,) = read_openpose(str(folder))
    assert track.score[:, 0].tolist() == [0, 0, 0.5]
