import numpy as np
import pytest
import torch
from torch_geometric.data import Batch, Data

from graphmotion.data.flat_storage import FlatStorage, FlatWriter

FRAMES = ('pos', 'silhouettes')


def samples(sizes=((3, 4), (1, 2), (2, 4))):
    """Nodes and frames of any number, clips, landmarks, and a label."""
    random = np.random.default_rng(0)
    for number, (nodes, frames) in enumerate(sizes):
        yield Data(
            pos=torch.from_numpy(random.normal(size=(nodes, frames, 2))),
            silhouettes=torch.from_numpy(random.integers(0, 2, (1, frames, 3, 11), np.uint8)),
            landmarks=torch.from_numpy(random.normal(size=(2 + number, 2))),
            edge_index=torch.zeros(2, 1).long(),
            y=torch.tensor([number]),
        )


def content(items, folder=None, check=None):
    with FlatWriter(FRAMES, folder, check) as writer:
        for data in items:
            writer.append(data, f'sample {len(writer)}')
        return writer.content()


@pytest.fixture(params=[False, True], ids=['memory', 'files'])
def storage(request, tmp_path):
    return FlatStorage(content(samples(), str(tmp_path) if request.param else None), FRAMES)


def test_stored_samples_equal_the_originals(storage):
    assert len(storage) == 3
    assert storage.fields.keys() == {'pos', 'silhouettes', 'landmarks', 'y'}
    assert storage.fields['silhouettes'].shape == (4 + 2 + 4, 3, 2)
    for number, data in enumerate(samples()):
        fields = storage.get(number)
        assert fields.keys() == storage.fields.keys()
        for name in storage.fields:
            assert torch.equal(fields[name], data[name])
    assert storage.num_items('pos', torch.tensor([2, 0])).tolist() == [2, 3]
    assert storage.num_items('landmarks', torch.tensor([1, 1])).tolist() == [3, 3]
    assert storage.device == torch.device('cpu')


def test_several_samples_equal_those_of_pyg_with_repeated_last_frames(storage):
    chosen = [1, 2, 1]
    fields, offsets = storage.take(torch.tensor(chosen))
    parts = []
    for number in chosen:
        part = storage.get(number)
        for name in FRAMES:
            frame = torch.arange(4).clamp(max=part[name].size(1) - 1)
            part[name] = part[name][:, frame]
        parts.append(Data(**part))
    expected = Batch.from_data_list(parts)
    for name, value in fields.items():
        assert torch.equal(value, expected[name])
        assert torch.equal(offsets[name], expected._slice_dict[name])


def test_fingerprints_depend_on_content_and_selection(storage):
    every = torch.arange(3)
    assert storage.fingerprint(every) == FlatStorage(
        content([Data(**storage.get(i)) for i in range(3)]), FRAMES
    ).fingerprint(every)
    assert storage.fingerprint(every) != storage.fingerprint(every[1:])
    before = storage.fingerprint(every)
    storage.data.y[2] = 5
    assert storage.fingerprint(every) != before


def test_samples_that_cannot_be_stored_raise():
    first = next(samples())

    def other(**fields):
        return [first, Data(**{**first.to_dict(), **fields})]

    for items, message in (
        (other(y=torch.tensor(1)), r"^sample 1: fields \['y'\] must be tensors of at least"),
        (other(note='a'), r"^sample 1: fields \['note'\] must be tensors of at least"),
        (other(z=torch.ones(1)), r"^sample 1 must have the fields \[.*'y'\] of .*, got \[.*'z'\]"),
        (
            other(y=torch.ones(1)),
            r"^sample 1: 'y' must be of torch.int64 as in the first .*, got torch.float32",
        ),
        (
            other(pos=torch.ones(3, 4, 3).double()),
            r"^sample 1: the shape of 'pos' must match .*, got \[3, 4, 3\]",
        ),
        (other(pos=torch.ones(3)), r"^sample 1: 'pos' must have 4 frames .*, got shape \[3\]"),
        (other(pos=torch.ones(3, 5, 2)), r"^sample 1: 'silhouettes' must have 5 frames in its"),
        (other(silhouettes=torch.ones(2, 4, 3, 11)), r'\[1, T, H, W\], got \[2, 4, 3, 11\]'),
        (
            other(silhouettes=torch.ones(1, 4, 3, 8)),
            'must be 11 pixels wide as in the first sample, got 8',
        ),
        (other(silhouettes=torch.full((1, 4, 3, 11), 2)), 'no values other than 0 and 1'),
    ):
        with pytest.raises(ValueError, match=message):
            content(items)


def test_each_sample_is_checked_once():
    seen = []
    content(samples(), check=lambda data, where: seen.append((where, int(data.y))))
    assert seen == [('sample 0', 0), ('sample 1', 1), ('sample 2', 2)]


def test_consistency():
    stored = content(samples())
    assert FlatStorage.is_consistent(stored, FRAMES)
    fields, slices = stored['fields'], stored['slices']
    for change in (
        {'fields': [1]},
        {'slices': {name: 2 * ends for name, ends in slices.items()}},
        {'slices': {name: ends for name, ends in slices.items() if name != 'y'}},
        {'slices': slices | {'landmarks': torch.tensor([0, 5, 2, 9])}},
        {'fields': {name: rows for name, rows in fields.items() if name != 'stored_frames'}},
        {'fields': fields | {'stored_frames': torch.tensor([5, 2, 4])}},
        {'fields': fields | {'stored_frames': torch.tensor([0, 2, 4])}},
        {'fields': fields | {'y': 3}},
        {'width': None},
    ):
        assert not FlatStorage.is_consistent(stored | change, FRAMES)
