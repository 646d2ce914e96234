import os

import h5py
import numpy as np
import pytest
import torch

from graphmotion.datasets import EmotionGait


def write(root, features, labels):
    os.makedirs(root / 'raw')
    for name, content in (('features', features), ('labels', labels)):
        with h5py.File(root / 'raw' / f'{name}.h5', 'w') as file:
            for key, value in content.items():
                file[key] = value


def gait(frames, joints=16):
    return np.random.default_rng(frames).normal(size=(frames, joints * 3)).astype(np.float32)


def test_reads_the_files(tmp_path):
    write(tmp_path, {'a': gait(5), 'b': gait(7)}, {'a': 2, 'b': 1})
    dataset = EmotionGait(str(tmp_path))
    assert len(dataset) == 2
    assert dataset.class_names == ('happy', 'angry', 'sad', 'neutral')
    assert dataset.num_classes == 4
    assert dataset.labels().tolist() == [2, 1]
    assert dataset[1].pos.shape == (16, 7, 3)
    expected = torch.from_numpy(gait(7).reshape(7, 16, 3)).transpose(0, 1)
    assert torch.equal(dataset[1].pos, expected)
    assert len(EmotionGait(str(tmp_path), force_reload=True)) == 2


def test_the_files_with_21_joints(tmp_path):
    write(tmp_path, {'a': gait(5, 21)}, {'a': 2})
    assert EmotionGait(str(tmp_path), 'emotion_gait21')[0].pos.shape == (21, 5, 3)
    with pytest.raises(ValueError, match='without 16 joints'):
        EmotionGait(str(tmp_path))
    assert os.listdir(tmp_path / 'processed') == ['emotion_gait21.pt']


def test_missing_files_raise(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'features\.h5.*labels\.h5.*raw.*request'):
        EmotionGait(str(tmp_path))


def test_a_truncated_file_raises_and_leaves_no_file(tmp_path):
    write(tmp_path, {'a': gait(500)}, {'a': 2})
    path = tmp_path / 'raw' / 'features.h5'
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(ValueError, match='truncated'):
        EmotionGait(str(tmp_path))
    assert not (tmp_path / 'processed').exists()


def test_invalid_gaits_are_skipped(tmp_path):
    bad = gait(6)
    bad[0, 0] = np.nan
    write(tmp_path, {'a': gait(5), 'b': bad, 'c': gait(0)}, {'a': 2, 'b': 1, 'c': 0})
    with pytest.warns(UserWarning, match='skipped 2 of 3 samples: 1 with NaN.*; 1 without frames'):
        dataset = EmotionGait(str(tmp_path))
    assert dataset.labels().tolist() == [2]


def test_the_real_files(tmp_path, real_data):
    os.makedirs(tmp_path / 'raw')
    for name in ('features.h5', 'labels.h5'):
        os.symlink(real_data / 'emotion_gait' / name, tmp_path / 'raw' / name)
    dataset = EmotionGait(str(tmp_path))
    assert len(dataset) == 342
    assert torch.bincount(dataset.labels()).tolist() == [112, 33, 78, 119]
    assert (dataset.num_frames.min(), dataset.num_frames.max()) == (18, 75)
    # Bodies are upright: the head is above the root in every gait.
    assert all((data.pos[3, :, 1] > data.pos[0, :, 1]).all() for data in dataset)
