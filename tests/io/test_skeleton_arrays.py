import pickle

import numpy as np
import pytest

from graphmotion.io import read_skeleton_arrays


def make_samples():
    """Three samples [M, T, V, C]: one person, two people with a gap, and none."""
    random = np.random.default_rng(0)
    data = random.normal(size=(3, 2, 6, 5, 3)).astype(np.float32)
    data[0, 1] = 0
    data[0, :, 4:] = 0
    data[1, 1, 2] = 0
    data[2] = 0
    return data


def write_folder(folder, data, part='train', name='data', labels=(2, 0, 1), names='abc'):
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / f'{part}_{name}.npy', data.transpose(0, 4, 2, 3, 1))
    (folder / f'{part}_label.pkl').write_bytes(pickle.dumps((list(names), list(labels))))
    return str(folder)


def write_npz(path, data, labels=(2, 0, 1), save=np.savez, **arrays):
    flat = data.transpose(0, 2, 1, 3, 4).reshape(len(data), data.shape[2], -1)
    one_hot = np.eye(3)[list(labels)]
    content = {'x_train': flat, 'y_train': one_hot, 'x_test': flat[::-1], 'y_test': one_hot[::-1]}
    save(path, **{**content, **arrays})
    return str(path)


def check(part, data):
    (first, second, third) = part.samples()
    np.testing.assert_array_equal(first.pos, data[0, :1, :4])
    assert first.score.min() == 1
    np.testing.assert_array_equal(second.pos, data[1])
    assert (second.score == 0).all(axis=2).nonzero() == (np.array([1]), np.array([2]))
    assert third.pos.shape == (0, 0, 5, 3)


@pytest.mark.parametrize('name', ['data', 'data_joint'])
def test_reads_arrays_of_st_gcn(tmp_path, name):
    data = make_samples()
    write_folder(tmp_path, data, name=name)
    write_folder(tmp_path, data[:2], 'val', name, [1, 1], 'de')
    np.save(tmp_path / 'train_data_bone.npy', np.zeros(3))
    parts = read_skeleton_arrays(str(tmp_path), 5)
    assert list(parts) == ['train', 'val']
    assert (parts['train'].names, parts['train'].labels) == (['a', 'b', 'c'], [2, 0, 1])
    assert parts['val'].names == ['d', 'e']
    check(parts['train'], data)


@pytest.mark.parametrize('save', [np.savez, np.savez_compressed])
def test_reads_arrays_of_ctr_gcn(tmp_path, save):
    data = make_samples()
    parts = read_skeleton_arrays(write_npz(tmp_path / 'a.npz', data, save=save), 5)
    assert list(parts) == ['train', 'test']
    assert parts['test'].labels == [1, 0, 2]
    assert parts['train'].names == ['train_0', 'train_1', 'train_2']
    check(parts['train'], data)


def test_scores_in_the_last_channel(tmp_path):
    data = make_samples()
    data[..., 2] = np.where(data[..., 0] == 0, 0, 0.5)
    data[0, 0, 1, 2, 2] = 0
    path = write_folder(tmp_path, data)
    with pytest.warns(UserWarning, match=r'third channel is in \[0, 1\].*score_last=True'):
        read_skeleton_arrays(path, 5)
    sample = next(read_skeleton_arrays(path, 5, score_last=True)['train'].samples())
    expected = np.full((1, 4, 5), 0.5)
    expected[0, 1, 2] = 0
    np.testing.assert_array_equal(sample.score, expected)
    np.testing.assert_array_equal(sample.pos[expected > 0], data[0, :1, :4, :, :2][expected > 0])
    assert not sample.pos[0, 1, 2].any()


@pytest.mark.parametrize(
    ('changes', 'match'),
    [
        ({'labels': [0, 1]}, r'labels: expected a class index of each name, found 3 names and 2'),
        ({'labels': [0, 1, -1]}, r'labels: expected a class index .* from -1'),
        ({'labels': [0, 1, 'x']}, r'labels: expected a list of integers'),
        ({'names': [1, 2, 3]}, r'names: expected a list of text'),
        ({'names': 'abcd', 'labels': [0, 1, 2, 0]}, r'N = 4 labels.*found .*\[3, 3, 6, 5, 2\]'),
        ({'data': make_samples()[:, :, :, :4]}, r'V = 5, found float32 of shape \[3, 3, 6, 4, 2\]'),
        ({'data': make_samples().astype(str)}, r'data: expected numbers of shape'),
    ],
)
def test_malformed_folders_raise(tmp_path, changes, match):
    path = write_folder(tmp_path, **{'data': make_samples(), **changes})
    with pytest.raises(ValueError, match=match):
        read_skeleton_arrays(path, 5)


@pytest.mark.parametrize(
    ('arrays', 'match'),
    [
        ({'y_train': np.zeros((3, 3))}, r'y_train: expected one-hot classes, found .*\[3, 3\]'),
        ({'y_train': np.array([2, 0, 1])}, r'y_train: expected one-hot classes'),
        ({'x_train': np.zeros((3, 6, 31))}, r'x_train: .* found float64 of shape \[3, 6, 31\]'),
        ({'x_train': np.zeros((2, 6, 30))}, r'x_train: .*N = 3 labels'),
        ({'x_train': np.array([None])}, r'content: expected numeric arrays|x_train'),
        ({'x_train': np.ones((3, 6, 30)).T.copy().T}, r'x_train: expected an array in C order'),
    ],
)
def test_malformed_archives_raise(tmp_path, arrays, match):
    path = write_npz(tmp_path / 'a.npz', make_samples(), **arrays)
    with pytest.raises(ValueError, match=match):
        read_skeleton_arrays(path, 5)


def test_missing_and_truncated_files_raise(tmp_path):
    with pytest.raises(FileNotFoundError, match='no such file or folder'):
        read_skeleton_arrays(str(tmp_path / 'none'), 5)
    with pytest.raises(ValueError, match=r'files: expected train_data.npy and train_label.pkl'):
        read_skeleton_arrays(str(tmp_path), 5)
    path = write_folder(tmp_path, make_samples())
    content = (tmp_path / 'train_data.npy').read_bytes()
    (tmp_path / 'train_data.npy').write_bytes(content[:-20])
    with pytest.raises(ValueError, match=r'train_data.npy: content: expected a numeric array'):
        read_skeleton_arrays(path, 5)
    (tmp_path / 'train_label.pkl').unlink()
    with pytest.raises(FileNotFoundError, match=r'train_label.pkl: no such file'):
        read_skeleton_arrays(path, 5)
