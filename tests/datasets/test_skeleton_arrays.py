import numpy as np
import pytest
import torch

from graphmotion.datasets import SkeletonArrays
from graphmotion.skeletons import Skeleton
from tests.io.test_skeleton_arrays import make_samples, write_folder, write_npz

CHAIN = Skeleton(['a', 'b', 'c', 'd', 'e'], [('a', 'b'), ('b', 'c'), ('c', 'd'), ('d', 'e')])


def test_reads_the_parts_of_a_folder(tmp_path):
    data = make_samples()
    write_folder(tmp_path / 'raw' / 'xsub', data)
    write_folder(tmp_path / 'raw' / 'xsub', data[1:2], 'val', 'data', [1], 'd')
    with pytest.warns(UserWarning, match=r'skipped 1 of 4 samples: 1 without a person \(c\)'):
        dataset = SkeletonArrays(tmp_path, 'xsub', CHAIN, class_names='xyz')
    assert dataset.names() == ['a', 'b', 'd']
    assert dataset.labels().tolist() == [2, 0, 1]
    assert [sample.pos.shape for sample in dataset] == [(5, 4, 3), (10, 6, 3), (10, 6, 3)]
    expected = torch.from_numpy(data[1, 1].swapaxes(0, 1).copy())
    assert torch.equal(dataset[1].pos[5:], expected)
    assert dataset[1].score.sum() == 5 * 11
    train, test = dataset.official_split()
    assert (train.names(), test.names()) == (['a', 'b'], ['d'])
    assert dataset.part_names == ['train', 'val']
    again = SkeletonArrays(tmp_path, 'xsub', CHAIN)  # from processed/
    assert again.part('val').names() == ['d']
    with pytest.raises(ValueError, match=r"name must be one of \['train', 'val'\], got 'test'"):
        again.part('test')


def test_reads_the_arrays_of_ctr_gcn(tmp_path):
    (tmp_path / 'raw').mkdir()
    write_npz(tmp_path / 'raw' / 'CS.npz', make_samples()[:2], [2, 0])
    dataset = SkeletonArrays(tmp_path, 'CS.npz', CHAIN)
    train, test = dataset.official_split()
    assert train.names() == ['train_0', 'train_1']
    assert test.labels().tolist() == [0, 2]


def test_other_options_are_processed_separately(tmp_path):
    data = make_samples()[:2]
    data[..., 2] = np.where(data[..., 0] == 0, 0, 2)
    write_folder(tmp_path / 'raw', data, labels=[0, 1], names='ab')
    assert SkeletonArrays(tmp_path, '.', CHAIN)[0].pos.size(-1) == 3
    assert SkeletonArrays(tmp_path, '.', CHAIN, score_last=True)[0].pos.size(-1) == 2


def test_missing_files_raise(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'xsub/train_data.npy, .*st-gcn'):
        SkeletonArrays(tmp_path, 'xsub', 'ntu25')
