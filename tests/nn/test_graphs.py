import pytest
import torch
from torch_geometric.utils import to_dense_batch

from graphmotion.nn import (
    ChannelGate,
    JointAttention,
    MotionBatchNorm,
    SelectiveTemporalConv,
    TemporalConv,
    TopKJointPooling,
)
from graphmotion.nn.graphs import graph_mean, pad_graphs, unpad_graphs

SIZES = [3, 0, 5, 1]
BATCH = torch.arange(4).repeat_interleave(torch.tensor(SIZES))


@pytest.mark.parametrize('tail', [(), (7,), (4, 7)])
def test_padding_against_a_loop_and_back(tail):
    x = torch.randn(9, *tail)
    for dense, mask in (pad_graphs(x, BATCH), pad_graphs(x, BATCH, 4, 5)):
        assert dense.shape == (4, 5, *tail)
        for graph, part in enumerate(x.split(SIZES)):
            for node in range(5):
                assert mask[graph, node] == (node < len(part))
                expected = part[node] if node < len(part) else torch.zeros(tail)
                assert torch.equal(dense[graph, node], expected)
        assert torch.equal(unpad_graphs(dense, BATCH), x)
        for ours, theirs in zip((dense, mask), to_dense_batch(x, BATCH, batch_size=4)):
            assert torch.equal(ours, theirs)


@pytest.mark.parametrize('shape', [(9, 7), (9, 4, 7)])
def test_means_of_graphs_against_a_loop(shape):
    x = torch.randn(shape, dtype=torch.float64)
    rows = [part.reshape(-1, 7) for part in x.split(SIZES)]
    expected = torch.stack([part.sum(dim=0) / max(len(part), 1) for part in rows])
    for size in (None, 4):
        torch.testing.assert_close(graph_mean(x, batch=BATCH, batch_size=size), expected)
    expected = [part.reshape(-1, 7).mean(dim=0) for part in x.split(3)]
    torch.testing.assert_close(graph_mean(x, 3), torch.stack(expected))
    torch.testing.assert_close(graph_mean(x), x.reshape(-1, 7).mean(dim=0, keepdim=True))


def test_larger_padding_and_trailing_empty_graphs():
    x = torch.randn(9, 2)
    dense, mask = pad_graphs(x, BATCH, 6, 8)
    assert dense.shape == (6, 8, 2)
    assert mask.sum(dim=1).tolist() == [*SIZES, 0, 0]
    assert torch.equal(unpad_graphs(dense, BATCH), x)


def test_padding_passes_gradients():
    x = torch.randn(9, 2, requires_grad=True)
    dense, _ = pad_graphs(x, BATCH)
    dense.backward(torch.full_like(dense, 2.0))
    assert torch.equal(x.grad, torch.full_like(x, 2.0))


def test_empty_input_is_padded():
    dense, mask = pad_graphs(torch.zeros(0, 3), torch.zeros(0, dtype=torch.long))
    assert dense.shape == (0, 0, 3)
    assert mask.shape == (0, 0)


def test_invalid_padding_raises():
    with pytest.raises(ValueError, match='at most 4 nodes, got 5'):
        pad_graphs(torch.randn(9, 2), BATCH, 4, 4)
    with pytest.raises(ValueError, match=r'must have shape \[8\], got \[9\]'):
        pad_graphs(torch.randn(8, 2), BATCH)


@pytest.mark.slow
def test_padding_exports_with_its_sizes():
    class There(torch.nn.Module):
        def forward(self, x, batch):
            dense, mask = pad_graphs(x, batch, 4, 5)
            return unpad_graphs(dense * mask.unsqueeze(-1), batch)

    x = torch.randn(9, 2)
    program = torch.export.export(There(), (x, BATCH))
    assert torch.equal(program.module()(x, BATCH), x)


def test_a_batch_vector_takes_precedence_over_num_nodes():
    """num_nodes is then the size of the largest graph, for all operators."""
    x = torch.randn(48, 4, 8)
    batch = torch.arange(3).repeat_interleave(torch.tensor([10, 22, 16]))
    for module in (ChannelGate(8), SelectiveTemporalConv(8, 8).eval()):
        both = module(x, num_nodes=24, batch=batch, batch_size=3)
        torch.testing.assert_close(both, module(x, batch=batch))


def test_invalid_batch_vectors_raise():
    attention, x = JointAttention(8, 2), torch.randn(4, 2, 8)
    with pytest.raises(ValueError, match='must be in ascending order'):
        attention(x, batch=torch.tensor([1, 1, 0, 0]))
    with pytest.raises(ValueError, match='at most batch_size=2 graphs, got 3'):
        attention(x, batch=torch.tensor([0, 1, 2, 2]), batch_size=2)


def test_wrong_number_of_channels_raises():
    x = torch.randn(4, 5, 16)
    for module, args in (
        (MotionBatchNorm(8), ()),
        (MotionBatchNorm(8, 4), ()),
        (TemporalConv(8, 8), ()),
        (TopKJointPooling(8, 2), (4,)),
    ):
        with pytest.raises(ValueError, match=r'\[num_nodes, T, 8\], got \[4, 5, 16\]'):
            module(x, *args)
