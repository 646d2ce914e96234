import pytest
import torch

from graphmotion.datasets import OUMVLP, OUMVLPPose
from graphmotion.io import align_silhouettes
from graphmotion.metrics import OU_MVLP
from tests.datasets.silhouettes import clip, pack, write_images, write_pickle
from tests.datasets.test_gait3d import walk

NAMES = ['00001-00-000', '00001-01-270', '00002-00-090', '10307-01-015']


def official(raw, names=NAMES):
    for seed, name in enumerate(names):
        subject, take, view = name.split('-')
        folder = raw / f'Silhouette_{view}-{take}' / subject
        write_images(folder, clip(1 + seed, seed), '{:04d}.png')


def opengait(raw, names=NAMES):
    for seed, name in enumerate(names):
        subject, take, view = name.split('-')
        write_pickle(raw / subject / take / view / f'{view}.pkl', clip(1 + seed, seed))


@pytest.mark.parametrize('write', [official, opengait])
@pytest.mark.parametrize('packed', [False, True])
def test_reads_both_layouts(tmp_path, write, packed):
    write(tmp_path / 'raw')
    if packed:
        pack(tmp_path / 'raw')
    dataset = OUMVLP(str(tmp_path))
    assert sorted(dataset.names()) == NAMES
    for data, name in zip(dataset, dataset.names()):
        subject, take, view = map(int, name.split('-'))
        assert int(data.subject) == int(data.y) == subject - 1
        assert (int(data.take), int(data['view'])) == (take, view)
        seed = NAMES.index(name)
        expected = torch.from_numpy(align_silhouettes(clip(1 + seed, seed))[0])
        assert torch.equal(data.silhouettes[0], expected)
    assert dataset.num_classes == 10307


def test_protocol(tmp_path):
    opengait(tmp_path / 'raw', [f'{n:05d}-00-000' for n in (1, 2, 3, 10304, 10305, 10306, 10307)])
    opengait(tmp_path / 'raw', [f'{n:05d}-01-000' for n in (2, 3)])
    dataset = OUMVLP(str(tmp_path))
    train, test = dataset.official_split()
    assert train.names() == ['00001-00-000', '00003-00-000', '00003-01-000', '10305-00-000']
    assert test.labels('subject').unique().tolist() == [1, 10303, 10305, 10306]
    # The protocol of the metrics agrees.
    train_by_metric, _ = OU_MVLP.split(dataset)
    assert train_by_metric.names() == train.names()
    (_, subjects), number = dataset.protocols['official'], dataset.num_classes
    assert (len(subjects), number - len(subjects)) == (5153, 5154)
    train, _ = OUMVLP(str(tmp_path), train_subjects=[2, 10307]).official_split()
    assert train.labels('subject').unique().tolist() == [1, 10306]


def test_invalid_sequences_are_skipped_and_invalid_options_raise(tmp_path):
    opengait(tmp_path / 'raw', ['00001-00-000', '10308-00-000', '00000-00-000'])
    official(tmp_path / 'raw', ['00001-00-000'])
    reason = (
        r'3 of 4 sequences: 2 with a subject outside 1\.\.10307 .*; '
        r'1 with the labels of another sequence'
    )
    with pytest.warns(UserWarning, match=reason):
        assert OUMVLP(str(tmp_path)).names() == ['00001-00-000']
    for numbers, found in (([0], 'got 0'), ([10308], 'got 10308'), ([], 'got none')):
        with pytest.raises(ValueError, match=f'train_subjects.*{found}'):
            OUMVLP(str(tmp_path), train_subjects=numbers)
    with pytest.raises(FileNotFoundError, match=r'Silhouette_000-00/00001/\*\.png.*osaka-u'):
        OUMVLP(str(tmp_path / 'empty'))


def test_reads_poses(tmp_path):
    for seed, name in enumerate(NAMES):
        subject, take, view = name.split('-')
        poses = walk(20 + seed, seed)
        write_pickle(tmp_path / 'raw' / subject / take / view / f'{view}.pkl', poses)
    dataset = OUMVLPPose(tmp_path)
    assert dataset.names() == NAMES
    assert dataset.labels('view').tolist() == [0, 270, 90, 15]
    assert dataset.labels('frame_rate').tolist() == [25] * 4
    for seed, data in enumerate(dataset):
        expected = torch.from_numpy(walk(20 + seed, seed)).float().transpose(0, 1)
        torch.testing.assert_close(data.pos, expected[..., :2])
    assert dataset.official_split()[0].names() == NAMES[:2]
    with pytest.raises(ValueError, match='train_subjects'):
        OUMVLPPose(tmp_path, train_subjects=[0])
    with pytest.raises(FileNotFoundError, match=r'00001/00/000/\*\.pkl.*GaitLPPose'):
        OUMVLPPose(tmp_path / 'empty')
