import torch

from graphmotion.nn import ChannelGate, SpatialGate


def test_spatial_gate_against_a_loop():
    gate = SpatialGate(3).double()
    x = torch.randn(4, 5, 3).double()
    out = gate(x)
    for v in range(4):
        for t in range(5):
            logit = (gate.lin.weight[0] * x[v, t]).sum() + gate.lin.bias[0]
            torch.testing.assert_close(out[v, t], x[v, t] / (1 + torch.exp(-logit)))


def test_channel_gate_against_a_loop():
    gate = ChannelGate(6, reduction=1).double()
    x = torch.randn(2 * 4, 5, 6).double()
    out = gate(x, num_nodes=4)
    first, _, second = gate.mlp
    for b in range(2):
        part = x[4 * b : 4 * b + 4]
        hidden = (first.weight @ part.mean(dim=(0, 1)) + first.bias).clamp(min=0)
        weight = torch.sigmoid(second.weight @ hidden + second.bias)
        torch.testing.assert_close(out[4 * b : 4 * b + 4], part * weight)


def test_hidden_layer_does_not_vanish():
    assert ChannelGate(8, reduction=16).mlp[0].out_features == 4
    assert ChannelGate(128, reduction=16).mlp[0].out_features == 8


def test_channel_gate_of_static_graphs():
    gate = ChannelGate(6).double()
    x = torch.randn(2 * 4, 6).double()
    expected = gate(x.unsqueeze(1), num_nodes=4).squeeze(1)
    batch = torch.arange(2).repeat_interleave(4)
    torch.testing.assert_close(gate(x, num_nodes=4), expected)
    torch.testing.assert_close(gate(x, batch=batch), expected)
    torch.testing.assert_close(gate(x[:4]), expected[:4])
