import torch

from graphmotion.nn.shortcut import make_shortcut


def test_identity_if_the_shape_is_unchanged():
    x = torch.randn(3, 5, 4)
    assert make_shortcut(4, 4, stride=1)(x) is x


def test_normalised_linear_map_of_every_second_frame():
    shortcut = make_shortcut(4, 6, stride=2).train()
    x = torch.randn(3, 5, 4)
    conv, norm = shortcut[0].conv, shortcut[1].norm
    out = x[:, ::2] @ conv.weight.flatten(1).t() + conv.bias
    expected = (out - out.mean((0, 1))) / (out.var((0, 1), unbiased=False) + norm.eps).sqrt()
    torch.testing.assert_close(shortcut(x), expected)


def test_a_stride_alone_requires_a_map():
    assert make_shortcut(4, 4, stride=2)(torch.randn(3, 5, 4)).shape == (3, 3, 4)
