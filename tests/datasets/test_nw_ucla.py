import json
import os
import zipfile

import numpy as np
import pytest
import torch

from graphmotion.datasets import NWUCLA


def sequence(frames, joints=20):
    pos = np.random.default_rng(frames).normal(size=(frames, joints, 3))
    return {'file_name': 'a', 'skeletons': pos.tolist(), 'label': 1}


NAMES = ('a01_s01_e00_v01', 'a12_s02_e03_v03', 'a08_s10_e01_v02')


def write(root, **more):
    os.makedirs(root / 'raw')
    with zipfile.ZipFile(root / 'raw' / 'all_sqe.zip', 'w') as archive:
        archive.writestr('all_sqe/', '')
        for i, name in enumerate(NAMES):
            archive.writestr(f'all_sqe/{name}.json', json.dumps(sequence(i + 1)))
        for name, content in more.items():
            archive.writestr(f'all_sqe/{name}.json', content)


def test_reads_the_archive(tmp_path):
    write(tmp_path)
    dataset = NWUCLA(str(tmp_path))
    assert dataset.names() == sorted(NAMES)
    assert dataset.num_classes == 10
    for field, values in (
        ('y', [0, 6, 9]),
        ('subject', [1, 10, 2]),
        ('take', [0, 1, 3]),
        ('view', [1, 2, 3]),
    ):
        assert dataset.labels(field).tolist() == values
    names = [dataset.class_names[y] for y in (0, 6, 9)]
    assert names == ['pick up with one hand', 'donning', 'carry']
    # Numbers of the files; 7 and 10 are not in the set.
    numbers = {dataset.action(y): name for y, name in enumerate(dataset.class_names)}
    assert numbers == {
        **{1: 'pick up with one hand', 2: 'pick up with two hands', 3: 'drop trash'},
        **{4: 'walk around', 5: 'sit down', 6: 'stand up', 8: 'donning', 9: 'doffing'},
        **{11: 'throw', 12: 'carry'},
    }
    expected = torch.tensor(sequence(3)['skeletons'], dtype=torch.float).transpose(0, 1)
    assert torch.equal(dataset[1].pos, expected)
    train, test = dataset.official_split('cross_view')
    assert train.labels('view').tolist() == [1, 2]
    assert test.labels('view').tolist() == [3]


def test_joints_at_the_origin_are_missing(tmp_path):
    lost = sequence(2)
    lost['skeletons'][1][7] = [0, 0, 0]
    write(tmp_path, a02_s01_e00_v01=json.dumps(lost))
    dataset = NWUCLA(str(tmp_path))
    assert (dataset[1].score == 0).nonzero().tolist() == [[7, 1]]
    assert dataset[0].score.min() == 1


def test_invalid_sequences_are_skipped(tmp_path):
    more = {
        'a02_s01_e00_v01': '',
        'a02_s01_e00_v02': json.dumps(sequence(3))[:100],
        'a02_s01_e00_v03': json.dumps(sequence(3, 25)),
        'a02_s01_e01_v01': json.dumps({'skeletons': []}),
        'a07_s01_e00_v01': json.dumps(sequence(3)),
        'walk': json.dumps(sequence(3)),
    }
    write(tmp_path, **more)
    with pytest.warns(
        UserWarning,
        match=r'raw: skipped 6 of 9 samples: 2 with content not JSON .*; 2 with skeletons not .*; '
        r'1 with an action not in .*\(a07_s01_e00_v01\); 1 not named like a{action.*\(walk\)',
    ):
        assert len(NWUCLA(str(tmp_path))) == 3


def test_missing_files_raise(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'NWUCLA needs all_sqe\.zip.*raw: see https://'):
        NWUCLA(str(tmp_path))


@pytest.mark.slow
def test_the_real_files(nw_ucla):
    dataset = nw_ucla
    assert len(dataset) == 1484
    train, test = dataset.official_split()
    assert (len(train), len(test)) == (1020, 464)
    assert train.labels('view').unique().tolist() == [1, 2]
    assert dataset.labels('y').unique().tolist() == list(range(10))
    assert dataset.labels('subject').unique().tolist() == list(range(1, 11))
    assert (dataset.num_frames.min(), dataset.num_frames.max()) == (1, 201)
    # Bodies are almost always upright: the head is above the hips.
    upright = [(data.pos[3, :, 1] > data.pos[0, :, 1]).float().mean() for data in dataset]
    assert torch.stack(upright).mean() > 0.95
