import json

import numpy as np
import pytest

from graphmotion.io import read_ultralytics, read_yolo_txt


def joints(x=0.0):
    pos = np.random.default_rng(0).uniform(0, 100, size=(17, 2)) + np.array([x, 0])
    return pos, np.linspace(0.1, 0.9, 17)


def person(x=0.0, **fields):
    pos, score = joints(x)
    keypoints = {'x': pos[:, 0].tolist(), 'y': pos[:, 1].tolist(), 'visible': score.tolist()}
    return {'name': 'person', 'class': 0, 'confidence': 0.9, 'keypoints': keypoints} | fields


def write(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


@pytest.mark.parametrize('outer', [lambda f: f, lambda f: {'frames': f}])
def test_reads_frames(tmp_path, outer):
    frames = [[person(0), person(300)], [], None, [person(301), person(1)]]
    tracks = read_ultralytics(write(tmp_path / 'a.json', outer(frames)))
    pos, score = joints()
    by_place = sorted(tracks, key=lambda track: track.pos[0, 0, 0])
    for x, track in zip((0, 300), by_place):
        np.testing.assert_allclose(track.pos[0], pos + np.array([x, 0]), rtol=1e-5)
        np.testing.assert_allclose(track.pos[3], pos + np.array([x + 1, 0]), rtol=1e-5)
        np.testing.assert_allclose(track.score[[0, 3]], [score] * 2, rtol=1e-5)
        assert not track.score[[1, 2]].any()


def test_one_list_is_one_frame_and_visibility_is_optional(tmp_path):
    one = person()
    del one['keypoints']['visible']
    (track,) = read_ultralytics(write(tmp_path / 'a.json', [one]))
    assert track.score.tolist() == [[1.0] * 17]


@pytest.mark.parametrize('form', ['json', 'txt'])
def test_people_of_several_classes(tmp_path, form):
    if form == 'json':
        frames = [[person(), person(300, **{'class': 16, 'name': 'dog'})]] * 2
        read, path = read_ultralytics, write(tmp_path / 'a.json', frames)
    else:
        lines = [label(), '16' + label(300)[1:]]
        read, path = read_yolo_txt, write_labels(tmp_path / 'a', {0: lines, 1: lines})
    with pytest.warns(UserWarning, match=r'of the categories \[0, 16\]; pass category=0 to'):
        assert len(read(path)) == 2
    (own,), (dog,) = read(path, category=0), read(path, category=16)
    assert own.pos[0, 0, 0] < dog.pos[0, 0, 0]
    with pytest.raises(ValueError, match='people: expected at least one'):
        read(path, category=3)


def test_track_ids_identify_people(tmp_path):
    frames = [[person(0, track_id=1), person(300, track_id=2)],
              [person(0, track_id=2), person(300, track_id=1)]]  # fmt: skip
    tracks = read_ultralytics(write(tmp_path / 'a.json', frames))
    assert sorted(float(np.diff(t.pos[:, 0, 0])[0].round()) for t in tracks) == [-300, 300]


@pytest.mark.parametrize(
    ('content', 'match'),
    [
        ('', 'content: expected JSON, found an empty file'),
        (3, 'frames: expected a list, found 3'),
        ([[3]], r'frames\[0\]\[0\]: expected an object'),
        ([[{}]], r'frames\[0\]\[0\].keypoints: expected an object with x and y, found None'),
        ([[{'keypoints': {'x': [1], 'y': [1, 2]}}]], r'keypoints.y: .* the shape \[2\]'),
        ([[{'keypoints': {'x': ['a'], 'y': [1]}}]], r'keypoints.x: .* values of type <U1'),
        ([[], []], 'people: expected at least one'),
    ],
)
def test_malformed_files(tmp_path, content, match):
    with pytest.raises(ValueError, match=rf'a\.json: .*{match}'):
        read_ultralytics(write(tmp_path / 'a.json', content))


def label(x=0.0, extra=(), visibility=True):
    pos, score = joints(x)
    values = np.concatenate([pos / 1000, score[:, None]], axis=1) if visibility else pos / 1000
    return ' '.join(map(str, [0, 0.5, 0.5, 0.2, 0.2, *values.ravel(), *extra]))


def write_labels(folder, frames):
    folder.mkdir(exist_ok=True)
    for number, lines in frames.items():
        (folder / f'walk_{number}.txt').write_text('\n'.join(lines) + '\n')
    return str(folder)


def test_reads_labels(tmp_path):
    folder = write_labels(tmp_path / 'a', {9: [label()], 10: [label(1)], 12: [label(3)]})
    (track,) = read_yolo_txt(folder, image_size=(1000, 500))
    pos, score = joints()
    for frame in (0, 1, 3):
        np.testing.assert_allclose(
            track.pos[frame], (pos + np.array([frame, 0])) * [1, 0.5], rtol=1e-4
        )
        np.testing.assert_allclose(track.score[frame], score, rtol=1e-5)
    assert not track.score[2].any()
    np.testing.assert_allclose(read_yolo_txt(folder)[0].pos[0], pos / 1000, rtol=1e-4)


@pytest.mark.parametrize(('extra', 'swap'), [((0.9,), False), ((0.9, 1), True), ((1,), True)])
def test_confidence_and_track_id_of_labels(tmp_path, extra, swap):
    def one(x, identity):
        own = (*extra[:-1], identity) if isinstance(extra[-1], int) else extra
        return label(x, own)

    frames = {0: [one(0, 1), one(300, 2)], 1: [one(0, 2), one(300, 1)]}
    tracks = read_yolo_txt(write_labels(tmp_path / 'a', frames), image_size=(1000, 1000))
    steps = sorted(float(np.diff(t.pos[:, 0, 0])[0].round()) for t in tracks)
    assert steps == ([-300, 300] if swap else [0, 0])


def test_labels_without_visibility(tmp_path):
    folder = write_labels(tmp_path / 'a', {0: [label(visibility=False)]})
    (track,) = read_yolo_txt(folder, visibility=False)
    assert track.pos.shape == (1, 17, 2)
    assert track.score.tolist() == [[1.0] * 17]


def test_malformed_labels(tmp_path):
    folder = write_labels(tmp_path / 'a', {0: [label()], 1: ['0 1 2 3 a'], 2: [label(), '0 1 2']})
    with pytest.warns(UserWarning, match=r'skipped 2 of 3 .* with lines not'):
        assert read_yolo_txt(folder)[0].score[:, 16].tolist() == [pytest.approx(0.9), 0, 0]
    with pytest.raises(ValueError, match=r'image_size must be \(width, height\), got 3'):
        read_yolo_txt(folder, image_size=3)
    with pytest.raises(FileNotFoundError, match='no such folder'):
        read_yolo_txt(str(tmp_path / 'b'))
    (tmp_path / 'c').mkdir()
    (tmp_path / 'c' / 'a_0.json').write_text('')
    with pytest.raises(ValueError, match=r'expected \*\.txt with frame numbers, found a_0\.json'):
        read_yolo_txt(str(tmp_path / 'c'))


def test_joints_at_the_origin_are_missing(tmp_path):
    # Ultralytics moves joints with a score below 0.5 there and keeps the score.
    one = person(600)
    one['keypoints']['x'][9] = one['keypoints']['y'][9] = 0.0
    (track,) = read_ultralytics(write(tmp_path / 'a.json', [[one]]))
    assert track.score[0, 9] == 0
    assert (track.score[0, :9] > 0).all()
    cells = label().split()
    cells[5 + 27 : 5 + 29] = ['0', '0']
    (track,) = read_yolo_txt(write_labels(tmp_path / 'b', {0: [' '.join(cells)]}))
    assert track.score[0, 9] == 0


def test_labels_of_two_numbers_per_joint_are_not_read_as_three(tmp_path):
    pos = np.random.default_rng(0).uniform(0.41, 0.59, size=(17, 2))
    pos += np.array([-0.2, 0.1])
    box = [0, 0.3, 0.6, 0.2, 0.2]
    pairs = ' '.join(map(str, [*box, *pos.ravel()]))
    triples = ' '.join(map(str, [*box, *np.pad(pos, ((0, 0), (0, 1)), constant_values=2).ravel()]))
    for name, line, visibility in (('a', pairs, False), ('b', triples, True)):
        folder = write_labels(tmp_path / name, {0: [line]})
        (track,) = read_yolo_txt(folder, visibility=visibility)
        np.testing.assert_allclose(track.pos[0], pos, rtol=1e-5)
    with pytest.raises(ValueError, match='not 2 numbers per joint; pass visibility=True'):
        read_yolo_txt(str(tmp_path / 'b'), visibility=False)
    with pytest.raises(ValueError, match='not 3 numbers per joint; pass visibility=False'):
        read_yolo_txt(str(tmp_path / 'a'))
