import pytest
import torch
from torch.nn import functional

from graphmotion.nn.gelu import GELU


def test_equals_the_function_in_double_precision(kernels):
    x = torch.cat([torch.linspace(-12, 12, 100_003), torch.tensor([0.0, -0.0, 1e-30, 100, -100])])
    x.requires_grad_()
    out = GELU()(x)
    exact = x.detach().double().requires_grad_()
    expected = functional.gelu(exact)
    assert type(out.grad_fn).__name__ == '_GELUBackward'
    torch.testing.assert_close(out.double(), expected, atol=6e-7, rtol=2e-7)
    gradient = torch.randn_like(out)
    (found,) = torch.autograd.grad(out, x, gradient)
    (theirs,) = torch.autograd.grad(expected, exact, gradient.double())
    torch.testing.assert_close(found.double(), theirs, atol=3e-6, rtol=1e-6)


@pytest.mark.parametrize('shape', [(), (1,), (15,), (16,), (17, 3), (0, 3)])
def test_any_number_of_features(kernels, shape):
    x = torch.randn(shape, requires_grad=True)
    out = GELU()(x)
    assert out.shape == x.shape
    torch.testing.assert_close(out, functional.gelu(x))
    (found,) = torch.autograd.grad(out.sum(), x)
    (expected,) = torch.autograd.grad(functional.gelu(x).sum(), x)
    torch.testing.assert_close(found, expected)


def test_numbers_that_are_not_finite(kernels):
    x = torch.tensor([torch.nan, torch.inf, -torch.inf], requires_grad=True)
    out = GELU()(x)
    torch.testing.assert_close(out, torch.tensor([torch.nan, torch.inf, 0]), equal_nan=True)
    (grad,) = torch.autograd.grad(out.sum(), x)
    torch.testing.assert_close(grad, torch.tensor([torch.nan, 1, 0]), equal_nan=True)


def test_other_inputs_are_computed_by_torch(kernels):
    x = torch.randn(6, 4)
    for other in (x.t(), x.double(), x.bfloat16()):
        assert torch.equal(GELU()(other), functional.gelu(other))
    assert torch.equal(GELU('tanh')(x), functional.gelu(x, approximate='tanh'))


def test_second_derivatives(kernels):
    x = torch.randn(40, requires_grad=True)
    results = []
    for function in (GELU(), functional.gelu):
        (first,) = torch.autograd.grad(function(x).square().sum(), x, create_graph=True)
        results.append(torch.autograd.grad(first.square().sum(), x)[0])
    torch.testing.assert_close(*results, rtol=1e-4, atol=1e-4)
