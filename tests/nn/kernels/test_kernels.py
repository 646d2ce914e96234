import platform
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

from graphmotion.nn import JointAttention, Linear, SpatialConv, TemporalConv
from graphmotion.nn import kernels as package
from graphmotion.nn.gelu import GELU
from graphmotion.nn.kernels import find_kernels, load_kernels
from graphmotion.nn.kernels.linear import map_rows


def test_plain_tensors_in_single_precision_are_supported(kernels):
    x = torch.randn(3)
    assert find_kernels(x) is kernels
    assert find_kernels(x, torch.nn.Parameter(x)) is kernels
    others = [x.double(), x.bfloat16(), x[:0], x.to('meta'), torch._efficientzerotensor((3,))]
    imaginary = torch.complex(x, x).conj().imag  # with a sign that is not in memory
    assert imaginary.is_neg()
    for other in (*others, imaginary, x.as_subclass(type('Marked', (torch.Tensor,), {}))):
        assert find_kernels(other) is None
        assert find_kernels(x, other) is None


class Mode(TorchFunctionMode):
    def __torch_function__(self, function, types, args=(), kwargs=None):
        return function(*args, **(kwargs or {}))


def test_operators_of_torch_are_used_where_something_follows_them(kernels):
    x = torch.randn(3)
    with torch.autocast('cpu', torch.bfloat16):
        assert find_kernels(x) is None
    with FlopCounterMode(display=False):
        assert find_kernels(x) is None
    with Mode():
        assert find_kernels(x) is None
    assert find_kernels(x) is kernels


def test_a_variable_of_the_environment_disables_them(monkeypatch):
    load_kernels.cache_clear()
    monkeypatch.setenv('GRAPHMOTION_KERNELS', '0')
    assert load_kernels() is None
    load_kernels.cache_clear()


def test_a_library_of_other_sources_is_not_used(kernels, monkeypatch):
    monkeypatch.undo()
    load_kernels.cache_clear()
    monkeypatch.setattr(package, '_checksum', lambda: kernels.checksum + 1)
    with pytest.warns(UserWarning, match='compiled from other sources'):
        assert load_kernels() is None
    load_kernels.cache_clear()
    monkeypatch.setattr(package, '_checksum', lambda: None)  # sources are not installed
    assert load_kernels() is not None
    load_kernels.cache_clear()


def test_a_library_of_another_system_is_not_used(monkeypatch, tmp_path, kernels):
    monkeypatch.undo()
    load_kernels.cache_clear()
    broken = tmp_path / 'library.so'
    broken.write_bytes(b'not a library')
    monkeypatch.setattr(
        package, 'find_spec', lambda name: type('Spec', (), {'origin': str(broken)})
    )
    assert load_kernels() is None
    monkeypatch.setattr(package, 'find_spec', lambda name: None)
    load_kernels.cache_clear()
    assert load_kernels() is None
    load_kernels.cache_clear()


@pytest.mark.parametrize('name', ['_avx2', '_avx512'])
def test_sources_compile_without_warnings(name, tmp_path):
    """A failure of the compiler does not stop the installation."""
    compiler = shutil.which('gcc') or shutil.which('clang')
    if compiler is None or platform.machine() not in ('x86_64', 'AMD64'):
        pytest.skip('there is no compiler for x86-64')
    setup = Path(package.__file__).parents[3] / 'setup.py'
    if not setup.exists():
        pytest.skip('the sources of the project are not here')
    flags = re.search(rf"'{name}': \[(.*?)\]", setup.read_text()).group(1).replace("'", '')
    sources = sorted((Path(package.__file__).parent / 'src').glob('*.c'))
    for source in sources:
        command = [compiler, '-DCHECKSUM=0u', '-O1', '-fopenmp', '-Wall', '-Wextra', '-Werror']
        command += [*flags.split(', '), '-c', str(source), '-o', str(tmp_path / 'out.o')]
        subprocess.run(command, check=True)


def test_operations_of_a_backward_pass_are_counted(kernels):
    x, weight = torch.randn(100, 64, requires_grad=True), torch.randn(128, 64, requires_grad=True)
    out = map_rows(x, weight)
    with FlopCounterMode(display=False) as counter:
        out.sum().backward()
    assert counter.get_total_flops() == 2 * 2 * 100 * 64 * 128


def layers():
    return {
        'linear': (Linear(64, 64), (3, 2, 64)),
        'temporal': (TemporalConv(64, 64, 9), (3, 20, 64)),
        'attention': (JointAttention(8, 2, per_frame=False), (3, 2, 8)),
        'spatial': (SpatialGraph(), (3, 2, 8)),
        'gelu': (GELU(), (3, 2, 8)),
    }


class SpatialGraph(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = SpatialConv(8, 16, num_partitions=2)
        self.register_buffer('adj', torch.rand(2, 3, 3))

    def forward(self, x):
        return self.conv(x, self.adj)


@pytest.mark.slow
@pytest.mark.parametrize('name', layers())
def test_any_number_of_frames_can_be_exported(kernels, name):
    """Sizes from which operators are compiled do not become conditions of the export."""
    layer, shape = layers()[name]
    x = torch.randn(shape)
    program = torch.export.export(
        layer, (x,), dynamic_shapes=({1: torch.export.Dim('frames', min=2, max=4096)},)
    )
    for frames in (2, 3, 500):
        x = torch.randn(shape[0], frames, shape[2])
        torch.testing.assert_close(program.module()(x), layer(x), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize('name', ['linear', 'temporal', 'gelu'])
def test_batches_of_gradients(kernels, name):
    layer, shape = layers()[name]
    x = torch.randn(40 * shape[0], 64, shape[2], requires_grad=True)
    out = layer(x)
    gradients = torch.randn(2, *out.shape)
    (found,) = torch.autograd.grad(out, x, gradients, retain_graph=True, is_grads_batched=True)
    for ours, gradient in zip(found, gradients):
        (expected,) = torch.autograd.grad(out, x, gradient, retain_graph=True)
        torch.testing.assert_close(ours, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize('name', ['linear', 'temporal', 'spatial'])
def test_gradients_do_not_depend_on_the_order_of_threads(kernels, name):
    layer, shape = layers()[name]
    x = torch.randn(40 * shape[0], 64, shape[2])
    threads = torch.get_num_threads()
    results = []
    try:
        torch.set_num_threads(5)
        for _ in range(20):
            results.append(torch.autograd.grad(layer(x).square().sum(), [*layer.parameters()]))
    finally:
        torch.set_num_threads(threads)
    for other in results[1:]:
        assert all(map(torch.equal, other, results[0]))


def test_only_sources_count(tmp_path, monkeypatch):
    folder = tmp_path / 'src'
    folder.mkdir()
    (folder / 'a.c').write_text('int a;')
    monkeypatch.setattr(package, '__file__', str(tmp_path / '__init__.py'))
    expected = package._checksum()
    (folder / '.ipynb_checkpoints').mkdir()
    (folder / 'a.c~').write_text('int b;')
    assert package._checksum() == expected
    (folder / 'a.h').write_text('int b;')
    assert package._checksum() != expected
