import json

import numpy as np
import pytest

from graphmotion.io import read_coco_keypoints


def entry(image, x=0.0, score=0.5, **fields):
    pos = np.random.default_rng(0).uniform(0, 100, size=(17, 2)) + np.array([x, 0])
    joints = np.concatenate([pos, np.full((17, 1), score)], axis=1)
    return {'image_id': image, 'category_id': 1, 'keypoints': joints.ravel().tolist()} | fields


def write(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


def test_reads_results(tmp_path):
    entries = [entry(40, 10), entry(7, 0), entry(40, 300), entry(1000, 20)]
    tracks = read_coco_keypoints(write(tmp_path / 'a.json', entries))
    # Images are frames, and their numbers only an order.
    assert [track.score[:, 0].tolist() for track in tracks] == [[0.5, 0.5, 0.5], [0, 0.5, 0]]
    x = entry(0)['keypoints'][0]
    np.testing.assert_allclose(tracks[0].pos[:, 0, 0], [x, x + 10, x + 20], rtol=1e-6)


def test_reads_annotations(tmp_path):
    first = entry(3, score=2)
    first['keypoints'][2::3] = [0, 1, *[2] * 15]
    content = {
        'images': [{'id': 3, 'frame_id': 2}, {'id': 8, 'frame_id': 0}, {'id': 5, 'frame_id': 1}],
        'annotations': [
            first,
            entry(8, 5, score=1, iscrowd=0),
            entry(8, 300, score=2, iscrowd=1),
            {'image_id': 5, 'bbox': [0, 0, 1, 1]},
        ],
    }
    (track,) = read_coco_keypoints(write(tmp_path / 'a.json', content))
    assert track.score[:, :3].tolist() == [[0.5] * 3, [0, 0, 0], [0, 0.5, 1]]
    assert track.pos[2, 0].tolist() == [0, 0]
    for image in content['images']:
        del image['frame_id']
    (track,) = read_coco_keypoints(write(tmp_path / 'a.json', content))
    assert track.score[:, 2].tolist() == [1, 0, 0.5]


def test_numbers_of_people(tmp_path):
    entries = [entry(0, 0, track_id=5), entry(1, 300, track_id=5), entry(1, 0, track_id=6)]
    tracks = read_coco_keypoints(write(tmp_path / 'a.json', entries))
    assert [(track.score[:, 0] > 0).tolist() for track in tracks] == [[True, True], [False, True]]


@pytest.mark.parametrize(
    ('content', 'match'),
    [
        ('', 'content: expected JSON, found an empty file'),
        ('[{"image_id"', 'content: expected JSON'),
        ({'annotations': []}, 'content: expected a list of results, or an object with images'),
        (3, 'content: expected a list of results'),
        ([], 'people: expected at least one'),
        ([entry('a.jpg')], r"content\[0\].image_id: .* found 'a.jpg'"),
        ([{'image_id': 1}], r'content\[0\].keypoints: .* found nothing'),
        ([entry(1) | {'keypoints': [1, 2]}], 'keypoints: expected 3 numbers per joint'),
        ({'images': 1, 'annotations': []}, 'images: expected a list'),
        ({'images': [{}], 'annotations': []}, r'images\[\].id: expected a number, found None'),
        ({'images': [{'id': 1}], 'annotations': [entry(2)]}, r'image_id: .* found 2'),
        ({'images': [{'id': 1}], 'annotations': [entry(1)]}, 'expected visibility 0, 1 or 2'),
        ({'images': [{'id': 1}], 'annotations': []}, 'people: expected at least one'),
    ],
)
def test_what_is_wrong_is_said(tmp_path, content, match):
    with pytest.raises(ValueError, match=rf'a\.json: .*{match}'):
        read_coco_keypoints(write(tmp_path / 'a.json', content))


def test_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match='no such file'):
        read_coco_keypoints(str(tmp_path / 'nowhere.json'))
