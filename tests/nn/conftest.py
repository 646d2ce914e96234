"""All implementations of operators, whatever the processor."""

from importlib.util import find_spec

import pytest
import torch

from graphmotion.nn import kernels as package
from graphmotion.nn.kernels import LIBRARIES, Kernels


@pytest.fixture
def choose_products(monkeypatch):
    """Returns a function that chooses convolutions or matrix products."""

    def choose(convolutions):
        monkeypatch.setattr('graphmotion.nn.linear._has_slow_products', lambda: convolutions)
        # Also in double precision, in which tests are exact.
        monkeypatch.setattr('graphmotion.nn.linear.DTYPES', (torch.float32, torch.float64))

    return choose


@pytest.fixture(params=[False, True], ids=['products', 'convolutions'])
def products(request, choose_products):
    """Runs a test with both implementations."""
    choose_products(request.param)


@pytest.fixture(params=LIBRARIES)
def kernels(request, monkeypatch):
    """Returns the compiled operators of each kind of processor that this one is."""
    name, width = LIBRARIES[request.param]
    spec = find_spec(f'{package.__name__}.{name}')
    # A processor with AVX-512 also has AVX2.
    if spec is None or torch.backends.cpu.get_cpu_capability() not in (request.param, 'AVX512'):
        pytest.skip('there are no compiled operators for this processor')
    compiled = Kernels(spec.origin, width)
    monkeypatch.setattr(package, 'load_kernels', lambda: compiled)
    return compiled


@pytest.fixture
def no_kernels(monkeypatch):
    """Runs a test with operators of torch alone."""
    monkeypatch.setattr(package, 'load_kernels', lambda: None)
