import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from graphmotion.nn.dropout import Dropout, draw_bits, draw_positions


def test_zeroes_few_features_and_scales_the_others():
    torch.manual_seed(0)
    x = torch.rand(100, 200, 10) + 1
    out = Dropout(0.01)(x)
    dropped = out == 0
    torch.testing.assert_close(out[~dropped], x[~dropped] / 0.99)
    # 2,000 features are expected, with a standard deviation of 45.
    assert 1800 < int(dropped.sum()) < 2200


def test_the_gradient_has_the_same_zeros():
    x = torch.rand(50, 40, 8, requires_grad=True)
    out = Dropout(0.05)(x + 1)
    (gradient,) = torch.autograd.grad(out.sum(), x)
    torch.testing.assert_close(gradient, (out != 0) / 0.95)


@pytest.mark.parametrize('p', [0.05, 0.4])
def test_derivatives(p):
    def dropped(x):
        torch.manual_seed(0)
        return Dropout(p)(x).square()

    x = torch.randn(6, 5, 4, dtype=torch.float64, requires_grad=True)
    assert (dropped(x) == 0).any()
    assert gradcheck(dropped, x)
    assert gradgradcheck(dropped, x)


@pytest.mark.parametrize(('size', 'probability'), [(7, 0.05), (30, 0.01), (1, 0.001)])
def test_each_position_is_drawn_with_the_probability(size, probability):
    torch.manual_seed(0)
    counts = torch.zeros(size)
    draws = 4000
    together = 0
    for _ in range(draws):
        positions = draw_positions(size, probability)
        assert torch.equal(positions, positions.unique())
        counts[positions] += 1
        together += len(positions) * (len(positions) - 1) // 2
    deviation = (draws * probability) ** 0.5
    assert (counts - draws * probability).abs().max() < 5 * deviation
    pairs = size * (size - 1) / 2 * probability**2 * draws
    assert abs(together - pairs) <= 5 * pairs**0.5 + 1


def test_positions_until_the_end_are_drawn():
    torch.manual_seed(0)
    last = [int(draw_positions(10_000, 0.05)[-1]) for _ in range(50)]
    assert max(last) > 9990
    assert min(last) > 9700


@pytest.mark.parametrize('p', [0.06, 0.25, 0.5, 0.9])
def test_zeroes_many_features_and_scales_the_others(p):
    torch.manual_seed(0)
    x = torch.rand(100, 203, 5, requires_grad=True)
    out = Dropout(p)(x + 1)
    dropped = out == 0
    scale = 1 / (1 - round(p * 2**16) / 2**16)
    torch.testing.assert_close(out[~dropped], scale * (x + 1)[~dropped])
    deviation = (x.numel() * p * (1 - p)) ** 0.5
    assert abs(int(dropped.sum()) - x.numel() * p) < 4 * deviation
    # Neighbours are independent, also those that are drawn as one number.
    pairs = (dropped.flatten()[:-1] & dropped.flatten()[1:]).double().mean()
    assert pairs == pytest.approx(p**2, abs=0.01)
    (gradient,) = torch.autograd.grad(out.sum(), x)
    torch.testing.assert_close(gradient, scale * ~dropped)


def test_bits_have_all_values():
    torch.manual_seed(0)
    bits = draw_bits(1_000_003)
    assert bits.shape == (1_000_003,)
    counts = torch.bincount((bits.long() + 2**15) // 2**12, minlength=16)
    assert (counts - 62_500).abs().max() < 5 * 62_500**0.5


@pytest.mark.parametrize('p', [0.0, 1e-20, 1e-6 / 2**16, 1.0])
def test_extreme_probabilities(p):
    x = torch.rand(20, 30) + 1
    expected = torch.zeros_like(x) if p == 1 else x
    torch.testing.assert_close(Dropout(p)(x), expected)


def test_in_place_and_other_types_are_those_of_torch():
    x = torch.rand(20, 30) + 1
    torch.manual_seed(0)
    expected = torch.nn.functional.dropout(x, 0.5)
    torch.manual_seed(0)
    assert torch.equal(Dropout(0.5, inplace=True)(x), expected)
    assert x.data_ptr() == Dropout(0.5, inplace=True)(x).data_ptr()
    out = Dropout(0.5)(x.bfloat16())
    assert out.dtype == torch.bfloat16


def test_the_mask_depends_on_the_seed():
    x = torch.rand(64)
    torch.manual_seed(1)
    first, second = Dropout(0.5)(x), Dropout(0.5)(x)
    torch.manual_seed(1)
    assert torch.equal(Dropout(0.5)(x), first)
    assert not torch.equal(first, second)


def test_no_dropout_in_evaluation():
    x = torch.rand(5, 6)
    assert Dropout(0.05).eval()(x) is x


def test_transposed_features():
    x = (torch.rand(40, 50, 6) + 1).transpose(0, 2)
    out = Dropout(0.05)(x)
    kept = out != 0
    assert kept.shape == (6, 50, 40)
    assert not kept.all()
    torch.testing.assert_close(out[kept], x[kept] / 0.95)
