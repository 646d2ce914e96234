from collections import Counter
from itertools import chain

import pytest
import torch

from graphmotion.data import BalancedBatchSampler, BatchSampler

LABELS = torch.tensor([7] * 5 + [-3] * 9 + [40] * 4 + [0] * 12 + [10**12] * 6)[
    torch.randperm(36, generator=torch.Generator().manual_seed(0))
]


def batches(sampler):
    return [share.tolist() for _, share in sampler]


def test_batches_hold_every_sample_once_in_a_new_order_each_epoch():
    sampler = BatchSampler(50, 8, shuffle=True, seed=3)
    epochs = []
    for epoch in (0, 1, 0):
        sampler.set_epoch(epoch)
        epochs.append(batches(sampler))
    assert len(sampler) == 7
    assert [len(b) for b in epochs[0]] == [8] * 6 + [2]
    assert sorted(chain(*epochs[0])) == list(range(50))
    assert epochs[0] == epochs[2]
    assert epochs[0] != epochs[1]


@pytest.mark.parametrize('shuffle', [True, False])
def test_processes_share_the_batches_of_one(shuffle):
    whole = batches(BatchSampler(51, 8, shuffle, 3))
    parts = [batches(BatchSampler(51, 8, shuffle, 3, 2, rank)) for rank in range(2)]
    for i, batch in enumerate(whole):
        shares = [part[i] for part in parts]
        even = batch[: len(batch) // 2 * 2] if shuffle else batch
        assert sorted(chain(*shares)) == sorted(even)
        if shuffle:
            assert len(shares[0]) == len(shares[1])


@pytest.mark.parametrize(
    'make',
    [
        lambda seed, rank: BatchSampler(64, 8, True, seed, 2, rank),
        lambda seed, rank: BalancedBatchSampler(
            torch.arange(64) % 8, 4, 2, seed=seed, num_replicas=2, rank=rank
        ),
    ],
)
def test_seeds_of_batches_differ_and_follow_seed_and_epoch(make):
    def seeds(seed, epoch, rank=0):
        sampler = make(seed, rank)
        sampler.set_epoch(epoch)
        return [seed for seed, _ in sampler]

    assert seeds(0, 0) == seeds(0, 0)
    drawn = [s for args in ((0, 0), (0, 1), (1, 0), (0, 0, 1)) for s in seeds(*args)]
    assert len(set(drawn)) == len(drawn) == 32


def test_bad_batch_sizes_raise():
    with pytest.raises(ValueError, match='batch_size must be at least num_replicas=2, got 1'):
        BatchSampler(10, 1, num_replicas=2)
    with pytest.raises(ValueError, match='num_samples must be an integer >= 1, got 0'):
        BatchSampler(0, 1)


def test_balanced_batches_hold_k_samples_of_each_of_p_classes():
    for batch in batches(BalancedBatchSampler(LABELS, 3, 4, batches_per_epoch=50)):
        assert len(set(batch)) == 12
        labels = LABELS[batch].view(3, 4)
        assert bool((labels == labels[:, :1]).all())
        assert len(labels[:, 0].unique()) == 3


def test_classes_and_samples_are_drawn_equally_often():
    """The numbers of occurrences never differ by more than one."""
    classes = Counter(dict.fromkeys(LABELS.tolist(), 0))
    samples = Counter(dict.fromkeys(range(36), 0))
    firsts = set()
    for batch in batches(BalancedBatchSampler(LABELS, 3, 4, batches_per_epoch=60)):
        classes.update(LABELS[batch[::4]].tolist())
        samples.update(batch)
        assert max(classes.values()) - min(classes.values()) <= 1
        for label in classes:
            counts = [samples[i] for i in range(36) if LABELS[i] == label]
            assert max(counts) - min(counts) <= 1
        firsts.add(int(LABELS[batch[0]]))
    assert firsts == set(classes)


def test_samples_repeat_only_in_small_classes():
    labels = torch.tensor([0] * 3 + [1] * 8 + [2])
    for batch in batches(BalancedBatchSampler(labels, 3, 8, batches_per_epoch=20)):
        counts = Counter(batch)
        assert sorted(counts[i] for i in range(3)) == [2, 3, 3]
        assert [counts[i] for i in range(3, 12)] == [1] * 8 + [8]


def test_all_pairs_of_classes_are_equally_likely():
    """All pairs of classes are equally likely to share a batch."""
    pairs = Counter()
    for batch in batches(BalancedBatchSampler(torch.arange(6).repeat(2), 2, 1, 3000)):
        pairs[tuple(sorted(i % 6 for i in batch))] += 1
    assert len(pairs) == 15
    # 200 +- 14 of each, if they were independent.
    assert all(140 < count < 260 for count in pairs.values())


def test_the_length_of_an_epoch():
    assert len(BalancedBatchSampler(LABELS, 3, 4)) == 3
    assert len(BalancedBatchSampler(LABELS[:11], 3, 4)) == 1
    sampler = BalancedBatchSampler(LABELS, 3, 4, batches_per_epoch=17)
    assert len(sampler) == len(batches(sampler)) == 17


def test_set_epoch_repeats_an_earlier_epoch():
    sampler = BalancedBatchSampler(LABELS, 3, 4, seed=2)
    state = torch.get_rng_state()
    first, second = batches(sampler), batches(sampler)
    assert first != second
    sampler.set_epoch(1)
    assert batches(sampler) == second
    assert batches(BalancedBatchSampler(LABELS, 3, 4, seed=2)) == first
    assert batches(BalancedBatchSampler(LABELS.tolist(), 3, 4, seed=3)) != first
    assert torch.equal(torch.get_rng_state(), state)


def test_each_process_receives_complete_classes():
    whole = batches(BalancedBatchSampler(LABELS, 4, 3, 10, seed=1))
    parts = [batches(BalancedBatchSampler(LABELS, 4, 3, 10, 1, 2, rank)) for rank in (0, 1)]
    for batch, *shares in zip(whole, *parts):
        assert sorted(chain(*shares)) == sorted(batch)
        labels = [set(LABELS[share].tolist()) for share in shares]
        assert [len(share) for share in shares] == [6, 6]
        assert [len(share) for share in labels] == [2, 2]
        assert not labels[0] & labels[1]


@pytest.mark.parametrize(
    ('options', 'reason'),
    [
        ({'classes_per_batch': 6}, 'classes_per_batch must be at most 5.*, got 6'),
        ({'classes_per_batch': 3, 'num_replicas': 2}, 'a multiple of num_replicas=2, got 3'),
        ({'classes_per_batch': 0}, 'classes_per_batch must be an integer >= 1, got 0'),
        ({'samples_per_class': 0}, 'samples_per_class must be an integer >= 1, got 0'),
        ({'batches_per_epoch': 0}, 'batches_per_epoch must be an integer >= 1, got 0'),
        ({'labels': LABELS.float()}, r'integers.*got torch.float32 of shape \[36\]'),
        ({'labels': LABELS.view(-1, 1)}, r'integers.*got torch.int64 of shape \[36, 1\]'),
        ({'labels': []}, 'integers'),
    ],
)
def test_impossible_batches_raise(options, reason):
    with pytest.raises(ValueError, match=reason):
        BalancedBatchSampler(
            **{'labels': LABELS, 'classes_per_batch': 2, 'samples_per_class': 2} | options
        )


def test_a_batch_can_be_drawn_again():
    sampler = BatchSampler(10, 4, shuffle=True, seed=3)
    epochs = [[batch for _, batch in sampler] for _ in range(2)]
    for epoch, step in ((0, 2), (1, 0)):
        assert torch.equal(sampler.batch(epoch, step), epochs[epoch][step])
