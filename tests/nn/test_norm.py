from copy import deepcopy

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from graphmotion.nn import MotionBatchNorm
from graphmotion.nn import norm as module


def test_normalises_each_channel_over_nodes_and_frames():
    norm = MotionBatchNorm(3)
    x = 5 + 2 * torch.randn(8, 6, 3)
    mean, var = x.mean(dim=(0, 1)), x.var(dim=(0, 1), unbiased=False)
    torch.testing.assert_close(norm(x), (x - mean) / (var + 1e-5).sqrt(), atol=1e-5, rtol=1e-5)


def test_normalises_each_node_separately():
    norm = MotionBatchNorm(3, num_nodes=4)
    x = torch.randn(2 * 4, 6, 3) + torch.arange(4.0).repeat(2).view(-1, 1, 1)
    graphs = x.view(2, 4, 6, 3)
    mean = graphs.mean(dim=(0, 2), keepdim=True)
    var = graphs.var(dim=(0, 2), unbiased=False, keepdim=True)
    expected = ((graphs - mean) / (var + 1e-5).sqrt()).view(x.shape)
    torch.testing.assert_close(norm(x), expected, atol=1e-5, rtol=1e-5)


def test_can_be_synchronised_between_processes():
    norm = torch.nn.SyncBatchNorm.convert_sync_batchnorm(MotionBatchNorm(3, num_nodes=4))
    assert isinstance(norm, MotionBatchNorm)
    assert isinstance(norm.norm, torch.nn.SyncBatchNorm)


def test_padded_frames_do_not_change_the_statistics():
    for num_nodes in (None, 4):
        x = torch.randn(2 * 4, 6, 3)
        frames = torch.tensor([2, 6]).repeat_interleave(4)
        mask = torch.arange(6) < frames.unsqueeze(1)
        norm, expected = (MotionBatchNorm(3, num_nodes) for _ in range(2))
        out = norm(x, mask)
        # The same frames in a sequence without padding.
        joined = expected(torch.cat([x[:4, :2], x[4:]], dim=1))
        torch.testing.assert_close(out[:4, :2], joined[:, :2])
        torch.testing.assert_close(out[4:], joined[:, 2:])
        assert out[:4, 2:].count_nonzero() == 0
        torch.testing.assert_close(norm.state_dict(), expected.state_dict())
        torch.testing.assert_close(norm.eval()(x, mask), norm(x))


@pytest.mark.parametrize('training', [False, True])
@pytest.mark.parametrize('num_nodes', [None, 4])
@pytest.mark.parametrize('padded', [False, True])
def test_means_over_frames(training, num_nodes, padded):
    torch.manual_seed(0)
    norms = [MotionBatchNorm(3, num_nodes).double().train(training) for _ in range(2)]
    norms[0].norm.weight.data.uniform_(0.5, 2)
    norms[0].norm.bias.data.uniform_()
    norms[0].norm.running_mean.uniform_()
    norms[1].load_state_dict(norms[0].state_dict())
    x = torch.randn(8, 6, 3, dtype=torch.float64)
    mask = None
    kept = torch.ones(8, 6, dtype=torch.bool)
    if padded:
        kept = mask = torch.arange(6) < torch.tensor([2, 6]).repeat_interleave(4).unsqueeze(1)
    out = norms[0].frame_mean(x, mask)
    every = norms[1](x, mask)
    expected = [rows[k].mean(dim=0) for rows, k in zip(every, kept)]
    torch.testing.assert_close(out, torch.stack(expected))
    torch.testing.assert_close(norms[0].state_dict(), norms[1].state_dict())


def test_gradients_of_means_over_frames(monkeypatch):
    norm = MotionBatchNorm(3).double()
    monkeypatch.setattr(module, '_BLOCK_BYTES', 2 * 5 * 3 * 8)  # two nodes
    inputs = [
        torch.randn(*shape, dtype=torch.float64, requires_grad=True)
        for shape in [(7, 5, 3), (3,), (3,)]
    ]

    def means(x, weight, bias):
        parameters = {'norm.weight': weight, 'norm.bias': bias}
        for name, value in parameters.items():
            delattr(norm.norm, name[5:])
            setattr(norm.norm, name[5:], value)
        return norm.frame_mean(x)

    assert gradcheck(means, inputs)
    assert gradgradcheck(means, inputs)


def test_variance_far_from_zero(monkeypatch):
    monkeypatch.setattr(module, '_BLOCK_BYTES', 1)  # one node at a time
    norm = MotionBatchNorm(2)
    x = 1000 + torch.randn(50, 20, 2, dtype=torch.float64)
    x[:5] -= 900  # the first nodes are far from the others
    norm.frame_mean(x.float())
    expected = 0.9 + 0.1 * x.flatten(0, 1).var(dim=0)
    torch.testing.assert_close(norm.norm.running_var.double(), expected, rtol=1e-5, atol=0)


def test_one_value_cannot_be_normalised():
    with pytest.raises(ValueError, match='more than one node or frame'):
        MotionBatchNorm(3).frame_mean(torch.randn(1, 1, 3))


@pytest.mark.parametrize('training', [False, True])
@pytest.mark.parametrize('variant', ['affine', 'statistics', 'momentum', 'half', 'half, masked'])
def test_other_norms_normalise_each_frame(training, variant):
    torch.manual_seed(0)
    norm = MotionBatchNorm(3)
    x, mask = 2000 + 100 * torch.randn(6, 40, 3), None
    norm.norm.running_mean.fill_(2000)
    norm.norm.running_var.fill_(1e4)
    if variant == 'affine':
        norm.norm.weight = norm.norm.bias = None
        norm.norm.affine = False
    elif variant == 'statistics':
        norm.norm.running_mean = norm.norm.running_var = norm.norm.num_batches_tracked = None
        norm.norm.track_running_stats = False
    elif variant == 'momentum':
        norm.norm.momentum = None
    else:
        norm, x = norm.half(), x.half()
        mask = None if variant == 'half' else torch.arange(40).expand(6, 40) < 39
    expected = deepcopy(norm).train(training)
    out = norm.train(training).frame_mean(x, mask)
    frames = expected(x, mask)
    kept = frames if mask is None else frames[:, :39]
    torch.testing.assert_close(out, kept.mean(dim=1), atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(norm.state_dict(), expected.state_dict())


@pytest.mark.parametrize('training', [False, True])
def test_nodes_are_normalised_as_by_torch_in_its_layout(training, monkeypatch):
    monkeypatch.setattr(module, '_BLOCK_BYTES', 2 * 4 * 6 * 3 * 8)  # two of five graphs
    norm = MotionBatchNorm(3, num_nodes=4).double()
    norm.norm.weight.data.uniform_(0.5, 2)
    norm.norm.bias.data.uniform_()
    norm.norm.running_mean.uniform_()
    norm.norm.running_var.uniform_(0.5, 2)
    plain = deepcopy(norm.norm).train(training)
    norm.train(training)
    x = (100 + torch.randn(5 * 4, 6, 3, dtype=torch.double)).requires_grad_()
    out = norm(x)
    lines = x.view(5, 4, 6, 3).permute(0, 1, 3, 2).flatten(1, 2)
    expected = plain(lines).view(5, 4, 3, 6).transpose(2, 3).reshape(x.shape)
    torch.testing.assert_close(out, expected)
    torch.testing.assert_close(norm.norm.state_dict(), plain.state_dict())
    gradient = torch.randn_like(out)
    found = torch.autograd.grad(out, [x, *norm.parameters()], gradient)
    for ours, theirs in zip(
        found, torch.autograd.grad(expected, [x, *plain.parameters()], gradient)
    ):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize('training', [False, True])
def test_gradients_of_nodes(training):
    norm = MotionBatchNorm(2, num_nodes=3).double().train(training)
    weights = list(norm.norm.parameters())

    def run(x, *parameters):
        state = dict(zip(('norm.weight', 'norm.bias'), parameters))
        return torch.func.functional_call(norm, state, x)

    inputs = [torch.randn(6, 4, 2, dtype=torch.double, requires_grad=True), *weights]
    assert gradcheck(run, inputs)
    assert gradgradcheck(run, inputs)


def test_a_single_frame_of_one_graph_cannot_be_normalised():
    with pytest.raises(ValueError, match='more than 1 value'):
        MotionBatchNorm(2, num_nodes=3)(torch.randn(3, 1, 2))
