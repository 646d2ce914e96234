import os
import zipfile

import numpy as np
import pytest
import torch

from graphmotion.datasets import UCalgaryGait
from tests.datasets.test_ucalgary_gait_files import table


def name(subject, run, gender='M', kind=None):
    kind = kind or ('N', 'AR', 'AL', 'N')[(run - 1) // 2]
    return f'subject{subject}_Seq_{run}_Gen_{gender}_GeometricPositions_{kind}.csv'


def walk(subject, run):
    values = np.random.default_rng(10 * subject + run).normal(size=(5, 62))
    values[2, 3:6] = 0
    return values


def write(root, walks=((1, 1), (1, 2), (12, 3), (12, 4), (28, 5), (28, 6))):
    for subject, run in walks:
        folder = root / 'raw' / f'sub{subject}' / f'Run{run}'
        os.makedirs(folder)
        (folder / name(subject, run)).write_text(table(walk(subject, run)))


@pytest.mark.parametrize('packed', [False, True])
def test_reads_the_files(tmp_path, packed):
    write(tmp_path)
    if packed:
        paths = sorted((tmp_path / 'raw').rglob('*.csv'))
        with zipfile.ZipFile(tmp_path / 'raw' / 'GeometricPositions.zip', 'w') as archive:
            for path in paths:
                archive.write(path, path.relative_to(tmp_path / 'raw'))
                path.unlink()
    dataset = UCalgaryGait(str(tmp_path))
    assert dataset.names() == [
        'subject12_Seq_3', 'subject12_Seq_4', 'subject1_Seq_1', 'subject1_Seq_2',
        'subject28_Seq_5', 'subject28_Seq_6',
    ]  # fmt: skip
    assert dataset.labels('subject').tolist() == [11, 11, 0, 0, 27, 27]
    assert dataset.labels('condition').tolist() == [1, 1, 0, 0, 2, 2]
    assert dataset.labels('take').tolist() == [3, 4, 1, 2, 5, 6]
    assert torch.equal(dataset.labels(), dataset.labels('subject'))
    assert dataset.num_classes == 28
    data = dataset[1]
    expected = walk(12, 4)[:, :54].reshape(5, 18, 3).transpose(1, 0, 2)
    np.testing.assert_allclose(data.pos, expected, rtol=1e-5)
    missing = torch.ones(18, 5)
    missing[1, 2] = 0
    assert torch.equal(data.score, missing)
    train, test = dataset.official_split('subject')
    assert train.labels('take').tolist() == [3, 1, 5]
    assert test.labels('take').tolist() == [4, 2, 6]


def test_targets(tmp_path):
    write(tmp_path)
    UCalgaryGait(str(tmp_path))
    dataset = UCalgaryGait(str(tmp_path), target='condition')
    assert dataset.num_classes == 3
    assert torch.equal(dataset.labels(), dataset.labels('condition'))
    assert UCalgaryGait(str(tmp_path)).labels().tolist() == [11, 11, 0, 0, 27, 27]
    with pytest.raises(ValueError, match=r"target must be .*'subject', 'condition'.*gender"):
        UCalgaryGait(str(tmp_path), target='gender')


def test_invalid_files_are_skipped(tmp_path):
    write(tmp_path, [(1, 1), (2, 1), (3, 1), (29, 1), (4, 8), (5, 7)])
    raw = tmp_path / 'raw'
    whole = table(walk(1, 1))
    (raw / name(6, 1)).write_text('')
    (raw / name(7, 1)).write_text(whole[:-100])
    (raw / name(8, 1)).write_text(whole.replace('Neck', 'Nose'))
    (raw / name(9, 1, kind='X')).write_text(whole)
    with pytest.warns(
        UserWarning,
        match=r'skipped 6 of 9 samples: 1 with a subject outside 1\.\.28 \(subject29.*; '
        r'1 with a run outside 1\.\.6 \(subject4.*; 1 with content not a table \(subject6.*; '
        r'1 with rows not a number for each column \(subject7.*; 1 with header not the 18 joints '
        r'.*; 1 not named like subject{subject}_Seq_.*\(subject9',
    ):
        assert len(UCalgaryGait(str(tmp_path))) == 3


def test_missing_files_raise(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'UCalgaryGait needs GeometricPositions\.zip'):
        UCalgaryGait(str(tmp_path))


def test_the_real_files(tmp_path, real_data):
    os.makedirs(tmp_path / 'raw')
    archive = real_data / 'ucalgary_gait' / 'GeometricPositions.zip'
    os.symlink(archive, tmp_path / 'raw' / 'GeometricPositions.zip')
    dataset = UCalgaryGait(str(tmp_path))
    assert len(dataset) == 167
    assert dataset._data.pos.view(167, 18, 120, 3).isfinite().all()
    assert torch.bincount(dataset.labels()).tolist() == [6] * 20 + [5] + [6] * 7
    assert torch.bincount(dataset.labels('condition')).tolist() == [56, 55, 56]
    train, test = dataset.official_split()
    assert (len(train), len(test)) == (84, 83)
    assert int((dataset._data.score == 0).sum()) == 82
    heights = dataset._data.pos.view(167, 18, 120, 3)[..., 1].mean(dim=2)
    for upper, lower in (
        ('head', 'spine_mid'),
        ('spine_base', 'left_knee'),
        ('left_knee', 'left_ankle'),
        ('right_shoulder', 'right_elbow'),
    ):
        above, below = (dataset.skeleton.index(joint) for joint in (upper, lower))
        assert bool((heights[:, above] > heights[:, below]).all())
