"""Both implementations of large products, whatever the processor."""

import pytest
import torch


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
