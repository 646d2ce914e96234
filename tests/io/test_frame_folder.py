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


def test_two_files_of_a_frame_are_not_two_people(tmp_path):
    for number in (0, 1):
        write(tmp_path / f'walk_{number:03d}_keypoints.json', 5 + number)
        write(tmp_path / f'walk_{number}_keypoints.json', 50)
    message = (
        r'skipped 2 of 4 samples: 2 with the number of another frame '
        r'\(walk_0_keypoints\.json, walk_1_keypoints\.json\)'
    )
    with pytest.warns(UserWarning, match=message):
        (track,) = read_openpose(str(tmp_path))
    np.testing.assert_array_equal(track.pos[:, 0, 0], [5, 6])
