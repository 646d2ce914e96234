import json
import re

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
def test_errors_describe_the_fault(tmp_path, content, match):
    with pytest.raises(ValueError, match=rf'a\.json: .*{match}'):
        read_coco_keypoints(write(tmp_path / 'a.json', content))


def test_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match='no such file'):
        read_coco_keypoints(str(tmp_path / 'nowhere.json'))


def test_a_shared_track_id_is_ignored(tmp_path):
    entries = [entry(t, x, track_id=0) for t in range(4) for x in (0, 300)]
    tracks = read_coco_keypoints(write(tmp_path / 'a.json', entries))
    x = entry(0)['keypoints'][0]
    starts = sorted(track.pos[:, 0, 0].tolist() for track in tracks)
    np.testing.assert_allclose(starts, [[x] * 4, [x + 300] * 4], rtol=1e-6)


def test_an_image_id_may_be_text(tmp_path):
    entries = [entry('walk_10.jpg', 10), entry('walk_9.jpg', 9)]
    (track,) = read_coco_keypoints(write(tmp_path / 'a.json', entries))
    np.testing.assert_allclose(np.diff(track.pos[:, 0, 0]), [1], rtol=1e-4)


def test_several_recordings_are_not_merged(tmp_path):
    named = [entry('a_0.jpg'), entry('b_0.jpg', 50)]
    numbered = [entry(1, video_id=3), entry(2, 50, video_id=4)]
    annotated = {
        'images': [{'id': 1, 'vid_id': '3'}, {'id': 2, 'vid_id': '4'}],
        'annotations': [entry(1, score=2), entry(2, 50, score=2)],
    }
    for content, first, second in ((named, 'a', 'b'), (numbered, '3', '4'), (annotated, '3', '4')):
        path = write(tmp_path / 'a.json', content)
        with pytest.raises(ValueError, match=f"one recording .*'{first}', '{second}'"):
            read_coco_keypoints(path)
        (track,) = read_coco_keypoints(path, recording=second)
        np.testing.assert_allclose(track.pos[:, 0, 0], entry(0, 50)['keypoints'][0], rtol=1e-6)
    with pytest.raises(ValueError, match=r"expected the recording 'c', found \['3', '4'\]"):
        read_coco_keypoints(path, recording='c')


def test_a_category_can_be_chosen(tmp_path):
    hand = entry(0) | {'category_id': 2, 'keypoints': [1, 2, 0.5] * 21}
    path = write(tmp_path / 'a.json', [hand, entry(0)])
    assert read_coco_keypoints(path, category=1)[0].pos.shape == (1, 17, 2)
    assert read_coco_keypoints(path, category=2)[0].pos.shape == (1, 21, 2)
    path = write(tmp_path / 'a.json', [entry(0, 300, category_id=2), entry(0)])
    with pytest.warns(UserWarning, match=r'of the categories \[1, 2\]; pass category=1 to read'):
        assert len(read_coco_keypoints(path)) == 2
    assert len(read_coco_keypoints(path, category=2)) == 1


def named(names, **options):
    """Annotations of images with these names, whose person is at the last number of the name."""
    images = [{'id': i + 1, 'file_name': name} for i, name in enumerate(names)]
    people = [
        entry(i + 1, 10 * int(re.findall(r'\d+(?=[._])', name)[0]), score=2)
        for i, name in enumerate(names)
    ]
    return {'images': images, 'annotations': people} | options


@pytest.mark.parametrize(
    'form',
    [
        'walk_{}.jpg',
        'frames/walk_{:04d}.PNG',
        'frame_{}_view0.png',
        'walk_{}_jpg.rf.0a1b2c3d.jpg',  # Roboflow
    ],
)
def test_images_are_in_the_order_of_their_file_names(tmp_path, form):
    content = named(sorted(form.format(t) for t in range(12)))
    (track,) = read_coco_keypoints(write(tmp_path / 'a.json', content))
    np.testing.assert_allclose(np.diff(track.pos[:, 0, 0]), 10, rtol=1e-4)


def test_prefixes_of_label_studio_are_no_recordings(tmp_path):
    prefixes = ('0a1b2c3d', '12345678', 'ffffffff')
    content = named([f'{prefix}-walk_{9 + t}.jpg' for t, prefix in enumerate(prefixes)])
    (track,) = read_coco_keypoints(write(tmp_path / 'a.json', content))
    np.testing.assert_allclose(np.diff(track.pos[:, 0, 0]), 10, rtol=1e-4)
    # Dates are.
    content = named([f'2024010{day}-walk_{t}.jpg' for day in (1, 2) for t in range(2)])
    with pytest.raises(ValueError, match="one recording or recording='20240101-walk'"):
        read_coco_keypoints(write(tmp_path / 'a.json', content))


def test_several_recordings_in_file_names(tmp_path):
    content = named([f'{name}/{t}.jpg' for name in ('walk', 'run') for t in range(10)])
    path = write(tmp_path / 'a.json', content)
    with pytest.raises(ValueError, match=r"recording='run', found recordings \['run', 'walk'\]"):
        read_coco_keypoints(path)
    (track,) = read_coco_keypoints(path, recording='run')
    assert track.pos.shape == (10, 17, 2)
