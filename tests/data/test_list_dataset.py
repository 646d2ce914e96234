import pytest
import torch
from torch.utils.data import ConcatDataset, Subset, random_split
from torch_geometric.data import Batch, Data, HeteroData, InMemoryDataset
from torch_geometric.transforms import RandomRotate

from graphmotion.data import GraphDataset, as_dataset, from_array, graph_loader
from graphmotion.transforms import ToStream
from tests.toy import Waves


class Plain(InMemoryDataset):
    """A dataset of PyG."""

    def __init__(self, samples, transform=None):
        super().__init__(transform=transform)
        self.data, self.slices = self.collate(samples)


def waves(count=6, **options):
    return [Waves(count, **options)[i] for i in range(count)]


WAYS = {
    'graph dataset': lambda samples: Waves(6),
    'part of it': lambda samples: Waves(9)[:6],
    'list': lambda samples: samples,
    'tuple': tuple,
    'PyG dataset': Plain,
    'subset of a graph dataset': lambda samples: Subset(Waves(9), torch.arange(6)),
    'subset of a list': lambda samples: Subset([*samples[::-1], *samples], range(6, 12)),
    'subset of a subset': lambda samples: Subset(
        Subset(Waves(9)[1:], [7, 4, 3, 2, 1, 0]), range(6)
    ),
    'torch dataset': lambda samples: ConcatDataset([samples[:2], samples[2:]]),
    'batch': Batch.from_data_list,
    'assembled batch': lambda samples: Waves(6).get_batch(range(6)),
}


@pytest.mark.parametrize('way', WAYS)
def test_samples_in_any_container(way):
    samples = waves()
    expected = samples
    if way == 'subset of a subset':
        expected = [Waves(9)[i] for i in (8, 5, 4, 3, 2, 1)]
    dataset = as_dataset(WAYS[way](samples))
    assert isinstance(dataset, GraphDataset)
    assert len(dataset) == 6
    assert dataset.num_classes == 3
    assert dataset.labels().tolist() == [int(data.y) for data in expected]
    for i, data in enumerate(expected):
        assert dataset[i].to_dict().keys() == data.to_dict().keys()
        for name, value in data.to_dict().items():
            assert torch.equal(dataset[i][name], value)
    batches = list(graph_loader(WAYS[way](samples), 4))
    for batch, part in zip(batches, (expected[:4], expected[4:])):
        for name, value in Batch.from_data_list(part).to_dict().items():
            assert torch.equal(batch[name], value), name


def test_a_single_sample():
    data = waves()[2]
    dataset = as_dataset(data)
    assert len(dataset) == 1
    assert torch.equal(dataset[0].pos, data.pos)
    (batch,) = graph_loader(data)
    assert batch.num_graphs == 1


def test_splits_equal_the_splits_of_a_stored_dataset():
    listed, stored = as_dataset(waves(24)), Waves(24)
    pairs = [
        *zip(listed.split((2, 1, 1), seed=3), stored.split((2, 1, 1), seed=3)),
        *zip(listed.folds(3)[1], stored.folds(3)[1]),
        *zip(listed.leave_one_out('y')[2], stored.leave_one_out('y')[2]),
        (listed.subset(0.5), stored.subset(0.5)),
    ]
    for one, two in pairs:
        assert len(one) == len(two)
        assert all(torch.equal(a.pos, b.pos) for a, b in zip(one, two))
        assert one.num_classes == 3
    part = random_split(stored, (20, 4), torch.Generator().manual_seed(0))[1]
    assert as_dataset(part).labels().tolist() == [int(data.y) for data in part]


def test_lengths_may_differ():
    samples = waves(frames=(6, 12))
    batch = as_dataset(samples).get_batch(torch.arange(6))
    expected = Waves(6, frames=(6, 12)).get_batch(range(6))
    assert expected.num_frames.unique().numel() > 1
    assert torch.equal(batch.pos, expected.pos)
    assert torch.equal(batch.num_frames, expected.num_frames)


def test_the_transform_of_a_pyg_dataset_is_applied_on_each_access():
    angles = RandomRotate(180)
    dataset = as_dataset(Plain(waves(), angles))
    batches = [torch.cat([b.pos for b in graph_loader(dataset, 6, seed=s)]) for s in (0, 0, 1)]
    assert torch.equal(batches[0], batches[1])
    assert not torch.equal(batches[0], batches[2])
    assert torch.equal(dataset.get_batch(range(6)).pos, torch.cat([d.pos for d in waves()]))
    assert dataset.fingerprint() == as_dataset(waves()).fingerprint()
    # Each sample is turned by an angle of its own.
    before, after = torch.stack([d.pos for d in waves()]), batches[0].view(6, 16, 12, 3)
    turns = [
        torch.linalg.lstsq(b.view(-1, 3), a.view(-1, 3)).solution for b, a in zip(before, after)
    ]
    for turn in turns:
        torch.testing.assert_close(turn @ turn.t(), torch.eye(3), atol=1e-4, rtol=0)
    assert (turns[0] - turns[1]).abs().max() > 1e-2


def test_the_fingerprint_depends_on_content_and_order():
    samples = waves()
    prints = {as_dataset(part).fingerprint() for part in (samples, samples[1:], samples[::-1])}
    assert len(prints) == 3
    assert as_dataset(samples).fingerprint() == as_dataset(waves()).fingerprint()
    samples[3].pos = samples[3].pos + 1e-3
    assert as_dataset(samples).fingerprint() not in prints


def test_the_samples_of_the_caller_are_unchanged():
    samples = waves()
    dataset = as_dataset(samples)
    dataset.transform = ToStream('joint')
    assert 'x' in dataset[0]
    next(iter(graph_loader(dataset))).pos.zero_()
    assert 'x' not in samples[0]
    assert samples[0].pos.any()
    other = dataset.copy([4, 1])
    other[0].pos.zero_()
    assert samples[4].pos.any()
    assert other.labels().tolist() == [1, 1]


def test_python_numbers_are_labels():
    samples = [Data(x=torch.rand(3, 2), y=i % 2, subject=i) for i in range(4)]
    assert as_dataset(samples).labels('subject').tolist() == [0, 1, 2, 3]
    assert as_dataset(samples).num_classes == 2
    with pytest.raises(ValueError, match="field 'view' of sample 0 must be a scalar, got None"):
        as_dataset(samples).labels('view')


def test_hetero_samples():
    data = HeteroData()
    data['joint'].x = torch.rand(3, 5, 2)
    (batch,) = graph_loader([data, data])
    assert batch['joint'].x.shape == (6, 5, 2)
    before = as_dataset(data).fingerprint()
    data['joint'].x[2, 4, 1] += 1e-3
    assert as_dataset(data).fingerprint() != before


def test_other_types_raise():
    for value, name in (('abc', 'str'), (3, 'int'), (torch.rand(3), 'Tensor')):
        with pytest.raises(TypeError, match=f'samples must be a dataset.* got {name}'):
            as_dataset(value)
    with pytest.raises(TypeError, match='samples must be of type Data, got Tensor'):
        as_dataset([waves()[0], torch.rand(3)])
    with pytest.raises(TypeError, match='samples must be of type Data, got DataBatch'):
        as_dataset(list(graph_loader(waves(), 3)))


@pytest.mark.parametrize('empty', [[], Waves(4)[:0], Subset(Waves(4), []), ConcatDataset([[], []])])
def test_empty_containers_raise(empty):
    with pytest.raises(ValueError, match='samples must hold at least one sample, got none'):
        graph_loader(empty)


def test_samples_from_arrays():
    arrays = torch.rand(3, 8, 17, 2)
    samples = [from_array(array, 'coco17', y=i) for i, array in enumerate(arrays)]
    (batch,) = graph_loader(samples, transform=ToStream(['joint', 'bone'], 'coco17'))
    assert batch.x.shape == (3 * 17, 8, 4)
    assert batch.y.tolist() == [0, 1, 2]
