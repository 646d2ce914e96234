import json

import numpy as np
import pytest

from graphmotion.io import read_alphapose


def entry(image, x=0.0, score=0.5, num_joints=17, **fields):
    pos = np.random.default_rng(0).uniform(0, 100, size=(num_joints, 2)) + np.array([x, 0])
    joints = np.concatenate([pos, np.full((num_joints, 1), score)], axis=1)
    return {'image_id': image, 'category_id': 1, 'keypoints': joints.ravel().tolist()} | fields


def write(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


def test_reads_people_by_number_or_place(tmp_path):
    entries = [entry('10.jpg', 300), entry('9.jpg', 0), entry('9.jpg', 300), entry('12.jpg', 0)]
    tracks = read_alphapose(write(tmp_path / 'a.json', entries))
    seen = [track.score[:, 0].tolist() for track in tracks]
    assert seen == [[0.5, 0, 0, 0.5], [0.5, 0.5, 0, 0]]
    x = np.float32(entry('0.jpg')['keypoints'][0])
    np.testing.assert_allclose(tracks[1].pos[:2, 0, 0], [x + 300] * 2, rtol=1e-6)
    for numbers in ([1, 1, 2, 2], [[1], [1.0], [[2]], [2]], [1.0, 1, 2.0, 2]):
        known = [e | {'idx': n} for e, n in zip(entries, numbers)]
        tracks = read_alphapose(write(tmp_path / 'b.json', known))
        seen = [track.score[:, 0].tolist() for track in tracks]
        assert sorted(seen) == [[0.5, 0, 0, 0.5], [0.5, 0.5, 0, 0]]


def test_any_number_of_joints(tmp_path):
    entries = [entry('frame_1.png', num_joints=26), entry('frame_2.png', num_joints=26)]
    (track,) = read_alphapose(write(tmp_path / 'a.json', entries))
    assert track.pos.shape == (2, 26, 2)
    assert len(read_alphapose(write(tmp_path / 'a.json', [entry(3)]))) == 1


@pytest.mark.parametrize(
    ('content', 'match'),
    [
        ('', 'content: expected JSON, found an empty file'),
        ('[{"image_id": "1.jpg", "keyp', 'content: expected JSON'),
        (3, 'content: expected a list'),
        ({}, 'people: expected at least one'),
        ({'1.jpg': {'version': 1}}, r"content\['1.jpg'\]: expected one of the fields"),
        ({'1.jpg': [3]}, r"content\['1.jpg'\]\[0\]: expected an object"),
        ([3], r'content\[0\]: expected an object, found 3'),
        ([], 'people: expected at least one'),
        ([entry('1.jpg'), entry('image.jpg')], r"content\[1\].image_id: .* found 'image.jpg'"),
        ([entry('1.jpg'), entry(None)], r'content\[1\].image_id: .* found None'),
        ([{'image_id': '1.jpg'}], r'content\[0\].keypoints: .* found nothing'),
        ([entry('1.jpg') | {'keypoints': [1, 2]}], r'keypoints: expected 3 numbers per joint'),
        ([entry('1.jpg') | {'keypoints': [[1, 2, 3]]}], r'keypoints: .* the shape \[1, 3\]'),
        ([entry('1.jpg'), entry('2.jpg', num_joints=26)], 'number of joints: .* found 17 and 26'),
        ([entry('1.jpg', score=0)], 'people: expected at least one'),
    ],
)
def test_errors_describe_the_fault(tmp_path, content, match):
    with pytest.raises(ValueError, match=rf'a\.json: .*{match}'):
        read_alphapose(write(tmp_path / 'a.json', content))


def test_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match='no such file'):
        read_alphapose(str(tmp_path / 'nowhere.json'))


def test_without_tracking_people_are_linked_by_position(tmp_path):
    # AlphaPose writes the same number for everybody.
    entries = [entry(f'{t}.jpg', x, idx=[0.0]) for t in range(8) for x in (0, 300)]
    tracks = read_alphapose(write(tmp_path / 'a.json', entries))
    x = entry('0.jpg')['keypoints'][0]
    starts = sorted(track.pos[:, 0, 0].tolist() for track in tracks)
    np.testing.assert_allclose(starts, [[x] * 8, [x + 300] * 8], rtol=1e-6)


def test_frames_missing_from_the_file_are_no_gap(tmp_path):
    entries = [entry(f'{t}.jpg', t) for t in (0, 60, 121, 180)]
    with pytest.warns(UserWarning, match='only 4 of 0..180 exist'):
        (track,) = read_alphapose(write(tmp_path / 'a.json', entries))
    assert (track.score[:, 0] > 0).nonzero()[0].tolist() == [0, 60, 121, 180]


def test_several_recordings_are_not_merged(tmp_path):
    entries = [entry('a_0.jpg'), entry('a_1.jpg'), entry('b_0.jpg', 50)]
    path = write(tmp_path / 'a.json', entries)
    with pytest.raises(ValueError, match=r"recording='a', found recordings \['a', 'b'\]"):
        read_alphapose(path)
    (track,) = read_alphapose(path, recording='b')
    np.testing.assert_allclose(track.pos[:, 0, 0], entry('0', 50)['keypoints'][0], rtol=1e-6)


@pytest.mark.parametrize(
    'form',
    [
        lambda people: people,
        lambda people: {'bodies': [{'joints': p['keypoints']} for p in people]},
        lambda people: {'people': [{'pose_keypoints_2d': p['keypoints']} for p in people]},
    ],
)
def test_other_forms_by_image(tmp_path, form):
    people = {t: [entry(0, x + t) for x in (0, 300)] for t in (8, 9, 10)}
    content = {f'walk_{t}.jpg': form(people[t]) for t in (10, 9, 8)}
    tracks = read_alphapose(write(tmp_path / 'a.json', content))
    x = entry(0)['keypoints'][0]
    starts = sorted(track.pos[:, 0, 0].tolist() for track in tracks)
    np.testing.assert_allclose(starts, [[x + 8, x + 9, x + 10], [x + 308, x + 309, x + 310]])


def test_tracked_people_by_image(tmp_path):
    left, right = entry(0), entry(0, 300)
    content = {'0.jpg': [left | {'idx': 1}, right | {'idx': 2}],
               '1.jpg': [left | {'idx': 2}, right | {'idx': 1}]}  # fmt: skip
    tracks = read_alphapose(write(tmp_path / 'a.json', content))
    assert sorted(float(np.diff(t.pos[:, 0, 0])[0].round()) for t in tracks) == [-300, 300]


def test_times_in_milliseconds_are_consecutive_frames(tmp_path):
    entries = [entry(f'{1700000000000 + 40 * t}.jpg', t) for t in range(25)]
    with pytest.warns(UserWarning, match='multiples of 40 apart'):
        (track,) = read_alphapose(write(tmp_path / 'a.json', entries))
    x = entry('0.jpg')['keypoints'][0]
    np.testing.assert_allclose(track.pos[:, 0, 0] - x, range(25), atol=1e-4)


@pytest.mark.parametrize('image', ['1.04.jpg', 1.04])
def test_times_in_seconds_are_an_error(tmp_path, image):
    reason = r'image_id: expected a name with a frame number, .* renumbered, found .?1\.04'
    with pytest.raises(ValueError, match=reason):
        read_alphapose(write(tmp_path / 'a.json', [entry(image), entry('1.08.jpg')]))


def test_a_constant_number_after_the_frame_is_no_frame_number(tmp_path):
    entries = [entry(f'walk_{t}_mask0.jpg', t) for t in range(12)]
    (track,) = read_alphapose(write(tmp_path / 'a.json', entries))
    np.testing.assert_allclose(np.diff(track.pos[:, 0, 0]), 1, atol=1e-4)


def test_repeated_detections_are_one(tmp_path):
    entries = [entry(f'{t}.jpg', t) for t in range(5)]
    with pytest.warns(UserWarning, match='dropped 5 detections that repeat another one'):
        tracks = read_alphapose(write(tmp_path / 'a.json', entries * 2))
    assert [track.pos.shape for track in tracks] == [(5, 17, 2)]


def test_percentages_and_other_scores(tmp_path):
    percent = entry('1.jpg')
    percent['keypoints'][2::3] = np.linspace(1, 99, 17).tolist()
    with pytest.warns(UserWarning, match=r'a\.json: scores: divided by 100'):
        (track,) = read_alphapose(write(tmp_path / 'a.json', [percent]))
    np.testing.assert_allclose(track.score[0], np.linspace(0.01, 0.99, 17), rtol=1e-5)
    for score, other in ((200, 150), (50, 0.5)):
        percent['keypoints'][2::3] = [score, *[other] * 16]
        with pytest.raises(ValueError, match=rf'a\.json: scores: .* 0\.\.100, found {score}'):
            read_alphapose(write(tmp_path / 'a.json', [percent]))
    # Logits, such as those of SimCC, are clipped.
    percent['keypoints'][2::3] = np.linspace(0.5, 8, 17).tolist()
    (track,) = read_alphapose(write(tmp_path / 'a.json', [percent]))
    np.testing.assert_allclose(track.score[0], np.linspace(0.5, 8, 17).clip(max=1), rtol=1e-5)


def test_a_file_in_another_encoding(tmp_path):
    text = json.dumps([entry('1.jpg') | {'name': 'é'}], ensure_ascii=False)
    (tmp_path / 'a.json').write_bytes(text.encode('latin-1'))
    with pytest.raises(ValueError, match=r'a\.json: content: .* UTF-8, .* found the byte e9 at'):
        read_alphapose(str(tmp_path / 'a.json'))
