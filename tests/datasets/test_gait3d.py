import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from graphmotion.datasets import Gait3DPose, Gait3DSilhouettes
from graphmotion.io import align_silhouettes
from graphmotion.metrics import GAIT3D
from tests.datasets.silhouettes import clip, pack, write_pickle

# By subject, as the datasets number them: 0001 and 0003 are for training.
NAMES = [
    '0001-camid0_videoid2-seq0',
    '0003-camid11_videoid1-seq3',
    '0000-camid0_videoid2-seq0',
    '0000-camid5_videoid2-seq0',
]
PARTITION = {
    'TRAIN_SET': ['0003', '0001'],
    'TEST_SET': ['0002', '0000'],
    'PROBE_SET': ['0000-camid5_videoid2-seq0'],
}


def walk(frames, seed=0):
    random = np.random.default_rng(seed)
    return np.concatenate(
        [random.uniform(1, 300, (frames, 17, 2)), random.uniform(0.1, 1, (frames, 17, 1))], axis=2
    )


def write(root, content, prefix='', names=NAMES):
    for seed, name in enumerate(names):
        folder = root / 'raw' / 'pkl' / name.replace('-', '/')
        write_pickle(folder / f'{prefix}{folder.name}.pkl', content(3 + seed, seed))
    (root / 'raw' / 'Gait3D.json').write_text(json.dumps(PARTITION))


def check(dataset):
    assert sorted(dataset.names()) == sorted(NAMES)
    order = [dataset.names().index(name) for name in NAMES]
    expected = {
        'subject': [0, 1, 2, 2],
        'y': [0, 1, 2, 2],
        'view': [0, 11, 0, 5],
        'video': [2, 1, 2, 2],
        'take': [0, 3, 0, 0],
        'probe': [0, 0, 0, 1],
    }
    for field, values in expected.items():
        assert dataset.labels(field)[order].tolist() == values
    assert dataset.class_names == ('0001', '0003', '0000', '0002')
    train, test = dataset.official_split()
    assert sorted(train.names()) == NAMES[:2]
    assert sorted(test.names()) == NAMES[2:]
    return order


@pytest.mark.parametrize('packed', [False, True])
def test_reads_poses(tmp_path, packed):
    write(tmp_path, walk)
    if packed:
        (tmp_path / 'raw' / 'Gait3D.json').unlink()
        pack(tmp_path / 'raw')
        (tmp_path / 'raw' / 'Gait3D.json').write_text(json.dumps(PARTITION))
    dataset = Gait3DPose(tmp_path)
    for seed, row in enumerate(check(dataset)):
        expected = torch.from_numpy(walk(3 + seed, seed)).float().transpose(0, 1)
        torch.testing.assert_close(dataset[row].pos, expected[..., :2])
        torch.testing.assert_close(dataset[row].score, expected[..., 2])
    assert Gait3DPose(tmp_path, min_frames=1)[0].pos.equal(dataset[0].pos)  # from processed/


@pytest.mark.parametrize('prefix', ['', 'sils-'])
def test_reads_silhouettes(tmp_path, prefix):
    write(tmp_path, clip, prefix)
    if prefix:  # merged with other data
        folder = tmp_path / 'raw' / 'pkl' / NAMES[0].replace('-', '/')
        write_pickle(folder / 'pars-seq0.pkl', np.ones((3, 64, 64), np.uint8))
        write_pickle(folder / 'smpls-seq0.pkl', np.ones((3, 85)))
    dataset = Gait3DSilhouettes(tmp_path)
    for seed, row in enumerate(check(dataset)):
        expected = torch.from_numpy(align_silhouettes(clip(3 + seed, seed))[0])
        assert torch.equal(dataset[row].silhouettes[0], expected)


def test_the_protocol_selects_probes(tmp_path):
    write(tmp_path, walk)
    dataset = Gait3DPose(tmp_path)
    gallery, probes = replace(GAIT3D, train_subjects=2).select(dataset)
    assert [dataset.names()[i] for i in gallery] == [NAMES[2]]
    assert [dataset.names()[i] for i in probes['probes']] == [NAMES[3]]


def test_invalid_sequences_are_skipped(tmp_path):
    write(tmp_path, walk)
    folder = tmp_path / 'raw' / '0000'
    write_pickle(folder / 'camid0_videoid2' / 'seq1' / 'seq1.pkl', walk(1)[:, :5])
    write_pickle(folder / 'camid0_videoid2' / 'seq2' / 'seq2.pkl', walk(1))
    write_pickle(folder / 'camid0_videoid2' / 'seq0' / 'seq0.pkl', walk(5))
    write_pickle(folder / 'walk' / '1.pkl', walk(5))
    write_pickle(tmp_path / 'raw' / '0009' / 'camid0_videoid2' / 'seq0' / 'seq0.pkl', walk(5))
    with pytest.warns(UserWarning, match=r'skipped 5 of 9 sequences') as caught:
        assert sorted(Gait3DPose(tmp_path, min_frames=2).names()) == sorted(NAMES)
    message = str(caught[0].message)
    for reason in (
        'not in folders named like 0000/camid0_videoid2/seq0 (0000/walk/1)',
        'with a subject that is not in Gait3D.json',
        'with fewer than 2 frames with a pose',
        'with the labels of another sequence',
        'with poses not numbers of shape [T, 17, 3]',
    ):
        assert reason in message


def test_missing_and_malformed_partitions_raise(tmp_path):
    write(tmp_path, walk)
    (tmp_path / 'raw' / 'Gait3D.json').write_text(json.dumps({'TRAIN_SET': ['0001']}))
    with pytest.raises(ValueError, match=r'Gait3D\.json: TEST_SET: expected a list of names'):
        Gait3DPose(tmp_path)
    (tmp_path / 'raw' / 'Gait3D.json').unlink()
    with pytest.raises(FileNotFoundError, match=r'and Gait3D\.json in .*raw: see .*gait3d'):
        Gait3DPose(tmp_path)
    with pytest.raises(FileNotFoundError, match=r'0000/camid0_videoid2/seq0'):
        Gait3DSilhouettes(tmp_path / 'empty')


def test_as_many_frames_as_joints(tmp_path):
    write(tmp_path, lambda frames, seed: walk(17, seed))
    assert all(data.pos.shape == (17, 17, 2) for data in Gait3DPose(tmp_path))
