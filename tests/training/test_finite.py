import copy
import re
import warnings

import pytest
import torch
from lightning.pytorch import Callback
from torch_geometric.data import Data

from graphmotion.data import graph_loader
from graphmotion.inference import predict
from graphmotion.models import st_gcn
from graphmotion.training import (
    ClassificationModule,
    ClassificationRecipe,
    GraphDataModule,
    OneCycle,
    StepDecay,
    fit,
)
from graphmotion.training.finite import FiniteSteps, find_non_finite
from tests.toy import Waves, joints

QUIET = {'enable_progress_bar': False, 'accelerator': 'cpu'}


def module(**options):
    torch.manual_seed(0)
    recipe = ClassificationRecipe(OneCycle(lr=1e-2, max_epochs=2, **options), batch_size=16)
    return ClassificationModule(st_gcn('emotion_gait16', 3, channels=(6, 8)), 3, recipe)


def spoiled(number, value=float('nan')):
    samples = [sample.clone() for sample in Waves()]
    samples[number].pos[3, 5, 1] = value
    return GraphDataModule(samples, batch_size=16, transform=joints)


class SpoilGradient(Callback):
    """Makes the gradient of the second batch of each epoch NaN."""

    def __init__(self):
        self.steps = 0

    def on_after_backward(self, trainer, pl_module):
        self.steps += 1
        if self.steps % 3 == 2:
            pl_module.model.lin.weight.grad[0, 0] = float('nan')


class Weights(Callback):
    def __init__(self):
        self.seen = []

    def on_train_batch_end(self, trainer, pl_module, *_):
        self.seen.append(pl_module.model.lin.weight.detach().clone())


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_the_error_names_the_sample(tmp_path, value):
    data = spoiled(37, value)
    order = data.train_dataloader().sampler
    (batch,) = [step for step in range(3) if 37 in order.batch(0, step)]
    with pytest.raises(
        FloatingPointError,
        match=rf"^epoch 0, batch {batch}: .*pos of \[37\], x of \[37\]; nan_policy='skip'",
    ):
        fit(module(), data, str(tmp_path), **QUIET)


class ImageModel(torch.nn.Module):
    """Its outputs are not finite for an image of zeros."""

    inputs = ('image',)

    def __init__(self):
        super().__init__()
        self.lin = torch.nn.Linear(2, 3)

    def forward(self, image):
        mean = image.flatten(1).mean(dim=1, keepdim=True)
        return self.lin(torch.cat([mean, mean.log()], dim=1))


def images(**spoil):
    samples = []
    for number in range(12):
        image = 1 + torch.rand(1, 4, 4)
        image[0, 2, 1] = spoil.get(f'pixel{number}', image[0, 2, 1])
        image *= spoil.get(f'scale{number}', 1)
        samples.append(Data(image=image, num_nodes=1, y=torch.tensor([number % 3])))
    return GraphDataModule(samples, batch_size=4)


def test_the_error_names_the_image(tmp_path):
    recipe = ClassificationRecipe(OneCycle(lr=1e-2, max_epochs=2), batch_size=4)
    trained = ClassificationModule(ImageModel(), 3, recipe)
    with pytest.raises(FloatingPointError, match=r'by training sample, image of \[7\];'):
        fit(trained, images(pixel7=float('nan')), str(tmp_path), **QUIET)


def test_the_error_names_the_loss_and_its_samples(tmp_path):
    """All inputs are finite."""
    recipe = ClassificationRecipe(OneCycle(lr=1e-2, max_epochs=2), batch_size=4)
    trained = ClassificationModule(ImageModel(), 3, recipe)
    data = images(scale7=0)
    order = data.train_dataloader().sampler
    (batch,) = [step for step in range(3) if 7 in order.batch(0, step)]
    samples = re.escape(str(order.batch(0, batch).tolist()))
    with pytest.raises(
        FloatingPointError,
        match=rf'^epoch 0, batch {batch}: the loss is (nan|inf); the gradient of model.lin.* '
        rf'is not finite; all fields of the training samples {samples} are finite',
    ):
        fit(trained, data, str(tmp_path), **QUIET)


class InfiniteLoss(ClassificationModule):
    """The loss of the second batch is infinite, but its gradient is finite."""

    def training_step(self, batch, batch_idx):
        return super().training_step(batch, batch_idx) + (torch.inf if batch_idx == 1 else 0)


def test_an_infinite_loss_with_a_finite_gradient_is_found(tmp_path):
    trained = InfiniteLoss(module().model, 3, module().recipe)
    data = GraphDataModule(Waves(), batch_size=16, transform=joints)
    with pytest.raises(FloatingPointError, match=r'^epoch 0, batch 1: the loss is inf; all fields'):
        fit(trained, data, str(tmp_path), **QUIET)


def test_skipped_steps_leave_the_statistics_of_normalisation(tmp_path):
    """Otherwise, all later predictions would be NaN."""
    trained = module()
    with pytest.warns(UserWarning, match='pos of .37., x of .37.; the step is skipped'):
        fit(trained, spoiled(37), str(tmp_path), nan_policy='skip', **QUIET)
    statistics = dict(trained.model.named_buffers())
    assert any(name.endswith('running_var') for name in statistics)
    assert all(value.isfinite().all() for value in statistics.values())
    assert predict(trained.model, Waves(8), joints).isfinite().all()
    counts = [v for name, v in statistics.items() if name.endswith('num_batches_tracked')]
    assert {int(count) for count in counts} == {4}  # two of three batches in two epochs


def test_the_error_names_step_and_parameter(tmp_path):
    data = GraphDataModule(Waves(), batch_size=16, transform=joints)
    with pytest.raises(
        FloatingPointError,
        match=r'epoch 0, batch 1: the gradient of model.lin.weight is not finite; all fields',
    ):
        fit(module(), data, str(tmp_path), callbacks=[SpoilGradient()], **QUIET)


@pytest.mark.parametrize('clip', [None, 1.0])
def test_skipped_steps_leave_the_weights(tmp_path, clip):
    weights = Weights()
    data = GraphDataModule(Waves(), batch_size=16, transform=joints)
    with pytest.warns(UserWarning, match='the step is skipped'):
        fit(
            module(gradient_clip=clip),
            data,
            str(tmp_path),
            nan_policy='skip',
            callbacks=[SpoilGradient(), weights],
            **QUIET,
        )
    same = [torch.equal(a, b) for a, b in zip(weights.seen, weights.seen[1:])]
    assert same == [True, False, False, True, False]
    assert weights.seen[-1].isfinite().all()


class NormalizedModel(torch.nn.Module):
    """Its batch normalisation has statistics, and a large pixel makes them infinite."""

    inputs = ('image',)

    def __init__(self):
        super().__init__()
        self.norm = torch.nn.BatchNorm1d(16)
        self.lin = torch.nn.Linear(16, 3)

    def forward(self, image):
        return self.lin(self.norm(image.flatten(1).square()))


ACCUMULATED = ClassificationRecipe(
    StepDecay(lr=1e-2, max_epochs=2, gradient_clip=1.0), label_smoothing=0, batch_size=4
)


def accumulate(directory, samples, policy='skip', **options):
    """Trains with steps of three batches of four samples each, and a last step of two batches."""
    torch.manual_seed(0)
    module = ClassificationModule(NormalizedModel(), 3, ACCUMULATED)
    initial = copy.deepcopy(module.model)
    data = GraphDataModule(samples, batch_size=4)
    options |= {'accumulate_grad_batches': 3, 'nan_policy': policy}
    fit(module, data, str(directory), **options, **QUIET)
    return initial, module.model.state_dict(), data.train_dataloader().sampler


def train_by_hand(model, samples, sampler, bad):
    """Trains without the steps that have a sample."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for epoch in range(2):
        for step in (range(3), range(3, 6), range(6, 8)):
            batches = [sampler.batch(epoch, number).tolist() for number in step]
            if any(bad in batch for batch in batches):
                continue
            optimizer.zero_grad()
            for batch in batches:
                images = torch.cat([samples[i].image for i in batch])
                target = torch.cat([samples[i].y for i in batch])
                (torch.nn.functional.cross_entropy(model(images), target) / 3).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
    return model.state_dict()


@pytest.mark.parametrize(
    ('number', 'field'),
    [
        *((0, 'image'), (1, 'gradient'), (2, 'image'), (2, 'gradient')),
        *((4, 'image'), (6, 'gradient'), (7, 'image'), (7, 'gradient')),
    ],
)
def test_a_fault_in_any_accumulated_batch_skips_their_step(tmp_path, number, field):
    generator = torch.Generator().manual_seed(0)
    samples = [
        Data(image=torch.randn(1, 4, 4, generator=generator), num_nodes=1, y=torch.tensor([i % 3]))
        for i in range(32)
    ]
    sampler = GraphDataModule(samples, batch_size=4).train_dataloader().sampler
    bad = sampler.batch(0, number).tolist()[1]
    cause = rf'image of \[{bad}\]'
    if field == 'image':
        samples[bad].image[0, 2, 1] = float('nan')
    else:  # of finite fields
        samples[bad].image[0, 2, 1] = 3e38
        cause = rf'all fields of the training samples .*\b{bad}\b.* are finite'
    with pytest.warns(UserWarning, match='; the step is skipped$') as caught:
        initial, found, sampler = accumulate(tmp_path, samples)
    assert len(caught) == 2  # one in each epoch
    assert re.match(rf'epoch 0, batch {number}: .*{cause}', str(caught[0].message))
    expected = train_by_hand(initial, samples, sampler, bad)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value)
    with pytest.raises(FloatingPointError, match=f'^epoch 0, batch {number}: .*{cause}'):
        accumulate(tmp_path / 'raise', samples, 'raise')


def test_finite_training_is_silent(tmp_path):
    data = GraphDataModule(Waves(), batch_size=16, transform=joints)
    with warnings.catch_warnings():
        warnings.simplefilter('error', UserWarning)
        fit(module(), data, str(tmp_path), **QUIET)


def test_non_finite_fields_of_samples_of_any_length():
    samples = [sample.clone() for sample in Waves()][:4]
    samples[0].pos = samples[0].pos[:, :7]
    samples[2].pos[0, 0, 0] = float('nan')
    batch = next(iter(graph_loader(samples, 4, joints)))
    assert find_non_finite(batch) == {'pos': [2], 'x': [2]}


def test_an_unknown_policy_is_refused():
    with pytest.raises(ValueError, match='nan_policy must be one of'):
        FiniteSteps('ignore')
