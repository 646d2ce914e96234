import platform
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from graphmotion.nn import kernels as package
from graphmotion.nn.kernels import find_kernels, load_kernels
from graphmotion.nn.kernels.linear import map_rows


def test_plain_tensors_in_single_precision_are_supported(kernels):
    x = torch.randn(3)
    assert find_kernels(x) is kernels
    assert find_kernels(x, torch.nn.Parameter(x)) is kernels
    others = x.double(), x.bfloat16(), x[:0], x.to('meta')
    imaginary = torch.complex(x, x).conj().imag  # with a sign that is not in memory
    assert imaginary.is_neg()
    for other in (*others, imaginary, x.as_subclass(type('Marked', (torch.Tensor,), {}))):
        assert find_kernels(other) is None
        assert find_kernels(x, other) is None


def test_operators_of_torch_are_used_where_something_follows_them(kernels):
    x = torch.randn(3)
    with torch.autocast('cpu', torch.bfloat16):
        assert find_kernels(x) is None
    with FlopCounterMode(display=False):
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
