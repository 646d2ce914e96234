import copy
import io

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck
from torch.nn import functional

from graphmotion.nn import linear as module
from graphmotion.nn.linear import Linear, linear


@pytest.fixture
def convolutions(choose_products, no_kernels, monkeypatch):
    """Maps by convolutions however small the map is."""
    choose_products(True)
    monkeypatch.setattr(module, 'MIN_PRODUCTS', 0)
    monkeypatch.setattr(module, 'MIN_ROWS', 0)


def is_convolution(out):
    functions, names = [out.grad_fn], set()
    while functions:
        function = functions.pop()
        names.add(function.name())
        functions += [f for f, _ in function.next_functions if f is not None]
    return 'ConvolutionBackward0' in names


@pytest.mark.parametrize('bias', [True, False])
@pytest.mark.parametrize('shape', [(32, 5), (4, 8, 5), (17, 3, 5), (2, 3, 4, 9, 5), (34, 1)])
def test_equals_the_equation(convolutions, shape, bias):
    torch.manual_seed(0)
    x = torch.randn(shape, requires_grad=True)
    weight = torch.randn(7, shape[-1], requires_grad=True)
    inputs = [x, weight, *([torch.randn(7, requires_grad=True)] * bias)]
    out = linear(*inputs)
    assert is_convolution(out)
    exact = [i.detach().double().requires_grad_() for i in inputs]
    expected = torch.einsum('...f,of->...o', *exact[:2]) + (exact[2] if bias else 0)
    torch.testing.assert_close(out.double(), expected, atol=1e-5, rtol=1e-5)
    gradient = torch.randn_like(out)
    found = torch.autograd.grad(out, inputs, gradient)
    for ours, theirs in zip(found, torch.autograd.grad(expected, exact, gradient.double())):
        torch.testing.assert_close(ours.double(), theirs, atol=1e-4, rtol=1e-5)


def test_gradients_in_double_precision(convolutions):
    inputs = [
        torch.randn(shape, dtype=torch.double, requires_grad=True)
        for shape in [(2, 9, 3), (4, 3), (4,)]
    ]
    assert is_convolution(linear(*inputs))
    assert gradcheck(linear, inputs)
    assert gradgradcheck(linear, inputs)


@pytest.mark.parametrize(
    'x',
    [
        torch.randn(3),
        torch.randn(15, 3),  # no divisor among the numbers of images
        torch.randn(67, 3),
        torch.randn(3, 32).t(),
        torch.randn(0, 3),
        torch.randn(32, 0),
        torch.randn(32, 3, dtype=torch.bfloat16),
    ],
    ids=lambda x: f'{list(x.shape)} {x.dtype} {list(x.stride())}',
)
def test_other_inputs_are_multiplied(convolutions, x):
    weight = torch.randn(4, x.size(-1), dtype=x.dtype, requires_grad=True)
    out = linear(x, weight)
    assert not is_convolution(out)
    torch.testing.assert_close(out, functional.linear(x, weight), rtol=0, atol=0)


@pytest.mark.parametrize(('rows', 'size', 'expected'), [(4096, 32, True), (2048, 32, False)])
def test_large_maps_are_convolutions(choose_products, no_kernels, rows, size, expected):
    x, lin = torch.randn(rows, size), Linear(size, size)
    choose_products(True)
    assert is_convolution(lin(x)) == expected
    assert not is_convolution(Linear(2**14, size)(torch.randn(16, 2**14)))  # few rows
    with torch.backends.mkldnn.flags(enabled=False, allow_tf32=None):
        assert not is_convolution(lin(x))
    choose_products(False)
    assert not is_convolution(lin(x))


@pytest.mark.slow
@pytest.mark.filterwarnings('ignore:There is a performance drop')
@pytest.mark.filterwarnings('ignore::torch.jit.TracerWarning')
def test_compiled_traced_and_transformed_maps_are_products(convolutions):
    lin, x = Linear(3, 4).requires_grad_(False), torch.randn(2, 16, 3)
    expected = functional.linear(x, lin.weight, lin.bias)
    torch.testing.assert_close(torch.func.vmap(lin)(x), expected)
    torch.testing.assert_close(torch.func.jvp(lin, (x,), (x,))[0], expected)
    torch._dynamo.reset()
    torch.testing.assert_close(torch.compile(lin, backend='eager', fullgraph=True)(x), expected)
    program = torch.export.export(lin, (x,))
    torch.testing.assert_close(program.module()(x), expected)
    nodes = {str(node.target) for node in program.graph.nodes}
    assert 'aten.linear.default' in nodes
    file = io.BytesIO()
    torch.jit.save(torch.jit.trace(lin, (x,)), file)
    file.seek(0)
    loaded = torch.jit.load(file)
    assert 'conv2d' not in str(loaded.graph)
    torch.testing.assert_close(loaded(x), expected)


def test_double_precision_is_multiplied():
    x = torch.randn(4096, 64, dtype=torch.double)
    assert not is_convolution(Linear(64, 64, dtype=torch.double)(x))


def test_results_can_be_overwritten(convolutions):
    lin, x = Linear(3, 4), torch.randn(32, 3)
    with torch.no_grad():
        out = lin(x)
    out += torch.zeros(4, requires_grad=True)
    assert out.requires_grad
    out = lin(x)
    assert is_convolution(out)
    (expected,) = torch.autograd.grad((2 * lin(x)).square().sum(), lin.weight)
    (found,) = torch.autograd.grad(out.mul_(2).square().sum(), lin.weight)
    torch.testing.assert_close(found, expected)


@pytest.mark.filterwarnings('ignore:Sparse CSR tensor support is in beta')
def test_sparse_features(convolutions):
    x = torch.eye(32).to_sparse_csr()
    lin = Linear(32, 4, bias=False).requires_grad_(False)
    torch.testing.assert_close(lin(x), lin.weight.t(), check_layout=False)


def test_autocast(convolutions):
    lin, x = Linear(3, 4), torch.randn(2, 16, 3)
    expected = lin(x)
    with torch.autocast('cpu', torch.bfloat16):
        out = lin(x)
    assert out.dtype == torch.bfloat16
    assert not is_convolution(out)
    torch.testing.assert_close(out.float(), expected, atol=0.05, rtol=0.05)


def test_a_layer_is_one_of_torch():
    lin = Linear(3, 4, bias=False)
    assert isinstance(lin, torch.nn.Linear)
    other = torch.nn.Linear(3, 4, bias=False)
    other.load_state_dict(lin.state_dict())
    x = torch.randn(5, 3)
    torch.testing.assert_close(lin(x), other(x), rtol=0, atol=0)
    assert copy.deepcopy(lin).weight.shape == (4, 3)


@pytest.mark.parametrize(
    ('vendor', 'capability', 'expected'),
    [
        ('vendor_id\t: AuthenticAMD\n', 'AVX512', True),
        ('vendor_id\t: AuthenticAMD\n', 'AVX2', False),
        ('vendor_id\t: GenuineIntel\n', 'AVX512', False),
        ('', 'DEFAULT', False),
    ],
)
def test_the_choice_depends_on_the_processor(monkeypatch, vendor, capability, expected):
    monkeypatch.setattr(module, '_describe_processor', lambda: vendor)
    monkeypatch.setattr(torch.backends.cpu, 'get_cpu_capability', lambda: capability)
    for part in ('mkl', 'mkldnn'):
        monkeypatch.setattr(getattr(torch.backends, part), 'is_available', lambda: True)
    module._has_slow_products.cache_clear()
    assert module.prefers_convolutions(torch.ones(1)) == expected
    monkeypatch.setattr(torch.backends.mkl, 'is_available', lambda: False)
    module._has_slow_products.cache_clear()
    assert not module.prefers_convolutions(torch.ones(1))
    module._has_slow_products.cache_clear()
