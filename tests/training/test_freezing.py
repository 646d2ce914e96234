"""Fine-tuning: frozen layers and the learning rate of the head."""

import re
import warnings
from dataclasses import replace

import pytest
import torch
from lightning.pytorch import Callback
from torch_geometric.nn import GCN

from graphmotion.models import create_model, gaitmixer, st_gcn
from graphmotion.training import (
    ClassificationModule,
    ClassificationRecipe,
    GraphDataModule,
    OneCycle,
    RecognitionModule,
    RecognitionRecipe,
    SGDStepDecay,
    fit,
)
from graphmotion.training.freezing import frozen_parts
from tests.toy import Waves, joints
from tests.training.test_optimization import learning_rates
from tests.training.walkers import Walkers

RECIPE = ClassificationRecipe(OneCycle(lr=1e-2, weight_decay=0.1, max_epochs=2), batch_size=16)
QUIET = {'enable_progress_bar': False, 'accelerator': 'cpu'}


def make_model():
    torch.manual_seed(0)
    return st_gcn('emotion_gait16', 3, channels=(6, 8), dropout=0.1)


def changed(model, before):
    """Returns the names of the tensors of a model that are not bit by bit the same."""
    state = model.state_dict()
    return {name for name, value in before.items() if not torch.equal(value, state[name])}


def copy(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


class Watch(Callback):
    """Records the groups of the optimiser and the modules in evaluation mode at each step."""

    def __init__(self):
        self.rates, self.sizes, self.eval = [], [], []

    def on_train_batch_start(self, trainer, module, batch, number):
        groups = trainer.optimizers[0].param_groups
        self.rates.append([group['lr'] for group in groups])
        self.sizes.append([len(group['params']) for group in groups])
        names = [name for name, part in module.model.named_modules() if not part.training]
        self.eval.append(names)


@pytest.mark.parametrize(
    ('freeze', 'frozen', 'ema_decay'),
    [
        ('*', r'(?!lin\.)', 0.0),
        ('*', r'(?!lin\.)', 0.7),
        (('input_norm', 'layers.0'), r'input_norm|layers\.0', 0.7),
        (['layers.*'], r'layers', 0.0),
        ('layers.[01].temporal_norm', r'layers\..\.temporal_norm', 0.0),
        ('layers.*.weight', r'layers.*\.weight', 0.0),
    ],
)
def test_frozen_parts_do_not_change_by_a_bit(tmp_path, freeze, frozen, ema_decay):
    """All others change. Only modules without trained parameters are in evaluation mode."""
    model, watch = make_model(), Watch()
    before = copy(model)
    recipe = replace(RECIPE, freeze=freeze).with_optimization(ema_decay=ema_decay)
    data = GraphDataModule(Waves(32), Waves(6), batch_size=16, transform=joints)
    module = ClassificationModule(model, 3, recipe)
    fit(module, data, str(tmp_path), callbacks=[watch], monitor='val_loss', **QUIET)
    assert changed(model, before) == {name for name in before if not re.match(frozen, name)}
    for names in watch.eval:  # also after validation
        assert names == watch.eval[0]
    assert ('layers.0.temporal_norm.norm' in watch.eval[0]) == (freeze != 'layers.*.weight')
    assert 'lin' not in watch.eval[0]
    # Afterwards, everything can be trained again.
    assert all(p.requires_grad for p in model.parameters())
    assert all(part.training for part in model.modules())


def test_modules_without_trained_parameters_are_in_evaluation_mode(tmp_path):
    model, watch = make_model(), Watch()
    model.layers[0].eval()  # by the user
    recipe = replace(RECIPE, freeze='layers.1.*')
    data = GraphDataModule(Waves(16), batch_size=16, transform=joints)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # Lightning's, of modules in evaluation mode
        fit(ClassificationModule(model, 3, recipe), data, str(tmp_path), callbacks=[watch], **QUIET)
    expected = {n for n, _ in model.named_modules() if n.startswith(('layers.0', 'layers.1'))}
    assert set(watch.eval[0]) == expected
    assert not model.layers[0].training
    assert model.layers[1].dropout.training


def test_an_error_undoes_the_freezing(tmp_path):
    class Stop(Callback):
        def on_train_batch_end(self, *_):
            raise RuntimeError('stop')

    model = make_model()
    module = ClassificationModule(model, 3, replace(RECIPE, freeze='*'))
    data = GraphDataModule(Waves(16), batch_size=16, transform=joints)
    with pytest.raises(RuntimeError, match='stop'):
        fit(module, data, str(tmp_path), callbacks=[Stop()], **QUIET)
    assert all(p.requires_grad for p in model.parameters())
    assert all(part.training for part in model.modules())


@pytest.mark.parametrize(
    'optimization',
    [
        OneCycle(lr=1e-3, max_epochs=2),
        SGDStepDecay(lr=1e-3, max_epochs=2, milestones=(1,), warmup_epochs=1),
    ],
)
@pytest.mark.parametrize(('freeze', 'sizes'), [((), [24, 2]), ('layers.0', [15, 2]), ('*', [2])])
def test_the_head_has_its_own_learning_rate(tmp_path, freeze, sizes, optimization):
    model, watch = make_model(), Watch()
    recipe = replace(RECIPE, optimization=optimization, freeze=freeze, head_lr=5e-3)
    data = GraphDataModule(Waves(32), batch_size=16, transform=joints)
    fit(ClassificationModule(model, 3, recipe), data, str(tmp_path), callbacks=[watch], **QUIET)
    assert watch.sizes == [sizes] * 4
    body = learning_rates(optimization, 2)
    head = learning_rates(replace(optimization, lr=5e-3), 2)
    expected = list(zip(body, head)) if len(sizes) == 2 else [(rate,) for rate in head]
    assert [tuple(rates) for rates in watch.rates] == [pytest.approx(rates) for rates in expected]


def test_a_larger_rate_changes_the_head_only(tmp_path):
    """With a rate of zero for the rest, only the head and statistics change."""
    model = make_model()
    before = copy(model)
    recipe = replace(RECIPE, head_lr=1e-2).with_optimization(lr=0.0)
    data = GraphDataModule(Waves(16), batch_size=16, transform=joints)
    fit(ClassificationModule(model, 3, recipe), data, str(tmp_path), **QUIET)
    names = {name for name in changed(model, before) if 'running' not in name}
    assert {n for n in names if not n.endswith('tracked')} == {'lin.weight', 'lin.bias'}


def test_a_fine_tuning_run_is_resumed(tmp_path):
    class Stop(Callback):
        def on_train_epoch_start(self, trainer, module):
            if trainer.current_epoch == 1:
                raise RuntimeError('stop')

    def run(folder, callbacks=()):
        model = make_model()
        recipe = replace(RECIPE, freeze='layers.0', head_lr=3e-2)
        data = GraphDataModule(Waves(32), batch_size=16, transform=joints)
        module = ClassificationModule(model, 3, recipe.with_optimization(ema_decay=0.5))
        fit(module, data, str(tmp_path / folder), callbacks=list(callbacks), **QUIET)
        return model

    whole = run('a')
    with pytest.raises(RuntimeError, match='stop'):
        run('b', [Stop()])
    assert not changed(run('b'), whole.state_dict())


def test_a_run_from_other_weights_is_not_resumed(tmp_path):
    def run(model):
        data = GraphDataModule(Waves(16), batch_size=16, transform=joints)
        return fit(ClassificationModule(model, 3, RECIPE), data, str(tmp_path), **QUIET)

    first = run(make_model()).history
    assert run(make_model()).history == first
    options = {'skeleton': 'emotion_gait16', 'num_classes': 3, 'channels': (6, 8), 'dropout': 0.1}
    tuned = create_model('st_gcn', weights=make_model(), **options)
    with pytest.raises(ValueError, match='belongs to a run with different initial weights; pass'):
        run(tuned)


def test_the_embedding_is_fine_tuned(tmp_path):
    model = gaitmixer(
        'emotion_gait16', 4, 3, channels=8, depth=1, heads=2, temporal_channels=(8, 8),
        kernel_size=3,
    )  # fmt: skip
    before, watch = copy(model), Watch()
    recipe = RecognitionRecipe(
        OneCycle(lr=1e-2, max_epochs=1), subjects_per_batch=4, samples_per_subject=3,
        freeze=('spatial', 'temporal.0'), head_lr=2e-2,
    )  # fmt: skip
    data = GraphDataModule(
        Walkers(6, 6), batch_size=12, balance='subject', samples_per_class=3, transform=joints
    )
    fit(RecognitionModule(model, recipe), data, str(tmp_path), callbacks=[watch], **QUIET)
    names = changed(model, before)
    assert {'lin.weight', 'norm.weight', 'temporal.1.norm.norm.running_mean'} <= names
    assert not any(name.startswith(('spatial', 'temporal.0')) for name in names)
    assert watch.rates[0][1] == pytest.approx(2 * watch.rates[0][0])


def test_statistics_without_parameters_are_frozen_by_name():
    model = torch.nn.Sequential(
        torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2, affine=False), torch.nn.Linear(2, 2)
    )
    model.head = model[2]
    parts = frozen_parts(model, '[01]')
    assert parts.modules == [model[0], model[1]]
    assert len(parts.parameters) == 2
    assert frozen_parts(model, ()) == ([], [])


@pytest.mark.parametrize(
    ('freeze', 'message'),
    [
        ('layer.0', r"freeze must name parts of STGCN outside .* \['input_norm', 'layers'\], got"),
        (('layers', 'lin'), "outside its head, .* got 'lin'"),
        ('lin.weight', "outside its head, .* got 'lin.weight'"),
    ],
)
def test_unknown_parts_raise(freeze, message):
    with pytest.raises(ValueError, match=message):
        ClassificationModule(make_model(), 3, replace(RECIPE, freeze=freeze))


def test_models_without_a_head():
    model = GCN(3, 4, 1, 3)
    with pytest.raises(ValueError, match=r"freeze must leave parameters of GCN .* got \['\*'\]"):
        ClassificationModule(model, 3, replace(RECIPE, freeze='*'))
    with pytest.raises(ValueError, match="must have the attribute 'head' for head_lr, got GCN"):
        ClassificationModule(model, 3, replace(RECIPE, head_lr=0.1))
