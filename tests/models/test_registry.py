import pytest
import torch

from graphmotion import models
from graphmotion.models import create_model, list_models, register_model, registry


@pytest.fixture
def clean(monkeypatch):
    """Restores the registry after the test."""
    monkeypatch.setattr(registry, '_MODELS', dict(registry._MODELS))


def test_models_by_name_and_task():
    assert list_models('gait*') == ['gaitformer', 'gaitmixer']
    assert list_models(task='action') == ['agcn', 'ctr_gcn', 'fg_stformer', 'st_gcn']
    assert list_models('s*', task='expression') == ['spagnn', 'spegnn', 'ssgnn']
    assert list_models('GAIT*') == []
    every = {name for task in registry.TASKS for name in list_models(task=task)}
    assert sorted(every) == list_models()


def test_builders_are_importable_by_the_names_of_the_models():
    for name in list_models():
        assert getattr(models, name) is registry._MODELS[name].build
        assert name in models.__all__


def test_register_a_custom_model(clean):
    @register_model('my_gcn', task='action')
    class MyGCN(torch.nn.Module):
        def __init__(self, width=3):
            super().__init__()
            self.width = width

    assert create_model('my_gcn', width=5).width == 5
    assert 'my_gcn' in list_models(task='action')
    with pytest.raises(ValueError, match="'my_gcn' is already registered"):
        register_model('my_gcn', task='action')(MyGCN)


def test_unknown_tasks():
    with pytest.raises(ValueError, match=r"task must be one of \['action', .*, got 'sport'"):
        register_model('my_gcn', task='sport')
    with pytest.raises(ValueError, match='task must be one of'):
        list_models(task='sport')
