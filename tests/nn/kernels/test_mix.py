import pytest
import torch

from graphmotion.nn.kernels import mix as module
from graphmotion.nn.kernels.mix import mix_nodes


def by_loops(maps, x):
    length = x.size(2) // maps.size(1)
    frames = [
        torch.cat([head @ x[:, :, t] for head in maps[:, t // length].unbind(1)], dim=-1)
        for t in range(x.size(2))
    ]
    return torch.stack(frames, dim=2)


@pytest.mark.parametrize(
    ('graphs', 'groups', 'heads', 'targets', 'sources', 'frames', 'channels'),
    [
        (1, 1, 1, 1, 1, 1, 1),
        (2, 1, 3, 25, 25, 8, 64),
        (2, 6, 2, 5, 9, 6, 40),
        (3, 2, 4, 7, 3, 10, 5),
        (2, 3, 2, 4, 40, 3, 33),
    ],
)
def test_equals_loops_in_double_precision(
    kernels, graphs, groups, heads, targets, sources, frames, channels
):
    inputs = (
        torch.randn(graphs, groups, heads, targets, sources, requires_grad=True),
        torch.randn(graphs, sources, frames, channels, requires_grad=True),
    )
    out = mix_nodes(*inputs)
    exact = [part.detach().double().requires_grad_() for part in inputs]
    expected = by_loops(*exact)
    torch.testing.assert_close(out.double(), expected, atol=1e-5, rtol=1e-5)
    gradient = torch.randn_like(out)
    found = torch.autograd.grad(out, inputs, gradient)
    for ours, theirs in zip(found, torch.autograd.grad(expected, exact, gradient.double())):
        atol = 2e-6 * float(theirs.abs().max())
        torch.testing.assert_close(ours.double(), theirs, atol=atol, rtol=1e-5)


def test_any_strides(kernels):
    maps, x = torch.randn(2, 1, 3, 4, 5), torch.randn(2, 5, 6, 7)
    strided = maps.mT.contiguous().mT, x.transpose(1, 2).contiguous().transpose(1, 2)
    torch.testing.assert_close(mix_nodes(*strided), mix_nodes(maps, x), rtol=0, atol=0)
    expanded = maps.expand(2, 6, 3, 4, 5)
    torch.testing.assert_close(mix_nodes(expanded, x), mix_nodes(maps, x), rtol=0, atol=0)


def test_only_gradients_that_are_needed(kernels):
    inputs = torch.randn(2, 2, 3, 4, 5), torch.randn(2, 5, 6, 7)
    for which in range(2):
        parts = [part.clone().requires_grad_(i == which) for i, part in enumerate(inputs)]
        mix_nodes(*parts).square().sum().backward()
        exact = [part.detach().clone().requires_grad_(part.requires_grad) for part in parts]
        by_loops(*exact).square().sum().backward()
        torch.testing.assert_close(parts[which].grad, exact[which].grad, rtol=1e-4, atol=1e-3)


def test_second_derivatives(kernels):
    parts = [torch.randn(2, 2, 3, 5, 4).mT, torch.randn(2, 5, 3, 4).mT]
    parts = [part.requires_grad_() for part in parts]

    def find(function):
        first = torch.autograd.grad(function(*parts).pow(3).sum(), parts, create_graph=True)
        return torch.autograd.grad(sum(part.square().sum() for part in first), parts)

    for ours, theirs in zip(find(mix_nodes), find(by_loops)):
        torch.testing.assert_close(ours, theirs, atol=1e-4 * float(theirs.abs().max()), rtol=1e-4)


def test_numbers_that_are_not_finite_are_not_hidden(kernels):
    maps, x = torch.randn(3, 1, 2, 4, 5), torch.randn(3, 5, 6, 7)
    x[1, 2, 3, 4] = torch.nan
    found = mix_nodes(maps, x).isnan().any(dim=1).nonzero()
    assert found.tolist() == [[1, 3, 4], [1, 3, 11]]


def test_other_inputs_are_not_supported(kernels, monkeypatch):
    maps, x = torch.randn(2, 3, 3, 4, 5), torch.randn(2, 5, 6, 7)
    assert mix_nodes(maps, x) is not None
    assert mix_nodes(maps[:1], x) is None
    assert mix_nodes(maps[..., :4], x) is None
    assert mix_nodes(maps, x[:, :, :5]) is None
    assert mix_nodes(maps.double(), x.double()) is None
    monkeypatch.setattr(module, 'MAX_NODES', 4)
    assert mix_nodes(maps, x) is None


def test_several_threads_have_the_same_result(kernels):
    parts = [torch.randn(9, 2, 3, 4, 5), torch.randn(9, 5, 6, 7)]
    parts = [part.requires_grad_() for part in parts]
    results = []
    threads = torch.get_num_threads()
    try:
        for number in (1, 2, 5):
            torch.set_num_threads(number)
            out = mix_nodes(*parts)
            results.append([out, *torch.autograd.grad(out.square().sum(), parts)])
    finally:
        torch.set_num_threads(threads)
    for other in results[1:]:
        torch.testing.assert_close(other, results[0], rtol=0, atol=0)
