import os
import runpy
import sys
from dataclasses import replace

import pytest
import torch
from lightning.pytorch import Callback, Trainer
from pytorch_metric_learning.utils.loss_and_miner_utils import convert_to_triplets

from graphmotion.inference import embed
from graphmotion.training import (
    GraphDataModule,
    OneCycle,
    RecognitionModule,
    RecognitionRecipe,
    fit,
    recognition,
)
from graphmotion.training.recognition import LeaveOneOutRank1, pairs_to_triplets
from tests.metrics.recognition.nearly_equal import LABELS, nearly_equal
from tests.toy import joints, noisy_joints
from tests.training.walkers import Projection, Walkers

RECIPE = RecognitionRecipe(
    OneCycle(lr=0.05, max_epochs=3), subjects_per_batch=6, samples_per_subject=4
)
QUIET = {'enable_progress_bar': False, 'accelerator': 'cpu'}


class Given(torch.nn.Module):
    """Its weights are the embeddings."""

    inputs = ()

    def __init__(self, embeddings):
        super().__init__()
        self.embeddings = torch.nn.Parameter(embeddings)

    def forward(self):
        return self.embeddings * 1


def step(embeddings, subjects, **options):
    """A training step: loss, gradient of the embeddings, figures."""
    recipe = RecognitionRecipe(**{'margin': 0.01, 'epsilon': 0.1} | options)
    module = RecognitionModule(Given(embeddings), recipe)
    module.log = lambda *args, **kwargs: None
    batch = Walkers(1, 1).get_batch([0] * len(subjects))
    batch.subject = torch.tensor(subjects)
    loss = module.training_step(batch, 0)
    loss.backward()
    figures = {name: float(metric.compute()) for name, metric in module.train_metrics.items()}
    return loss.detach(), module.model.embeddings.grad, figures


def mined(embeddings, subjects, epsilon):
    """Returns the kept pairs by the rule of the paper, in a loop over pairs."""
    e = [row / row.norm() for row in embeddings]
    everyone = range(len(subjects))
    positives, negatives = [], []
    for a in everyone:
        same = [i for i in everyone if i != a and subjects[i] == subjects[a]]
        other = [i for i in everyone if subjects[i] != subjects[a]]
        if not same or not other:
            continue
        hardest_negative = max(float(e[a] @ e[n]) for n in other)
        hardest_positive = min(float(e[a] @ e[p]) for p in same)
        positives += [(a, p) for p in same if float(e[a] @ e[p]) - epsilon < hardest_negative]
        negatives += [(a, n) for n in other if float(e[a] @ e[n]) + epsilon > hardest_positive]
    return positives, negatives


def loss_in_a_loop(embeddings, subjects, epsilon, margin):
    positives, negatives = mined(embeddings.detach(), subjects, epsilon)
    e = [row / row.norm() for row in embeddings]
    losses = [
        (e[a] - e[p]).norm() - (e[a] - e[n]).norm() + margin
        for a, p in positives
        for b, n in negatives
        if a == b
    ]
    losses = [loss for loss in losses if loss > 0]
    return sum(losses) / len(losses), len(losses)


@pytest.mark.parametrize('margin', [0.01, 0.2])
@pytest.mark.parametrize('subjects', [[5] * 4 + [-2] * 4 + [9] * 4, [0, 0, 0, 1, 1, 2, 3, 3]])
def test_loss_and_gradient_against_loops_over_pairs_and_triplets(subjects, margin):
    embeddings = torch.randn(len(subjects), 5, dtype=torch.float64)
    reference = embeddings.clone().requires_grad_()
    expected, count = loss_in_a_loop(reference, subjects, 0.1, margin)
    expected.backward()
    loss, gradient, figures = step(embeddings, subjects, margin=margin)
    torch.testing.assert_close(loss, expected.detach())
    torch.testing.assert_close(gradient, reference.grad)
    assert figures['triplets'] == count
    assert figures['loss'] == pytest.approx(float(expected.detach()))
    distances = torch.cdist(*[torch.nn.functional.normalize(embeddings, dim=1)] * 2)
    same = torch.tensor(subjects)[:, None] == torch.tensor(subjects)
    other = ~same
    same.fill_diagonal_(False)
    assert figures['positive_distance'] == pytest.approx(float(distances[same].mean()))
    assert figures['negative_distance'] == pytest.approx(float(distances[other].mean()))
    unit = torch.nn.functional.normalize(embeddings, dim=1)
    middle = unit.mean(dim=0)
    spread = torch.stack([(row - middle).square().sum() for row in unit]).mean().sqrt()
    assert figures['spread'] == pytest.approx(float(spread / middle.norm()))


def test_the_miner_follows_the_rule():
    subjects = [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]
    embeddings = torch.randn(12, 5, dtype=torch.float64)
    module = RecognitionModule(Given(embeddings), RecognitionRecipe(epsilon=0.3))
    pairs = module.miner(embeddings, torch.tensor(subjects))
    positives, negatives = mined(embeddings, subjects, 0.3)
    assert sorted(zip(pairs[0].tolist(), pairs[1].tolist())) == positives
    assert sorted(zip(pairs[2].tolist(), pairs[3].tolist())) == negatives
    assert 0 < len(negatives) < 96


def test_a_step_attracts_positives_and_repels_negatives():
    embeddings = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.6, 0.0, 0.8]])
    _, gradient, _ = step(embeddings, [0, 0, 1], margin=0.2)
    after = torch.nn.functional.normalize(embeddings - 0.01 * gradient, dim=1)
    before = (embeddings[0] - embeddings[1]).norm(), (embeddings[0] - embeddings[2]).norm()
    assert (after[0] - after[1]).norm() < before[0]
    assert (after[0] - after[2]).norm() > before[1]


def test_loss_of_equal_embeddings_is_the_margin():
    loss, gradient, figures = step(torch.ones(8, 3), [0] * 4 + [1] * 4, margin=0.3)
    assert float(loss) == pytest.approx(0.3, abs=1e-6)
    assert bool(gradient.isfinite().all())
    assert figures['positive_distance'] == figures['negative_distance'] == 0
    assert figures['spread'] == pytest.approx(0, abs=1e-6)


def test_single_precision_resolves_embeddings_that_are_nearly_equal():
    embeddings, subjects = nearly_equal()[:40], LABELS['subject'][:40].tolist()
    options = {'epsilon': 2.0, 'margin': 0.01}  # which keeps all pairs
    exact, exact_gradient, expected = step(embeddings, subjects, **options)
    loss, gradient, figures = step(embeddings.float(), subjects, **options)
    torch.testing.assert_close(loss.double(), exact, rtol=1e-5, atol=0)
    error = (gradient - exact_gradient).norm() / exact_gradient.norm()
    assert error < 0.01
    for name in ('positive_distance', 'negative_distance', 'spread'):
        assert figures[name] == pytest.approx(expected[name], rel=0.01)
    assert expected['positive_distance'] < expected['negative_distance'] < 1e-3


@pytest.mark.parametrize('subjects', [[0] * 3 + [1] * 3, [0] * 6, list(range(6))])
def test_loss_without_mined_pairs_is_zero_and_has_a_gradient(subjects):
    embeddings = torch.eye(2)[[0, 0, 0, 1, 1, 1]]
    loss, gradient, figures = step(embeddings, subjects)
    assert loss == 0
    assert torch.equal(gradient, torch.zeros(6, 2))
    assert figures['triplets'] == 0


@pytest.mark.parametrize('anchors', [[0, 0, 2, 3], [1], []])
def test_triplets_equal_those_of_the_loss(anchors):
    pairs = [torch.tensor(v, dtype=torch.long) for v in (
        anchors, list(range(len(anchors))), [0, 1, 1, 3, 3, 3], [7, 4, 5, 0, 1, 2]
    )]  # fmt: skip
    expected = convert_to_triplets(tuple(pairs), torch.arange(8))
    found = pairs_to_triplets(tuple(pairs), 8)
    rows = [sorted(zip(*(t.tolist() for t in triplets))) for triplets in (found, expected)]
    assert rows[0] == rows[1]
    assert len(rows[0]) == {4: 5, 1: 2, 0: 0}[len(anchors)]


@pytest.mark.parametrize('at_once', [3, 1024])
def test_rank1_against_a_loop(at_once, monkeypatch):
    monkeypatch.setattr(recognition, '_PROBE_CHUNK', at_once)
    embeddings = torch.randn(20, 4)
    labels = torch.tensor([0] * 7 + [1] * 6 + [5] * 6 + [8])
    metric = LeaveOneOutRank1()
    for part in torch.randperm(20).split(6):
        metric.update(embeddings[part], labels[part])
    hits = []
    for i in range(19):  # the last has no other sample
        others = [j for j in range(20) if j != i]
        near = max(others, key=lambda j: torch.cosine_similarity(embeddings[i], embeddings[j], 0))
        hits.append(float(labels[near] == labels[i]))
    assert 0 < sum(hits) < 19
    assert float(metric.compute()) == pytest.approx(sum(hits) / 19)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_rank1_of_embeddings_that_are_nearly_equal(dtype):
    metric = LeaveOneOutRank1()
    metric.update(nearly_equal().to(dtype), LABELS['subject'])
    assert float(metric.compute()) == 1


def test_rank1_of_an_embedding_that_collapsed_or_diverged():
    labels = torch.tensor([0] * 6 + [1] * 2)
    for row in (torch.ones(4), torch.full((4,), torch.nan)):
        metric = LeaveOneOutRank1()
        metric.update(row.expand(8, 4), labels)
        assert float(metric.compute()) == 0


def test_rank1_without_repeated_labels_raises():
    metric = LeaveOneOutRank1()
    metric.update(torch.randn(3, 4), torch.arange(3))
    with pytest.raises(ValueError, match='two or more samples, got 3 labels of 3 samples'):
        metric.compute()


def module(dropout=0.0, margin=0.2, **changes):
    torch.manual_seed(0)
    recipe = replace(RECIPE, margin=margin).with_optimization(**changes)
    return RecognitionModule(Projection(dropout), recipe)


def data(val=None, transform=joints, num_subjects=12, **options):
    return GraphDataModule(
        Walkers(num_subjects, 6),
        val,
        batch_size=24,
        transform=joints,
        train_transform=transform,
        balance='subject',
        samples_per_class=4,
        **options,
    )


def rank1(model, dataset):
    metric = LeaveOneOutRank1()
    metric.update(embed(model, dataset, joints), dataset.labels('subject'))
    return float(metric.compute())


@pytest.mark.slow
def test_learns_to_distinguish_unseen_subjects(tmp_path):
    val = Walkers(8, 6, seed=1)
    trained = module(max_epochs=12, margin=0.2)
    assert rank1(trained.model, val) < 0.6
    result = fit(trained, data(val, num_subjects=60), str(tmp_path), **QUIET)
    figures = [row['val_rank1'] for row in result.history]
    assert max(figures) == 1.0
    assert rank1(trained.model, val) == 1.0
    first, last = result.history[0], result.history[-1]
    assert first.keys() == {
        'epoch', 'lr', 'val_rank1', 'train_loss', 'train_triplets', 'train_positive_distance',
        'train_negative_distance', 'train_spread',
    }  # fmt: skip
    assert last['train_triplets'] < 0.5 * first['train_triplets']
    assert last['train_positive_distance'] < 0.5 * last['train_negative_distance']
    assert sorted(os.listdir(tmp_path)) == [
        'best.ckpt',
        'history.json',
        'last.ckpt',
        'previous.ckpt',
    ]


def test_another_monitor(tmp_path):
    trained = module()
    result = fit(trained, data(Walkers(4, 3)), str(tmp_path), monitor='train_loss', **QUIET)
    best = torch.load(result.best, weights_only=True)
    losses = [row['train_loss'] for row in result.history]
    assert best['epoch'] == losses.index(min(losses))


@pytest.mark.slow
@pytest.mark.parametrize('ema_decay', [0.0, 0.8])
def test_a_resumed_run_ends_with_the_same_weights(tmp_path, ema_decay):
    class Fail(Callback):
        def on_train_batch_end(self, trainer, *_):
            if trainer.current_epoch == 1 and trainer.global_step == 5:
                raise RuntimeError('on purpose')

    def run(name, **options):
        trained = module(dropout=0.2, ema_decay=ema_decay)
        parts = data(Walkers(4, 3), noisy_joints)
        return trained, fit(trained, parts, str(tmp_path / name), **QUIET, **options)

    whole, expected = run('whole')
    with pytest.raises(RuntimeError, match='on purpose'):
        run('cut', callbacks=[Fail()])
    resumed, result = run('cut')
    assert result.history == expected.history
    assert len(result.history) == 3
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_a_run_with_other_batches_is_not_resumed(tmp_path):
    fit(module(max_epochs=1), data(), str(tmp_path), **QUIET)
    with pytest.raises(ValueError, match=r'last\.ckpt: .* run with different batches'):
        fit(module(max_epochs=1), data(batches_per_epoch=2), str(tmp_path), **QUIET)


@pytest.mark.parametrize('precision', ['bf16-mixed', 'bf16-true', '64-true'])
def test_precisions(tmp_path, precision):
    exact = fit(module(), data(), str(tmp_path / 'exact'), **QUIET).history
    trained = module()
    result = fit(trained, data(Walkers(4, 3)), str(tmp_path), precision=precision, **QUIET).history
    assert result[0]['train_loss'] == pytest.approx(exact[0]['train_loss'], rel=0.05)


@pytest.mark.filterwarnings('ignore:.*LeafSpec.*:FutureWarning')
def test_the_test_part(tmp_path):
    trained, parts = module(), data()
    parts.test = Walkers(5, 4, seed=3)
    trainer = Trainer(
        accelerator='cpu', logger=False, enable_progress_bar=False, enable_checkpointing=False
    )
    (figures,) = trainer.test(trained, datamodule=parts, verbose=False)
    assert figures['test_rank1'] == pytest.approx(rank1(trained.model, parts.test))


def test_invalid_embeddings_and_batches_raise():
    batch = joints(Walkers(2, 2).get_batch(range(4)))
    trained = module()
    trained.model.forward = lambda x: x
    with pytest.raises(ValueError, match=r'Projection must .* \[4, D\], got \[64, 8, 3\]'):
        trained.training_step(batch, 0)
    del batch.subject
    with pytest.raises(ValueError, match="batch must have the field 'subject'"):
        module().training_step(batch, 0)


def test_import_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, 'pytorch_metric_learning.losses', None)
    with pytest.raises(ImportError, match=r"pip install -e '\.\[train\]'"):
        runpy.run_path(recognition.__file__)
