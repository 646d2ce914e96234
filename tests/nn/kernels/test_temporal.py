import pytest
import torch
from torch.nn.functional import conv2d

from graphmotion.nn.kernels import temporal as module
from graphmotion.nn.kernels.temporal import convolve


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(module, 'MIN_PRODUCTS', 0)
    monkeypatch.setattr(module, 'MIN_ROWS', 0)
    monkeypatch.setattr(module, 'MIN_CHANNELS', 1)
    monkeypatch.setattr(module, '_saves', lambda taps: True)


def by_torch(x, weight, bias=None, padding=0):
    image = x.unsqueeze(1).permute(0, 3, 1, 2)
    return conv2d(image, weight, bias, padding=(0, padding)).permute(0, 2, 3, 1).squeeze(1)


def check(x, weight, bias, padding):
    inputs = [part for part in (x, weight, bias) if part is not None]
    inputs = [part.detach().requires_grad_() for part in inputs]
    more = [None] * (bias is None)
    out = convolve(*inputs, *more, padding)
    exact = [part.detach().double().requires_grad_() for part in inputs]
    expected = by_torch(*exact, *more, padding)
    torch.testing.assert_close(out.double(), expected, atol=1e-4, rtol=1e-5)
    gradient = torch.randn_like(out)
    found = torch.autograd.grad(out, inputs, gradient)
    for ours, theirs in zip(found, torch.autograd.grad(expected, exact, gradient.double())):
        atol = 5e-6 * float(theirs.abs().max())
        torch.testing.assert_close(ours.double(), theirs, atol=atol, rtol=1e-5)


@pytest.mark.parametrize('bias', [True, False])
@pytest.mark.parametrize(
    ('nodes', 'frames', 'inputs', 'outputs', 'taps', 'padding'),
    [
        (1, 1, 1, 1, 1, 0),
        (1, 1, 1, 1, 3, 1),
        (5, 7, 3, 4, 3, 1),
        (4, 12, 5, 70, 9, 4),
        (40, 13, 20, 40, 7, 3),
        (3, 5, 4, 6, 10, 5),
        (50, 15, 20, 37, 5, 2),  # an odd number of frames
        (9, 10, 33, 64, 9, 0),
        (3, 4, 8, 8, 9, 8),  # more frames than before
        (7, 20, 16, 16, 4, 3),
        (300, 16, 48, 32, 9, 4),  # several blocks of nodes
    ],
)
def test_equals_the_convolution_in_double_precision(
    kernels, nodes, frames, inputs, outputs, taps, padding, bias
):
    weight = torch.randn(outputs, inputs, 1, taps)
    offset = torch.randn(outputs) if bias else None
    check(torch.randn(nodes, frames, inputs), weight, offset, padding)


def test_any_strides_of_the_weight(kernels):
    x = torch.randn(4, 9, 6)
    weight = torch.randn(5, 6, 1, 9)
    check(x, weight.to(memory_format=torch.channels_last), None, 4)
    check(x, torch.randn(10, 12, 1, 18)[::2, ::2, :, ::2], torch.randn(10)[::2], 4)
    check(x, torch.randn(5, 6, 1, 1).expand(5, 6, 1, 3), None, 1)


def test_only_gradients_that_are_needed(kernels):
    inputs = torch.randn(4, 9, 6), torch.randn(5, 6, 1, 9), torch.randn(5)
    for which in range(3):
        parts = [part.clone().requires_grad_(i == which) for i, part in enumerate(inputs)]
        convolve(*parts, 4).square().sum().backward()
        exact = [part.detach().clone().requires_grad_(part.requires_grad) for part in parts]
        by_torch(*exact, 4).square().sum().backward()
        torch.testing.assert_close(parts[which].grad, exact[which].grad, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize('needed', [(True, True, True), (True, False, False), (False, True, False)])
def test_second_derivatives(kernels, needed):
    parts = [torch.randn(shape) for shape in [(3, 6, 4), (5, 4, 1, 3), (5,)]]
    variables = [part.requires_grad_() for part, need in zip(parts, needed) if need]

    def find(function):
        out = function(*parts, 1).pow(3).sum()
        first = torch.autograd.grad(out, variables, create_graph=True)
        return torch.autograd.grad(sum(part.square().sum() for part in first), variables)

    for ours, theirs in zip(find(convolve), find(by_torch)):
        torch.testing.assert_close(ours, theirs, atol=1e-4 * float(theirs.abs().max()), rtol=1e-4)


def test_numbers_that_are_not_finite_are_not_hidden(kernels):
    x = torch.zeros(30, 12, 4)
    x[17, 6] = torch.nan
    found = convolve(x, torch.randn(8, 4, 1, 3), None, 1).isnan().any(dim=2).nonzero()
    assert found[:, 0].unique().tolist() == [17]
    assert {5, 6, 7} <= set(found[:, 1].tolist())


def test_other_inputs_are_not_supported(kernels, monkeypatch):
    x, weight = torch.randn(4, 9, 6), torch.randn(5, 6, 1, 9)
    assert convolve(x, weight, None, 4) is not None
    assert convolve(x, weight[:, :3], None, 4) is None  # torch raises the error
    assert convolve(x, weight, None, 9) is None
    assert convolve(x[:, :2], weight, None, 3) is None  # without any frame of the result
    assert convolve(x.transpose(0, 1), weight, None, 4) is None
    assert convolve(x.double(), weight.double(), None, 4) is None
    assert convolve(x, torch.randn(5, 6, 2, 9), None, 4) is None
    for size in (1, 4, 6):
        assert convolve(x, weight, torch.randn(size), 4) is None
    monkeypatch.setattr(module, 'MIN_CHANNELS', 6)
    assert convolve(x, weight, None, 4) is None
    monkeypatch.setattr(module, 'MIN_CHANNELS', 5)
    monkeypatch.setattr(module, 'MIN_PRODUCTS', 4 * 9 * 5 * 6 * 9 + 1)
    assert convolve(x, weight, None, 4) is None
    monkeypatch.setattr(module, 'MIN_PRODUCTS', 0)
    assert convolve(x, weight, None, 4) is not None
    monkeypatch.setattr(module, 'MIN_ROWS', 4 * 9 + 1)
    assert convolve(x, weight, None, 4) is None


def test_kernels_that_save_multiplications(monkeypatch):
    monkeypatch.undo()
    assert [taps for taps in range(1, 16) if module._saves(taps)] == list(range(6, 16))


def test_several_threads_have_the_same_result(kernels):
    parts = [torch.randn(shape, requires_grad=True) for shape in [(100, 20, 32), (40, 32, 1, 9)]]
    results = []
    threads = torch.get_num_threads()
    try:
        for number in (1, 2, 5):
            torch.set_num_threads(number)
            out = convolve(*parts, None, 4)
            results.append([out, *torch.autograd.grad(out.square().sum(), parts)])
    finally:
        torch.set_num_threads(threads)
    for other in results[1:]:
        torch.testing.assert_close(other, results[0], rtol=1e-5, atol=1e-2)
