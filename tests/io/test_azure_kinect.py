import json

import numpy as np
import pytest

from graphmotion.io import read_azure_kinect, read_poses


def body(identity, x=0.0):
    pos = np.random.default_rng(0).uniform(0, 900, size=(32, 3)) + np.array([x, 0, 2000])
    return {
        'body_id': identity,
        'joint_positions': pos.tolist(),
        'joint_orientations': [[1, 0, 0, 0]] * 32,
    }


def write(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


def test_reads_a_recording(tmp_path):
    frames = [
        {'frame_id': 3, 'timestamp_usec': 100, 'num_bodies': 2, 'bodies': [body(1), body(7, 5000)]},
        {'frame_id': 4, 'timestamp_usec': 133, 'num_bodies': 1, 'bodies': [body(7, 5)]},
        {'frame_id': 6, 'timestamp_usec': 200, 'num_bodies': 0, 'bodies': []},
    ]
    content = {'k4abt_sdk_version': '1.1.2', 'joint_names': ['PELVIS'], 'frames': frames}
    seven, one = read_azure_kinect(write(tmp_path / 'a.json', content))
    expected = np.array(body(1)['joint_positions'])
    np.testing.assert_allclose(one.pos[0], expected, rtol=1e-6)
    np.testing.assert_allclose(seven.pos[:2, :, 0], expected[:, 0] + [[5000], [5]], rtol=1e-6)
    assert one.score[:, 0].tolist() == [1, 0, 0, 0]
    assert seven.score[:, 31].tolist() == [1, 1, 0, 0]
    assert len(read_poses(str(tmp_path / 'a.json'), 'azure_kinect')) == 2


@pytest.mark.parametrize(
    ('content', 'match'),
    [
        ('', 'content: expected JSON, found an empty file'),
        ([], 'frames: expected a list, found no such field'),
        ({'frames': []}, 'people: expected at least one'),
        ({'frames': [{'bodies': []}]}, r'frames\[0\].frame_id: expected a new number, found None'),
        ({'frames': [{'frame_id': 1}]}, r'frames\[0\].bodies: expected a list, found None'),
        (
            {'frames': [{'frame_id': 1, 'bodies': [{'joint_positions': [[1, 2, 3]]}]}]},
            r'frames\[0\].bodies\[0\].joint_positions: expected numbers of shape \[32, 3\]',
        ),
    ],
)
def test_malformed_files(tmp_path, content, match):
    with pytest.raises(ValueError, match=rf'a\.json: {match}'):
        read_azure_kinect(write(tmp_path / 'a.json', content))
