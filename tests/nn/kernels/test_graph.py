import pytest
import torch

from graphmotion.nn.kernels import graph as module
from graphmotion.nn.kernels.graph import convolve, supports


def by_loops(graphs, adj, weight, bias):
    out = bias.unsqueeze(1).expand(*graphs.shape[:-1], -1)
    for matrix, kernel in zip(adj, weight):
        out = out + torch.stack(
            [
                torch.stack([matrix @ graph[:, t] @ kernel for t in range(graph.size(1))], dim=1)
                for graph in graphs
            ]
        )
    return out


def sample(graphs, nodes, frames, inputs, outputs, partitions):
    return (
        torch.randn(graphs, nodes, frames, inputs),
        torch.randn(partitions, nodes, nodes),
        torch.randn(partitions, inputs, outputs),
        torch.randn(nodes, outputs),
    )


@pytest.mark.parametrize('sparse', [False, True])
@pytest.mark.parametrize(
    'sizes',
    [
        (1, 1, 1, 1, 1, 1),
        (2, 5, 7, 3, 4, 3),
        (3, 17, 10, 20, 37, 2),
        (2, 25, 30, 64, 64, 3),  # several blocks of frames
        (2, 9, 4, 40, 8, 1),
    ],
)
def test_equals_loops_in_double_precision(kernels, sizes, sparse):
    """Also with adjacencies most of which is zero, whose gradients are not."""
    graphs, adj, weight, bias = sample(*sizes)
    if sparse:
        adj = adj * (torch.rand_like(adj) < 0.2)
    inputs = [part.requires_grad_() for part in (graphs, adj, weight, bias)]
    assert supports(*inputs[:3])
    out = convolve(*inputs)
    exact = [part.detach().double().requires_grad_() for part in inputs]
    expected = by_loops(*exact)
    scale = float(expected.detach().abs().max())
    torch.testing.assert_close(out.double(), expected, atol=2e-6 * scale, rtol=1e-5)
    gradient = torch.randn_like(out)
    found = torch.autograd.grad(out, inputs, gradient)
    for ours, theirs in zip(found, torch.autograd.grad(expected, exact, gradient.double())):
        atol = 4e-6 * float(theirs.abs().max())
        torch.testing.assert_close(ours.double(), theirs, atol=atol, rtol=1e-5)


def test_any_strides(kernels):
    graphs, adj, weight, bias = sample(2, 5, 7, 6, 4, 3)
    strided = (
        graphs.transpose(1, 2).contiguous().transpose(1, 2),
        adj.mT.contiguous().mT,
        weight.mT.contiguous().mT,
        bias.t().contiguous().t(),
    )
    assert not any(part.is_contiguous() for part in strided)
    torch.testing.assert_close(convolve(*strided), convolve(graphs, adj, weight, bias))


def test_only_gradients_that_are_needed(kernels):
    inputs = sample(2, 5, 7, 6, 4, 3)
    for which in range(4):
        parts = [part.clone().requires_grad_(i == which) for i, part in enumerate(inputs)]
        convolve(*parts).square().sum().backward()
        exact = [part.detach().clone().requires_grad_(part.requires_grad) for part in parts]
        by_loops(*exact).square().sum().backward()
        expected = exact[which].grad
        atol = 1e-5 * float(expected.abs().max())
        torch.testing.assert_close(parts[which].grad, expected, rtol=1e-4, atol=atol)


def test_second_derivatives(kernels):
    graphs, *others = sample(2, 3, 2, 3, 4, 2)
    parts = [graphs.mT.contiguous().mT, *others]
    parts = [part.requires_grad_() for part in parts]
    assert not parts[0].is_contiguous()

    def find(function):
        first = torch.autograd.grad(function(*parts).pow(3).sum(), parts, create_graph=True)
        return torch.autograd.grad(sum(part.square().sum() for part in first), parts)

    for ours, theirs in zip(find(convolve), find(by_loops)):
        torch.testing.assert_close(ours, theirs, atol=1e-4 * float(theirs.abs().max()), rtol=1e-4)


def test_numbers_that_are_not_finite_are_not_hidden(kernels):
    graphs, adj, weight, bias = sample(3, 5, 7, 6, 4, 1)
    graphs[1, 2, 3, 4] = torch.nan
    found = convolve(graphs, adj, weight, bias).isnan().any(dim=(1, 3)).nonzero()
    assert found.tolist() == [[1, 3]]


def test_other_inputs_are_not_supported(kernels, monkeypatch):
    graphs, adj, weight, bias = sample(2, 5, 7, 6, 4, 3)
    assert convolve(graphs[:, :4], adj, weight, bias) is None
    assert convolve(graphs[..., :5], adj, weight, bias) is None
    assert convolve(graphs, adj[:2], weight, bias) is None
    assert convolve(graphs, adj, weight, bias[0]) is None
    assert convolve(graphs, adj, weight, bias.double()) is None
    assert not supports(graphs.double(), adj.double(), weight.double())
    monkeypatch.setattr(module, 'MAX_ROWS', 15)
    assert supports(graphs, adj, weight)
    monkeypatch.setattr(module, 'MAX_ROWS', 14)
    assert not supports(graphs, adj, weight)


def test_several_threads_have_the_same_result(kernels):
    parts = [part.requires_grad_() for part in sample(9, 5, 7, 6, 4, 3)]
    results = []
    threads = torch.get_num_threads()
    try:
        for number in (1, 2, 5):
            torch.set_num_threads(number)
            out = convolve(*parts)
            results.append([out, *torch.autograd.grad(out.square().sum(), parts)])
    finally:
        torch.set_num_threads(threads)
    for other in results[1:]:
        for ours, theirs in zip(other, results[0]):
            atol = 1e-5 * float(theirs.detach().abs().max())
            torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=atol)
