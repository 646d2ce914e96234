import pytest
import torch

from graphmotion.inference import load_weights
from graphmotion.models import st_gcn
from graphmotion.training import (
    ClassificationModule,
    ClassificationRecipe,
    OneCycle,
    RecognitionModule,
    RecognitionRecipe,
    fit,
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
    module = ClassificationModule(model, 3, ClassificationRecipe(OneCycle(ema_decay=0.5)))
    return module, fit(module, Waves(8), str(tmp_path), **QUIET).last


def test_weights_of_the_module_and_of_its_model_alone(trained):
    module, path = trained
    other = ClassificationModule(model_of(6, 8), 3, ClassificationRecipe())
    model = model_of(6, 8)
    load_weights(other, path)
    load_weights(model, path)
    for name, value in module.model.state_dict().items():
        assert torch.equal(model.state_dict()[name], value)
        assert torch.equal(other.model.state_dict()[name], value)


def test_weights_outside_the_model_are_skipped(tmp_path):
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


def test_invalid_checkpoints_raise(trained, tmp_path):
    _, path = trained
    others = [model_of(6, 6), ClassificationModule(model_of(6, 6), 3, ClassificationRecipe())]
    for other in others:
        with pytest.raises(ValueError, match=r'last\.ckpt: the weights do not fit the model'):
            load_weights(other, path)
    bad = tmp_path / 'bad.ckpt'
    bad.write_bytes(b'nothing')
    with pytest.raises(ValueError, match=r'bad\.ckpt'):
        load_weights(others[0], str(bad))
    torch.save({'state_dict': print}, bad)
    with pytest.raises(ValueError, match=r'bad\.ckpt: .* must hold tensors and plain'):
        load_weights(others[0], str(bad))


def test_batches_are_balanced_by_subject(tmp_path):
    class Watch(RecognitionModule):
        def training_step(self, batch, number):
            seen.append(batch.subject.view(4, 3).unique(dim=1).shape)
            return super().training_step(batch, number)

    seen = []
    model = Projection()
    model.inputs = ('pos',)
    recipe = RecognitionRecipe(subjects_per_batch=4, samples_per_subject=3)
    samples = [Walkers(6, 6)[i] for i in range(36)]
    result = fit(Watch(model, recipe), samples, str(tmp_path), **QUIET)
    assert seen == [(4, 1)] * 3
    loaded = Projection()
    load_weights(loaded, result.last)
    assert torch.equal(loaded.lin.weight, model.lin.weight)
