import os

import pytest
import torch

from graphmotion.datasets import CASIABSilhouettes
from graphmotion.io import align_silhouettes
from tests.datasets.silhouettes import clip, pack, write_images, write_pickle

NAMES = ['001-bg-02-090', '001-nm-01-000', '025-cl-01-180', '124-nm-06-018']


def official(raw, names=NAMES, frames=3):
    for seed, name in enumerate(names):
        subject, condition, take, view = name.split('-')
        folder = raw / 'GaitDatasetB-silh' / subject / f'{condition}-{take}' / view
        write_images(folder, clip(frames + seed, seed), name + '-{:03d}.png')


def opengait(raw, names=NAMES, frames=3):
    for seed, name in enumerate(names):
        subject, condition, take, view = name.split('-')
        path = raw / subject / f'{condition}-{take}' / view / f'{view}.pkl'
        write_pickle(path, clip(frames + seed, seed))


@pytest.mark.parametrize('write', [official, opengait])
@pytest.mark.parametrize('packed', [False, True])
def test_reads_both_layouts(tmp_path, write, packed):
    write(tmp_path / 'raw')
    if packed:
        pack(tmp_path / 'raw')
    dataset = CASIABSilhouettes(str(tmp_path))
    assert dataset.names() == NAMES
    for field, values in {
        'y': [0, 0, 24, 123],
        'subject': [0, 0, 24, 123],
        'condition': [1, 0, 2, 0],
        'take': [2, 1, 1, 6],
        'view': [90, 0, 180, 18],
    }.items():
        assert dataset.labels(field).tolist() == values
    for seed, data in enumerate(dataset):
        expected = torch.from_numpy(align_silhouettes(clip(3 + seed, seed))[0])
        assert torch.equal(data.silhouettes[0], expected)
    assert dataset.num_classes == 124
    assert dataset[[2]].names() == ['025-cl-01-180']


def test_protocols(tmp_path):
    opengait(tmp_path / 'raw', [f'{subject:03d}-nm-01-000' for subject in range(1, 126)], 1)
    with pytest.warns(UserWarning, match=r'1 of 125 sequences: 1 with a subject outside 1\.\.124'):
        dataset = CASIABSilhouettes(str(tmp_path))
    for protocol, number in (('LT', 74), ('MT', 62), ('ST', 24)):
        train, test = dataset.official_split(protocol)
        assert train.labels('subject').tolist() == list(range(number))
        assert test.labels('subject').tolist() == list(range(number, 124))
    assert len(dataset.official_split()[0]) == 74


def test_processed_files_are_small(tmp_path):
    opengait(tmp_path / 'raw', frames=80)
    dataset = CASIABSilhouettes(str(tmp_path))
    size = os.path.getsize(dataset.processed_paths[0])
    frames = int(dataset.num_frames.sum())
    # Of a frame 64 rows of 44 bits; the rest does not grow with the frames.
    assert size - frames * 64 * 6 < 16384
    assert 13640 * 80 * 64 * 6 < 0.5e9


def test_missing_files_raise(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'001/nm-01/000/\*\.png.*cbsr\.ia\.ac\.cn'):
        CASIABSilhouettes(str(tmp_path))
