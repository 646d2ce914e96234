import pytest
import torch
from torch_geometric.data import Batch, HeteroData
from torch_geometric.loader import DataLoader
from torch_geometric.nn import GraphConv, HeteroConv, SAGEConv

from graphmotion.skeletons import Skeleton, get_skeleton, list_skeletons
from graphmotion.transforms import FromMultiScale, ToMultiScale, ToStream


def pooled_by_loops(value, score, members, num_joints):
    """Averages over visible members, for every body, part and frame."""
    out = []
    for body in range(value.size(0) // num_joints):
        for nodes in members:
            rows = [body * num_joints + node for node in nodes]
            part = []
            for t in range(value.size(1)):
                seen = [row for row in rows if score[row, t] > 0]
                part.append(value[seen, t].mean(0) if seen else torch.zeros_like(value[0, t]))
            out.append(torch.stack(part))
    return torch.stack(out)


@pytest.mark.parametrize('people', [1, 2])
@pytest.mark.parametrize('missing', [None, 0.0, 0.4])
@pytest.mark.parametrize('scales', [None, (16, 10, 5), (16, 5), (16, 3), (16,)])
def test_scales_are_means_of_their_joints(scales, missing, people, make):
    data = make('emotion_gait16', num_frames=4, people=people, missing=missing)
    data.pos = data.pos + 1.0  # also where joints are missing: they must not count
    data = ToStream(['joint', 'bone'], 'emotion_gait16')(data)
    skeleton = get_skeleton('emotion_gait16')
    hierarchy = skeleton.hierarchy()
    score = data.get('score', torch.ones(data.pos.shape[:2]))
    out = ToMultiScale(skeleton, scales)(data)
    sizes = scales or hierarchy.sizes
    assert out.node_types == ['joints', *[f'parts{size}' for size in sizes[1:]]]
    assert torch.equal(out['joints'].pos, data.pos)
    for size, name in zip(sizes[1:], out.node_types[1:]):
        members = hierarchy.members(hierarchy.level_of(size))
        for field in ('pos', 'x'):
            expected = pooled_by_loops(data[field], score, members, 16)
            torch.testing.assert_close(out[name][field], expected)
        if missing is None:
            assert 'score' not in out[name]
        else:
            rows = [[16 * m + i for i in nodes] for m in range(people) for nodes in members]
            expected = torch.stack([score[row].mean(dim=0) for row in rows])
            torch.testing.assert_close(out[name].score, expected)
        assert out[name].num_nodes == people * size


def test_edges_within_and_between_scales(make):
    skeleton = get_skeleton('emotion_gait16')
    hierarchy = skeleton.hierarchy()
    out = ToMultiScale(skeleton, (16, 10, 3))(make('emotion_gait16', people=2))
    assert set(out.edge_types) == {
        ('joints', 'bone', 'joints'),
        ('parts10', 'bone', 'parts10'),
        ('parts3', 'bone', 'parts3'),
        ('joints', 'part_of', 'parts10'),
        ('parts10', 'has_member', 'joints'),
        ('parts10', 'part_of', 'parts3'),
        ('parts3', 'has_member', 'parts10'),
    }
    for size, level in ((10, 1), (3, 3)):
        edges = skeleton.coarsen(level).edge_index
        found = out[f'parts{size}', 'bone', f'parts{size}'].edge_index
        assert torch.equal(found, torch.cat([edges, edges + size], dim=1))
    for fine, coarse, levels, sizes in (
        ('joints', 'parts10', (0, 1), (16, 10)),
        ('parts10', 'parts3', (1, 3), (10, 3)),
    ):
        expected = {
            (m * sizes[0] + node, m * sizes[1] + part)
            for m in range(2)
            for part, nodes in enumerate(hierarchy.members(levels[1], levels[0]))
            for node in nodes
        }
        up = out[fine, 'part_of', coarse].edge_index.t().tolist()
        down = out[coarse, 'has_member', fine].edge_index.t().tolist()
        assert {tuple(edge) for edge in up} == expected
        assert {(b, a) for a, b in down} == expected
        assert len(up) == len(down) == 2 * sizes[0]


def test_other_fields_find_their_place(make):
    data = make(silhouettes=True, num_frames=5)
    data.subject = torch.tensor([3])
    data.note = 'a walk'
    data.mass = torch.rand(17)
    data.edge_weight = torch.rand(data.num_edges)
    out = ToMultiScale('coco17')(data)
    assert torch.equal(out.y, data.y)
    assert torch.equal(out.num_frames, data.num_frames)
    assert torch.equal(out.subject, data.subject)
    assert torch.equal(out.silhouettes, data.silhouettes)
    assert out.note == 'a walk'
    assert torch.equal(out['joints'].mass, data.mass)
    assert torch.equal(out['joints', 'bone', 'joints'].edge_weight, data.edge_weight)


@pytest.mark.parametrize('name', list_skeletons())
def test_every_built_in_skeleton_has_scales(name, make):
    data = make(name, num_frames=2)
    out = ToMultiScale(name)(data)
    assert len(out.node_types) == len(get_skeleton(name).hierarchy().sizes)
    assert out.validate()


@pytest.mark.parametrize('missing', [None, 0.3])
@pytest.mark.parametrize('people', [(1, 1), (1, 2, 1)])
def test_inverse_is_exact(missing, people, make, assert_same):
    samples = [
        ToStream('bone', 'coco17')(make(missing=missing, people=m, seed=i, silhouettes=True))
        for i, m in enumerate(people)
    ]
    back = FromMultiScale()
    for data in samples:
        data.edge_weight = torch.rand(data.num_edges)
        assert_same(back(ToMultiScale('coco17')(data)), data, atol=0)
    batch = Batch.from_data_list(samples)
    out = back(ToMultiScale('coco17')(batch))
    assert_same(out, batch, atol=0)
    for data, sample in zip(out.to_data_list(), samples):
        assert_same(data, sample, atol=0)
    loader = DataLoader([ToMultiScale('coco17')(data) for data in samples], len(samples))
    assert_same(back(next(iter(loader))), batch, atol=0)


def test_inverse_of_other_graphs_raises():
    data = HeteroData()
    data['paper'].x = torch.rand(3, 2)
    with pytest.raises(ValueError, match=r"node type 'joints'.*got \['paper'\]"):
        FromMultiScale()(data)


@pytest.mark.parametrize('frames_first', [False, True])
def test_hetero_conv_runs_on_it(frames_first, make):
    torch.manual_seed(0)
    samples = [make('emotion_gait16', num_frames=6, missing=None, seed=i) for i in range(3)]
    transform = ToMultiScale('emotion_gait16', (16, 10, 5))
    batch = next(iter(DataLoader([transform(data) for data in samples], batch_size=3)))
    if frames_first:  # a static graph for each frame
        x = {name: batch[name].pos.transpose(0, 1) for name in batch.node_types}
        width = 3
    else:
        x = {name: batch[name].pos.flatten(1) for name in batch.node_types}
        width = 18
    bone, member = GraphConv(width, 4, aggr='mean'), SAGEConv((width, width), 4)
    conv = HeteroConv(
        {edge: bone if edge[1] == 'bone' else member for edge in batch.edge_types}, aggr='sum'
    )
    out = conv(x, batch.edge_index_dict)

    # By hand, for the parts of the level between: from their bones, their joints and the trunk.
    def mean(source, edges, count):
        total = torch.zeros(*source.shape[:-2], count, source.size(-1))
        degree = torch.zeros(count)
        for i, j in edges.t().tolist():
            total[..., j, :] += source[..., i, :]
            degree[j] += 1
        return total / degree.clamp(min=1).unsqueeze(-1)

    parts = x['parts10']
    expected = 0
    for edge in batch.edge_types:
        if edge[2] != 'parts10':
            continue
        message = mean(x[edge[0]], batch[edge].edge_index, 30)
        layer = bone if edge[1] == 'bone' else member
        first, second = (layer.lin_rel, layer.lin_root) if layer is bone else (
            layer.lin_l, layer.lin_r)  # fmt: skip
        expected = expected + first(message) + second(parts)
    assert out['parts10'].shape[-2:] == (30, 4)
    torch.testing.assert_close(out['parts10'], expected, atol=1e-5, rtol=1e-5)


def test_own_hierarchy(make):
    chain = Skeleton(
        ['a', 'b', 'c', 'd'], [(0, 1), (1, 2), (2, 3)],
        hierarchies={'halves': {'lower': ['a', 'b'], 'upper': ['c', 'd']},
                     'ends': {'start': ['a'], 'rest': ['b', 'c', 'd']}},
    )  # fmt: skip
    data = make(chain, num_frames=2, missing=None)
    out = ToMultiScale(chain, hierarchy='ends')(data)
    torch.testing.assert_close(out['parts2'].pos[1], data.pos[1:].mean(dim=0))
    assert out['parts2', 'bone', 'parts2'].edge_index.tolist() == [[0, 1], [1, 0]]
    edges = out['joints', 'part_of', 'parts2'].edge_index
    assert edges.tolist() == [[0, 1, 2, 3], [0, 1, 1, 1]]


def test_bad_scales_raise():
    for scales in ((10, 5), (16, 5, 10), (16, 10, 10), ()):
        with pytest.raises(ValueError, match='scales must go from the 16 joints to coarser ones'):
            ToMultiScale('emotion_gait16', scales)
    with pytest.raises(ValueError, match='none of 7'):
        ToMultiScale('emotion_gait16', (16, 7))
    with pytest.raises(ValueError, match='does not have a part hierarchy'):
        ToMultiScale(Skeleton(['a', 'b'], [(0, 1)]))


def test_fields_of_other_precision(make):
    data = make('emotion_gait16')
    expected = ToMultiScale('emotion_gait16')(data.clone())
    data.pos = data.pos.double()
    found = ToMultiScale('emotion_gait16')(data)
    for scale in ('parts10', 'parts5'):
        assert found[scale].pos.dtype == torch.double
        torch.testing.assert_close(found[scale].pos.float(), expected[scale].pos)
        torch.testing.assert_close(found[scale].score, expected[scale].score)
