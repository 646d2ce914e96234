import pytest
import torch

from graphmotion.models import st_gcn
from graphmotion.training import (
    ClassificationModule,
    OneCycleRecipe,
    RecognitionModule,
    RecognitionRecipe,
    fit,
    load_weights,
)
from tests.toy import Waves
from tests.training.walkers import Projection, Walkers

QUIET = {'enable_progress_bar': False, 'accelerator': 'cpu', 'max_epochs': 1}


def model_of(*channels):
    return st_gcn('emotion_gait16', 3, channels=channels)


@pytest.fixture
def trained(tmp_path):
    model = model_of(6, 8)
    model.inputs = ('pos', 'batch')
    module = ClassificationModule(model, 3, OneCycleRecipe(ema_decay=0.5))
    return module, fit(module, Waves(8), str(tmp_path), **QUIET).last


def test_weights_of_the_module_and_of_its_model_alone(trained):
    module, path = trained
    whole = ClassificationModule(model_of(6, 8), 3, OneCycleRecipe())
    bare = model_of(6, 8)
    load_weights(whole, path)
    load_weights(bare, path)
    for name, value in module.model.state_dict().items():
        assert torch.equal(bare.state_dict()[name], value)
        assert torch.equal(whole.model.state_dict()[name], value)


def test_what_else_was_trained_is_left_out(tmp_path):
    path = str(tmp_path / 'a.ckpt')
    state = {
        'model.weight': torch.ones(2, 3),
        'model.bias': torch.ones(2),
        'head.bias': torch.ones(1),
    }
    torch.save({'state_dict': state}, path)
    model = torch.nn.Linear(3, 2)
    load_weights(model, path)
    assert bool((model.weight == 1).all())
    torch.save({'state_dict': model.state_dict()}, path)  # of the model itself
    load_weights(torch.nn.Linear(3, 2), path)


def test_weights_of_another_model_or_no_weights_are_refused(trained, tmp_path):
    _, path = trained
    others = [model_of(6, 6), ClassificationModule(model_of(6, 6), 3, OneCycleRecipe())]
    for other in others:
        with pytest.raises(ValueError, match=r'last\.ckpt: the weights are of another model'):
            load_weights(other, path)
    bad = tmp_path / 'bad.ckpt'
    bad.write_bytes(b'nothing')
    with pytest.raises(ValueError, match=r'bad\.ckpt'):
        load_weights(others[0], str(bad))
    torch.save({'state_dict': print}, bad)
    with pytest.raises(ValueError, match=r'bad\.ckpt: holds more than weights'):
        load_weights(others[0], str(bad))


def test_samples_of_subjects_are_balanced_as_the_recipe_says(tmp_path):
    class Watch(RecognitionModule):
        def training_step(self, batch, number):
            seen.append(batch.subject.view(4, 3).unique(dim=1).shape)
            return super().training_step(batch, number)

    class Recipe(RecognitionRecipe, OneCycleRecipe):
        pass

    seen = []
    model = Projection()
    model.inputs = ('pos',)
    recipe = Recipe(subjects_per_batch=4, samples_per_subject=3)
    samples = [Walkers(6, 6)[i] for i in range(36)]
    result = fit(Watch(model, recipe), samples, str(tmp_path), **QUIET)
    assert seen == [(4, 1)] * 3
    bare = Projection()
    load_weights(bare, result.last)
    assert torch.equal(bare.lin.weight, model.lin.weight)
