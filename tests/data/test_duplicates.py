"""Samples with equal content."""

import pytest
import torch
from torch_geometric.data import Data

from graphmotion.data import as_dataset, find_copies, find_duplicates, from_array
from tests.toy import Waves


def walk(value, frames=4):
    return from_array(torch.full((frames, 16, 3), float(value)), 'emotion_gait16', axes='TVC')


def test_groups_of_duplicates():
    samples = [walk(1), walk(2), walk(1), walk(3), walk(2), walk(1)]
    assert find_duplicates(samples) == [[0, 2, 5], [1, 4]]
    assert find_duplicates(samples[:2]) == []
    # The same numbers in another number of frames or another type are other samples.
    assert find_duplicates([walk(1), walk(1, frames=5)]) == []
    assert find_duplicates([Data(pos=torch.zeros(4)), Data(pos=torch.zeros(2).double())]) == []
    assert find_duplicates([Data(a=torch.ones(2)), Data(a=torch.ones(2))], 'a') == [[0, 1]]


def test_positions_are_those_of_a_part_of_a_dataset():
    dataset = as_dataset([walk(1), walk(2), walk(1), walk(2)])
    assert find_duplicates(dataset.index_select([3, 0, 1])) == [[0, 2]]


def test_copies_of_a_reference():
    reference, samples = [walk(1), walk(2)], [walk(3), walk(2), walk(1), walk(4)]
    copies = find_copies(samples, reference)
    assert copies.dtype == torch.bool
    assert copies.tolist() == [False, True, True, False]


def test_transforms_do_not_hide_copies():
    dataset = Waves(4)
    noisy = Waves(4)
    noisy.transform = lambda data: data.update({'pos': torch.randn_like(data.pos)})
    assert find_copies(noisy, dataset).all()


def test_missing_fields_are_named():
    with pytest.raises(ValueError, match="sample 1 must have a tensor 'pos', got x"):
        find_duplicates([walk(1), Data(x=torch.ones(2))])


def test_the_real_nw_ucla_has_copies_in_both_parts(nw_ucla):
    """All test sequences of two actions are training sequences of another view."""
    train, test = nw_ucla.official_split('cross_view')
    copies = find_copies(test, train)
    expected = [0, 50, 45, 0, 0, 0, 0, 0, 0, 0]
    assert test.labels()[copies].bincount(minlength=10).tolist() == expected
