import os
import zipfile

import numpy as np
import pytest
import torch
from scipy.io import savemat

from graphmotion.datasets import UTDMHAD


def skeleton(frames):
    return np.random.default_rng(frames).normal(size=(20, 3, frames))


def write(root, frames):
    os.makedirs(root / 'raw' / 'Skeleton')
    for name, number in frames.items():
        savemat(root / 'raw' / 'Skeleton' / f'{name}_skeleton.mat', {'d_skel': skeleton(number)})
    (root / 'raw' / 'Skeleton' / 'Skeleton_joint_order.txt').write_text('1. head')


FRAMES = {'a1_s1_t1': 5, 'a27_s8_t4': 6, 'a3_s7_t2': 7}


@pytest.mark.parametrize('packed', [False, True])
def test_reads_the_files(tmp_path, packed):
    write(tmp_path, FRAMES)
    folder = tmp_path / 'raw' / 'Skeleton'
    if packed:
        with zipfile.ZipFile(tmp_path / 'raw' / 'Skeleton.zip', 'w') as archive:
            for path in sorted(folder.iterdir()):
                archive.write(path, f'Skeleton/{path.name}')
                path.unlink()
    dataset = UTDMHAD(str(tmp_path))
    assert dataset.names() == [f'{name}_skeleton' for name in FRAMES]
    assert dataset.labels('y').tolist() == [0, 26, 2]
    assert dataset.labels('subject').tolist() == [1, 8, 7]
    assert dataset.labels('take').tolist() == [1, 4, 2]
    assert len(set(dataset.class_names)) == dataset.num_classes == 27
    # The head is the first joint of the file and the fourth of the layout.
    expected = torch.from_numpy(skeleton(6)[0].T).float()
    assert torch.equal(dataset[1].pos[dataset.skeleton.joints.index('head')], expected)
    train, test = dataset.official_split('cross_subject')
    assert train.labels('subject').tolist() == [1, 7]
    assert test.labels('subject').tolist() == [8]


def test_invalid_sequences_are_skipped(tmp_path):
    write(tmp_path, FRAMES | {'a28_s1_t1': 5, 'a2_s1_t1': 5, 'a2_s2_t1': 5, 'a2_s3_t1': 5})
    folder = tmp_path / 'raw' / 'Skeleton'
    (folder / 'a2_s1_t1_skeleton.mat').write_bytes(b'')
    whole = (folder / 'a2_s2_t1_skeleton.mat').read_bytes()
    (folder / 'a2_s2_t1_skeleton.mat').write_bytes(whole[: len(whole) // 2])
    savemat(folder / 'a2_s3_t1_skeleton.mat', {'d_skel': np.zeros((25, 3, 4))})
    with pytest.warns(
        UserWarning,
        match=r'skipped 4 of 7 samples: 1 with an action outside 1\.\.27 .*; 2 with content not a '
        r'MATLAB file .*; 1 with d_skel not numbers of shape \[20, 3, T\] \(a2_s3_t1_skeleton\)',
    ):
        assert len(UTDMHAD(str(tmp_path))) == 3


def test_missing_files_raise(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'UTDMHAD needs Skeleton\.zip.*raw: see https://'):
        UTDMHAD(str(tmp_path))


@pytest.mark.slow
def test_the_real_files(tmp_path, real_data):
    os.makedirs(tmp_path / 'raw')
    os.symlink(real_data / 'utd_mhad' / 'Skeleton.zip', tmp_path / 'raw' / 'Skeleton.zip')
    dataset = UTDMHAD(str(tmp_path))
    assert len(dataset) == 861
    train, test = dataset.official_split()
    assert (len(train), len(test)) == (431, 430)
    assert train.labels('subject').unique().tolist() == [1, 3, 5, 7]
    assert dataset.labels('y').unique().tolist() == list(range(27))
    assert (dataset.num_frames.min(), dataset.num_frames.max()) == (41, 125)
    joints = dataset.skeleton.joints
    for joint, other in (('head', 'spine'), ('spine', 'left_knee'), ('right_knee', 'right_foot')):
        upper, lower = joints.index(joint), joints.index(other)
        upright = [data.pos[upper, 0, 1] > data.pos[lower, 0, 1] for data in dataset]
        assert torch.stack(upright).float().mean() > 0.99
