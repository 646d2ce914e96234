import pytest
import torch

from graphmotion.nn import SelectiveTemporalConv, TemporalConv

V = 5


def test_one_kernel_is_a_temporal_conv():
    selective = SelectiveTemporalConv(3, 4, kernel_sizes=(5,), stride=2)
    plain = TemporalConv(3, 4, kernel_size=5, stride=2)
    plain.load_state_dict(selective.convs[0].state_dict())
    x = torch.randn(2 * V, 10, 3)
    assert torch.equal(selective(x, V), plain(x))
    assert len(selective.state_dict()) == len(plain.state_dict())


def test_against_the_formula():
    conv = SelectiveTemporalConv(3, 4, kernel_sizes=(3, 5, 9), min_channels=6).double().eval()
    x = torch.randn(2 * V, 10, 3).double()
    conv.norm.running_mean.normal_()
    conv.norm.running_var.uniform_(0.5, 2)
    branches = [branch(x) for branch in conv.convs]
    expected = torch.zeros_like(branches[0])
    for b in range(2):
        rows = slice(b * V, (b + 1) * V)
        s = sum(u[rows] for u in branches).mean(dim=(0, 1))
        z = conv.squeeze.weight @ s + conv.squeeze.bias
        z = (z - conv.norm.running_mean) / (conv.norm.running_var + conv.norm.eps).sqrt()
        z = (z * conv.norm.weight + conv.norm.bias).clamp(min=0)
        logits = torch.stack([select.weight @ z + select.bias for select in conv.select])
        weights = logits.exp() / logits.exp().sum(dim=0)
        for u, a in zip(branches, weights):
            expected[rows] += a * u[rows]
    torch.testing.assert_close(conv(x, V), expected)


def test_weights_of_the_kernels_sum_to_one_for_each_channel():
    conv = SelectiveTemporalConv(3, 4)
    branches = [branch(torch.randn(2 * V, 10, 3)) for branch in conv.convs]
    weights = conv.attention(branches, V)
    assert weights.shape == (2, 2, 4)
    torch.testing.assert_close(weights.sum(dim=0), torch.ones(2, 4))


def test_equal_kernels_equal_a_single_kernel():
    conv = SelectiveTemporalConv(3, 4, kernel_sizes=(5, 5))
    conv.convs[1].load_state_dict(conv.convs[0].state_dict())
    x = torch.randn(2 * V, 10, 3)
    torch.testing.assert_close(conv(x, V), conv.convs[0](x))


def test_training_on_a_single_sample():
    conv = SelectiveTemporalConv(3, 4).train()
    before = conv.norm.running_mean.clone()
    conv(torch.randn(V, 10, 3), V).sum().backward()
    assert torch.equal(conv.norm.running_mean, before)


@pytest.mark.parametrize(
    ('channels', 'count'), [(32, 17_696), (64, 63_968), (128, 242_528), (256, 943_712)]
)
def test_number_of_parameters_with_the_normalisation_before(channels, count):
    conv = SelectiveTemporalConv(channels, channels)
    assert sum(p.numel() for p in conv.parameters()) + 2 * channels == count


def test_no_kernel_raises():
    with pytest.raises(ValueError, match='kernel_sizes must not be empty'):
        SelectiveTemporalConv(3, 4, kernel_sizes=())


def test_a_single_sample_in_evaluation():
    conv = SelectiveTemporalConv(3, 4).eval()
    x, calls = torch.randn(V, 10, 3), []
    conv.norm.register_forward_hook(lambda *_: calls.append(1))
    conv(x, V)
    assert calls
