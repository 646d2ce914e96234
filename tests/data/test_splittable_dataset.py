import pytest
import torch

from graphmotion.data import random_split, stratified_folds, stratified_subset
from tests.data.test_graph_dataset import Clips, Faces


@pytest.fixture
def dataset():
    return Faces(sizes=(6,) * 12)[1:]


def numbers(parts):
    return [part.labels('subject').tolist() for part in parts]


def test_parts_equal_those_of_the_functions(dataset):
    subject = dataset.labels('subject')
    expected = [subject[part].tolist() for part in random_split(11, (2, 1), 3)]
    assert numbers(dataset.split((2, 1), seed=3)) == expected
    for parts, folds in (
        (dataset.folds(3, seed=2), stratified_folds(dataset.labels(), 3, 2)),
        (dataset.folds(2, by='part'), stratified_folds(dataset.labels(), 2, 0, subject % 2)),
    ):
        assert [numbers(fold) for fold in parts] == [
            [subject[part].tolist() for part in fold] for fold in folds
        ]
    expected = subject[stratified_subset(dataset.labels(), 0.5, 4)].tolist()
    assert dataset.subset(0.5, seed=4).labels('subject').tolist() == expected


def test_no_value_is_in_two_parts(dataset):
    train, test = dataset.split((1, 1), by='part')
    assert {*train.labels('part').tolist(), *test.labels('part').tolist()} == {0, 1}
    assert len(train.labels('part').unique()) == len(test.labels('part').unique()) == 1


def test_leave_one_out(dataset):
    folds = dataset.leave_one_out('y')
    assert [test.labels().unique().tolist() for _, test in folds] == [[0], [1], [2]]
    for number, (train, test) in enumerate(folds):
        assert number not in train.labels()
        assert sorted(sample for part in numbers((train, test)) for sample in part) == [
            *range(1, 12)
        ]
    with pytest.raises(ValueError, match="field 'y' must have at least two values, got one"):
        dataset[dataset.labels() == 1].leave_one_out('y')


def test_parts_share_the_storage(dataset):
    part = dataset.split((1, 1))[0]
    assert part._storage is dataset._storage
    assert torch.equal(part[0].image, dataset[int(part.labels('subject')[0]) - 1].image)


def test_official_splits():
    dataset = Faces()
    train, test = dataset.official_split()
    assert (train.labels('subject').tolist(), test.labels('subject').tolist()) == ([0, 2], [1, 3])
    train, test = dataset.official_split('subjects')
    assert (train.labels('subject').tolist(), test.labels('subject').tolist()) == ([1, 2], [0, 3])
    with pytest.raises(
        ValueError, match=r"protocol must be one of \['given', 'subjects'\], got 'x'"
    ):
        dataset.official_split('x')
    with pytest.raises(ValueError, match=r'protocol must be one of \[\], got None'):
        Clips().official_split()
    none = 'Faces: none of the 2 samples is a {} sample of protocol {!r}'
    with pytest.raises(ValueError, match=none.format('test', 'subjects')):
        dataset[1:3].official_split('subjects')
    with pytest.raises(ValueError, match=none.format('training', 'given')):
        dataset[1::2].official_split()
