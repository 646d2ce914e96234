import math
import os
import re
import signal
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch import Callback
from torch.utils.data import Subset, get_worker_info
from torch_geometric.data import Batch

from graphmotion.datasets import SyntheticGait
from graphmotion.inference import load_weights, predict
from graphmotion.models import create_model, st_gcn
from graphmotion.skeletons import Skeleton, get_skeleton
from graphmotion.training import (
    ClassificationModule,
    ClassificationRecipe,
    GraphDataModule,
    History,
    OneCycle,
    StepDecay,
    fit,
    training_seconds,
)
from graphmotion.transforms import ToStream
from tests.toy import Waves, joints, noisy_joints

RECIPE = ClassificationRecipe(OneCycle(lr=1e-2, max_epochs=2), batch_size=16)
QUIET = {'enable_progress_bar': False, 'accelerator': 'cpu'}


def module(**changes):
    torch.manual_seed(0)
    model = st_gcn('emotion_gait16', 3, channels=(6, 8), dropout=0.1)
    return ClassificationModule(model, 3, RECIPE.with_optimization(**changes))


@pytest.mark.slow
def test_learns_and_keeps_the_best_validation_weights(tmp_path):
    trained = module(max_epochs=12)
    data = GraphDataModule(Waves(), Waves(24), batch_size=16, transform=joints)
    result = fit(trained, data, str(tmp_path), **QUIET)
    assert [row['epoch'] for row in result.history] == list(range(12))
    assert result.history[-1]['train_accuracy'] > 0.9
    accuracies = [row['val_accuracy'] for row in result.history]
    predicted = predict(trained.model, Waves(24), joints).argmax(dim=1)
    accuracy = (predicted == Waves(24).labels()).float().mean()
    assert accuracy == pytest.approx(max(accuracies), abs=1e-6)
    files = ['best.ckpt', 'history.json', 'last.ckpt', 'previous.ckpt']
    assert sorted(os.listdir(tmp_path)) == files


def test_the_same_seed_gives_the_same_run(tmp_path):
    data = GraphDataModule(Waves(), batch_size=16, transform=joints, train_transform=noisy_joints)
    runs = [fit(module(), data, str(tmp_path / str(i)), **QUIET) for i in range(2)]
    assert runs[0].history == runs[1].history
    assert runs[0].best is None
    other = fit(module(), data, str(tmp_path / 'other'), seed=1, **QUIET)
    assert other.history != runs[0].history


@pytest.mark.slow
@pytest.mark.parametrize('num_workers', [1, 2])
def test_workers_do_not_change_a_run(tmp_path, num_workers):
    runs = []
    for number in (0, num_workers):
        data = GraphDataModule(
            Waves(),
            batch_size=16,
            transform=joints,
            train_transform=noisy_joints,
            num_workers=number,
        )
        runs.append(fit(module(), data, str(tmp_path / str(number)), **QUIET).history)
    assert runs[0] == runs[1]


def test_resume_can_be_declined(tmp_path):
    data = GraphDataModule(Waves(), batch_size=16, transform=joints)
    first = fit(module(), data, str(tmp_path), **QUIET).history
    assert fit(module(), data, str(tmp_path), resume=False, **QUIET).history == first
    finished = fit(module(), data, str(tmp_path), **QUIET)
    assert finished.history == first


@pytest.mark.parametrize('clip', [None, 1.0])
def test_mixed_precision(tmp_path, clip):
    data = GraphDataModule(Waves(), batch_size=16, transform=joints)
    trained = module(gradient_clip=clip)
    result = fit(trained, data, str(tmp_path), precision='bf16-mixed', **QUIET)
    exact = fit(module(gradient_clip=clip), data, str(tmp_path / 'exact'), **QUIET)
    losses = [row['train_loss'] for row in result.history]
    expected = [row['train_loss'] for row in exact.history]
    assert losses == pytest.approx(expected, rel=0.05)
    assert losses != expected


@pytest.mark.parametrize('precision', ['64-true', 'bf16-true'])
def test_true_precision(tmp_path, precision):
    data = GraphDataModule(Waves(), batch_size=16, transform=joints)
    result = fit(module(), data, str(tmp_path), precision=precision, **QUIET)
    assert result.history[-1]['train_loss'] < 1.5


def test_max_epochs_of_the_trainer_set_the_schedule(tmp_path):
    data = GraphDataModule(Waves(), batch_size=16, transform=joints)
    result = fit(module(max_epochs=3), data, str(tmp_path), max_epochs=2, **QUIET)
    assert len(result.history) == 2
    assert result.history[-1]['lr'] < 1e-5


def test_predictions_are_averaged_over_augmentations_and_restore_the_mode():
    model = module().model.train()
    once = predict(model, Waves(10), noisy_joints, seed=5)
    again = predict(model, Waves(10), noisy_joints, seed=6)
    both = predict(model, Waves(10), noisy_joints, seed=5, num_augmentations=2, batch_size=10)
    torch.testing.assert_close(both, (once + again) / 2)
    torch.testing.assert_close(both.sum(dim=1), torch.ones(10))
    assert model.training


@pytest.mark.slow
@pytest.mark.parametrize(
    ('changes', 'other'),
    [
        ({'seed': 1}, 'seed'),
        ({'recipe': {'lr': 0.5}}, 'recipe'),
        ({'channels': (6, 10)}, 'model'),
        ({'num_people': 2}, 'model'),
        ({'data_seed': 1}, 'training options'),
        ({'part': slice(0, 40)}, 'training samples'),
        ({'part': slice(8, 48)}, 'training samples'),
        ({'transform': noisy_joints}, 'transform, train_transform'),
        ({'class_weight': torch.tensor([1.0, 2.0, 0.0])}, 'class weights'),
        ({'accumulate_grad_batches': 2}, 'trainer options'),
        ({'val': slice(0, 24), 'monitor': 'val_loss'}, 'validation samples, monitor'),
    ],
)
def test_no_other_run_is_resumed(tmp_path, changes, other):
    """The second run might otherwise be tested on training samples of the first."""

    def run(
        seed=0, recipe=None, channels=(6, 8), part=slice(0, 48), transform=joints, num_people=1,
        data_seed=0, class_weight=None, val=None, **options,
    ):  # fmt: skip
        torch.manual_seed(0)
        model = st_gcn('emotion_gait16', 3, channels=channels, num_people=num_people)
        model.num_people = 1  # so that it runs; the note still differs
        model.layers[0].note = num_people
        changed = RECIPE.with_optimization(**{'max_epochs': 1} | (recipe or {}))
        trained = ClassificationModule(model, 3, changed, class_weight)
        data = GraphDataModule(
            Waves()[part],
            None if val is None else Waves()[val],
            batch_size=16,
            transform=transform,
            seed=data_seed,
        )
        return fit(trained, data, str(tmp_path), seed=seed, **QUIET, **options)

    run()
    with pytest.raises(
        ValueError, match=rf'last\.ckpt: .* belongs to a run with different {other}; pass'
    ):
        run(**changes)
    run(**changes, resume=False)
    run(**changes)


@pytest.mark.parametrize('ema_decay', [0.0, 0.7])
def test_a_finished_run_is_continued_for_more_epochs(tmp_path, ema_decay):
    """The result equals that of a single run, also of the best epoch."""

    def run(folder, max_epochs):
        trained = module()
        optimization = StepDecay(lr=1e-2, milestones=(3,), max_epochs=2, ema_decay=ema_decay)
        trained.recipe = replace(RECIPE, optimization=optimization)
        data = GraphDataModule(Waves(32), Waves(6), batch_size=16, transform=noisy_joints)
        path = str(tmp_path / folder)
        result = fit(trained, data, path, max_epochs=max_epochs, monitor='val_loss', **QUIET)
        return trained.model.state_dict(), result.history

    assert len(run('a', 2)[1]) == 2
    state, history = run('a', 4)
    expected_state, expected = run('b', 4)
    assert history == expected
    assert [row['lr'] for row in history] == pytest.approx([1e-2] * 3 + [1e-3])
    for name, value in expected_state.items():
        assert torch.equal(state[name], value), name
    with pytest.raises(ValueError, match=r'of 4 epochs, which cannot be continued to 3 epochs;'):
        run('a', 3)


def test_a_run_whose_schedule_spans_all_epochs_is_not_continued(tmp_path):
    data = GraphDataModule(Waves(16), batch_size=16, transform=joints)
    last = fit(module(max_epochs=1), data, str(tmp_path), **QUIET).last
    expected = (
        f'{last}: the checkpoint belongs to a run of 1 epochs, which cannot be continued to 2 '
        f'epochs, since the learning rates of OneCycle depend on the number of epochs; pass '
        f'resume=False to overwrite it, or start another run in a different directory, from these '
        f'weights by create_model(..., weights={last!r})'
    )
    with pytest.raises(ValueError, match=f'^{re.escape(expected)}$'):
        fit(module(max_epochs=2), data, str(tmp_path), **QUIET)
    # The way out
    options = {'skeleton': 'emotion_gait16', 'num_classes': 3, 'channels': (6, 8), 'dropout': 0.1}
    model = create_model('st_gcn', weights=last, strict=True, **options)
    further = ClassificationModule(model, 3, RECIPE.with_optimization(max_epochs=2))
    assert len(fit(further, data, str(tmp_path / 'further'), **QUIET).history) == 2


def test_one_step_trains(tmp_path):
    trained = module(max_epochs=1)
    before = trained.model.lin.weight.detach().clone()
    data = GraphDataModule(Waves(16), batch_size=16, transform=joints)
    (row,) = fit(trained, data, str(tmp_path), **QUIET).history
    assert row['lr'] == 1e-2
    change = (trained.model.lin.weight.detach() - before).abs().max()
    assert float(change) == pytest.approx(1e-2, rel=1e-3)


def test_a_run_is_resumed_in_a_new_process(tmp_path):
    """Functions print their address in memory, which differs from one process to the next."""

    def run():
        data = GraphDataModule(Waves(), batch_size=16, transform=lambda batch: joints(batch))
        return fit(module(), data, str(tmp_path), max_epochs=1, **QUIET)

    first = run()
    assert run().history == first.history


def test_a_damaged_checkpoint_without_a_previous_one_is_not_resumed(tmp_path):
    data = GraphDataModule(Waves(), batch_size=16, transform=joints)
    result = fit(module(), data, str(tmp_path), max_epochs=1, **QUIET)
    with open(result.last, 'r+b') as file:
        file.truncate(3000)
    with pytest.raises(ValueError, match=r'last\.ckpt: not a checkpoint, or damaged'):
        fit(module(), data, str(tmp_path), max_epochs=1, **QUIET)


def test_a_limit_of_steps_inside_an_epoch(tmp_path):
    data = GraphDataModule(Waves(), batch_size=16, transform=joints)
    history = fit(module(), data, str(tmp_path), max_steps=5, **QUIET).history
    assert len(history) == 2


def test_a_missing_field_is_named(tmp_path):
    reason = r"STGCN reads the fields \['x', 'batch'\], but the batch lacks \['x'\]"
    with pytest.raises(ValueError, match=reason):
        fit(module(), GraphDataModule(Waves(), batch_size=16), str(tmp_path), **QUIET)
    with pytest.raises(ValueError, match=reason):
        predict(module().model, Waves(4))
    with pytest.raises(
        ValueError, match='num_augmentations must be an integer >= 1 and <= 1000, got 0'
    ):
        predict(module().model, Waves(4), joints, num_augmentations=0)


@pytest.mark.cuda
def test_the_model_stays_on_its_device(tmp_path):
    if not torch.cuda.is_available():
        pytest.skip('no CUDA device')
    trained = module()
    data = GraphDataModule(Waves(), batch_size=16, transform=joints)
    fit(trained, data, str(tmp_path), enable_progress_bar=False, accelerator='gpu', devices=1)
    assert next(trained.parameters()).is_cuda


def test_final_weights_are_the_moving_average(tmp_path):
    class Watch(Callback):
        def on_train_batch_end(self, trainer, pl_module, *_):
            seen.append(pl_module.model.lin.weight.detach().clone())

    seen = []
    trained = module(ema_decay=0.7, max_epochs=3)
    data = GraphDataModule(Waves(), Waves(24), batch_size=16, transform=joints)
    result = fit(trained, data, str(tmp_path), callbacks=[Watch()], monitor='val_loss', **QUIET)
    average, epochs = seen[0], []
    for number, weight in enumerate(seen):
        decay = min(0.7, (1 + number) / (10 + number))
        average = decay * average + (1 - decay) * weight
        epochs.append(average) if number % 3 == 2 else None
    assert len(epochs) == 3
    losses = [row['val_loss'] for row in result.history]
    best = losses.index(min(losses))
    torch.testing.assert_close(trained.model.lin.weight, epochs[best])
    # The kept weights, including normalisation statistics, are those of validation.
    logs = predict(trained.model, Waves(24), joints).log()
    loss = torch.nn.functional.nll_loss(logs, Waves(24).labels())
    assert float(loss) == pytest.approx(losses[best], rel=1e-4)
    load_weights(trained, result.last)
    torch.testing.assert_close(trained.model.lin.weight, epochs[-1])


def test_the_moving_average_of_the_last_epoch_without_validation(tmp_path):
    data = GraphDataModule(Waves(), batch_size=16, transform=joints)
    trained = module(ema_decay=0.7, max_epochs=2)
    result = fit(trained, data, str(tmp_path), **QUIET)
    left = trained.model.lin.weight.clone()
    load_weights(trained, result.last)
    assert torch.equal(trained.model.lin.weight, left)
    plain = module(max_epochs=2)
    fit(plain, data, str(tmp_path / 'plain'), **QUIET)
    assert not torch.allclose(plain.model.lin.weight, left)


@pytest.mark.parametrize('ema_decay', [0.0, 0.7])
def test_a_finished_run_has_the_same_weights_when_it_is_loaded(tmp_path, ema_decay):
    data = GraphDataModule(Waves(), batch_size=16, transform=joints)
    runs = [module(ema_decay=ema_decay) for _ in range(2)]
    results = [fit(trained, data, str(tmp_path), **QUIET) for trained in runs]
    assert results[0].history == results[1].history
    torch.testing.assert_close(runs[1].state_dict(), runs[0].state_dict(), rtol=0, atol=0)


class Clock(Callback):
    """Each step takes ten seconds."""

    now = 0.0

    def on_train_batch_start(self, *_):
        self.now += 10


def test_training_time_of_a_run_is_that_of_all_its_parts(tmp_path, monkeypatch):
    clock = Clock()
    fake = SimpleNamespace(perf_counter=lambda: clock.now)
    monkeypatch.setattr('graphmotion.training.history.time', fake)
    data = GraphDataModule(Waves(32), batch_size=16, transform=joints)

    def run(max_epochs):
        trained = module()
        optimization = StepDecay(milestones=(9,), max_epochs=max_epochs)
        trained.recipe = replace(RECIPE, optimization=optimization)
        clock.now += 1000  # between the parts
        return fit(trained, data, str(tmp_path), callbacks=[clock], **QUIET)

    for max_epochs in (1, 3, 3):  # continued, then only loaded
        result = run(max_epochs)
        assert result.seconds == max_epochs * 2 * 10
        assert training_seconds(result.last) == result.seconds


def test_training_time_of_another_file_raises(tmp_path):
    path = str(tmp_path / 'other.ckpt')
    for callbacks, shown in (({'other': 1}, "['other']"), (None, 'None'), ({'History': 1}, '')):
        torch.save({'callbacks': callbacks}, path)
        expected = f'{re.escape(path)}: must be a .*, got .*{re.escape(shown)}'
        with pytest.raises(ValueError, match=expected):
            training_seconds(path)


def test_a_run_without_training_time_is_continued(tmp_path):
    history = History()
    history.load_state_dict({'rows': []})  # of an earlier version
    assert math.isnan(history.seconds)


def test_samples_are_batched_by_the_recipe(tmp_path):
    """Any type of samples gives the run of a data module with the transform of the dataset."""
    dataset = Waves(24)
    dataset.transform = ToStream('joint')
    history = fit(module(), GraphDataModule(dataset, batch_size=16), str(tmp_path / 'a'), **QUIET)
    expected = history.history
    samples = [dataset[i] for i in range(24)]
    ways = {'dataset': dataset, 'list': samples, 'batch': Batch.from_data_list(samples)}
    ways['subset'] = Subset([*samples, samples[0]], range(24))
    for name, value in ways.items():
        result = fit(module(), value, str(tmp_path / name), **QUIET)
        assert result.best is None
        for row, other in zip(result.history, expected):
            assert row == pytest.approx(other, rel=1e-5)
    val = GraphDataModule(samples, samples[:6], samples[0], batch_size=16)
    assert 'val_accuracy' in fit(module(), val, str(tmp_path / 'val'), **QUIET).history[0]
    assert next(iter(val.test_dataloader())).num_graphs == 1


def test_a_run_with_another_transform_of_the_dataset_is_not_resumed(tmp_path):
    dataset = Waves(24)
    dataset.transform = ToStream('joint')
    fit(module(), dataset, str(tmp_path), max_epochs=1, **QUIET)
    dataset.transform = ToStream('joint_motion')
    with pytest.raises(ValueError, match='run with different transform of a dataset; pass'):
        fit(module(), dataset, str(tmp_path), max_epochs=1, **QUIET)


def test_parts_without_samples_raise():
    with pytest.raises(ValueError, match='samples must hold at least one sample, got none'):
        GraphDataModule(Waves(6), Waves(6)[:0])
    with pytest.raises(TypeError, match='samples must be a dataset'):
        GraphDataModule(3)


class Flat(torch.nn.Module):
    """No normalisation or dropout, so that its loss has a closed form."""

    inputs = ('x',)

    def __init__(self):
        super().__init__()
        self.lin = torch.nn.Linear(3, 3)

    def forward(self, x):
        return self.lin(x.mean(dim=1).view(-1, 16, 3).mean(dim=1))


def test_losses_are_means_over_samples_and_smooth_in_training_only(tmp_path):
    recipe = replace(RECIPE, label_smoothing=0.6).with_optimization(lr=1e-12, max_epochs=1)
    trained, part = ClassificationModule(Flat(), 3, recipe), Waves(35)
    logits = trained.model(part.get_batch(range(35)).pos).detach()
    cross_entropy = torch.nn.functional.cross_entropy
    data = GraphDataModule(part, part, batch_size=16, transform=joints)  # 16 + 16 + 3 samples
    (row,) = fit(trained, data, str(tmp_path), **QUIET).history
    expected = cross_entropy(logits, part.labels(), label_smoothing=0.6)
    assert row['train_loss'] == pytest.approx(float(expected), rel=1e-6)
    assert row['val_loss'] == pytest.approx(float(cross_entropy(logits, part.labels())), rel=1e-6)


def test_the_lowest_loss_can_be_the_best(tmp_path):
    trained = ClassificationModule(Flat(), 3, RECIPE.with_optimization(lr=3.0, max_epochs=6))
    data = GraphDataModule(Waves(), Waves(24), batch_size=16, transform=joints)
    result = fit(trained, data, str(tmp_path), monitor='val_loss', **QUIET)
    losses = [row['val_loss'] for row in result.history]
    logs = predict(trained.model, Waves(24), joints).log()
    loss = torch.nn.functional.nll_loss(logs, Waves(24).labels())
    assert float(loss) == pytest.approx(min(losses), rel=1e-4)
    assert max(losses) > 1.01 * min(losses)


def test_clipping_and_callbacks_reach_the_trainer(tmp_path):
    class Watch(Callback):
        def on_train_start(self, trainer, pl_module):
            seen.append(trainer.gradient_clip_val)

    seen = []
    data = GraphDataModule(Waves(16), batch_size=16, transform=joints)
    fit(module(gradient_clip=0.5), data, str(tmp_path), callbacks=[Watch()], **QUIET)
    assert seen == [0.5]


def test_a_model_for_another_order_of_joints_raises(tmp_path):
    coco = get_skeleton('coco17')
    bones = [(coco.joints[i], coco.joints[j]) for i, j in coco.bones]
    turned = Skeleton(coco.joints[::-1], bones, name='turned')
    walks = SyntheticGait(num_subjects=1, num_takes=1, num_frames=8, skeleton='coco17')
    module = ClassificationModule(st_gcn(turned, 4, channels=(4,)), 4, RECIPE)
    data = GraphDataModule(walks, transform=ToStream('joint'))
    with pytest.raises(ValueError, match="samples, 'coco17', in the same order, got 'turned'"):
        fit(module, data, str(tmp_path))
    assert not any(tmp_path.iterdir())


class FailInWorker:
    """Fails in a worker process, if the file exists."""

    def __init__(self, failure):
        self.failure = failure

    def __call__(self, batch):
        if get_worker_info() is not None and self.failure.exists():
            if self.failure.read_text() == 'killed':
                os.kill(os.getpid(), signal.SIGKILL)
            raise KeyError('in a transform')
        return noisy_joints(batch)


def test_the_death_of_a_data_worker_ends_the_run_with_its_cause(tmp_path):
    transform = FailInWorker(tmp_path / 'failure')

    def run(name, num_workers):
        data = GraphDataModule(
            Waves(32), batch_size=16, transform=transform, num_workers=num_workers
        )
        return fit(module(max_epochs=1), data, str(tmp_path / name), **QUIET).history

    expected = run('undisturbed', 0)
    for failure, error, reason in (
        ('killed', RuntimeError, 'DataLoader worker .* (killed by signal|exited unexpectedly)'),
        ('error', KeyError, 'in a transform'),
    ):
        transform.failure.write_text(failure)
        with pytest.raises(error, match=reason):
            run('a', 1)
    transform.failure.unlink()
    assert run('a', 1) == expected


def test_batch_normalisation_cannot_be_synchronised_on_the_cpu(tmp_path):
    data = GraphDataModule(Waves(), batch_size=16, transform=joints)
    options = {'devices': 2, 'strategy': 'ddp', 'sync_batchnorm': True}
    with pytest.raises(ValueError, match=r'sync_batchnorm must be False on the CPU'):
        fit(module(), data, str(tmp_path), **options, **QUIET)


class FirstIsBest(Callback):
    """Logs a metric that is best in the first epoch, and raises an error in another one."""

    def __init__(self, last=None):
        self.last = last

    def on_validation_epoch_end(self, trainer, pl_module):
        pl_module.log('val_metric', [0.9, 0.5, 0.7][trainer.current_epoch])

    def on_train_epoch_start(self, trainer, pl_module):
        if trainer.current_epoch == self.last:
            raise RuntimeError('stopped')


@pytest.mark.slow
def test_a_run_continues_in_another_directory(tmp_path):
    """Moved runs keep their best epoch and do not look for it where they were."""

    def run(name, last=None):
        trained = module(max_epochs=3)
        data = GraphDataModule(Waves(), Waves(24), batch_size=16, transform=joints)
        options = {'monitor': 'val_metric', 'callbacks': [FirstIsBest(last)]}
        return fit(trained, data, str(tmp_path / name), **options, **QUIET), trained.state_dict()

    expected, weights = run('whole')
    with pytest.raises(RuntimeError, match='stopped'):
        run('first', last=2)
    for old, new in (('first', 'second'), ('second', 'third')):  # interrupted, then finished
        os.rename(tmp_path / old, tmp_path / new)
        result, found = run(new)
        assert result.best == str(tmp_path / new / 'best.ckpt')
        assert result.history == expected.history
        torch.testing.assert_close(found, weights, rtol=0, atol=0)
