import os
import pickle

import numpy as np
import pytest

from graphmotion.io import read_opengait_pose


def write(path, value):
    path.write_bytes(value if isinstance(value, bytes) else pickle.dumps(value))
    return str(path)


def poses(frames=5):
    random = np.random.default_rng(0)
    return np.concatenate(
        [random.uniform(1, 300, (frames, 17, 2)), random.uniform(0.1, 1, (frames, 17, 1))], axis=2
    )


@pytest.mark.parametrize('dtype', [np.float32, np.float64, np.int64])
def test_reads_poses_with_and_without_confidence(tmp_path, dtype):
    array = np.ceil(poses()).astype(dtype)
    path = write(tmp_path / '000.pkl', array)
    pos, score = read_opengait_pose(path)
    assert pos.dtype == score.dtype == np.float32
    np.testing.assert_allclose(pos, array[..., :2], rtol=1e-6)
    np.testing.assert_allclose(score, array[..., 2], rtol=1e-6)
    pos, score = read_opengait_pose('x.pkl', pickle.dumps(array[..., :2]))
    np.testing.assert_allclose(pos, array[..., :2], rtol=1e-6)
    assert (score == 1).all()


def test_the_neck_of_18_joints_is_dropped():
    array = np.concatenate([poses(), poses()[:, :1]], axis=1)
    pos, score = read_opengait_pose('x.pkl', pickle.dumps(array))
    # The order in which OpenGait converts OUMVLP-Pose.
    order = [0, 15, 14, 17, 16, 5, 2, 6, 3, 7, 4, 11, 8, 12, 9, 13, 10]
    np.testing.assert_allclose(pos, array[:, order, :2], rtol=1e-6)
    np.testing.assert_allclose(score, array[:, order, 2], rtol=1e-6)


def test_joints_without_confidence_are_missing(tmp_path):
    array = poses()
    array[0, 0, 2], array[1, 1, 2], array[2, 2, 0], array[3, 3, 2] = 0, 1.5, np.nan, np.nan
    pos, score = read_opengait_pose(write(tmp_path / '000.pkl', array))
    missing = np.zeros((5, 17), bool)
    missing[[0, 2, 3], [0, 2, 3]] = True
    assert np.array_equal(score == 0, missing)
    assert not pos[missing].any()
    assert score[1, 1] == 1


@pytest.mark.parametrize(
    ('value', 'match'),
    [
        (b'', 'content: expected a pickle, found an empty file'),
        (pickle.dumps(poses())[:100], 'content: expected a complete pickle'),
        (poses()[0], r'poses: expected an array .*, found the shape \[17, 3\]'),
        (poses()[..., :1], r'poses: expected an array .*, found the shape \[5, 17, 1\]'),
        (poses()[:, :16], r'poses: expected numbers of shape \[T, 17, 3\], found the shape'),
        (poses()[:0], r'poses: expected numbers of shape \[T, 17, 3\], found the shape \[0, 17'),
        (poses().astype(str), 'poses: expected numbers .*, found values of type <U'),
        ({'poses': poses()}, "poses: expected an array .*, found <class 'dict'>"),
    ],
)
def test_errors_describe_the_fault(tmp_path, value, match):
    with pytest.raises(ValueError, match=rf'a\.pkl: {match}'):
        read_opengait_pose(write(tmp_path / 'a.pkl', value))
    with pytest.raises(FileNotFoundError, match='no such file'):
        read_opengait_pose(str(tmp_path / 'nowhere.pkl'))


class Trap:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_nothing_in_a_pickle_runs(tmp_path):
    content = pickle.dumps(Trap(str(tmp_path / 'made')))
    for read in (lambda: read_opengait_pose('a.pkl', content),
                 lambda: read_opengait_pose(write(tmp_path / 'a.pkl', content))):  # fmt: skip
        with pytest.raises(ValueError, match=r'a\.pkl: object: expected numpy arrays'):
            read()
    assert not (tmp_path / 'made').exists()
