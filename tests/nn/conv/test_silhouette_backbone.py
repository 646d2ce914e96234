import pytest
import torch
from torch.nn.functional import conv3d, leaky_relu, max_pool2d

from graphmotion.nn import SilhouetteBackbone

B, T, H, W = 2, 7, 8, 6


def make(**options):
    return SilhouetteBackbone((3, 4, 5), **options).double()


@pytest.fixture
def clips():
    return (torch.rand(B, T, H, W) > 0.5).double()


@pytest.mark.parametrize('frame_kernel', [1, 3, 5, (5, 1, 3)])
@pytest.mark.parametrize('pools', [(), (1,), (2, 1), (3,)])
@pytest.mark.parametrize('strided', [(), (1,), (2,)])
def test_is_a_stack_of_convolutions(clips, frame_kernel, pools, strided):
    module = make(frame_kernel=frame_kernel, pools=pools, strided=strided)
    assert module.num_halvings == len(pools) + len(strided)
    frames = [frame_kernel] * 3 if isinstance(frame_kernel, int) else frame_kernel
    x = clips.unsqueeze(1)
    for layer, conv in enumerate(module.convs, start=1):
        assert conv.weight.size(2) == frames[layer - 1]
        padding = (frames[layer - 1] // 2, 1, 1)
        x = leaky_relu(conv3d(x, conv.weight, conv.bias, padding=padding), 0.01)
        if layer in strided:
            x = x[..., ::2, ::2]
        if layer in pools:
            x = torch.stack([max_pool2d(frame, 2, ceil_mode=True) for frame in x.unbind(2)], dim=2)
    torch.testing.assert_close(module(clips), x)


def test_number_of_parameters():
    module = SilhouetteBackbone((32, 64, 128, 128))
    sizes = [(1, 32), (32, 64), (64, 128), (128, 128)]
    expected = sum(27 * before * after + after for before, after in sizes)
    assert sum(p.numel() for p in module.parameters()) == expected == 720_064


@pytest.mark.parametrize('reset', [False, True])
def test_glorot_weights_and_zero_biases(reset):
    module = SilhouetteBackbone((16, 32))
    if reset:
        for parameter in module.parameters():
            torch.nn.init.ones_(parameter)
        module.reset_parameters()
    for conv, sizes in zip(module.convs, [(1, 16), (16, 32)], strict=True):
        bound = (6 / (27 * sum(sizes))) ** 0.5
        assert 0.9 * bound < conv.weight.abs().max() <= bound
        assert not conv.bias.any()


def test_odd_sizes_keep_the_last_rows():
    module = make(pools=(1, 2, 3))
    clips = torch.zeros(1, 2, 9, 1).double()
    out = module(clips)
    assert out.shape == (1, 5, 2, 2, 1)
    clips[:, :, -1] = 1
    assert not torch.allclose(module(clips)[..., -1, :], out[..., -1, :])


def test_a_shift_in_time_shifts_the_features(clips):
    """Except for three frames at each end, which depend on the padding of three layers."""
    module = make()
    clips = torch.cat([clips, clips.flip(1)], dim=1)
    out, moved = module(clips), module(clips.roll(1, dims=1))
    torch.testing.assert_close(moved[:, :, 4:-3], out[:, :, 3:-4])


def test_mirrored_images_have_mirrored_features(clips):
    """If kernels are symmetric and the width is even."""
    module = make(pools=(1,))
    with torch.no_grad():
        for conv in module.convs:
            conv.weight.add_(conv.weight.flip(-1))
    torch.testing.assert_close(module(clips.flip(-1)), module(clips).flip(-1))


@pytest.mark.parametrize('frame_kernel', [1, 3, 5])
def test_padding_changes_nothing(clips, frame_kernel):
    module = make(frame_kernel=frame_kernel)
    length = [4, 1]
    padded = torch.arange(T) >= torch.tensor(length).unsqueeze(1)
    out = module(clips.masked_fill(padded[:, :, None, None], torch.nan), padded)
    for row, n in enumerate(length):
        torch.testing.assert_close(out[row : row + 1, :, :n], module(clips[row : row + 1, :n]))
        assert not out[row, :, n:].any()


def test_gradients():
    module = SilhouetteBackbone((2, 2), pools=(1,)).double()
    clips = torch.rand(1, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    padded = torch.tensor([[False, False, True]])
    assert torch.autograd.gradcheck(lambda x: module(x, padded), clips)


@pytest.mark.parametrize(
    ('options', 'match'),
    [
        ({'frame_kernel': 2}, 'odd number of frames, .* got 2'),
        ({'frame_kernel': (3, 1)}, r'one for each of the 3 layers, got \(3, 1\)'),
        ({'strided': (4,)}, r'strided must be numbers of the 3 layers'),
        ({'pools': (4,)}, r'pools must be numbers of the 3 layers, counted from 1, got \[4\]'),
        ({'pools': (0,)}, r'counted from 1, got \[0\]'),
    ],
)
def test_invalid_layers_raise(options, match):
    with pytest.raises(ValueError, match=match):
        make(**options)
    with pytest.raises(ValueError, match='the 0 layers'):
        SilhouetteBackbone(())
