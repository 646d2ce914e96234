import numpy as np
import pytest
import torch

from graphmotion.data import random_split, stratified_folds, stratified_subset


def test_a_random_split_is_a_partition_in_the_given_ratios():
    parts = random_split(100, (8, 1, 1), seed=1)
    assert [len(p) for p in parts] == [80, 10, 10]
    assert torch.equal(torch.cat(parts).sort().values, torch.arange(100))
    assert all(torch.equal(p, p.sort().values) for p in parts)


def test_the_split_depends_on_the_seed():
    first, again, other = (random_split(100, seed=s)[0] for s in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_ratios_need_not_divide_the_samples():
    parts = random_split(17, (0.5, 0.25, 0.25))
    assert sum(len(p) for p in parts) == 17


@pytest.mark.parametrize('num_folds', [2, 5, 10])
def test_folds_are_a_stratified_partition(num_folds):
    y = torch.tensor([0] * 112 + [1] * 33 + [2] * 78 + [3] * 119)[torch.randperm(342)]
    folds = stratified_folds(y, num_folds, seed=0)
    tests = torch.cat([test for _, test in folds])
    assert torch.equal(tests.sort().values, torch.arange(342))
    counts = torch.stack([torch.bincount(y[test], minlength=4) for _, test in folds])
    assert (counts.amax(dim=0) - counts.amin(dim=0)).max() <= 1
    sizes = counts.sum(dim=1)
    assert sizes.max() - sizes.min() <= 1
    for train, test in folds:
        assert torch.equal(torch.cat([train, test]).sort().values, torch.arange(342))


def test_no_group_is_in_two_parts():
    groups = torch.randint(0, 20, (300,))
    y = torch.randint(0, 3, (300,))
    for train, test in stratified_folds(y, 5, groups=groups):
        assert not set(groups[train].tolist()) & set(groups[test].tolist())
    parts = random_split(300, groups=groups)
    seen = [set(groups[p].tolist()) for p in parts]
    assert not seen[0] & seen[1]
    assert not seen[0] & seen[2]
    assert not seen[1] & seen[2]
    assert sum(len(p) for p in parts) == 300


def test_grouped_folds_are_stratified_by_group():
    groups = torch.arange(10).repeat_interleave(4)
    y = (groups < 5).long()
    for _, test in stratified_folds(y, 5, groups=groups):
        assert torch.bincount(y[test]).tolist() == [4, 4]


def test_impossible_splits_raise():
    with pytest.raises(ValueError, match='ratios must be positive'):
        random_split(10, (1, 0))
    with pytest.raises(ValueError, match='non-empty parts for 5 samples'):
        random_split(5, (98, 1, 1))
    with pytest.raises(ValueError, match=r'num_folds must be in \[2, 3\] for 3 samples, got 4'):
        stratified_folds(torch.zeros(3, dtype=torch.long), 4)
    with pytest.raises(ValueError, match='for 2 groups, got 3'):
        stratified_folds(torch.zeros(4, dtype=torch.long), 3, groups=torch.tensor([0, 0, 1, 1]))
    with pytest.raises(ValueError, match=r'groups must have shape \[4\], got 3 entries'):
        random_split(4, groups=torch.zeros(3))


def test_folds_depend_on_the_seed():
    y = torch.arange(60) % 3
    first, again, other = (stratified_folds(y, 5, seed=s)[0][1] for s in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def splits(y, groups=None):
    """Returns the samples of each part of random splits, folds and subsets."""
    parts = random_split(60, seed=1, groups=groups)
    parts += [test for _, test in stratified_folds(y, 3, seed=1, groups=groups)]
    return [*parts, stratified_subset(y, 0.5, seed=1)]


def test_splits_depend_on_the_seed_and_the_labels_in_their_order_only():
    y, groups = torch.arange(60) % 3, torch.arange(60) // 5
    torch.manual_seed(0)
    expected = splits(y) + splits(y, groups)
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002
    state = torch.get_rng_state()
    found = splits(y.clone()) + splits(y.clone(), groups.clone())
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
    assert torch.equal(torch.get_rng_state(), state)
    order = torch.randperm(60)
    for part, before in zip(splits(y[order]), splits(y), strict=True):
        assert set(order[part].tolist()) != set(before.tolist())


def test_sizes_are_rounded():
    assert [len(p) for p in random_split(342)] == [274, 34, 34]


@pytest.mark.parametrize('make', [lambda y: 2 * y - 1, lambda y: y.bool(), lambda y: 1000 * y - 7])
def test_classes_have_any_numbers(make):
    y = torch.arange(30) % 2
    for (train, test), (first, second) in zip(stratified_folds(make(y)), stratified_folds(y)):
        assert torch.equal(train, first)
        assert torch.equal(test, second)
