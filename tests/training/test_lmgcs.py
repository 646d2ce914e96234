from dataclasses import replace

import pytest
import torch
from lightning.pytorch import Callback
from torch.nn.functional import cross_entropy

from graphmotion.inference import embed
from graphmotion.metrics import relative_spread
from graphmotion.models import LMGCS
from graphmotion.training import (
    GraphDataModule,
    LMGCSModule,
    LMGCSRecipe,
    OneCycle,
    StepDecay,
    fit,
    fit_two_stages,
    lmgcs_ou_mvlp_recipe,
    lmgcs_recipe,
)
from graphmotion.training.part_triplet import part_triplet_loss
from graphmotion.training.recognition import LeaveOneOutRank1
from tests.training.silhouettes import SMALL, Silhouettes

RECIPE = LMGCSRecipe(
    StepDecay(lr=1e-2, max_epochs=4, milestones=(3,)), global_epochs=3, subjects_per_batch=4,
    samples_per_subject=4, batches_per_epoch=5,
)  # fmt: skip
QUIET = {'accelerator': 'cpu', 'enable_progress_bar': False}


def make(seed=3, **options):
    torch.manual_seed(seed)
    return LMGCS(**SMALL | options)


@pytest.fixture(scope='module')
def dataset():
    return Silhouettes()


@pytest.fixture(scope='module')
def parts(dataset):
    """Training and validation takes."""
    takes = dataset.labels('take')
    return dataset.index_select(takes < 8), dataset.index_select(takes >= 8)


def loaders(parts, recipe=RECIPE, val=True):
    return GraphDataModule(
        parts[0],
        val=parts[1] if val else None,
        batch_size=recipe.batch_size,
        balance='subject',
        samples_per_class=recipe.samples_per_subject,
        batches_per_epoch=recipe.batches_per_epoch,
    )


def module(dataset, stage='joint', recipe=RECIPE, **options):
    return LMGCSModule(make(**options), recipe, dataset.labels('subject'), stage)


def rank1(model, dataset):
    metric = LeaveOneOutRank1()
    metric.update(embed(model, dataset), dataset.labels('subject'))
    return float(metric.compute())


def state(modules):
    return [{k: v.clone() for k, v in m.state_dict().items()} for m in modules]


def same(before, after):
    return all(torch.equal(a[k], b[k]) for a, b in zip(before, after, strict=True) for k in a)


# The recipe ###################################################################


def test_recipe_of_the_paper():
    recipe = lmgcs_recipe()
    assert recipe == LMGCSRecipe()
    assert recipe.batch_size == 64
    assert (recipe.margin, recipe.self_positives, recipe.label_smoothing) == (0.2, False, 0)
    steps, optimization = recipe.batches_per_epoch, recipe.optimization
    assert (optimization.max_epochs * steps, recipe.global_epochs * steps) == (80_000, 30_000)
    optimizer = optimization.optimizer([torch.nn.Parameter(torch.zeros(1))])
    assert isinstance(optimizer, torch.optim.Adam)
    assert optimizer.defaults['betas'][0] == 0.9
    assert optimizer.defaults['lr'] == 1e-4
    schedule = optimization.scheduler(optimizer, steps)
    assert (dict(schedule.milestones), schedule.gamma) == ({70_000: 1}, 0.1)
    assert replace(recipe, samples_per_subject=4).batch_size == 32
    with pytest.raises(ValueError, match='triplet or cross_entropy must be True'):
        LMGCSRecipe(triplet=False, cross_entropy=False)


def test_recipe_for_ou_mvlp():
    recipe = lmgcs_ou_mvlp_recipe()
    assert recipe.batch_size == 256
    assert (recipe.global_epochs, recipe.batches_per_epoch) == (40, 1000)
    assert recipe.optimization == StepDecay(lr=1e-4, max_epochs=100, milestones=(80,))


@pytest.mark.parametrize(
    ('options', 'reason'),
    [
        ({'subjects_per_batch': 1}, 'must be >= 2 to form triplets, got 1 and 8'),
        ({'samples_per_subject': 1}, 'must be >= 2 to form triplets, got 8 and 1'),
    ],
)
def test_recipe_without_triplets_raises(options, reason):
    with pytest.raises(ValueError, match=reason):
        LMGCSRecipe(**options)
    assert LMGCSRecipe(triplet=False, **options).batch_size == 8


@pytest.mark.parametrize('positions', [[0, 12, 24], [0, 1, 2]])
def test_batches_without_triplets_warn_once(dataset, positions):
    trained = module(dataset)
    trained.log_metric = lambda *args, **options: None
    trained.training_step(dataset.get_batch([0, 1, 12]), 0)  # has triplets
    batch = dataset.get_batch(positions)
    with pytest.warns(UserWarning, match='samples of . subjects has no triplets'):
        trained.training_step(batch, 0)
    trained.training_step(batch, 1)  # where a warning is an error
    recipe = replace(RECIPE, triplet=False)
    trained = module(dataset, recipe=recipe)
    trained.log_metric = lambda *args, **options: None
    trained.training_step(batch, 0)


# Losses #######################################################################


@pytest.mark.parametrize('stage', ['local', 'global', 'joint'])
@pytest.mark.parametrize('kinds', [(True, True), (True, False), (False, True)])
def test_losses(dataset, stage, kinds):
    recipe = replace(RECIPE, triplet=kinds[0], cross_entropy=kinds[1], label_smoothing=0.1)
    trained = module(dataset, stage, recipe)
    trained.log_metric = lambda *args, **options: None
    trained.eval()
    batch = dataset.get_batch(torch.arange(0, 48, 4))
    features = trained.model.features(batch.silhouettes, batch.num_frames)
    given = {'local': features.local_parts, 'global': features.global_parts}
    used = ['local', 'global'] if stage == 'joint' else [stage]
    expected = {}
    if recipe.triplet:
        for name in used:
            expected[f'triplet_{name}'] = part_triplet_loss(given[name], batch.subject, 0.2)[0]
    if recipe.cross_entropy:
        # Subjects 90, 80, 70 and 60 are counted from the smallest.
        y = (batch.subject - 60) // 10
        mean, var = torch.randn(2, *given[used[-1]].shape[1:])
        trained.normalize.running_mean = mean.flatten()
        trained.normalize.running_var = var.exp().flatten()
        normal = (given[used[-1]] - mean) / (var.exp() + 1e-5).sqrt()
        logits = [normal[:, part] @ weight for part, weight in enumerate(trained.classifier.weight)]
        losses = [cross_entropy(logit, y, label_smoothing=0.1) for logit in logits]
        expected['cross_entropy'] = sum(losses) / len(losses)
    terms, active = trained.losses({name: given[name] for name in used}, batch.subject)
    assert terms.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(terms[name], value)
    assert (active is None) == (not recipe.triplet)
    torch.testing.assert_close(trained.training_step(batch, 0), sum(expected.values()))
    spread = trained.train_metrics['spread'].compute()
    torch.testing.assert_close(spread, relative_spread(given[used[-1]]))


def test_anchors_may_be_their_own_positives(dataset):
    trained = module(dataset, recipe=replace(RECIPE, self_positives=True))
    trained.log_metric = lambda *args, **options: None
    batch = dataset.get_batch([0, 12, 24])  # three subjects: nothing to warn of
    parts = trained.features(batch).local_parts
    terms, active = trained.losses({'local': parts, 'global': parts}, batch.subject)
    loss, fraction = part_triplet_loss(parts, batch.subject, 0.2, self_positives=True)
    torch.testing.assert_close(terms['triplet_local'], loss)
    torch.testing.assert_close(active, fraction)
    with pytest.warns(UserWarning, match='samples of . subjects has no triplets'):
        trained.losses({'local': parts, 'global': parts}, torch.full_like(batch.subject, 90))


def test_a_network_without_attention_has_local_losses_alone(dataset):
    trained = module(dataset, 'joint', num_blocks=None)
    batch = dataset.get_batch(torch.arange(0, 48, 4))
    assert trained.features(batch).global_parts is None
    terms, _ = trained.losses({'local': trained.features(batch).local_parts}, batch.subject)
    assert sorted(terms) == ['cross_entropy', 'triplet_local']
    with pytest.raises(ValueError, match="must have attention for the stage 'global', got none"):
        module(dataset, 'global', num_blocks=None)


@pytest.mark.parametrize('stage', ['local', 'global', 'joint'])
def test_gradients_reach_the_modules_of_the_stage(dataset, stage):
    trained = module(dataset, stage)
    trained.log_metric = lambda *args, **options: None
    trained.training_step(dataset.get_batch(torch.arange(0, 48, 4)), 0).backward()
    for name, modules in (
        ('local', trained.model.local_modules),
        ('global', trained.model.global_modules),
    ):
        for part in modules:
            for parameter in part.parameters():
                reached = parameter.grad is not None and bool(parameter.grad.any())
                assert reached == (stage in (name, 'joint'))
                assert parameter.requires_grad == reached
    assert trained.classifier.weight.grad.abs().amax(dim=(1, 2)).min() > 0


def test_several_processes_have_the_loss_of_one(dataset, monkeypatch):
    """The samples of the other process are simulated by a list."""
    trained = module(dataset)
    trained.log_metric = lambda *args, **options: None
    trained.eval()
    whole = dataset.get_batch(torch.arange(0, 48, 4))
    expected = trained.training_step(whole, 0)
    first, second = (dataset.get_batch(torch.arange(0, 48, 4)[i::2]) for i in (0, 1))
    others = [*trained.features(second), second.subject]
    monkeypatch.setattr(torch.distributed, 'is_initialized', lambda: True)
    monkeypatch.setattr(
        trained, 'all_gather', lambda own, sync_grads=False: torch.stack([own, others.pop(0)])
    )
    torch.testing.assert_close(trained.training_step(first, 0), expected)
    trained.gather = False
    alone = trained.training_step(first, 0)
    assert not torch.allclose(alone, expected)


def test_bad_input_raises(dataset):
    with pytest.raises(ValueError, match=r"one of \['local', 'global', 'joint'\], got 'A'"):
        module(dataset, 'A')
    trained = module(dataset)
    batch = dataset.get_batch([0, 1, 2])
    batch.subject = torch.tensor([90, 90, 95])
    with pytest.raises(ValueError, match=r'among the training subjects, got \[95\]'):
        trained.training_step(batch, 0)
    del batch.subject
    with pytest.raises(ValueError, match="batch must have the field 'subject'"):
        trained.training_step(batch, 0)
    batch = dataset.get_batch([0, 1])
    del batch.silhouettes
    with pytest.raises(ValueError, match=r"the batch lacks \['silhouettes'\]"):
        trained.training_step(batch, 0)


# Training #####################################################################


@pytest.mark.slow
def test_learns_in_two_stages(dataset, parts, tmp_path):
    model = make()
    before = rank1(model, parts[1])
    recipe = replace(RECIPE, global_epochs=6)
    recipe = recipe.with_optimization(lr=5e-3, max_epochs=6, milestones=(5,))
    first, second = fit_two_stages(model, recipe, loaders(parts), str(tmp_path), **QUIET)
    for result, term in ((first, 'triplet_local'), (second, 'triplet_global')):
        rows = result.history
        assert len(rows) == 6
        names = {f'train_{name}' for name in ('loss', term, 'cross_entropy', 'active', 'spread')}
        names.add('val_rank1')
        assert rows[0].keys() == names | {'epoch', 'lr'}
        assert rows[-1]['train_loss'] < rows[0]['train_loss']
    assert first.history[-1]['lr'] == pytest.approx(5e-4)
    assert second.history[-1]['lr'] == pytest.approx(5e-3)
    after = rank1(model, parts[1])
    assert after == pytest.approx(max(row['val_rank1'] for row in second.history))
    assert before < 0.5
    assert after > 0.9
    assert all(parameter.requires_grad for parameter in model.parameters())


class Watch(Callback):
    """Records the modes of both parts of the network at each step."""

    def __init__(self):
        self.modes = set()

    def on_train_batch_start(self, trainer, module, batch, number):
        model = module.model
        parts = (model.local_modules, model.global_modules)
        self.modes.add(tuple(all(m.training for p in part for m in p.modules()) for part in parts))


@pytest.mark.parametrize(('stage', 'modes'), [('local', (True, True)), ('global', (False, True))])
def test_the_other_stage_stays_unchanged(dataset, parts, tmp_path, stage, modes):
    trained = module(dataset, stage, RECIPE.with_optimization(weight_decay=0.1))
    model, watch = trained.model, Watch()
    before = state(model.local_modules), state(model.global_modules)
    fit(trained, loaders(parts), str(tmp_path), callbacks=[watch], **QUIET)
    after = state(model.local_modules), state(model.global_modules)
    assert [same(*pair) for pair in zip(before, after)] == [stage != 'local', stage != 'global']
    assert watch.modes == {modes}


class Stop(Callback):
    """Ends a run in the middle of an epoch of a stage."""

    def __init__(self, stage, epoch):
        self.stage, self.epoch = stage, epoch

    def on_train_batch_end(self, trainer, module, outputs, batch, number):
        if (module.stage, trainer.current_epoch, number) == (self.stage, self.epoch, 2):
            raise InterruptedError


@pytest.mark.slow
@pytest.mark.parametrize('stage', ['local', 'global'])
def test_a_resumed_run_ends_with_the_same_weights(parts, tmp_path, stage):
    recipe = replace(RECIPE, global_epochs=2).with_optimization(max_epochs=2, milestones=())
    runs = []
    for name in ('whole', 'cut'):
        model = make()
        data, folder = loaders(parts, recipe, val=False), str(tmp_path / name)
        if name == 'cut':
            with pytest.raises(InterruptedError):
                fit_two_stages(model, recipe, data, folder, callbacks=[Stop(stage, 1)], **QUIET)
            model = make(seed=99)  # the initial weights have no effect
        results = fit_two_stages(model, recipe, data, folder, **QUIET)
        runs.append((state([model])[0], [result.history for result in results]))
    assert same([runs[0][0]], [runs[1][0]])
    assert runs[0][1] == runs[1][1]


def test_a_network_without_attention_has_one_stage(parts, tmp_path):
    recipe = RECIPE.with_optimization(max_epochs=1)
    model = make(num_blocks=None)
    results = fit_two_stages(model, recipe, loaders(parts), str(tmp_path), **QUIET)
    assert len(results) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ['local']


def test_validation_uses_the_trained_parts(dataset, parts, tmp_path):
    """Local parts in the first stage, the embedding later."""
    for stage, options in (('local', {}), ('joint', {}), ('joint', {'embed_local': True})):
        trained = module(dataset, stage, RECIPE.with_optimization(max_epochs=1), **options)
        folder = str(tmp_path / f'{stage}{len(options)}')
        history = fit(trained, loaders(parts), folder, **QUIET).history
        batch = parts[1].get_batch(torch.arange(len(parts[1])))
        with torch.no_grad():
            trained.eval()
            if stage == 'local':
                out = trained.model.features(batch.silhouettes, batch.num_frames).local_parts
            else:
                out = trained.model(batch.silhouettes, batch.num_frames)
        metric = LeaveOneOutRank1()
        metric.update(out.flatten(1), batch.subject)
        assert history[0]['val_rank1'] == pytest.approx(float(metric.compute()))


def test_recipe_of_one_cycle(parts, tmp_path):
    recipe = LMGCSRecipe(
        OneCycle(max_epochs=2), global_epochs=1, subjects_per_batch=4, batches_per_epoch=15
    )
    assert recipe.batch_size == 32
    results = fit_two_stages(make(), recipe, loaders(parts, recipe), str(tmp_path), **QUIET)
    assert [len(result.history) for result in results] == [2, 1]


class Rates(Callback):
    """Records the learning rates of each step."""

    def __init__(self):
        self.rates = []

    def on_train_batch_start(self, trainer, module, batch, number):
        self.rates.append([group['lr'] for group in trainer.optimizers[0].param_groups])


def test_frozen_parts_and_the_rate_of_the_head(parts, tmp_path):
    """The head and the classifier of the loss share the learning rate, in both stages."""
    model, watch = make(), Rates()
    recipe = replace(RECIPE, freeze=('backbone', 'temporal.decoder'), head_lr=2e-2, global_epochs=1)
    recipe = recipe.with_optimization(max_epochs=1, milestones=())
    before = {name: value.clone() for name, value in model.state_dict().items()}
    fit_two_stages(model, recipe, loaders(parts), str(tmp_path), callbacks=[watch], **QUIET)
    same = {name for name, value in model.state_dict().items() if torch.equal(value, before[name])}
    assert same >= {name for name in before if name.startswith(('backbone', 'temporal.decoder'))}
    assert not same & {'local_lin.weight', 'global_lin.weight'}
    # Only the head is trained in the second stage.
    assert watch.rates == [[1e-2, 2e-2]] * 5 + [[2e-2]] * 5
    assert all(p.requires_grad for p in model.parameters())


def test_a_continued_first_stage_requires_a_new_second_stage(parts, tmp_path):
    recipe = replace(RECIPE, global_epochs=1).with_optimization(max_epochs=1)

    def run(recipe, folder='a', **options):
        model, data = make(), loaders(parts, recipe, val=False)
        results = fit_two_stages(model, recipe, data, str(tmp_path / folder), **QUIET, **options)
        return model.state_dict(), [len(result.history) for result in results]

    run(recipe)
    longer = replace(recipe, global_epochs=2)
    state, epochs = run(longer)
    assert epochs == [1, 2]
    expected = run(longer, 'b')[0]
    assert all(torch.equal(state[name], value) for name, value in expected.items())
    longer = longer.with_optimization(max_epochs=2)
    with pytest.raises(ValueError, match='belongs to a run with different training options; pass'):
        run(longer)
