import pytest
import torch

from graphmotion.nn import kernels as package
from graphmotion.nn.kernels import attention as module
from graphmotion.nn.kernels.attention import MAX_CHANNELS, attend


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(module, 'max', lambda *sizes: 0, raising=False)


def by_products(query, key, value, scale, mask=None):
    scores = scale * (query @ key.mT)
    if mask is not None:
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    return scores.softmax(dim=-1) @ value


def heads(*lead, length, channels, scale=1.0):
    """Features as after the split into heads, of which the second last leading dimension is one."""
    *first, num_heads = lead
    x = torch.randn(*first, length, num_heads * channels) * scale
    return x.unflatten(-1, (num_heads, channels)).transpose(-3, -2)


def check(query, key, value, scale, mask=None):
    parts = [part.detach().requires_grad_() for part in (query, key, value)]
    out = attend(*parts, scale, mask)
    exact = [part.detach().double().requires_grad_() for part in parts]
    expected = by_products(*exact, scale, mask)
    torch.testing.assert_close(out.double(), expected, atol=1e-5, rtol=1e-5)
    gradient = torch.randn_like(out)
    found = torch.autograd.grad(out, parts, gradient)
    for ours, theirs in zip(found, torch.autograd.grad(expected, exact, gradient.double())):
        atol = 1e-5 * max(1.0, float(theirs.abs().max()))
        torch.testing.assert_close(ours.double(), theirs, atol=atol, rtol=1e-4)
    with torch.no_grad():
        torch.testing.assert_close(attend(query, key, value, scale, mask), out, rtol=0, atol=0)


@pytest.mark.parametrize('channels', [1, 3, 4, 5, 8, 12, MAX_CHANNELS])
@pytest.mark.parametrize('sizes', [(17, 17), (5, 9), (9, 1), (1, 33)])
def test_equals_products_in_double_precision(kernels, channels, sizes):
    queries, keys = sizes
    query = heads(3, 2, 3, length=queries, channels=channels)
    key, value = (heads(3, 2, 3, length=keys, channels=channels) for _ in range(2))
    check(query, key, value, channels**-0.5)


@pytest.mark.parametrize('lead', [(), (5,), (2, 3), (1, 1, 40)])
def test_leading_dimensions(kernels, lead):
    query, key, value = (torch.randn(*lead, n, 4) for n in (3, 6, 6))
    check(query, key, value, 0.7)


def test_any_strides(kernels):
    query = torch.randn(4, 6, 2, 3, 5).permute(2, 0, 1, 4, 3)  # channels are not contiguous
    key = torch.randn(2, 1, 6, 7, 3).expand(2, 4, 6, 7, 3)
    value = torch.randn(2, 4, 6, 14, 3)[..., ::2, :]
    check(query, key, value, 1.0)


@pytest.mark.parametrize('channels', [3, 4, 8, 16])
@pytest.mark.parametrize('shape', [(9,), (1, 9), (4, 1, 1, 1, 9), (4, 3, 2, 1, 9), (3, 1, 1, 9)])
def test_masks_of_keys(kernels, channels, shape):
    parts = [heads(4, 3, 2, length=n, channels=channels) for n in (5, 9, 9)]
    mask = torch.rand(shape) > 0.5
    mask[..., 2] = True
    if len(shape) == 1:
        assert attend(*parts, 1.0, mask) is None
    else:
        check(*parts, channels**-0.5, mask)


def test_queries_attend_to_all_keys_if_none_is_valid(kernels):
    parts = [torch.randn(20, n, 4, requires_grad=True) for n in (5, 9, 9)]
    mask = torch.ones(20, 1, 9, dtype=torch.bool)
    mask[7] = False
    out = attend(*parts, 1.0, mask)
    torch.testing.assert_close(out[7], parts[2][7].mean(dim=0).expand(5, 4))
    check(*parts, 1.0, mask)
    query, key, _ = torch.autograd.grad(out.square().sum(), parts)
    assert not query[7].any()
    assert not key[7].any()


@pytest.mark.parametrize('scale', [30.0, -30.0])
def test_scores_whose_exponentials_would_overflow(kernels, scale):
    check(*(heads(2, 3, length=8, channels=4) for _ in range(3)), scale)


def test_equal_and_extreme_scores(kernels):
    key, value = torch.randn(2, 20, 5, 4)
    out = attend(torch.zeros(20, 3, 4), key, value, 1.0)
    torch.testing.assert_close(out, value.mean(dim=1, keepdim=True).expand(20, 3, 4))
    query = torch.full((20, 3, 4), 1e4)
    nearest = key.sum(dim=-1).argmax(dim=-1).view(-1, 1, 1).expand(-1, 3, 4)
    torch.testing.assert_close(attend(query, key, value, 1.0), value.gather(1, nearest))


def test_the_result_has_the_layout_of_the_queries(kernels):
    query, key, value = (heads(2, 3, 8, length=7, channels=4) for _ in range(3))
    out = attend(query, key, value, 0.5)
    assert out.stride() == query.stride()
    assert out.transpose(-3, -2).is_contiguous()


def test_numbers_that_are_not_finite_are_not_hidden(kernels):
    query, key, value = (torch.randn(20, 5, 4) for _ in range(3))
    query[3, 2, 1] = key[7, 0, 0] = value[11, 4, 2] = torch.nan
    out = attend(query, key, value, 0.5)
    assert out[3, 2].isnan().all()
    assert out[7].isnan().all()
    assert out[11, :, 2].isnan().all()
    assert out.isnan().sum() == 4 + 20 + 5


@pytest.mark.parametrize('masked', [False, True])
def test_second_derivatives(kernels, masked):
    parts = [torch.randn(2, 3, n).mT.requires_grad_() for n in (4, 5, 5)]
    assert not any(part.is_contiguous() for part in parts)
    mask = torch.tensor([[[True, False, True, True, False]], [[False] * 5]]) if masked else None

    def find(function):
        first = torch.autograd.grad(function(*parts).square().sum(), parts, create_graph=True)
        return torch.autograd.grad(sum(part.square().sum() for part in first), parts)

    found = find(lambda *parts: attend(*parts, 0.5, mask))
    for ours, theirs in zip(found, find(lambda *parts: by_products(*parts, 0.5, mask))):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def test_overlapping_tensors(kernels):
    """Whose gradients cannot have their strides."""
    query = torch.randn(20, 3, 16)
    key = torch.randn(20, 40).as_strided((20, 3, 16), (40, 1, 1))
    check(query, key, key, 0.3)
    check(key, query, query, 0.3)


def test_one_tensor_is_all_three_parts(kernels):
    x = heads(5, 3, length=7, channels=4).requires_grad_()
    (found,) = torch.autograd.grad(attend(x, x, x, 0.5).sum(), x)
    (expected,) = torch.autograd.grad(by_products(x, x, x, 0.5).sum(), x)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_infinite_scores(kernels):
    query, key, value = torch.ones(20, 3, 4), torch.randn(20, 5, 4), torch.randn(20, 5, 4)
    key[:, 1, 2] = -torch.inf
    torch.testing.assert_close(attend(query, key, value, 0.5), by_products(query, key, value, 0.5))
    key[:, 1] = -1e38
    torch.testing.assert_close(
        attend(10 * query, key, value, 0.5), by_products(10 * query, key, value, 0.5)
    )


def test_masked_keys_have_no_effect(kernels):
    query, key, value = (torch.randn(20, 5, 4) for _ in range(3))
    mask = torch.ones(20, 1, 5, dtype=torch.bool)
    mask[:, :, 1] = False
    expected = attend(query, key, value, 0.5, mask)
    for number in (torch.nan, torch.inf, 1e18):
        key[:, 1] = number
        torch.testing.assert_close(attend(query, key, value, 0.5, mask), expected)


def test_sizes_for_which_torch_is_faster(kernels, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(package, 'load_kernels', lambda: kernels)

    def is_supported(*lead, keys, channels):
        x = torch.randn(*lead, keys, channels)
        return attend(x, x, x, 1.0) is not None

    assert is_supported(8, keys=17, channels=4)
    assert not is_supported(7, keys=17, channels=4)
    assert is_supported(8, keys=2048, channels=4)
    assert not is_supported(8, keys=2049, channels=4)
    assert is_supported(16, keys=128, channels=16)
    assert not is_supported(15, keys=128, channels=16)
    assert not is_supported(16, keys=129, channels=16)


def test_other_inputs_are_not_supported(kernels):
    x = torch.randn(2, 2, 2, 5, 4)
    narrow, short = x[..., :2], x[..., :3, :]
    assert attend(x, narrow, x, 1.0) is None
    assert attend(x, x, short, 1.0) is None
    assert attend(x, short, x, 1.0) is None
    wide = torch.randn(5, MAX_CHANNELS + 1)
    assert attend(x[None], x[None], x[None], 1.0) is None
    assert attend(wide, wide, wide, 1.0) is None
    assert attend(x, x, x[..., :2], 1.0) is None
    assert attend(x, x[:1], x[:1], 1.0) is None
    assert attend(x.double(), x.double(), x.double(), 1.0) is None


def test_several_threads_have_the_same_result(kernels):
    parts = [heads(50, 8, length=9, channels=4).requires_grad_() for _ in range(3)]
    results = []
    threads = torch.get_num_threads()
    try:
        for number in (1, 2, 5):
            torch.set_num_threads(number)
            out = attend(*parts, 0.5)
            results.append([out, *torch.autograd.grad(out.square().sum(), parts)])
    finally:
        torch.set_num_threads(threads)
    for other in results[1:]:
        torch.testing.assert_close(other, results[0], rtol=0, atol=0)
