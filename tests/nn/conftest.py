"""Both implementations of large products, whatever the processor."""

import pytest


@pytest.fixture
def choose_products(monkeypatch):
    """Returns a function that chooses convolutions or matrix products."""

    def choose(convolutions):
        monkeypatch.setattr('graphmotion.nn.linear._has_slow_products', lambda: convolutions)

    return choose


@pytest.fixture(params=[False, True], ids=['products', 'convolutions'])
def products(request, choose_products):
    """Runs a test with both implementations."""
    choose_products(request.param)
