"""Makes the modules that build the site importable, and undoes what examples register."""

import sys
from pathlib import Path

import pytest

from graphmotion.io import formats
from graphmotion.models import registry

sys.path.insert(0, str(Path(__file__).parents[2] / 'docs'))


@pytest.fixture(autouse=True)
def _registries(monkeypatch):
    monkeypatch.setattr(registry, '_MODELS', dict(registry._MODELS))
    monkeypatch.setattr(formats, '_FORMATS', dict(formats._FORMATS))
