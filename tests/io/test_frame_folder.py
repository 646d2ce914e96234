import json

import numpy as np
import pytest

from graphmotion.io import read_openpose


def write(path, x):
    body = np.random.default_rng(0).uniform(1, 100, (18, 3))
    body[:, 0] += x
    body[0], body[:, 2] = (x, 1, 1), 1
    people = [{'pose_keypoints_2d': body.ravel().tolist()}]
    path.write_text(json.dumps({'people': people}))


def test_two_files_of_a_frame_are_an_error(tmp_path):
    write(tmp_path / 'walk_000_keypoints.json', 5)
    write(tmp_path / 'walk_0_keypoints.json', 50)
    found = 'walk_000_keypoints.json and walk_0_keypoints.json'
    with pytest.raises(ValueError, match=f'expected one file per frame, found {found}'):
        read_openpose(str(tmp_path))
