import pytest
import torch

from graphmotion.nn import HorizontalPyramidPooling

B, C, T, H, W = 2, 3, 4, 12, 5


@pytest.mark.parametrize('reduce', ['sum', 'concat'])
@pytest.mark.parametrize('bins', [(12,), (1,), (4, 6, 1)])
def test_against_a_loop(bins, reduce):
    pool = HorizontalPyramidPooling(bins, reduce)
    x = torch.randn(B, C, T, H, W, dtype=torch.float64)
    rows = []
    for b in range(B):
        for num in bins:
            height = H // num
            for strip in range(num):
                part = x[b, :, :, strip * height : (strip + 1) * height].flatten(2)
                mean, largest = part.mean(dim=-1), part.amax(dim=-1)
                both = mean + largest if reduce == 'sum' else torch.cat([mean, largest])
                rows.append(both.t())
    out = pool(x)
    assert pool.num_strips == sum(bins)
    assert out.shape == (B * pool.num_strips, T, C if reduce == 'sum' else 2 * C)
    torch.testing.assert_close(out, torch.stack(rows))


def test_a_constant_map():
    x = torch.full((B, C, T, H, W), 0.7)
    for reduce, value in (('sum', 1.4), ('concat', 0.7)):
        out = HorizontalPyramidPooling((4, 2), reduce)(x)
        torch.testing.assert_close(out, torch.full_like(out, value))


def test_a_pyramid_holds_its_levels():
    x = torch.randn(B, C, T, H, W)
    pyramid = HorizontalPyramidPooling((12, 6, 1))(x).view(B, 19, T, C)
    for bins, strips in ((12, slice(12)), (6, slice(12, 18)), (1, slice(18, 19))):
        alone = HorizontalPyramidPooling((bins,))(x).view(B, bins, T, C)
        torch.testing.assert_close(pyramid[:, strips], alone)


def test_strips_do_not_mix():
    pool, x = HorizontalPyramidPooling((4,)), torch.randn(1, C, T, H, W)
    changed = x.clone()
    changed[..., 3:6, :] += 1  # rows of the second strip
    same = (pool(x) == pool(changed)).flatten(1).all(dim=1)
    assert same.tolist() == [True, False, True, True]


def test_permuting_columns_and_frames():
    pool, x = HorizontalPyramidPooling((4, 1)), torch.randn(B, C, T, H, W)
    frames, columns = torch.randperm(T), torch.randperm(W)
    torch.testing.assert_close(pool(x[..., columns]), pool(x))
    torch.testing.assert_close(pool(x[:, :, frames]), pool(x)[:, frames])


def test_a_single_image():
    pool, x = HorizontalPyramidPooling((4, 1), 'concat'), torch.randn(B, C, T, H, W)
    torch.testing.assert_close(pool(x[:, :, 2]), pool(x)[:, 2])


def test_any_memory_format():
    pool, x = HorizontalPyramidPooling((4, 1)), torch.randn(B, C, T, H, W)
    last = x.to(memory_format=torch.channels_last_3d)
    torch.testing.assert_close(pool(last), pool(x))


def test_gradients():
    pool = HorizontalPyramidPooling((4, 2), 'concat')
    x = torch.randn(1, 2, 2, 4, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(pool, (x,))


@pytest.mark.slow
def test_autocast_and_export():
    pool, x = HorizontalPyramidPooling((4, 2)), torch.randn(B, C, T, H, W)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        out = pool(x.bfloat16())
    assert out.dtype == torch.bfloat16
    torch.testing.assert_close(out.float(), pool(x), atol=0.1, rtol=0.1)
    program = torch.export.export(pool, (x,))
    torch.testing.assert_close(program.module()(x), pool(x))


def test_repr():
    assert repr(HorizontalPyramidPooling((4, 2))) == 'HorizontalPyramidPooling(bins=(4, 2), sum)'


def test_wrong_input_raises():
    with pytest.raises(ValueError, match='height of x must be a multiple of 5, got 12'):
        HorizontalPyramidPooling((4, 5))(torch.randn(B, C, T, H, W))
    with pytest.raises(ValueError, match=r'got \[2, 12, 5\]'):
        HorizontalPyramidPooling((4,))(torch.randn(2, 12, 5))
    with pytest.raises(ValueError, match=r"\['sum', 'concat'\], got 'mean'"):
        HorizontalPyramidPooling((4,), 'mean')
    for bins in ((), (0,), (2.0,)):
        with pytest.raises(ValueError, match='bins must'):
            HorizontalPyramidPooling(bins)
