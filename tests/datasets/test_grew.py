import numpy as np
import pytest
import torch

from graphmotion.datasets import GREWPose, GREWSilhouettes
from graphmotion.io import align_silhouettes
from graphmotion.metrics import GREW
from tests.datasets.silhouettes import clip, write_pickle
from tests.datasets.test_gait3d import walk

NAMES = [
    '00001train-00-4XPn5Z28',
    '00001train-00-5TXe8svE',
    '20000train-00-a0000000',
    '00001-01-79XJefi8',
    '00001-02-t16VLaQf',
]


def write(root, content, names=NAMES):
    for seed, name in enumerate(names):
        folder = root / 'raw' / 'GREW-pkl' / name.replace('-', '/')
        write_pickle(folder / f'{folder.name}.pkl', content(2 + seed, seed))


def test_reads_poses(tmp_path):
    write(tmp_path, walk)
    dataset = GREWPose(tmp_path)
    order = [dataset.names().index(name) for name in NAMES]
    assert sorted(order) == list(range(5))
    assert dataset.labels('subject')[order].tolist() == [0, 0, 19999, 20000, 20000]
    assert dataset.labels('take')[order].tolist() == [0, 0, 0, 1, 2]
    assert [dataset.class_names[n] for n in (0, 19999, 20000, 25999)] == [
        '00001train', '20000train', '00001', '06000',
    ]  # fmt: skip
    for seed, row in enumerate(order):
        expected = torch.from_numpy(walk(2 + seed, seed)).float().transpose(0, 1)
        torch.testing.assert_close(dataset[row].pos, expected[..., :2])
    train, test = dataset.official_split()
    assert sorted(train.names()) == sorted(NAMES[:3])
    gallery, probes = GREW.select(dataset)
    assert [dataset.names()[i] for i in gallery] == NAMES[3:4]
    assert [dataset.names()[i] for i in probes['02']] == NAMES[4:]
    assert len(GREW.split(dataset)[1]) == len(test) == 2


def test_reads_silhouettes_without_the_probes_of_the_challenge(tmp_path):
    write(tmp_path, clip)
    for folder in ('probe/etaGVnWf', 'probe/03/eT1EXpgZ'):
        write_pickle(tmp_path / 'raw' / 'GREW-pkl' / folder / 'x.pkl', clip(3))
    dataset = GREWSilhouettes(tmp_path)
    assert sorted(dataset.names()) == sorted(NAMES)
    row = dataset.names().index(NAMES[3])
    expected = torch.from_numpy(align_silhouettes(clip(5, 3))[0])
    assert torch.equal(dataset[row].silhouettes[0], expected)


def test_invalid_names_are_skipped(tmp_path):
    names = ['06001-01-79XJefi8', '00000train-00-79XJefi8', '00001-01-79XJefi89']
    write(tmp_path, walk, [*names, NAMES[0]])
    with pytest.warns(UserWarning, match='skipped 3 of 4') as caught:
        assert GREWPose(tmp_path).names() == NAMES[:1]
    message = str(caught[0].message)
    for reason in ('1 with a subject outside 1..6000', '1 with a subject outside 1..20000',
                   '1 with a name of more than 8 characters'):  # fmt: skip
        assert reason in message


def test_unknown_names_are_shown_with_the_expected_ones(tmp_path):
    write_pickle(tmp_path / 'raw' / 'anna' / '1' / 'a.pkl', np.zeros((2, 17, 3)))
    with pytest.raises(ValueError, match=r'folders named like 00001train/00/4XPn5Z28 \(anna/1/a\)'):
        GREWPose(tmp_path)
