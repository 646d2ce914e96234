"""Batches made by this module compared with those of PyG."""

import copy
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch_geometric.data import Batch, Data, HeteroData

import graphmotion
from graphmotion.data import (
    batch_index,
    field_names,
    from_array,
    from_hetero,
    make_batch,
    num_graphs,
    num_nodes_per_graph,
    remove_fields,
    repeat_edge_index,
    set_edges,
    set_field,
    set_nodes,
    set_shared_edges,
    to_hetero,
)
from graphmotion.data.batching import is_reserved_name, to_data_list
from graphmotion.skeletons import get_skeleton
from graphmotion.transforms import ToMultiScale

BONES = ('joints', 'bone', 'joints')


def walks(lengths=(6, 6, 6), people=(1, 2, 1), **labels):
    """Motion of one or two people, whose joints may be missing."""
    random = np.random.default_rng(0)
    skeleton = get_skeleton('coco17')
    for i, (length, bodies) in enumerate(zip(lengths, people)):
        pos = random.normal(size=(bodies, length, 17, 3)).astype(np.float32)
        pos[0, 0, i] = np.nan
        data = from_array(pos, skeleton, y=i, subject=7 - i)
        data.edge_weight = torch.rand(data.num_edges)
        yield data


def faces(sizes=(5, 4, 7)):
    """Images of one size, with landmarks."""
    for i, size in enumerate(sizes):
        yield Data(image=torch.rand(1, 4, 3), landmarks=torch.rand(size, 2), y=torch.tensor([i]))


def clips():
    """Silhouettes, whose number of nodes cannot be inferred from a field."""
    for i in range(3):
        clip = torch.rand(1, 6, 4, 3) < 0.5
        yield Data(silhouettes=clip, y=torch.tensor([i]), num_frames=torch.tensor([6]), num_nodes=4)


def assert_equal(ours, theirs, tolerance=0.0):
    """Compares two samples in all details."""
    assert type(ours) is type(theirs)
    if isinstance(theirs, dict):
        assert ours.keys() == theirs.keys()
        for key, value in theirs.items():
            assert_equal(ours[key], value, tolerance)
    elif isinstance(theirs, torch.Tensor):
        torch.testing.assert_close(ours, theirs, rtol=tolerance, atol=tolerance)
    else:
        assert ours == theirs


def assert_same_batch(ours, theirs, tolerance=0.0):
    """Compares two batches and their samples."""
    assert type(ours) is type(theirs)
    assert_equal(ours.to_dict(), theirs.to_dict(), tolerance)
    assert ours.num_graphs == len(ours) == theirs.num_graphs
    if 'batch' in theirs:
        assert ours.num_nodes == theirs.num_nodes
    for record in ('_slice_dict', '_inc_dict'):
        assert_equal(getattr(ours, record), getattr(theirs, record))
    size = theirs.num_graphs
    mask = torch.arange(size) % 2 == 0
    for take in (
        lambda batch: batch.to_data_list(),
        lambda batch: [batch.get_example(size - 1), batch[0]],
        lambda batch: batch[1:],
        lambda batch: batch.index_select(mask),
        lambda batch: pickle.loads(pickle.dumps(batch)).to_data_list(),
        lambda batch: Batch.from_data_list(batch.to_data_list()).to_data_list(),
    ):
        for sample, other in zip(take(ours), take(theirs)):
            assert_equal(sample.to_dict(), other.to_dict(), tolerance)


# Making batches ###################################################################################


def offsets(sizes):
    return torch.tensor([0, *np.cumsum(sizes)])


def cat(samples, *names):
    return {name: torch.cat([data[name] for data in samples]) for name in names}


def test_motion():
    samples = list(walks())
    names = ('pos', 'score', 'y', 'subject', 'num_frames')
    ends = {name: offsets([len(data[name]) for data in samples]) for name in names}
    batch = make_batch(cat(samples, *names), ends)
    set_nodes(batch, torch.tensor([17, 34, 17]))
    edges = repeat_edge_index(get_skeleton('coco17').edge_index, 17, 4)
    num_edges = torch.tensor([data.num_edges for data in samples])
    set_edges(batch, edges, num_edges, cat(samples, 'edge_weight'))
    set_field(batch, 'x', 2 * batch.pos)
    set_field(batch, 'view', torch.arange(3), per_node=False)
    for data in samples:
        data.x, data.view = 2 * data.pos, data.y
    assert_same_batch(batch, Batch.from_data_list(samples))


def test_faces():
    samples = list(faces())
    ends = {'image': torch.arange(4), 'landmarks': offsets([5, 4, 7]), 'y': torch.arange(4)}
    batch = make_batch(cat(samples, 'image', 'landmarks', 'y'), ends)
    assert_same_batch(batch, Batch.from_data_list(samples))


def test_silhouettes():
    samples = list(clips())
    names = ('silhouettes', 'y', 'num_frames')
    batch = make_batch(cat(samples, *names), dict.fromkeys(names, torch.arange(4)))
    set_nodes(batch, 4)
    assert_same_batch(batch, Batch.from_data_list(samples))
    assert [data.num_nodes for data in batch.to_data_list()] == [4, 4, 4]


def test_images_are_replaced_by_graphs():
    batch = Batch.from_data_list([Data(image=d.image, y=d.y) for d in faces()])
    kept = copy.copy(batch)
    x, pos = torch.rand(3, 6, 2), torch.rand(3, 6, 2)
    edge_index, weight = torch.tensor([[0, 1, 5], [1, 0, 2]]), torch.rand(3)
    remove_fields(batch, ['image', 'landmarks'])  # there are no landmarks
    set_nodes(batch, 6, {'x': x.flatten(0, 1), 'pos': pos.flatten(0, 1)})
    set_shared_edges(batch, edge_index, 6, {'edge_weight': weight})
    samples = [
        Data(x=x[i], pos=pos[i], edge_index=edge_index, edge_weight=weight, y=torch.tensor([i]))
        for i in range(3)
    ]
    assert_same_batch(batch, Batch.from_data_list(samples))
    # A shallow copy, as transforms make one, is left as it was.
    assert_same_batch(kept, Batch.from_data_list([Data(image=d.image, y=d.y) for d in kept[:]]))


def test_other_numbers_of_nodes_and_edges():
    samples = [Data(pos=torch.rand(n, 2), edge_index=torch.zeros(2, n).long()) for n in (2, 4)]
    for data in samples:
        data.num_nodes = len(data.pos)
    batch = Batch.from_data_list(samples)
    kept = copy.copy(batch)
    set_nodes(batch, torch.tensor([3, 1]), {'pos': torch.rand(4, 2)})
    set_edges(batch, torch.tensor([[0, 3], [2, 3]]), 1)
    parts = [
        Data(pos=batch.pos[:3], edge_index=torch.tensor([[0], [2]]), num_nodes=3),
        Data(pos=batch.pos[3:], edge_index=torch.tensor([[0], [0]]), num_nodes=1),
    ]
    assert_same_batch(batch, Batch.from_data_list(parts))
    assert_same_batch(kept, Batch.from_data_list(samples))


def test_samples_are_changed_like_batches():
    data = Data()
    set_nodes(data, 5, {'pos': torch.rand(5, 3)})
    set_shared_edges(data, torch.tensor([[0], [4]]), 5, {'edge_weight': torch.ones(1)})
    set_field(data, 'score', torch.rand(5, 1))
    set_field(data, 'y', torch.tensor([2]), per_node=False)
    assert set(data.keys()) == {'pos', 'edge_index', 'edge_weight', 'score', 'y'}
    remove_fields(data, ['y', 'z'])
    assert 'y' not in data
    strips = Data(silhouettes=torch.zeros(1, 2, 8, 4))
    set_nodes(strips, torch.tensor([8]))
    assert strips.num_nodes == 8


def test_fields_that_were_set_without_records():
    batch = Batch.from_data_list(list(walks()))
    values = {
        'x': batch.pos * 2,
        'height': torch.tensor([1.0, 2.0, 3.0]),
        'edge_attr': torch.rand(batch.num_edges, 2),
        'strain': torch.rand(batch.num_edges),
    }
    for name, value in values.items():
        batch[name] = value
    parts = to_data_list(batch)
    for name, value in values.items():
        assert torch.equal(torch.cat([data[name] for data in parts]), value)
    ends = np.cumsum([0, *(data.num_edges for data in walks())])
    for i, (data, other) in enumerate(zip(parts, walks())):
        assert torch.equal(data.x, 2 * other.pos)
        assert data.height.tolist() == [i + 1]
        assert torch.equal(data.edge_attr, values['edge_attr'][ends[i] : ends[i + 1]])
        assert torch.equal(data.edge_index, other.edge_index)
    assert 'x' not in batch._slice_dict
    # With as many edges as graphs, a field goes by its name.
    samples = [Data(pos=torch.rand(3, 2), edge_index=torch.zeros(2, n).long()) for n in (2, 0)]
    batch = Batch.from_data_list(samples)
    batch.edge_attr = batch.height = torch.tensor([1.0, 2.0])
    parts = to_data_list(batch)
    assert [data.edge_attr.tolist() for data in parts] == [[1.0, 2.0], []]
    assert [data.height.tolist() for data in parts] == [[1.0], [2.0]]


@pytest.mark.parametrize('value', [torch.rand(5), torch.tensor(1.0), 'walk'])
def test_fields_with_another_number_of_rows_raise(value):
    batch = Batch.from_data_list(list(walks()))
    batch.extra = value
    edges = batch.num_edges
    with pytest.raises(ValueError, match=f"'extra' .* 68 nodes, 3 graphs, {edges} edges, got "):
        to_data_list(batch)


def test_batches_without_records():
    expected = Batch.from_data_list(list(walks()))
    batch = Batch(_base_cls=Data)
    for name, value in expected.to_dict().items():
        batch[name] = value
    for each in (batch, expected):
        set_field(each, 'x', each.pos + 1)
        set_nodes(each, torch.tensor([2, 1, 3]), {'pos': torch.ones(6, 2), 'score': torch.ones(6)})
        set_edges(each, torch.tensor([[1], [0]]), torch.tensor([1, 0, 0]))
    assert_equal(batch.to_dict(), expected.to_dict())
    with pytest.raises(RuntimeError, match='Cannot reconstruct'):
        batch.get_example(0)
    hetero = to_hetero(batch, 'joints', BONES)
    assert hetero.num_graphs == 3
    with pytest.raises(RuntimeError, match='Cannot reconstruct'):
        from_hetero(hetero, 'joints', BONES).get_example(0)


# Heterogeneous graphs #############################################################################


def heterogeneous(data):
    """The expected conversion of a sample, field by field."""
    out = HeteroData()
    for name, value in data.to_dict().items():
        if name in ('pos', 'score', 'num_nodes'):
            out['joints'][name] = value
        elif name in ('edge_index', 'edge_weight'):
            out[BONES][name] = value
        else:
            setattr(out, name, value)
    return out


@pytest.mark.parametrize('counted', [False, True])
def test_to_heterogeneous_graphs_and_back(counted):
    samples = list(walks())
    for data in samples:
        data.note = f'walk {int(data.y)}'
        if counted:
            data.num_nodes = len(data.pos)
    expected = [heterogeneous(data) for data in samples]
    for data, other in zip(samples, expected):
        assert_equal(to_hetero(data, 'joints', BONES).to_dict(), other.to_dict())
        assert_equal(from_hetero(other, 'joints', BONES).to_dict(), data.to_dict())
    batch = Batch.from_data_list(samples)
    hetero = to_hetero(batch, 'joints', BONES)
    theirs = Batch.from_data_list(expected)
    # PyG has no offsets for lists, and those of a batch of zeros are as good.
    del batch._inc_dict['note'], hetero._inc_dict['note'], theirs._inc_dict['note']
    assert_equal(hetero._slice_dict, theirs._slice_dict)
    assert_equal(hetero._inc_dict, theirs._inc_dict)
    assert_equal(hetero.to_dict(), theirs.to_dict())


def test_several_node_types():
    samples = list(walks())
    transform = ToMultiScale('coco17')
    batch = transform(Batch.from_data_list(samples))
    # Means over parts are products, whose rounding depends on their size.
    expected = Batch.from_data_list([transform(data) for data in samples])
    assert_same_batch(batch, expected, tolerance=1e-6)
    back = from_hetero(batch, 'joints', BONES)
    assert_same_batch(back, Batch.from_data_list(samples))


# Reading ##########################################################################################


def test_graphs_and_their_nodes():
    samples = list(walks())
    batch = Batch.from_data_list(samples)
    assert num_graphs(samples[1]) == 1
    assert num_graphs(batch) == 3
    assert torch.equal(batch_index(samples[0]), torch.zeros(17, dtype=torch.long))
    assert torch.equal(batch_index(batch), batch.batch)
    assert num_nodes_per_graph(samples[1]).tolist() == [34]
    assert num_nodes_per_graph(batch).tolist() == [17, 34, 17]
    fields = {'pos', 'score', 'edge_index', 'edge_weight', 'y', 'subject', 'num_frames'}
    assert field_names(batch) == field_names(samples[0]) == fields
    by_hand = Batch(_base_cls=Data, pos=batch.pos, batch=batch.batch)
    assert num_graphs(by_hand) == 3
    assert num_nodes_per_graph(by_hand).tolist() == [17, 34, 17]


@pytest.mark.parametrize('sizes', [3, (3, 3), (4, 2)])
def test_repeated_edges(sizes):
    edges = [(0, 1), (2, 0), (1, 1), (3, 1)]
    edge_index = torch.tensor(edges).t()
    step = (sizes, sizes) if isinstance(sizes, int) else sizes
    expected = [(i + b * step[0], j + b * step[1]) for b in range(3) for i, j in edges]
    assert repeat_edge_index(edge_index, sizes, 3).t().tolist() == [list(edge) for edge in expected]
    assert repeat_edge_index(edge_index, sizes, 0).shape == (2, 0)


@pytest.mark.parametrize(
    'name', ['y', 'subject', 'view', 'frame_index', 'batch', 'my_batch', 'face', 'ptr', 'num_nodes']
)
def test_reserved_names_are_changed_by_batches(name):
    """A name is reserved if a batch does not preserve the values of the field."""
    samples = [Data(pos=torch.rand(n, 3), **{name: torch.tensor([3])}) for n in (2, 4)]
    batch = Batch.from_data_list(samples)
    kept = batch[name].tolist() == [3, 3] and batch.num_nodes == 6
    assert is_reserved_name(name) is not kept


def test_no_other_module_accesses_internal_data_of_batches():
    names = re.compile(
        r'\b(_slice_dict|_inc_dict|_num_graphs|(?!data_)\w*ptr|_store|_global_store)\b'
    )
    root = Path(graphmotion.__file__).parent
    found = {
        str(path.relative_to(root)): names.findall(path.read_text(encoding='utf-8'))
        for path in root.rglob('*.py')
    }
    assert [path for path, lines in found.items() if lines] == ['data/batching.py'], found
