import pytest
import torch
from torch_geometric.data import Batch

from graphmotion.data import from_array, to_array
from graphmotion.models import create_model
from graphmotion.skeletons import get_skeleton
from graphmotion.transforms import PadPeople, ToStream

BODY = get_skeleton('emotion_gait16')


def sample(num_people, score=False, **options):
    pos = torch.rand(num_people, 5, 16, 3)
    confidence = torch.rand(num_people, 5, 16).clamp(min=0.1) if score else None
    return from_array(pos, BODY, confidence, axes='MTVC', y=num_people, **options)


@pytest.mark.parametrize('score', [True, False])
def test_people_are_padded_and_truncated(score):
    for num_people in (1, 2, 3):
        data = sample(num_people, score)
        pos, found = to_array(data, 16)
        out = PadPeople(2, BODY)(data.clone())
        assert out.num_nodes == 32
        padded, scores = to_array(out, 16)
        kept = min(num_people, 2)
        assert (padded[:kept] == pos[:kept]).all()
        assert (scores[:kept] == found[:kept]).all()
        assert (padded[kept:] == 0).all()
        assert (scores[kept:] == 0).all()
        both = torch.cat([BODY.edge_index, BODY.edge_index + 16], dim=1)
        assert torch.equal(out.edge_index, both)
        assert out.y.tolist() == [num_people]


@pytest.mark.parametrize('num_people', [1, 2, 4])
def test_equals_arrays_that_were_padded_first(num_people, assert_same):
    for people in (1, 2, 3):
        pos, score = torch.rand(people, 5, 16, 3), torch.rand(people, 5, 16).clamp(min=0.1)
        out = PadPeople(num_people, BODY)(from_array(pos, BODY, score, 'MTVC', y=2))
        missing = max(num_people - people, 0)
        pos = torch.cat([pos[:num_people], torch.full((missing, 5, 16, 3), torch.nan)])
        score = torch.cat([score[:num_people], torch.zeros(missing, 5, 16)])
        assert_same(out, from_array(pos, BODY, score, 'MTVC', y=2), atol=0)


def test_fields_of_nodes_and_edges(assert_alike):
    stream = ToStream(['joint', 'joint_motion'])
    samples = [stream(sample(m, edges=BODY.edges('spatial'))) for m in (2, 1, 3)]
    for data in samples:
        data.hand = torch.arange(data.num_nodes) % 16 > 8
        data.mass = torch.rand(data.num_nodes, 2)
    expected, _ = assert_alike(PadPeople(2, BODY), samples)
    edge_index, weight = BODY.edges('spatial')
    for data, out in zip(samples, expected):
        kept = min(32, data.num_nodes)
        for name in ('pos', 'x', 'hand', 'mass'):
            assert torch.equal(out[name][:kept], data[name][:kept])
            assert not out[name][kept:].any()
            assert out[name].dtype == data[name].dtype
        assert torch.equal(out.edge_index, torch.cat([edge_index, edge_index + 16], dim=1))
        assert torch.equal(out.edge_weight, torch.cat([weight, weight]))


def test_samples_have_separate_edges(assert_alike):
    """One has none."""
    samples = [sample(m) for m in (3, 1, 2)]
    samples[0].edge_index = samples[0].edge_index[:, :4]
    samples[2].edge_index = samples[2].edge_index[:, :0]
    for data in samples:
        data.edge_attr = torch.rand(data.num_edges, 2)
    expected, _ = assert_alike(PadPeople(2, BODY), samples)
    assert [data.num_edges for data in expected] == [8, 2 * BODY.edge_index.size(1), 0]
    assert torch.equal(expected[0].edge_attr, samples[0].edge_attr.repeat(2, 1))
    for data in samples:
        del data.edge_index, data.edge_attr
    _, out = assert_alike(PadPeople(2, BODY), samples)
    assert 'edge_index' not in out


@pytest.mark.parametrize('name', ['agcn', 'ctr_gcn', 'st_gcn', 'fg_stformer'])
def test_row_i_belongs_to_graph_i(name):
    model = create_model(name, skeleton=BODY, num_classes=4, num_people=2, channels=(8, 8)).eval()
    samples = [ToStream('joint', BODY)(sample(m)) for m in (1, 2, 3)]
    batch = Batch.from_data_list(samples)
    with pytest.raises(ValueError, match=r'32 nodes \(num_people=2 .*\[16, 32, 48\] .*PadPeople'):
        model(batch.x, batch.batch)
    padded = PadPeople(2, BODY)(batch)
    out = model(padded.x, padded.batch)
    assert out.shape == (3, 4)
    for row, data in zip(out, samples):
        alone = PadPeople(2, BODY)(data)
        torch.testing.assert_close(row, model(alone.x)[0])


@pytest.mark.parametrize('name', ['msa_gcn', 'gaitmixer', 'gaitformer'])
def test_graphs_of_two_people_are_not_two_samples(name):
    model = create_model(name, skeleton=BODY, in_channels=3).eval()
    batch = Batch.from_data_list([ToStream('joint', BODY)(sample(2)) for _ in range(2)])
    with pytest.raises(ValueError, match=r'16 nodes \(num_people=1 of 16 joints\), got .*\[32\]'):
        model(batch.x, batch.batch)


def test_other_numbers_of_nodes():
    with pytest.raises(ValueError, match=r"multiple of the 17 joints of 'coco17', got \[16\]"):
        PadPeople(2, 'coco17')(sample(1))
    with pytest.raises(ValueError, match='num_people must be an integer >= 1, got 0'):
        PadPeople(0, BODY)
