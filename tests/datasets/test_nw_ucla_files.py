import json

import numpy as np
import pytest

from graphmotion.datasets import read_nw_ucla


def write(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


def test_reads_a_sequence(tmp_path):
    pos = np.random.default_rng(0).normal(size=(4, 20, 3))
    path = write(tmp_path / 'a.json', {'skeletons': pos.tolist(), 'label': 1})
    read = read_nw_ucla(path)
    assert read.dtype == np.float32
    np.testing.assert_allclose(read, pos, rtol=1e-6)
    np.testing.assert_array_equal(read_nw_ucla('b', (tmp_path / 'a.json').read_bytes()), read)


@pytest.mark.parametrize(
    ('content', 'match'),
    [
        ('', r'content: expected JSON, found an empty file'),
        ('{"skeletons": [[[0.1', r'content: expected JSON'),
        ([1], 'skeletons: expected the joint positions, found no such field'),
        ({'pos': 1}, 'skeletons: expected the joint positions, found no such field'),
        ({'skeletons': []}, r'skeletons: .*\[T, 20, 3\], found the shape \[0\]'),
        ({'skeletons': np.zeros((4, 25, 3)).tolist()}, r'found the shape \[4, 25, 3\]'),
        ({'skeletons': [[[float('nan')] * 3] * 20]}, 'NaN or infinite'),
        ({'skeletons': None}, 'found nothing'),
    ],
)
def test_invalid_files_raise(tmp_path, content, match):
    with pytest.raises(ValueError, match=rf'a\.json: {match}|a\.json: .*{match}'):
        read_nw_ucla(write(tmp_path / 'a.json', content))
    with pytest.raises(FileNotFoundError, match='no such file'):
        read_nw_ucla(str(tmp_path / 'nowhere.json'))
