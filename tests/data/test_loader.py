import random

import numpy as np
import pytest
import torch
from torch_geometric.data import Batch, Data
from torch_geometric.transforms import Compose, RandomRotate

from graphmotion.data import BalancedBatchSampler, GraphDataset, graph_loader
from graphmotion.training import GraphDataModule
from graphmotion.transforms import CropFrames, ToStream
from tests.toy import Waves, joints, noisy_joints
from tests.training.walkers import Walkers


def test_loader_transforms_batches():
    dataset = Waves(10, frames=(6, 12))
    batches = list(graph_loader(dataset, 4, joints))
    assert [b.num_graphs for b in batches] == [4, 4, 2]
    assert all(isinstance(b, Batch) for b in batches)
    expected = joints(dataset.get_batch([4, 5, 6, 7]))
    assert torch.equal(batches[1].x, expected.x)
    assert torch.equal(batches[1].num_frames, expected.num_frames)


@pytest.mark.filterwarnings('ignore:This DataLoader will create')  # on a single core
def test_random_draws_depend_on_neither_workers_nor_earlier_draws():
    dataset = Waves(12)
    alone = [b.x for b in graph_loader(dataset, 4, noisy_joints, shuffle=True, seed=1)]
    torch.rand(7)
    again = [b.x for b in graph_loader(dataset, 4, noisy_joints, shuffle=True, seed=1)]
    workers = [
        graph_loader(dataset, 4, noisy_joints, shuffle=True, seed=1, num_workers=number)
        for number in (1, 2)
    ]
    for a, b, c, d in zip(alone, again, *workers):
        assert torch.equal(a, b)
        assert torch.equal(a, c.x)
        assert torch.equal(a, d.x)
    other = next(iter(graph_loader(dataset, 4, noisy_joints, shuffle=True, seed=2)))
    assert not torch.equal(other.x, alone[0])


def test_workers_return_the_batches_of_the_dataset():
    for dataset in (Waves(6), Waves(6, frames=(6, 12))):
        (batch,) = graph_loader(dataset, 6, num_workers=1)
        expected = dataset.get_batch(range(6))
        assert batch.to_dict().keys() == expected.to_dict().keys()
        for name, value in expected.to_dict().items():
            assert torch.equal(batch[name], value)
        assert torch.equal(batch[5].edge_index, dataset[5].edge_index)


def test_transforms_of_pyg_and_numpy_follow_the_seed():
    def noisy(data):
        data.x = data.pos + torch.from_numpy(np.random.rand(*data.pos.shape))  # noqa: NPY002
        return data

    for transform in (RandomRotate(90), noisy):
        runs = []
        for seed in (1, 1, 2):
            dataset = Waves(8)
            loader = graph_loader(dataset, 4, transform, seed=seed)
            batches = [b.get('x', b.pos) for b in loader]
            dataset.transform = transform  # of each sample
            batches += [b.get('x', b.pos) for b in graph_loader(dataset, 4, seed=seed)]
            runs.append(torch.stack(batches))
            random.random()
            np.random.rand()  # noqa: NPY002
        assert torch.equal(runs[0], runs[1])
        assert not torch.allclose(runs[0], runs[2])
    states = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    list(graph_loader(Waves(8), 4, RandomRotate(90)))
    assert (random.getstate(), np.random.get_state()[1].tolist()) == states  # noqa: NPY002


def test_the_transform_of_the_dataset_is_applied_first():
    dataset = Waves(10, frames=(6, 12))
    dataset.transform = ToStream('joint_motion')
    (batch,) = graph_loader(dataset, 10, lambda b: CropFrames(4, 'center')(b))
    for i in range(10):
        data = CropFrames(4, 'center')(dataset[i])
        torch.testing.assert_close(batch[i].x, data.x)
        assert batch[i].num_frames.tolist() == [4]


def test_transforms_of_graphmotion_receive_batches_and_others_samples():
    seen = []

    def center(data):
        seen.append(data.num_nodes)
        data.pos = data.pos - data.pos.mean(dim=0)  # over all nodes: wrong for a batch
        return data

    class Watched(ToStream):
        def forward(self, data):
            seen.append(data.num_nodes)
            return super().forward(data)

    Watched.__module__ = ToStream.__module__
    dataset = Waves(6, frames=(6, 12))
    dataset.transform = Compose([Watched('joint'), Watched('bone', 'emotion_gait16')])
    (batch,) = graph_loader(dataset, 6)
    assert seen == [6 * 16] * 2
    dataset.transform = Compose([Watched('joint'), center])
    (batch,) = graph_loader(dataset, 6)
    assert seen[2:] == [16] * 12
    assert batch.pos.view(6, 16, -1, 3).mean(dim=1).abs().max() < 1e-5
    expected = [dataset[i].num_frames for i in range(6)]
    assert torch.equal(batch.num_frames, torch.cat(expected))


def test_loading_does_not_change_the_global_generator():
    state = torch.get_rng_state()
    list(graph_loader(Waves(12), 4, noisy_joints, shuffle=True))
    assert torch.equal(torch.get_rng_state(), state)

    def fail(batch):
        raise RuntimeError(f'after a draw, {torch.rand(1)}')

    with pytest.raises(RuntimeError, match='after a draw'):
        list(graph_loader(Waves(12), 4, fail))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.cuda
def test_draws_on_the_gpu_follow_the_seed_and_restore_the_generators():
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


def test_module_has_a_loader_for_each_part():
    data = GraphDataModule(
        Waves(12), test=Waves(6), batch_size=4, transform=joints, train_transform=noisy_joints
    )
    assert len(data.train_dataloader()) == 3
    assert data.val_dataloader() == []
    test = next(iter(data.test_dataloader()))
    assert torch.equal(test.x, test.pos)
    train = next(iter(data.train_dataloader()))
    assert not torch.equal(train.x, train.pos)


def test_each_pass_has_a_new_order_and_new_draws():
    loader = graph_loader(Waves(12), 4, noisy_joints, shuffle=True)
    first, second = [torch.cat([b.x for b in loader]) for _ in range(2)]
    assert not torch.equal(first, second)
    loader.sampler.set_epoch(0)
    assert torch.equal(torch.cat([b.x for b in loader]), first)
    orders = [[share.tolist() for _, share in loader.sampler] for _ in range(2)]
    assert orders[0] != orders[1]


class Images(GraphDataset):
    """Samples without joints."""

    def read(self):
        for i in range(12):
            yield Data(image=torch.full((1, 4, 4), float(i)), y=torch.tensor([i % 3]), num_nodes=1)


def test_samples_without_joints():
    def noisy(batch):
        batch.x = batch.image + torch.randn_like(batch.image)
        return batch

    dataset = Images()
    (batch,) = graph_loader(dataset, 12, noisy, seed=1)
    assert torch.equal(batch.image[:, 0, 0], torch.arange(12.0))
    (again,) = graph_loader(dataset, 12, noisy, seed=1)
    assert torch.equal(batch.x, again.x)


def test_balanced_batches():
    dataset = Walkers(6, 5)
    loader = graph_loader(dataset, 12, joints, seed=4, balance='subject', samples_per_class=3)
    sampler = BalancedBatchSampler(dataset.labels('subject'), 4, 3, seed=4)
    assert len(loader) == 2
    for batch, (_, samples) in zip(loader, sampler):
        assert torch.equal(batch.x, dataset.get_batch(samples).pos)
        assert torch.equal(batch.subject, dataset.labels('subject')[samples])
        assert batch.subject.view(4, 3).unique(dim=1).shape == (4, 1)


def test_module_balances_training_batches_only():
    data = GraphDataModule(
        Walkers(6, 5), Walkers(3, 4), batch_size=8, balance='subject', samples_per_class=2,
        batches_per_epoch=7,
    )  # fmt: skip
    train = list(data.train_dataloader())
    assert len(train) == 7
    assert all(len(batch.subject.unique()) == 4 for batch in train)
    assert [batch.subject.tolist() for batch in data.val_dataloader()] == [
        [0] * 4 + [1] * 4,
        [2] * 4,
    ]


def test_impossible_balanced_batches_raise():
    with pytest.raises(
        ValueError, match='batch_size must be a multiple of samples_per_class=4, got 10'
    ):
        graph_loader(Walkers(3, 4), 10, balance='subject')
    with pytest.raises(ValueError, match=r'classes_per_batch must be at most 3.*, got 4'):
        graph_loader(Walkers(3, 4), 16, balance='subject')
    with pytest.raises(ValueError, match="no field 'view'"):
        graph_loader(Walkers(3, 4), 8, balance='view')
