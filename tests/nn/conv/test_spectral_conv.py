import networkx
import numpy as np
import pytest
import torch

from graphmotion.nn import SpectralConv


def eigenbasis(graph) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Returns Laplacian, eigenvalues and eigenvectors in double precision."""
    laplacian = torch.from_numpy(networkx.laplacian_matrix(graph).toarray().astype(np.float64))
    return laplacian, *torch.linalg.eigh(laplacian)


def random_graph(num_nodes: int, seed: int = 0):
    return networkx.connected_watts_strogatz_graph(num_nodes, 4, 0.4, seed=seed)


def with_multipliers(conv: SpectralConv, multipliers: torch.Tensor) -> SpectralConv:
    """Sets the multipliers of a convolution of one channel."""
    conv.weight.data = multipliers.view(-1, 1, 1).clone()
    return conv


def test_all_modes_are_the_dense_filter():
    _, _, vectors = eigenbasis(random_graph(20))
    conv = SpectralConv(3, 5, 20).double()
    x = torch.randn(2 * 20, 4, 3).double()
    expected = torch.zeros(2 * 20, 4, 5).double()
    for j in range(5):
        for i in range(3):
            dense = vectors @ torch.diag(conv.weight[:, i, j]) @ vectors.T
            for t in range(4):
                for first in (0, 20):
                    part = slice(first, first + 20)
                    expected[part, t, j] += dense @ x[part, t, i]
        expected[..., j] += conv.bias[j]
    torch.testing.assert_close(conv(x, vectors, 20), expected)
    torch.testing.assert_close(conv(x[:, 0], vectors, 20), expected[:, 0])
    torch.testing.assert_close(conv(x, vectors.repeat(2, 1), num_nodes=20), expected)


def test_known_filters():
    """Multipliers of one, the eigenvalues, and the first mode only."""
    laplacian, values, vectors = eigenbasis(random_graph(20))
    conv = SpectralConv(1, 1, 20, bias=False).double()
    x = torch.randn(20, 1).double()
    torch.testing.assert_close(with_multipliers(conv, torch.ones(20).double())(x, vectors, 20), x)
    torch.testing.assert_close(with_multipliers(conv, values)(x, vectors, 20), laplacian @ x)
    first = torch.eye(20).double()[0]
    mean = with_multipliers(conv, first)(x, vectors, 20)
    torch.testing.assert_close(mean, x.mean().expand_as(x))


def test_signs_of_eigenvectors_do_not_matter():
    _, _, vectors = eigenbasis(random_graph(20))
    conv = SpectralConv(3, 5, 8).double()
    x = torch.randn(20, 4, 3).double()
    signs = torch.where(torch.arange(8) % 2 == 0, -1.0, 1.0).double()
    torch.testing.assert_close(conv(x, signs * vectors[:, :8], 20), conv(x, vectors[:, :8], 20))


def test_basis_inside_a_repeated_eigenvalue_does_not_matter_where_multipliers_are_equal():
    _, values, vectors = eigenbasis(networkx.complete_graph(6))
    torch.testing.assert_close(values[1:], torch.full((5,), 6.0).double())
    conv = SpectralConv(3, 5, 6).double()
    x = torch.randn(6, 4, 3).double()
    rotation = torch.linalg.qr(torch.randn(5, 5).double()).Q
    rotated = torch.cat([vectors[:, :1], vectors[:, 1:] @ rotation], dim=1)
    assert (conv(x, rotated, len(x)) - conv(x, vectors, len(x))).abs().max() > 1e-3
    conv.weight.data[1:] = conv.weight.data[1]
    torch.testing.assert_close(conv(x, rotated, len(x)), conv(x, vectors, len(x)))


def test_truncated_output_lies_in_the_span_of_the_modes():
    _, _, vectors = eigenbasis(random_graph(20))
    kept, left_out = vectors[:, :7], vectors[:, 7:]
    conv = SpectralConv(3, 5, 7, bias=False).double()
    out = conv(torch.randn(20, 3).double(), kept, 20)
    assert (left_out.T @ out).abs().max() < 1e-12
    torch.testing.assert_close(kept @ (kept.T @ out), out)


def test_error_of_a_truncated_basis_falls_with_the_number_of_modes():
    _, values, vectors = eigenbasis(random_graph(30))
    smooth = vectors @ (torch.exp(-values) * torch.randn(30).double())
    errors = []
    for num_modes in range(1, 31):
        conv = SpectralConv(1, 1, num_modes, bias=False).double()
        with_multipliers(conv, torch.ones(num_modes).double())
        out = conv(smooth[:, None], vectors[:, :num_modes], len(smooth)).detach()
        errors.append((out[:, 0] - smooth).norm().item())
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 1e-12


def test_separate_bases_equal_separate_graphs():
    bases = [eigenbasis(random_graph(12, seed))[2][:, :5] for seed in range(3)]
    conv = SpectralConv(3, 4, 5).double()
    x = torch.randn(3 * 12, 2, 3).double()
    alone = torch.cat([conv(part, basis, len(part)) for part, basis in zip(x.split(12), bases)])
    batch = torch.arange(3).repeat_interleave(12)
    torch.testing.assert_close(conv(x, torch.cat(bases), num_nodes=12), alone)
    torch.testing.assert_close(conv(x, torch.cat(bases), batch=batch), alone)
    torch.testing.assert_close(conv(x[:, 0], torch.cat(bases), 12), alone[:, 0])


def test_a_batch_with_mixed_sizes_equals_separate_graphs():
    sizes = [12, 7, 20]
    bases = [eigenbasis(random_graph(size))[2][:, :5] for size in sizes]
    conv = SpectralConv(3, 4, 5).double()
    x = torch.randn(sum(sizes), 2, 3).double()
    alone = torch.cat([conv(part, basis, len(part)) for part, basis in zip(x.split(sizes), bases)])
    batch = torch.arange(3).repeat_interleave(torch.tensor(sizes))
    for batch_size in (None, 3):
        together = conv(x, torch.cat(bases), batch=batch, batch_size=batch_size)
        torch.testing.assert_close(together, alone)
    torch.testing.assert_close(conv(x[:, 0], torch.cat(bases), batch=batch), alone[:, 0])


def test_missing_modes_are_zero_columns():
    _, _, vectors = eigenbasis(random_graph(8))
    large, small = SpectralConv(2, 3, 12).double(), SpectralConv(2, 3, 8).double()
    small.load_state_dict({'weight': large.weight[:8], 'bias': large.bias})
    x = torch.randn(8, 2).double()
    padded = torch.nn.functional.pad(vectors, (0, 4))
    torch.testing.assert_close(large(x, padded, 8), small(x, vectors, 8))


def test_permuting_nodes_with_their_eigenvectors():
    _, _, vectors = eigenbasis(random_graph(20))
    conv = SpectralConv(3, 5, 8).double()
    x, order = torch.randn(20, 4, 3).double(), torch.randperm(20)
    torch.testing.assert_close(
        conv(x[order], vectors[order, :8], len(x)), conv(x, vectors[:, :8], len(x))[order]
    )


@pytest.mark.parametrize('num_knots', [1, 2, 3, 4, 7, 30])
def test_equal_spline_coefficients_are_one_multiplier(num_knots):
    conv = SpectralConv(3, 5, 20, num_knots)
    conv.weight.data = torch.randn(1, 3, 5).expand(num_knots, 3, 5).clone()
    torch.testing.assert_close(conv.multipliers, conv.weight[:1].expand(20, 3, 5))


def test_splines_are_smooth_and_local():
    conv = with_multipliers(SpectralConv(1, 1, 100, num_knots=10), torch.eye(10)[4])
    curve = conv.multipliers.flatten()
    assert curve.min() >= 0
    assert 0.6 < curve.max() < 0.7  # a cubic B-spline has its maximum of 2/3 in the middle
    assert curve[:14].max() == 0  # and is zero beyond two intervals on either side
    assert curve[72:].max() == 0
    assert curve.diff(n=2).abs().max() < 0.02


def test_a_straight_line_is_a_spline():
    """Coefficients at the means of neighbouring knots give a straight line."""
    num_knots, degree = 8, 3
    inner = torch.linspace(0, 1, num_knots - degree + 1)
    knots = torch.cat([torch.zeros(degree), inner, torch.ones(degree)])
    means = torch.stack([knots[i + 1 : i + 1 + degree].mean() for i in range(num_knots)])
    conv = with_multipliers(SpectralConv(1, 1, 50, num_knots), means)
    torch.testing.assert_close(conv.multipliers.flatten(), torch.linspace(0, 1, 50))


def test_number_of_parameters():
    def count(*args, **kwargs) -> int:
        return sum(p.numel() for p in SpectralConv(*args, **kwargs).parameters())

    assert count(3, 8, 50, bias=False) == 3 * 8 * 50
    assert count(3, 8, 50) == 3 * 8 * 50 + 8
    assert count(3, 8, 50, num_knots=6) == count(3, 8, 500, num_knots=6) == 3 * 8 * 6 + 8


@pytest.mark.parametrize(
    ('shape', 'kwargs', 'reason'),
    [
        ((10, 4), {}, r'shape \[num_nodes, 5\], got \[10, 4\]'),
        ((2, 10, 5), {}, r'shape \[num_nodes, 5\], got \[2, 10, 5\]'),
        ((9, 5), {}, 'multiple of 9 nodes, got 20'),
        ((9, 5), {'num_nodes': 10}, 'for each of num_nodes=10 nodes .*, got 9 rows'),
        ((20, 5), {'num_nodes': 8}, 'multiple of 8 nodes, got 20'),
        ((10, 5), {'batch': torch.zeros(20).long()}, 'one row for each of 20 nodes, got 10'),
        (
            (20, 5),
            {'batch': torch.zeros(19).long()},
            r'batch must have shape \[20\], got \[19\]',
        ),
        ((20, 5), {'batch': torch.zeros(20).long(), 'num_nodes': 10}, 'at most 10'),
    ],
)
def test_wrong_input_raises(shape, kwargs, reason):
    with pytest.raises(ValueError, match=reason):
        SpectralConv(3, 4, 5)(torch.randn(20, 3), torch.randn(shape), **kwargs)


def test_wrong_sizes_raise():
    with pytest.raises(ValueError, match='x must have 3 channels, got 6'):
        SpectralConv(3, 4, 5)(torch.randn(20, 6), torch.randn(20, 5))
    for args in ((3, 4, 0), (3, 4, 5, 0)):
        with pytest.raises(ValueError, match='must be an integer >= 1, got 0'):
            SpectralConv(*args)


@pytest.mark.slow
def test_separate_bases_keep_the_dtype_compile_and_export():
    conv = SpectralConv(3, 4, 5).eval()
    args = (torch.randn(2 * 8, 2, 3), torch.linalg.qr(torch.randn(2 * 8, 5)).Q, 8)
    out = conv(*args)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        narrow = conv(*args)
    assert narrow.dtype == torch.bfloat16
    torch.testing.assert_close(narrow.float(), out, atol=0.1, rtol=0.1)
    torch._dynamo.reset()
    compiled = torch.compile(conv, backend='eager', dynamic=False)
    torch.testing.assert_close(compiled(*args), out)
    torch.testing.assert_close(torch.export.export(conv, args).module()(*args), out)


@pytest.mark.slow
def test_compiles_and_exports_with_a_batch_vector():
    conv = SpectralConv(3, 4, 5).eval()
    x, vectors = torch.randn(20, 2, 3), torch.randn(20, 5)
    batch = torch.arange(2).repeat_interleave(torch.tensor([12, 8]))
    args = (x, vectors, 12, batch, 2)
    out = conv(*args)
    torch.testing.assert_close(out, conv(x, vectors, batch=batch))
    torch._dynamo.reset()
    compiled = torch.compile(conv, backend='eager', dynamic=False)
    torch.testing.assert_close(compiled(*args), out)
    torch.testing.assert_close(torch.export.export(conv, args).module()(*args), out)


@pytest.mark.parametrize('num_knots', [None, 4])
@pytest.mark.parametrize('num_nodes', [None, 8])
def test_gradients_for_features_eigenvectors_and_weights(num_knots, num_nodes):
    conv = SpectralConv(3, 4, 5, num_knots).double()
    x = torch.randn(2 * 8, 2, 3).double().requires_grad_()
    rows = 8 if num_nodes is None else 16
    vectors = torch.randn(rows, 5).double().requires_grad_()
    inputs = (x, vectors, *conv.parameters())
    assert torch.autograd.gradcheck(
        lambda x, v, *_: conv(x, v, num_nodes=num_nodes), inputs, fast_mode=True
    )


@pytest.mark.cuda
def test_cuda_gives_the_same_for_a_batch_that_mixes_sizes():
    if not torch.cuda.is_available():
        pytest.skip('no CUDA device')
    conv = SpectralConv(3, 4, 5, num_knots=4)
    batch = torch.arange(2).repeat_interleave(torch.tensor([12, 8]))
    args = (torch.randn(20, 2, 3), torch.randn(20, 5), None, batch)
    expected = conv(*args)
    args = [a.cuda() if isinstance(a, torch.Tensor) else a for a in args]
    torch.testing.assert_close(conv.cuda()(*args).cpu(), expected, atol=1e-3, rtol=1e-3)


@pytest.fixture
def ambiguous():
    """One row per node may be a single graph or several graphs with separate bases."""
    stacked = torch.linalg.qr(torch.randn(2, 10, 4)).Q.flatten(0, 1)
    batch = torch.arange(2).repeat_interleave(10)
    return SpectralConv(3, 2, 4).requires_grad_(False), torch.randn(20, 3), stacked, batch


@pytest.mark.slow
def test_ambiguous_rows_need_the_number_of_nodes_in_compiled_code(ambiguous):
    conv, x, stacked, batch = ambiguous
    compiled = torch.compile(conv, backend='eager', dynamic=False)
    with pytest.raises(Exception, match='num_nodes or batch is required'):
        compiled(x, stacked)
    for args in ((stacked, 10), (stacked, 20), (stacked, None, batch, 2), (stacked[:10],)):
        torch.testing.assert_close(compiled(x, *args), conv(x, *args))


def test_ambiguous_rows_need_the_number_of_nodes(ambiguous):
    conv, x, stacked, batch = ambiguous
    with pytest.raises(ValueError, match='num_nodes or batch is required'):
        conv(x, stacked)
    torch.testing.assert_close(conv(x, stacked, 10), conv(x, stacked, batch=batch))
    assert (conv(x, stacked, 10) - conv(x, stacked, 20)).abs().max() > 0.1
