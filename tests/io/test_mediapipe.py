import json
from functools import cache

import numpy as np
import pytest

from graphmotion.data import from_array
from graphmotion.graphs import face_edges
from graphmotion.io import read_face_mesh, read_mediapipe
from graphmotion.skeletons import Skeleton


def landmarks(x=0.0, visibility=0.5, number=33):
    pos = np.random.default_rng(0).uniform(size=(number, 3)) + np.array([x, 0, 0])
    names = ('x', 'y', 'z')
    return [dict(zip(names, p)) | {'visibility': visibility} for p in pos.tolist()]


def write(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


@pytest.mark.parametrize(
    'frame',
    [
        landmarks(),
        [landmarks()],
        {'landmark': landmarks()},
        [{'landmarks': landmarks()}],
        {'pose_landmarks': landmarks()},
        {'pose_landmarks': [landmarks()], 'other': 3},
        {'poseLandmarks': {'landmark': landmarks()}},
        {'poseWorldLandmarks': landmarks()},
    ],
)
@pytest.mark.parametrize('outer', [False, True])
def test_every_form_is_read(tmp_path, frame, outer):
    content = [frame, None, [], frame]
    path = write(tmp_path / 'a.json', {'frames': content} if outer else content)
    (track,) = read_mediapipe(path)
    assert track.pos.shape == (4, 33, 3)
    assert track.score[:, 7].tolist() == [0.5, 0, 0, 0.5]
    expected = [[p['x'], p['y'], p['z']] for p in landmarks()]
    np.testing.assert_allclose(track.pos[3], expected, rtol=1e-6)
    assert from_array(track.pos, 'mediapipe33', track.score).pos.shape == (33, 4, 3)


def test_several_people_are_followed(tmp_path):
    frames = [[landmarks(), landmarks(5)], [landmarks(5.1), landmarks(0.1)]]
    tracks = read_mediapipe(write(tmp_path / 'a.json', frames))
    x = landmarks()[0]['x']
    starts = sorted(track.pos[:, 0, 0].tolist() for track in tracks)
    np.testing.assert_allclose(starts, [[x, x + 0.1], [x + 5, x + 5.1]], rtol=1e-5)


def test_landmarks_of_the_image_or_the_world(tmp_path):
    frame = {'pose_landmarks': [landmarks()], 'pose_world_landmarks': [landmarks(9)]}
    path = write(tmp_path / 'a.json', [frame])
    assert (
        read_mediapipe(path)[0].pos[0, 0, 0] < 5 < read_mediapipe(path, world=True)[0].pos[0, 0, 0]
    )


def test_without_visibility_the_score_is_one(tmp_path):
    bare = [{k: v for k, v in p.items() if k != 'visibility'} for p in landmarks()]
    assert read_mediapipe(write(tmp_path / 'a.json', [bare]))[0].score.min() == 1


@pytest.mark.parametrize(
    ('content', 'match'),
    [
        ('', 'content: expected JSON, found an empty file'),
        ('[[{"x": 0.1, ', 'content: expected JSON'),
        ({'results': []}, r'frames: expected a list, found the fields \[.results.\]'),
        (3, 'frames: expected a list, found 3'),
        ([landmarks(), 3], r'frames\[1\]: expected landmarks, found 3'),
        ([landmarks(number=17)], r'frames\[0\]: expected 33 landmarks, found 17'),
        ([{'hands': []}], r"frames\[0\]: expected one of the fields .*, found \['hands'\]"),
        ([[3, 4]], r'frames\[0\]: expected 33 landmarks, found 3'),
        ([[[3] * 33]], r'frames\[0\]: expected landmarks with x, y and z'),
        ([[{'x': 1, 'y': 2}] * 33], r'frames\[0\]: expected landmarks with x, y and z'),
        ([[{'x': 'a', 'y': 2, 'z': 3}] * 33], r'frames\[0\]: .* values of type <U'),
        ([[{'x': [1], 'y': 2, 'z': 3}] * 33], r'frames\[0\]: expected landmarks with x, y'),
        ([None, []], 'people: expected at least one'),
        ([], 'people: expected at least one'),
    ],
)
def test_errors_describe_the_fault(tmp_path, content, match):
    with pytest.raises(ValueError, match=rf'a\.json: {match}'):
        read_mediapipe(write(tmp_path / 'a.json', content))


def test_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match='no such file'):
        read_mediapipe(str(tmp_path / 'nowhere.json'))


def test_results_of_javascript(tmp_path):
    frame = {'landmarks': [landmarks()], 'worldLandmarks': [landmarks(9)]}
    path = write(tmp_path / 'a.json', [frame])
    x = landmarks()[0]['x']
    assert read_mediapipe(path)[0].pos[0, 0, 0] == pytest.approx(x)
    assert read_mediapipe(path, world=True)[0].pos[0, 0, 0] == pytest.approx(x + 9)


def test_visibility_null_is_as_without(tmp_path):
    assert (
        read_mediapipe(write(tmp_path / 'a.json', [landmarks(visibility=None)]))[0].score.min() == 1
    )


@pytest.mark.parametrize('name', ['frame', 'frame_id', 'frameIndex', 'frame_number'])
def test_frames_are_ordered_by_their_numbers(tmp_path, name):
    frames = [{name: n, 'landmarks': landmarks(n)} for n in (13, 12, 11, 2, 1, 0)]
    (track,) = read_mediapipe(write(tmp_path / 'a.json', frames))
    x = landmarks()[0]['x']
    expected = [x + n if n < 3 or n > 10 else 0 for n in range(14)]
    np.testing.assert_allclose(track.pos[:, 0, 0], expected, rtol=1e-6)
    frames[1][name] = 13
    with pytest.raises(ValueError, match=r'frames\[1\]: expected a new frame number, found 13'):
        read_mediapipe(write(tmp_path / 'a.json', frames))
    del frames[1][name]  # without a number in all entries, in the order of the file
    assert read_mediapipe(write(tmp_path / 'a.json', frames))[0].pos.shape[0] == 6


def test_two_kinds_of_landmarks_are_not_mixed(tmp_path):
    both = {'landmarks': [landmarks()], 'worldLandmarks': [landmarks(9)]}
    path = write(tmp_path / 'a.json', [both, {'landmarks': [landmarks()]}])
    assert read_mediapipe(path)[0].pos.shape[0] == 2
    with pytest.raises(ValueError, match=r'one kind of landmarks, found image .* and world'):
        read_mediapipe(path, world=True)


@cache
def face_layout(number):
    bones = [(i, j) for i, j in face_edges(f'facemesh{number}').t().tolist() if i < j]
    return Skeleton([f'point {i}' for i in range(number)], bones, tree=False)


@pytest.mark.parametrize('number', [468, 478])
@pytest.mark.parametrize(
    'form',
    [
        lambda face: face,
        lambda face: {'faceLandmarks': [face], 'faceBlendshapes': []},
        lambda face: {'multi_face_landmarks': [{'landmark': face}]},
        lambda face: {'face_landmarks': face, 'pose_landmarks': landmarks()},
    ],
)
def test_face_meshes(tmp_path, number, form):
    # MediaPipe writes the visibility 0 for all points of a face.
    faces = [landmarks(t / 100, visibility=0.0, number=number) for t in range(2)]
    (track,) = read_face_mesh(write(tmp_path / 'a.json', [*map(form, faces), None]))
    expected = [[[p[axis] for axis in 'xyz'] for p in face] for face in faces]
    np.testing.assert_allclose(track.pos[:2], expected, rtol=1e-6)
    assert track.score[:, 0].tolist() == [1, 1, 0]
    assert from_array(track.pos, face_layout(number), axes='TVC').pos.shape == (number, 3, 3)


def test_face_meshes_of_another_size(tmp_path):
    with pytest.raises(ValueError, match=r'frames\[0\]: expected 468 or 478 landmarks, found 33'):
        read_face_mesh(write(tmp_path / 'a.json', [landmarks()]))
