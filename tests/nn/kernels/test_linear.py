import pytest
import torch

from graphmotion.nn.kernels import linear as module
from graphmotion.nn.kernels.linear import map_rows


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(module, 'MIN_PRODUCTS', 0)
    monkeypatch.setattr(module, 'MIN_ROWS', 0)


def check(x, weight, bias):
    inputs = [part for part in (x, weight, bias) if part is not None]
    inputs = [part.detach().requires_grad_() for part in inputs]
    out = map_rows(*inputs)
    exact = [part.detach().double().requires_grad_() for part in inputs]
    expected = torch.einsum('...k,nk->...n', *exact[:2]) + (0 if bias is None else exact[2])
    torch.testing.assert_close(out.double(), expected, atol=1e-4, rtol=1e-5)
    gradient = torch.randn_like(out)
    found = torch.autograd.grad(out, inputs, gradient)
    for ours, theirs in zip(found, torch.autograd.grad(expected, exact, gradient.double())):
        atol = 1e-5 * float(theirs.abs().max())
        torch.testing.assert_close(ours.double(), theirs, atol=atol, rtol=1e-5)


@pytest.mark.parametrize('bias', [True, False])
@pytest.mark.parametrize(
    ('shape', 'outputs'),
    [
        ((8, 32), 32),
        ((1, 1), 1),
        ((3, 7, 5), 3),
        ((2, 3, 4, 9), 70),
        ((191, 33), 40),
        ((193, 16), 7),
        ((500, 256), 65),
    ],
)
def test_equals_the_equation(kernels, shape, outputs, bias):
    """With fewer rows, channels and outputs than a tile, and with the rests of several."""
    weight = torch.randn(outputs, shape[-1])
    check(torch.randn(shape), weight, torch.randn(outputs) if bias else None)


def test_any_strides_of_the_weight(kernels):
    x = torch.randn(40, 6)
    check(x, torch.randn(6, 50).t(), None)
    check(x, torch.randn(100, 12)[::2, ::2], torch.randn(100)[::2])
    check(x, torch.randn(50, 1).expand(50, 6), None)


def test_only_gradients_that_are_needed(kernels):
    x, weight, bias = torch.randn(40, 6), torch.randn(5, 6), torch.randn(5)
    for which in range(3):
        parts = [
            part.clone().requires_grad_(i == which) for i, part in enumerate((x, weight, bias))
        ]
        map_rows(*parts).square().sum().backward()
        exact = [part.detach().clone().requires_grad_(part.requires_grad) for part in parts]
        torch.nn.functional.linear(*exact).square().sum().backward()
        torch.testing.assert_close(parts[which].grad, exact[which].grad, rtol=1e-4, atol=1e-4)


def test_second_derivatives(kernels):
    parts = [torch.randn(shape, requires_grad=True) for shape in [(3, 4, 5), (6, 5), (6,)]]

    def find(function):
        first = torch.autograd.grad(function(*parts).pow(3).sum(), parts, create_graph=True)
        return torch.autograd.grad(sum(part.square().sum() for part in first), parts)

    for ours, theirs in zip(find(map_rows), find(torch.nn.functional.linear)):
        torch.testing.assert_close(ours, theirs, atol=1e-2, rtol=1e-4)


def test_numbers_that_are_not_finite_are_not_hidden(kernels):
    x, weight = torch.randn(100, 4), torch.randn(6, 4)
    x[70, 2] = torch.nan
    assert map_rows(x, weight).isnan().any(dim=1).nonzero().flatten().tolist() == [70]


def test_other_inputs_are_not_supported(kernels, monkeypatch):
    x, weight = torch.randn(64, 32), torch.randn(32, 32)
    assert map_rows(x, weight) is not None
    assert map_rows(x.t().contiguous().t(), weight) is None
    assert map_rows(x.double(), weight.double()) is None
    assert map_rows(x, weight[:, :1]) is None  # torch raises the error
    assert map_rows(torch.randn(0, 32), weight) is None
    for shape in [(1,), (3,), (64, 32), ()]:
        assert map_rows(x, weight, torch.randn(shape)) is None
    wide = module.MAX_CHANNELS + 1
    assert map_rows(torch.randn(64, wide), torch.randn(2, wide)) is None
    monkeypatch.setattr(module, 'MIN_PRODUCTS', 64 * 32 * 32 + 1)
    assert map_rows(x, weight) is None
    monkeypatch.setattr(module, 'MIN_PRODUCTS', 0)
    monkeypatch.setattr(module, 'MIN_ROWS', 65)
    assert map_rows(x, weight) is None


def test_several_threads_have_the_same_result(kernels):
    parts = [torch.randn(shape, requires_grad=True) for shape in [(1000, 20), (40, 20), (40,)]]
    results = []
    threads = torch.get_num_threads()
    try:
        for number in (1, 2, 5):
            torch.set_num_threads(number)
            out = map_rows(*parts)
            results.append([out, *torch.autograd.grad(out.square().sum(), parts)])
    finally:
        torch.set_num_threads(threads)
    for other in results[1:]:
        torch.testing.assert_close(other, results[0], rtol=1e-5, atol=1e-3)


def test_sums_of_many_rows_are_accurate(kernels):
    x, gradient = torch.rand(300_000, 8, requires_grad=True), torch.rand(300_000, 8)
    weight = torch.randn(8, 8, requires_grad=True)
    (found,) = torch.autograd.grad(map_rows(x, weight), weight, gradient)
    expected = gradient.double().t() @ x.detach().double()
    torch.testing.assert_close(found.double(), expected, atol=0, rtol=1e-5)
