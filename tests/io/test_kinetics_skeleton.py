import json

import numpy as np
import pytest

from graphmotion.io import read_kinetics_skeleton


def person(x=0.0):
    pos = np.random.default_rng(0).uniform(0, 0.3, size=(18, 2)) + np.array([x, 0])
    pos[3] = 0
    score = np.full(18, 0.5)
    score[3] = 0
    return {'pose': pos.ravel().tolist(), 'score': score.tolist()}


def write(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


def test_reads_a_clip(tmp_path):
    frames = [
        {'frame_index': 2, 'skeleton': [person(0.6), person()]},
        {'frame_index': 1, 'skeleton': [person(), person(0.6)]},
        {'frame_index': 4, 'skeleton': []},
    ]
    clip = {'data': frames, 'label': 'waving', 'label_index': 3}
    tracks = read_kinetics_skeleton(write(tmp_path / 'a.json', clip))
    expected = np.reshape(person()['pose'], (18, 2))
    for x, track in zip((0, 0.6), sorted(tracks, key=lambda track: track.pos[0, 0, 0])):
        np.testing.assert_allclose(track.pos[1, 0], expected[0] + [x, 0], rtol=1e-5)
        assert track.score[:, 0].tolist() == [0.5, 0.5, 0, 0]
        assert track.score[:, 3].tolist() == [0] * 4


@pytest.mark.parametrize(
    ('content', 'match'),
    [
        ('', 'content: expected JSON, found an empty file'),
        ([], 'data: expected a list, found no such field'),
        ({'data': 3}, 'data: expected a list, found 3'),
        ({'data': [{}]}, 'frame_index: expected a new number, found None'),
        ({'data': [{'frame_index': 1}] * 2}, 'frame_index: expected a new number, found 1'),
        ({'data': [{'frame_index': 1, 'skeleton': [{}]}]}, r'skeleton\[0\].score: .* nothing'),
        (
            {'data': [{'frame_index': 1, 'skeleton': [{'score': [1], 'pose': [1]}]}]},
            r'pose: expected numbers of shape \[2\]',
        ),
        ({'data': []}, 'people: expected at least one'),
    ],
)
def test_malformed_files(tmp_path, content, match):
    with pytest.raises(ValueError, match=rf'a\.json: .*{match}'):
        read_kinetics_skeleton(write(tmp_path / 'a.json', content))
