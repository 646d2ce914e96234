import pytest
import torch
from torch_geometric.data import Batch, Data

from graphmotion.data import collate, from_array


def test_samples_of_one_length_are_collated_like_pyg():
    samples = [from_array(torch.rand(6, 17, 3), 'coco17', y=i) for i in range(3)]
    batch, expected = collate(samples), Batch.from_data_list(samples)
    assert batch.to_dict().keys() == expected.to_dict().keys()
    for name, value in expected.to_dict().items():
        assert torch.equal(batch[name], value)
    assert torch.equal(batch[1].edge_index, samples[1].edge_index)


def test_shorter_samples_repeat_their_last_frame():
    arrays = torch.rand(4, 17, 3), torch.rand(6, 25, 3)
    batch = collate([from_array(a, s) for a, s in zip(arrays, ('coco17', 'ntu25'))])
    assert batch.pos.shape == (17 + 25, 6, 3)
    assert batch.num_frames.tolist() == [4, 6]
    for frame in range(6):
        assert torch.equal(batch.pos[:17, frame], arrays[0][min(frame, 3)])
        assert torch.equal(batch.pos[17:, frame], arrays[1][frame])
    assert batch.edge_index[:, -1].tolist() == (batch[1].edge_index[:, -1] + 17).tolist()


def test_all_fields_along_time_are_padded_and_counted():
    def sample(frames):
        return Data(
            x=torch.rand(2, frames, 4),
            score=torch.rand(2, frames),
            silhouettes=torch.rand(1, frames, 3, 3),
        )

    samples = [sample(2), sample(5)]
    batch = collate(samples)
    assert batch.num_frames.tolist() == [2, 5]
    assert torch.equal(batch.x[:2, 4], samples[0].x[:, 1])
    assert torch.equal(batch.score[:2, 3], samples[0].score[:, 1])
    assert torch.equal(batch.silhouettes[0, 4], samples[0].silhouettes[0, 1])
    assert 'num_frames' not in samples[0]
    assert 'num_frames' not in collate([sample(2), sample(2)])


def test_static_fields_have_no_frames():
    samples = [Data(x=torch.rand(n, n), pos=torch.rand(n, 2)) for n in (3, 3)]
    samples[1].pos = torch.rand(3, 2)
    batch = collate(samples)
    assert 'num_frames' not in batch
    assert torch.equal(batch.x, torch.cat([data.x for data in samples]))


def test_missing_scores_are_one():
    array = torch.rand(4, 17, 3)
    array[2, 5] = torch.nan
    samples = [from_array(torch.rand(6, 17, 3), 'coco17'), from_array(array, 'coco17')]
    for order in (samples, samples[::-1]):
        batch = collate(order)
        assert batch.score.shape == (34, 6)
        assert (batch.score == 0).nonzero().tolist() == [[17 * (order[1] is samples[1]) + 5, 2]]


def test_bad_samples_raise():
    samples = [
        from_array(torch.rand(6, 17, 3), 'coco17', y=1),
        from_array(torch.rand(6, 17, 3), 'coco17'),
    ]
    for order in (samples, samples[::-1]):
        with pytest.raises(ValueError, match=r'the same fields, got .* in sample 1'):
            collate(order)
    with pytest.raises(ValueError, match='at least one sample, got none'):
        collate([])


@pytest.mark.parametrize('sizes', [(3, 3), (2, 4, 1)])
def test_records_are_those_of_pyg(sizes):
    samples = [
        Data(
            face=torch.randint(n, (3, n + 1)),
            pos=torch.rand(n, 2),
            y=torch.tensor([n]),
            center_index=torch.tensor([n - 1]),
        )
        for n in sizes
    ]
    batch, expected = collate(samples), Batch.from_data_list(samples)
    for ours, pyg in zip(_records(batch), _records(expected)):
        assert ours.keys() == pyg.keys()
        for name in pyg:
            assert torch.equal(ours[name], pyg[name])
    for i, data in enumerate(samples):
        for name, value in data.to_dict().items():
            assert torch.equal(batch[i][name], value)


def _records(batch):
    return batch._slice_dict, batch._inc_dict


class _Pair(Data):
    def __inc__(self, key, value, *args):
        return 10 if key == 'partner' else super().__inc__(key, value, *args)


@pytest.mark.parametrize(
    'make',
    [
        lambda i: _Pair(pos=torch.rand(2, 5, 3), partner=torch.tensor([i])),
        lambda i: Data(pos=torch.rand(2, 5, 3), name=f'walk {i}'),
        lambda i: Data(pos=torch.rand(2, 5, 3), y=i),
        lambda i: Data(pos=torch.rand(2, 5, 3), y=torch.tensor(i)),
        lambda i: Data(y=torch.tensor([i]), num_nodes=i + 1),
        lambda i: Data(pos=torch.rand(2, 5, 3), weight=torch.eye(2).to_sparse()),
    ],
)
def test_other_fields_are_collated_like_pyg(make):
    samples = [make(i) for i in range(3)]
    batch, expected = collate(samples), Batch.from_data_list(samples)
    assert type(batch[0]) is type(samples[0])
    for name in expected.keys():  # noqa: SIM118
        value = expected[name]
        if isinstance(value, torch.Tensor):
            assert torch.equal(batch[name].to_dense(), value.to_dense())
        else:
            assert batch[name] == value
