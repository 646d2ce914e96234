import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck
from torch.utils.flop_counter import FlopCounterMode

from graphmotion.nn import SpatialConv
from graphmotion.nn.conv import aggregate_partitions as module
from graphmotion.nn.conv.aggregate_partitions import aggregate_partitions, can_aggregate

pytestmark = pytest.mark.usefixtures('no_kernels')


@pytest.fixture(params=[1, 2**17])
def blocks(request, monkeypatch, products):
    """Convolves each graph alone, or all of them at once."""
    monkeypatch.setattr(module, 'BLOCK_SIZE', request.param)


def make_inputs():
    torch.manual_seed(0)
    shapes = {'graphs': (3, 4, 2, 2), 'adj': (2, 4, 4), 'weight': (2, 2, 3), 'bias': (4, 3)}
    return [torch.randn(shape, dtype=torch.double, requires_grad=True) for shape in shapes.values()]


def test_equals_the_equation(blocks):
    graphs, adj, weight, bias = make_inputs()
    expected = torch.einsum('kvu,butc,kcf->bvtf', adj, graphs, weight) + bias.unsqueeze(1)
    torch.testing.assert_close(aggregate_partitions(graphs, adj, weight, bias), expected)


def test_the_bias_is_not_changed(blocks):
    graphs, adj, weight, bias = (x.detach() for x in make_inputs())
    before = bias.clone()
    aggregate_partitions(graphs[:1, :, :1], adj, weight, bias)
    assert torch.equal(bias, before)


def test_gradients(blocks):
    assert gradcheck(aggregate_partitions, make_inputs())
    assert gradgradcheck(aggregate_partitions, make_inputs())


@pytest.mark.parametrize('index', range(4))
def test_a_single_gradient(blocks, index):
    inputs = make_inputs()
    (expected,) = torch.autograd.grad(aggregate_partitions(*inputs).square().sum(), inputs[index])
    alone = [x if i == index else x.detach() for i, x in enumerate(inputs)]
    (out,) = torch.autograd.grad(aggregate_partitions(*alone).square().sum(), alone[index])
    torch.testing.assert_close(out, expected)


@pytest.mark.parametrize('shape', [(8, 5, 3), (8, 3)])
@pytest.mark.parametrize('bias', [True, False])
def test_spatial_conv_equals_its_other_implementation(shape, bias, monkeypatch, products):
    conv = SpatialConv(3, 6, 2, num_nodes=4, edge_importance=True, bias=bias)
    torch.nn.init.uniform_(conv.edge_importance)
    x, adj = torch.randn(shape, requires_grad=True), torch.rand(2, 4, 4)

    def results():
        out = conv(x, adj)
        return out, *torch.autograd.grad(out.square().sum(), [x, *conv.parameters()])

    ours = results()
    assert 'AggregatePartitions' in ours[0].grad_fn.next_functions[0][0].name()
    monkeypatch.setattr('graphmotion.nn.conv.spatial_conv.can_aggregate', lambda *_: False)
    for a, b in zip(ours, results()):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-5)


def test_support():
    x, adj, weight = torch.randn(6, 5, 4), torch.rand(2, 3, 3), torch.randn(2, 4, 4)
    assert can_aggregate(x, adj, weight)
    assert not can_aggregate(x[:0], adj, weight)
    assert not can_aggregate(x, adj.expand(2, 2, 3, 3), weight)
    assert not can_aggregate(x, adj[:1], weight[:1])
    assert not can_aggregate(x, adj, weight[..., :3])
    assert not can_aggregate(x.bfloat16(), adj, weight)
    with torch.autocast('cpu', torch.bfloat16):
        assert not can_aggregate(x, adj, weight)


def test_operations_are_counted(products):
    graphs, adj, weight, bias = make_inputs()
    with FlopCounterMode(display=False) as counter:
        out = aggregate_partitions(graphs, adj, weight, bias)
    nodes, frames = 3 * 4, 2
    forward = 2 * (2 * nodes * frames * (4 * 2 + 2 * 3))  # two partitions
    assert counter.get_total_flops() == forward
    with FlopCounterMode(display=False) as counter:
        out.sum().backward()
    again = 2 * (2 * nodes * frames * 4 * 2)  # the sums over neighbours
    assert counter.get_total_flops() == 2 * forward + again
