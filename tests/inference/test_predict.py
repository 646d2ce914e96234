import pytest
import torch
from torch.utils.data import Subset
from torch_geometric.data import Batch, Data, InMemoryDataset
from torch_geometric.nn import GCN, GraphConv, Sequential, global_mean_pool

from graphmotion.data import from_array
from graphmotion.inference import embed, predict
from graphmotion.models import st_gcn
from graphmotion.transforms import CropFrames, ToStream
from tests.toy import joints, noisy_joints
from tests.training.walkers import Projection, Walkers


def first_frames(batch):
    batch.x = batch.pos[:, :4]
    return batch


def crop(batch):
    return joints(CropFrames(4, 'center')(batch))


def test_embeddings_of_samples_of_different_length_against_a_loop():
    dataset, model = Walkers(3, 5, frames=(6, 11)), Projection(dropout=0.5)
    out = embed(model, dataset, [first_frames, crop], batch_size=4)
    model.eval()
    for i in range(15):
        data = dataset[i]
        start = (data.pos.size(1) - 4) // 2
        windows = [data.pos[:, :4], data.pos[:, start : start + 4]]
        expected = sum(model(window).detach() for window in windows) / 2
        torch.testing.assert_close(out[i : i + 1], expected)
    assert bool((out.norm(dim=1) < 0.9999).any())
    once = embed(model, dataset, [first_frames, crop], batch_size=15, normalize=True)
    torch.testing.assert_close(once, torch.nn.functional.normalize(out, dim=1))


def test_one_transform_or_none():
    dataset, model = Walkers(2, 3), Projection()
    out = embed(model, dataset, joints)
    torch.testing.assert_close(out, embed(model, dataset, [joints, joints]))
    model.inputs = ('pos',)
    torch.testing.assert_close(embed(model, dataset), out)
    assert not out.requires_grad
    assert out.dtype == torch.float32


def test_random_transforms_follow_the_seed_and_differ():
    dataset, model = Walkers(2, 3), Projection()
    one, two = (
        embed(model, dataset, noisy_joints, seed=5),
        embed(model, dataset, noisy_joints, seed=6),
    )
    assert not torch.allclose(one, two)
    both = embed(model, dataset, [noisy_joints] * 2, seed=5)
    torch.testing.assert_close(both, (one + two) / 2)


def test_logits_match_the_model_and_are_averaged_over_augmentations():
    dataset, model = Walkers(2, 3), Projection()
    logits = predict(model, dataset, joints, kind='logits')
    for i in range(6):
        expected = model(dataset[i].pos).detach()
        torch.testing.assert_close(logits[i : i + 1], expected)
    torch.testing.assert_close(predict(model, dataset, joints), logits.softmax(dim=1))
    both = predict(model, dataset, noisy_joints, num_augmentations=2, seed=5, kind='logits')
    parts = [predict(model, dataset, noisy_joints, seed=s, kind='logits') for s in (5, 6)]
    torch.testing.assert_close(both, sum(parts) / 2)
    with pytest.raises(ValueError, match=r"kind must be one of .*'logits'.*got 'votes'"):
        predict(model, dataset, joints, kind='votes')


@pytest.mark.parametrize('fails', [False, True])
def test_the_mode_of_the_model_is_restored(fails):
    class Strict(Projection):
        def forward(self, x):
            assert not self.training
            assert not torch.is_grad_enabled()
            if fails:
                raise RuntimeError('on purpose')
            return super().forward(x)

    model = Strict(dropout=0.5).train()
    model.lin.eval()  # as a frozen layer
    if fails:
        with pytest.raises(RuntimeError, match='on purpose'):
            embed(model, Walkers(2, 3), joints)
    else:
        embed(model, Walkers(2, 3), joints)
    assert model.training
    assert model.dropout.training
    assert not model.lin.training
    assert torch.is_grad_enabled()


def test_optional_inputs_are_passed_if_the_batch_has_them():
    class Optional(Projection):
        optional_inputs = ('num_frames', 'missing')

        def forward(self, x, num_frames=None, missing=None):
            assert missing is None
            counts.append(num_frames)
            return super().forward(x)

    def forget(batch):
        del batch.num_frames
        return joints(batch)

    counts = []
    embed(Optional(), Walkers(2, 3), [joints, forget])
    assert counts[0].tolist() == [8] * 6
    assert counts[1] is None


def test_invalid_embeddings_raise():
    dataset, model = Walkers(2, 3), Projection()
    with pytest.raises(ValueError, match='transforms must hold at least one transform, got none'):
        embed(model, dataset, [])
    with pytest.raises(ValueError, match=r"reads the fields \['x'\], but the batch lacks"):
        embed(model, dataset)
    model.forward = lambda x: x
    with pytest.raises(ValueError, match=r'embeddings of shape \[6, D\], got \[96, 8, 3\]'):
        embed(model, dataset, joints)


# Any type of samples, and PyG's models #########################################


class Graphs(torch.nn.Module):
    """A typical PyG model without the attribute inputs."""

    def __init__(self):
        super().__init__()
        self.conv = GraphConv(4, 5)
        self.lin = torch.nn.Linear(5, 3)

    def forward(self, x, edge_index, batch):
        return self.lin(global_mean_pool(self.conv(x, edge_index).relu(), batch))


def graphs():
    edges = [[[0, 1, 1, 2], [1, 0, 2, 1]], [[0, 1], [1, 0]], [[0, 3], [2, 1]]]
    sizes = (3, 2, 5)
    return [
        Data(x=torch.rand(size, 4), edge_index=torch.tensor(e), y=torch.tensor([i]))
        for i, (size, e) in enumerate(zip(sizes, edges))
    ]


class Plain(InMemoryDataset):
    def __init__(self, samples, transform=None):
        super().__init__(transform=transform)
        self.data, self.slices = self.collate(samples)


@pytest.mark.parametrize('batch_size', [2, 64])
def test_a_model_of_pyg_and_samples_of_any_kind(batch_size):
    samples, model = graphs(), Graphs().eval()
    with torch.no_grad():
        loop = [model(d.x, d.edge_index, torch.zeros(len(d.x)).long()) for d in samples]
    expected = torch.cat(loop)
    ways = [samples, Plain(samples), Subset([*samples, samples[0]], range(3))]
    for value in [*ways, Batch.from_data_list(samples)]:
        torch.testing.assert_close(embed(model, value, batch_size=batch_size), expected)
        out = predict(model, value, batch_size=batch_size)
        torch.testing.assert_close(out, expected.softmax(dim=1))
    torch.testing.assert_close(embed(model, samples[1]), expected[1:2])


def test_the_transform_of_a_dataset_is_applied():
    def double(data):
        data.x = 2 * data.x
        return data

    samples, model = graphs(), Graphs()
    expected = embed(model, [double(data.clone()) for data in samples])
    torch.testing.assert_close(embed(model, Plain(samples, double)), expected)
    dataset, projection = Walkers(2, 3), Projection()
    expected = embed(projection, dataset, ToStream('joint'))
    dataset.transform = ToStream('joint')
    torch.testing.assert_close(embed(projection, dataset), expected)
    torch.testing.assert_close(embed(projection, list(dataset)), expected)


def test_models_that_are_called_by_keyword():
    samples = graphs()
    batch = Batch.from_data_list(samples)
    chain = Sequential(
        'x, edge_index, batch',
        [(GraphConv(4, 3), 'x, edge_index -> x'), (global_mean_pool, 'x, batch -> x')],
    )
    torch.testing.assert_close(
        embed(chain, samples), chain(batch.x, batch.edge_index, batch.batch).detach()
    )
    # Its third argument is edge_weight: it must not receive the batch vector.
    nodes = GCN(4, 8, num_layers=2, out_channels=3)
    with pytest.raises(ValueError, match=r'GCN must .* of shape \[3, D\], got \[10, 3\]'):
        predict(nodes, samples)


def test_a_model_without_parameters():
    class Mean(torch.nn.Module):
        def forward(self, x, edge_index, batch):
            return global_mean_pool(x, batch)

    samples = graphs()
    expected = torch.stack([data.x.mean(dim=0) for data in samples])
    torch.testing.assert_close(embed(Mean(), samples), expected)


def test_missing_fields_of_a_model_of_pyg_are_named():
    with pytest.raises(
        ValueError, match=r"reads the fields \['x', 'edge_index', 'batch'\].*\['x'\]"
    ):
        predict(Graphs(), Walkers(2, 3))


class Halves(torch.nn.Module):
    """Returns a row for every two nodes, regardless of their graph."""

    inputs = ('x',)

    def forward(self, x):
        return x.view(-1, 8)


@pytest.mark.parametrize(('call', 'what'), [(predict, 'logits'), (embed, 'embeddings')])
def test_each_batch_has_a_row_for_each_graph(call, what):
    samples = [Data(x=torch.rand(size, 4), y=torch.tensor([0])) for size in (4, 2, 2, 2, 2, 0)]
    with pytest.raises(ValueError, match=rf'return {what} of shape \[3, D\], got \[4, 8\]'):
        call(Halves(), samples, batch_size=3)


@pytest.mark.parametrize('call', [predict, embed])
def test_people_of_different_samples_do_not_mix(call):
    """The model would return three rows for three samples, but mix their people."""
    samples = [from_array(torch.randn(m, 9, 16, 3), 'emotion_gait16') for m in (1, 2, 3)]
    model = st_gcn('emotion_gait16', 4, channels=(4,), num_people=2)
    with pytest.raises(ValueError, match=r'num_people=2 .* got graphs of \[16, 32, 48\] nodes'):
        call(model, samples, ToStream('joint'))


@pytest.mark.parametrize('call', [predict, embed])
def test_no_samples_raise(call):
    for empty in ([], Walkers(2, 3)[:0], Subset(Walkers(2, 3), [])):
        with pytest.raises(ValueError, match='samples must hold at least one sample, got none'):
            call(Projection(), empty)
