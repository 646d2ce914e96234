import json

import numpy as np
import pytest

from graphmotion.io import read_mmpose, read_mmpose_images


def instance(x=0.0, dims=2, **fields):
    pos = np.random.default_rng(dims).uniform(0, 100, size=(17, dims))
    pos[:, 0] += x
    scores = np.linspace(0.1, 0.9, 17).tolist()
    return {'keypoints': pos.tolist(), 'keypoint_scores': scores, 'bbox_score': 0.9} | fields


def write(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


@pytest.mark.parametrize('dims', [2, 3])
@pytest.mark.parametrize('demo', [False, True])
def test_reads_a_video(tmp_path, dims, demo):
    frames = [
        {'frame_id': 3, 'instances': [instance(300, dims), instance(0, dims)]},
        {'frame_id': 5, 'instances': [instance(2, dims), instance(302, dims)]},
    ]
    content = {'meta_info': {'dataset_name': 'coco'}, 'instance_info': frames} if demo else frames
    tracks = read_mmpose(write(tmp_path / 'a.json', content))
    expected = np.array(instance(0, dims)['keypoints'])
    for x, track in zip((0, 300), sorted(tracks, key=lambda track: track.pos[0, 0, 0])):
        assert track.pos.shape == (3, 17, dims)
        np.testing.assert_allclose(
            track.pos[0] - track.pos[0, :1], expected - expected[:1], atol=1e-4
        )
        np.testing.assert_allclose(track.pos[2, 0, 0] - expected[0, 0], x + 2, rtol=1e-5)
        np.testing.assert_allclose(track.score[:, 16], [0.9, 0, 0.9], rtol=1e-5)


def test_an_image_is_one_frame(tmp_path):
    path = write(tmp_path / 'a.json', [instance(0), instance(300)])
    with pytest.warns(UserWarning, match='one frame, .* file per image have the format mmpose_im'):
        assert len(read_mmpose(path)) == 2


def test_track_ids_identify_people(tmp_path):
    frames = [{'frame_id': t, 'instances': [instance(0, track_id=t), instance(300, track_id=1 - t)]}
              for t in (0, 1)]  # fmt: skip
    tracks = read_mmpose(write(tmp_path / 'a.json', frames))
    assert sorted(float(np.diff(t.pos[:, 0, 0])[0].round()) for t in tracks) == [-300, 300]


@pytest.mark.parametrize(
    ('content', 'match'),
    [
        ('', 'content: expected JSON, found an empty file'),
        (3, 'content: expected a list'),
        ({'a': 3}, 'instance_info: expected a list, found None'),
        ([], 'people: expected at least one'),
        ([{'instances': 3}], r'content\[0\].instances: expected a list'),
        ([{'frame_id': 'a', 'instances': []}], "frame_id: expected a new number, found 'a'"),
        ([{'frame_id': 1, 'instances': []}] * 2, 'frame_id: expected a new number, found 1'),
        ([{'instances': [{}]}], r'instances\[0\].keypoints: .* found nothing'),
        (
            [{'instances': [instance() | {'keypoint_scores': [1]}]}],
            r'keypoint_scores: .* the shape \[1\]',
        ),
    ],
)
def test_malformed_files(tmp_path, content, match):
    with pytest.raises(ValueError, match=rf'a\.json: .*{match}'):
        read_mmpose(write(tmp_path / 'a.json', content))


def test_a_folder_with_a_file_per_image(tmp_path):
    for t in (8, 9, 10, 12):
        write(tmp_path / f'walk_{t}.json', [instance(300 + t), instance(t)])
    left, _ = sorted(read_mmpose_images(str(tmp_path)), key=lambda track: track.pos[0, 0, 0])
    assert left.pos.shape == (5, 17, 2)
    x = instance()['keypoints'][0][0]
    np.testing.assert_allclose(left.pos[[0, 1, 2, 4], 0, 0] - x, [8, 9, 10, 12], atol=1e-4)
    assert not left.score[3].any()
    write(tmp_path / 'walk_11.json', [{'frame_id': t, 'instances': []} for t in range(2)])
    with pytest.warns(UserWarning, match=r'1 with content not the people of one image \(walk_11'):
        read_mmpose_images(str(tmp_path))
    with pytest.raises(ValueError, match='path: expected a file, found a folder'):
        read_mmpose(str(tmp_path))
