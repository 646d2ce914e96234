from itertools import chain

import pytest
import torch
from torch_geometric.data import Batch

from graphmotion.training import BatchSampler, GraphDataModule, graph_loader
from tests.toy import Waves, joints, noisy_joints


def test_batches_hold_every_sample_once_in_a_new_order_each_epoch():
    sampler = BatchSampler(50, 8, shuffle=True, seed=3)
    epochs = []
    for epoch in (0, 1, 0):
        sampler.set_epoch(epoch)
        epochs.append([share.tolist() for _, share in sampler])
    assert len(sampler) == 7
    assert [len(b) for b in epochs[0]] == [8] * 6 + [2]
    assert sorted(chain(*epochs[0])) == list(range(50))
    assert epochs[0] == epochs[2]
    assert epochs[0] != epochs[1]


@pytest.mark.parametrize('shuffle', [True, False])
def test_processes_share_the_batches_of_one(shuffle):
    whole = [share.tolist() for _, share in BatchSampler(51, 8, shuffle, 3)]
    parts = [
        [share.tolist() for _, share in BatchSampler(51, 8, shuffle, 3, 2, process)]
        for process in range(2)
    ]
    for i, batch in enumerate(whole):
        shares = [part[i] for part in parts]
        even = batch[: len(batch) // 2 * 2] if shuffle else batch
        assert sorted(chain(*shares)) == sorted(even)
        if shuffle:
            assert len(shares[0]) == len(shares[1])


def test_seeds_of_batches_differ_and_follow_seed_and_epoch():
    def seeds(seed, epoch, process=0):
        sampler = BatchSampler(64, 8, True, seed, 2, process)
        sampler.set_epoch(epoch)
        return [seed for seed, _ in sampler]

    assert seeds(0, 0) == seeds(0, 0)
    drawn = [s for args in ((0, 0), (0, 1), (1, 0), (0, 0, 1)) for s in seeds(*args)]
    assert len(set(drawn)) == len(drawn)


def test_loader_gives_transformed_batches():
    dataset = Waves(10, frames=(6, 12))
    batches = list(graph_loader(dataset, 4, joints))
    assert [b.num_graphs for b in batches] == [4, 4, 2]
    assert all(isinstance(b, Batch) for b in batches)
    expected = joints(dataset.get_batch([4, 5, 6, 7]))
    assert torch.equal(batches[1].x, expected.x)
    assert torch.equal(batches[1].num_frames, expected.num_frames)


def test_random_draws_do_not_depend_on_workers_nor_on_what_was_drawn_before():
    dataset = Waves(12)
    alone = [b.x for b in graph_loader(dataset, 4, noisy_joints, shuffle=True, seed=1)]
    torch.rand(7)
    again = [b.x for b in graph_loader(dataset, 4, noisy_joints, shuffle=True, seed=1)]
    workers = graph_loader(dataset, 4, noisy_joints, shuffle=True, seed=1, num_workers=1)
    for a, b, c in zip(alone, again, workers):
        assert torch.equal(a, b)
        assert torch.equal(a, c.x)
    other = next(iter(graph_loader(dataset, 4, noisy_joints, shuffle=True, seed=2)))
    assert not torch.equal(other.x, alone[0])


def test_workers_send_the_batches_of_the_dataset():
    for dataset in (Waves(6), Waves(6, frames=(6, 12))):
        (batch,) = graph_loader(dataset, 6, num_workers=1)
        expected = dataset.get_batch(range(6))
        assert batch.to_dict().keys() == expected.to_dict().keys()
        for name, value in expected.to_dict().items():
            assert torch.equal(batch[name], value)
        assert torch.equal(batch[5].edge_index, dataset[5].edge_index)


def test_loading_leaves_the_global_generator_alone():
    state = torch.get_rng_state()
    list(graph_loader(Waves(12), 4, noisy_joints, shuffle=True))
    assert torch.equal(torch.get_rng_state(), state)

    def fail(batch):
        raise RuntimeError(f'after a draw, {torch.rand(1)}')

    with pytest.raises(RuntimeError, match='after a draw'):
        list(graph_loader(Waves(12), 4, fail))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.cuda
def test_draws_on_the_gpu_follow_the_seed_and_leave_the_generators_alone():
    if not torch.cuda.is_available():
        pytest.skip('no CUDA device')
    dataset = Waves(12).cuda()
    states = torch.get_rng_state(), torch.cuda.get_rng_state()
    first = torch.cat([b.x for b in graph_loader(dataset, 4, noisy_joints, seed=1)])
    assert torch.equal(torch.get_rng_state(), states[0])
    assert torch.equal(torch.cuda.get_rng_state(), states[1])
    torch.rand(7, device='cuda')
    again = torch.cat([b.x for b in graph_loader(dataset, 4, noisy_joints, seed=1)])
    assert torch.equal(first, again)


def test_module_gives_a_loader_for_each_part():
    data = GraphDataModule(
        Waves(12), test=Waves(6), batch_size=4, transform=joints, train_transform=noisy_joints
    )
    assert len(data.train_dataloader()) == 3
    assert data.val_dataloader() == []
    test = next(iter(data.test_dataloader()))
    assert torch.equal(test.x, test.pos)
    train = next(iter(data.train_dataloader()))
    assert not torch.equal(train.x, train.pos)


def test_batches_that_cannot_be_shared_are_refused():
    with pytest.raises(ValueError, match='10 samples in batches of 1 for 2 processes'):
        BatchSampler(10, 1, num_processes=2)


def test_a_plain_loop_gets_a_new_order_and_new_draws_each_time():
    loader = graph_loader(Waves(12), 4, noisy_joints, shuffle=True)
    first, second = [torch.cat([b.x for b in loader]) for _ in range(2)]
    assert not torch.equal(first, second)
    loader.sampler.set_epoch(0)
    assert torch.equal(torch.cat([b.x for b in loader]), first)
    orders = [[share.tolist() for _, share in loader.sampler] for _ in range(2)]
    assert orders[0] != orders[1]
