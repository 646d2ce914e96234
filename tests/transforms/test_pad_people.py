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
def test_people_are_added_as_missing_and_cut(score):
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


def test_a_batch_is_its_samples():
    samples = [sample(m, True, edges=BODY.edges()) for m in (1, 3, 2)]
    transform = PadPeople(2, BODY)
    batch = transform(Batch.from_data_list([data.clone() for data in samples]))
    expected = Batch.from_data_list([transform(data.clone()) for data in samples])
    for name in ('pos', 'score', 'edge_index', 'edge_weight', 'batch', 'ptr', 'y', 'num_frames'):
        assert torch.equal(batch[name], expected[name]), name
    for part, data in zip(batch.to_data_list(), expected.to_data_list()):
        assert torch.equal(part.pos, data.pos)
        assert torch.equal(part.edge_index, data.edge_index)


@pytest.mark.parametrize('name', ['st_gcn', 'fg_stformer'])
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
def test_graphs_of_two_people_are_not_taken_for_two_samples(name):
    model = create_model(name, skeleton=BODY, in_channels=3).eval()
    batch = Batch.from_data_list([ToStream('joint', BODY)(sample(2)) for _ in range(2)])
    with pytest.raises(ValueError, match=r'16 nodes \(num_people=1 of 16 joints\), got .*\[32\]'):
        model(batch.x, batch.batch)


def test_other_numbers_of_nodes():
    with pytest.raises(ValueError, match=r"multiple of the 17 joints of 'coco17', got \[16\]"):
        PadPeople(2, 'coco17')(sample(1))
    with pytest.raises(ValueError, match='num_people must be an integer >= 1, got 0'):
        PadPeople(0, BODY)
