import pytest
import torch

from graphmotion.training import oversample
from tests.training.walkers import Walkers


def test_rare_conditions_are_repeated():
    """Six walks of a subject are four of one condition and two of the other, as 6 are to 3."""
    dataset = Walkers(3, 6)
    even = oversample(dataset)
    assert torch.equal(even.labels('condition').bincount(), torch.tensor([12, 12]))
    assert len(dataset) == 18
    assert list(even.indices())[:18] == list(range(18))
    later = [i for i in range(18) if dataset.labels('condition')[i]]
    assert list(even.indices())[18:] == later
    batch = even.get_batch([0, 18])
    assert torch.equal(batch.pos[16:], dataset[later[0]].pos)


def test_frequencies_that_do_not_divide_are_rounded():
    dataset = Walkers(2, 6)
    part = dataset.index_select([0, 1, 2, 3, 4, 6, 7, 8])  # 7 and 1
    assert oversample(part).labels('condition').bincount().tolist() == [7, 7]
    part = dataset.index_select([0, 1, 2, 3, 4, 5, 6, 10])  # 5 and 3
    assert oversample(part).labels('condition').bincount().tolist() == [5, 6]
    assert list(oversample(dataset, 'subject').indices()) == list(range(12))


def test_a_missing_field_is_named():
    with pytest.raises(ValueError, match="no field 'view'"):
        oversample(Walkers(2, 2), 'view')
