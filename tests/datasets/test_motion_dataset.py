import copy
import gc
import os
import pickle
import weakref

import numpy as np
import pytest
import torch
from torch_geometric.data import Batch, Data
from torch_geometric.loader import DataLoader
from torch_geometric.transforms import AddSelfLoops

from graphmotion.data import from_array
from graphmotion.datasets import MotionDataset
from graphmotion.skeletons import get_skeleton
from graphmotion.transforms import ConvertSkeleton

LENGTHS = [5, 3, 8, 5, 6, 4, 9, 5]


def sample(i, frames, people=1, **fields):
    generator = torch.Generator().manual_seed(i)
    shape = (people, frames, 17, 2)
    score = torch.rand(shape[:3], generator=generator) * 0.9 + 0.1
    pos = torch.randn(shape, generator=generator)
    data = from_array(pos, 'coco17', score, axes='MTVC', y=i % 3, subject=i // 2)
    for name, value in fields.items():
        data[name] = value
    return data


class Walks(MotionDataset):
    class_names = ('a', 'b', 'c')

    def __init__(self, root=None, lengths=LENGTHS, people=None, fail=False, clips=False, **kwargs):
        self.skeleton = get_skeleton('coco17')
        self.lengths, self.fail, self.clips = lengths, fail, clips
        self.people = people or [1] * len(lengths)
        self.reads = 0
        super().__init__(root, **kwargs)

    def read(self):
        self.reads += 1
        for i, (frames, people) in enumerate(zip(self.lengths, self.people)):
            if self.fail and i == 3:
                raise RuntimeError('the reader broke off')
            clips = (
                {'silhouettes': torch.randint(0, 2, (1, frames, 4, 13)).byte()}
                if self.clips
                else {}
            )
            yield sample(i, frames, people, **clips)


def same(a, b):
    assert set(a.keys()) == set(b.keys())
    for key in set(a.keys()):
        assert torch.equal(a[key], b[key]), key


@pytest.mark.parametrize('root', [True, False])
def test_stored_samples_equal_the_samples_read(tmp_path, root):
    dataset = Walks(str(tmp_path) if root else None)
    assert len(dataset) == 8
    for i, frames in enumerate(LENGTHS):
        assert type(dataset[i]) is Data
        same(dataset[i], sample(i, frames))
    assert dataset.num_classes == 3
    assert dataset.num_node_features == 0
    assert os.path.exists(tmp_path / 'processed') == root


def test_processed_samples_are_loaded_and_not_read_again(tmp_path):
    first = Walks(str(tmp_path))
    again = Walks(str(tmp_path))
    assert (first.reads, again.reads) == (1, 0)
    same(again[2], first[2])
    assert Walks(str(tmp_path), force_reload=True).reads == 1


@pytest.mark.parametrize('root', [True, False])
@pytest.mark.parametrize(
    ('options', 'chosen'),
    [
        ({}, [0, 3, 7]),
        ({}, [4]),
        ({'lengths': [6] * 5}, [3, 0, 4, 3]),
        ({'lengths': [6] * 5, 'people': [2] * 5, 'clips': True}, [1, 4]),
        ({'lengths': [4] * 4, 'people': [1, 2, 1, 2], 'clips': True}, [3, 0, 1]),
        ({'lengths': [4, 2], 'people': [1, 2]}, [1, 1]),  # as many rows, of different shape
        ({'lengths': [1, 1]}, [1, 0]),
    ],
)
def test_batches_of_equal_lengths_equal_those_of_pyg(tmp_path, root, options, chosen):
    dataset = Walks(str(tmp_path) if root else None, **options)
    batch = dataset.get_batch(chosen)
    expected = Batch.from_data_list([dataset[i] for i in chosen])
    same(batch, expected)
    assert type(batch) is type(expected)
    assert batch.num_graphs == len(batch) == len(chosen)
    assert batch.num_nodes == expected.num_nodes
    for name in ('_slice_dict', '_inc_dict'):
        ours, theirs = getattr(batch, name), getattr(expected, name)
        assert ours.keys() == theirs.keys()
        for key, value in theirs.items():
            assert torch.equal(ours[key], value), (name, key)
    for ours, theirs, i in zip(batch.to_data_list(), expected.to_data_list(), chosen):
        same(ours, theirs)
        same(ours, dataset[i])
    assert all(value.is_contiguous() for value in batch.to_dict().values())


@pytest.mark.parametrize('lengths', [LENGTHS, [5] * 8])
def test_batches_support_the_methods_of_pyg(lengths):
    dataset = Walks(lengths=lengths)
    chosen = [0, 3, 7]
    batch = dataset.get_batch(chosen)
    for other in (
        batch.clone(),
        copy.copy(batch),
        copy.deepcopy(batch),
        pickle.loads(pickle.dumps(batch)),
        batch.to('cpu'),
        Batch.from_data_list(batch.to_data_list()),
    ):
        same(other, batch)
        same(other[2], dataset[7])
    assert batch.clone().apply(lambda value: value.double()).pos.dtype == torch.double
    assert [data.y.item() for data in batch[[2, 0]]] == [7 % 3, 0]
    more = Batch.from_data_list([*dataset.get_batch(chosen).to_data_list(), dataset[0]])
    same(more, dataset.get_batch([*chosen, 0]))
    pairs = [dataset.get_batch([0, 3]), dataset.get_batch([7])]
    theirs = [Batch.from_data_list([dataset[i] for i in part]) for part in ([0, 3], [7])]
    same(Batch.from_data_list(pairs), Batch.from_data_list(theirs))


@pytest.mark.parametrize('lengths', [LENGTHS, [5] * 8])
def test_changes_to_a_batch_do_not_change_the_dataset(lengths):
    dataset = Walks(lengths=lengths)
    first, expected = dataset.get_batch([0, 3]), dataset.get_batch([0, 3])
    for value in first.to_dict().values():
        value.zero_()
    dataset[0].edge_index.zero_()
    for again in (dataset.get_batch([0, 3]), Batch.from_data_list([dataset[0], dataset[3]])):
        same(again, expected)


def test_cached_bones_fit_batches_of_every_size():
    dataset = Walks(lengths=[4] * 8)
    for size in (2, 8, 1, 5):
        same(dataset.get_batch(range(size)), Batch.from_data_list(list(dataset[:size])))


def test_shorter_samples_are_padded_by_their_last_frame():
    dataset = Walks()
    batch = dataset.get_batch(torch.tensor([1, 2]))
    assert batch.pos.shape == (34, 8, 2)
    assert batch.num_frames.tolist() == [3, 8]
    assert torch.equal(batch.pos[:17, :3], dataset[1].pos)
    assert torch.equal(batch.pos[:17, 3:], dataset[1].pos[:, 2:].expand(-1, 5, -1))
    assert torch.equal(batch.score[17:], dataset[2].score)


def test_samples_may_have_one_person_or_two():
    dataset = Walks(lengths=[4, 4, 4], people=[1, 2, 1])
    batch = dataset.get_batch([0, 1, 2])
    same(batch, Batch.from_data_list(list(dataset)))
    assert torch.bincount(batch.batch).tolist() == [17, 34, 17]
    same(batch[1], dataset[1])


def test_silhouettes_are_part_of_samples_and_batches():
    dataset = Walks(lengths=[4, 6], clips=True)
    assert dataset[1].silhouettes.shape == (1, 6, 4, 13)
    batch = dataset.get_batch([0, 1])
    assert batch.silhouettes.shape == (2, 6, 4, 13)
    assert torch.equal(batch.silhouettes[0, :4], dataset[0].silhouettes[0])


def test_pygs_loader_works():
    dataset = Walks(lengths=[4] * 6)
    batches = list(DataLoader(dataset, batch_size=4))
    assert [b.num_graphs for b in batches] == [4, 2]
    same(batches[0], dataset.get_batch([0, 1, 2, 3]))


def test_subsets_contain_the_selected_samples():
    dataset = Walks()
    part = dataset[[6, 1, 4]]
    assert part.labels().tolist() == [0, 1, 1]
    assert part.labels('subject').tolist() == [3, 0, 2]
    same(part.get_batch([2]), dataset.get_batch([4]))
    copied = part.copy()
    assert len(copied) == 3
    same(copied[0], dataset[6])
    assert copied.labels().tolist() == [0, 1, 1]
    copied._data.pos.zero_()
    assert dataset[6].pos.abs().sum() > 0
    with pytest.raises(ValueError, match=r"no field 'view' .*'num_frames', 'subject'\]"):
        dataset.labels('view')


def test_a_copy_is_not_transformed_a_second_time():
    def double(data):
        data.pos = 2 * data.pos
        return data

    dataset = Walks(pre_transform=double)
    assert torch.equal(dataset[0].pos, 2 * sample(0, 5).pos)
    same(dataset.copy([0])[0], dataset[0])


def test_transforms_and_filter(tmp_path):
    def mark(data):
        data.x = data.pos * 3
        return data

    def long(data):
        return data.pos.size(1) > 4

    dataset = Walks(str(tmp_path), transform=mark, pre_filter=long)
    assert len(dataset) == 6
    assert torch.equal(dataset[0].x, dataset[0].pos * 3)
    assert 'x' not in dataset.get_batch([0])
    with pytest.warns(UserWarning, match='was processed with pre_filter=.*long.*, not with None'):
        Walks(str(tmp_path))


def test_splits_and_folds():
    dataset = Walks()
    parts = dataset.split((2, 1, 1), seed=3, by='subject')
    subjects = [set(p.labels('subject').tolist()) for p in parts]
    assert sum(len(p) for p in parts) == 8
    assert sum(len(s) for s in subjects) == 4
    folds = dataset.folds(4, seed=0)
    assert [len(test) for _, test in folds] == [2, 2, 2, 2]
    assert isinstance(folds[0][0], Walks)
    train, test = dataset.folds(2, by='subject')[0]
    assert not set(train.labels('subject').tolist()) & set(test.labels('subject').tolist())


def test_failed_processing_leaves_no_file(tmp_path):
    with pytest.raises(RuntimeError, match='broke off'):
        Walks(str(tmp_path), fail=True)
    assert not os.path.exists(tmp_path / 'processed') or not os.listdir(tmp_path / 'processed')
    assert len(Walks(str(tmp_path))) == 8


def test_failed_processing_keeps_the_old_files(tmp_path, monkeypatch):
    Walks(str(tmp_path))
    monkeypatch.setattr(torch, 'save', lambda *_: (_ for _ in ()).throw(OSError('disk full')))
    with pytest.raises(OSError, match='disk full'):
        Walks(str(tmp_path), force_reload=True)
    monkeypatch.undo()
    assert os.listdir(tmp_path / 'processed') == ['data.pt']
    assert Walks(str(tmp_path)).reads == 0


class Boom:
    """Runs a command when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f'touch {self.path}',)


@pytest.mark.parametrize('content', [b'', b'nonsense', Boom, {'version': 1}, [1, 2]])
def test_damaged_and_other_processed_files_raise(tmp_path, content):
    Walks(str(tmp_path))
    path = tmp_path / 'processed' / 'data.pt'
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content(tmp_path / 'ran') if content is Boom else content, path)
    with pytest.raises(ValueError, match=r'data\.pt: (damaged|not a processed)'):
        Walks(str(tmp_path))
    assert not (tmp_path / 'ran').exists()
    assert len(Walks(str(tmp_path), force_reload=True)) == 8


def test_samples_with_different_fields_raise():
    class Uneven(Walks):
        def read(self):
            yield sample(0, 5)
            yield sample(1, 5, view=torch.tensor([1]))

    with pytest.raises(ValueError, match=r"sample 1 must have the fields .*'view'"):
        Uneven()


def test_samples_with_different_dimensions_raise():
    class Mixed(Walks):
        def read(self):
            yield sample(0, 5)
            data = sample(1, 5)
            data.pos = torch.zeros(17, 5, 3)
            yield data

    with pytest.raises(
        ValueError, match=r"sample 1: the shape of 'pos' must match .*, got \[17, 5, 3\]"
    ):
        Mixed()


def test_no_samples_raise():
    with pytest.raises(ValueError, match='no sample to store'):
        Walks(lengths=[])


def test_samples_that_cannot_be_stored_raise():
    def openpose(data):
        return ConvertSkeleton('coco17', 'openpose18')(data)

    def mark(name, value):
        def change(data):
            data[name] = value
            return data

        return change

    for change, reason in (
        (
            openpose,
            "sample 0 must have the joints and bones of 'coco17', got 18 nodes and 34 edges",
        ),
        (AddSelfLoops(), 'got 17 nodes and 49 edges'),
        (mark('y', torch.tensor(1)), r"fields \['y'\] must be tensors of at least one dim"),
        (mark('name', 'walk'), r"fields \['name'\] must be tensors"),
        (mark('score', torch.ones(17, 2)), r"'score' must have 5 frames .*, got shape \[17, 2\]"),
        (mark('pos', torch.ones(17, 2)), r"must have a field 'pos' .*, got \[17, 2\]"),
        (mark('pos', torch.ones(17, 0, 2)), r'at least one frame, got \[17, 0, 2\]'),
    ):
        with pytest.raises(ValueError, match=reason):
            Walks(pre_transform=change)


def test_samples_of_a_batch_are_positions_or_a_mask():
    dataset = Walks()
    mask = dataset.labels() == 2
    same(dataset.get_batch(mask), dataset.get_batch(mask.nonzero().view(-1)))
    same(dataset.get_batch([-1, 0]), dataset.get_batch([7, 0]))
    part = dataset[[6, 1, 4]]
    same(part.get_batch([-1]), dataset.get_batch([4]))
    for samples in ([8], [-9], [], [0.5], mask[:3]):
        with pytest.raises(IndexError, match=r'positions|mask must have'):
            dataset.get_batch(samples)


def test_inconsistent_processed_files_raise(tmp_path):
    Walks(str(tmp_path))
    path = tmp_path / 'processed' / 'data.pt'
    stored = torch.load(path, weights_only=True)
    longer = {name: 2 * ptr for name, ptr in stored['slices'].items()}
    frames = stored['fields']['stored_frames']
    for change in (
        {'fields': {}, 'slices': {}},
        {'slices': longer},
        {'fields': [1]},
        {'fields': stored['fields'] | {'stored_frames': frames - 5}},  # none
        {'fields': stored['fields'] | {'stored_frames': frames + 1}},  # rows are no multiple
    ):
        torch.save(stored | change, path)
        with pytest.raises(ValueError, match=r'data\.pt: not a processed'):
            Walks(str(tmp_path))
    torch.save(stored | {'version': 0}, path)
    with pytest.warns(UserWarning, match='processing again, since it has version 0 of the format'):
        Walks(str(tmp_path))
    assert torch.load(path, weights_only=True)['version'] == stored['version']


@pytest.mark.cuda
def test_a_dataset_on_the_gpu():
    if not torch.cuda.is_available():
        pytest.skip('no CUDA device')
    dataset, expected = Walks(), Walks()
    dataset.cuda()
    for chosen in ([1, 2], [0, 3]):
        batch = dataset.get_batch(chosen)
        assert all(value.is_cuda for value in batch.to_dict().values())
        same(batch.cpu(), expected.get_batch(chosen))
    assert dataset[0].edge_index.is_cuda
    dataset.cpu()
    same(dataset.get_batch([1, 2]), expected.get_batch([1, 2]))


def test_samples_are_kept_on_disk_during_processing(tmp_path):
    """Samples are not all kept in memory, and temporary files are removed."""
    seen = []

    class Many(MotionDataset):
        skeleton = get_skeleton('coco17')
        class_names = ('a',)

        def read(self):
            for i in range(5):
                data = from_array(np.full((3 + i, 17, 3), i, dtype=np.float32), self.skeleton, y=0)
                seen.append(weakref.ref(data.pos))
                yield data
                del data
                gc.collect()
                assert all(ref() is None for ref in seen[:-1])

    gc.freeze()  # the collections only look at objects from here on, which is faster
    dataset = Many(str(tmp_path))
    gc.unfreeze()
    assert len(seen) == 5
    assert os.listdir(tmp_path / 'processed') == ['data.pt']
    assert [int(d.pos[0, 0, 0]) for d in dataset] == [0, 1, 2, 3, 4]
    assert dataset[4].pos.shape == (17, 7, 3)
