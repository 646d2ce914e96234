"""Padded frames have no effect on skeleton models."""

import copy
from typing import NamedTuple

import pytest
import torch

from graphmotion.data import from_array
from graphmotion.inference import embed, predict
from graphmotion.models import create_model
from tests.models.test_models import SKELETON_MODELS
from tests.toy import joints

V, LENGTH = 16, 13
CLASSIFIER = {'num_classes': 4, 'channels': (8, 8, 12, 16)}
EMBEDDING = {'embedding_dim': 4, 'in_channels': 3, 'channels': 8, 'depth': 2, 'heads': 2}
MIXER = EMBEDDING | {'temporal_channels': (8, 12), 'kernel_size': 5}

# Name of a model and its options.
CASES = {
    'st_gcn': ('st_gcn', CLASSIFIER | {'kernel_size': 5}),
    'st_gcn, two people': ('st_gcn', CLASSIFIER | {'num_people': 2}),
    'ctr_gcn': ('ctr_gcn', CLASSIFIER),
    'ctr_gcn, two people': ('ctr_gcn', CLASSIFIER | {'num_people': 2}),
    'agcn': ('agcn', CLASSIFIER | {'kernel_size': 3}),
    'agcn, two people': ('agcn', CLASSIFIER | {'num_people': 2}),
    'msa_gcn': ('msa_gcn', CLASSIFIER | {'strides': (1, 2, 1, 2)}),
    'msa_gcn, one scale': ('msa_gcn', CLASSIFIER | {'scales': (16,), 'strides': (2, 1, 3, 1)}),
    'msa_gcn, one kernel': (
        'msa_gcn',
        CLASSIFIER | {'kernel_sizes': (3,), 'cross_scale_layers': 3, 'input_norm': False},
    ),
    'msa_gcn, no kernel': (
        'msa_gcn',
        CLASSIFIER | {'kernel_sizes': (), 'strides': (2, 1, 1, 1), 'attention': False},
    ),
    'gaitformer': ('gaitformer', EMBEDDING | {'num_frames': 60}),
    'gaitmixer': ('gaitmixer', MIXER | {'padding': 'reflect_start'}),
    'gaitmixer, reflected': ('gaitmixer', MIXER | {'padding': 'reflect'}),
    'gaitmixer, zeros': ('gaitmixer', MIXER | {'padding': 'zeros', 'num_people': 2}),
    'fg_stformer': ('fg_stformer', CLASSIFIER | {'num_joint_layers': 2}),
    'fg_stformer, two people': ('fg_stformer', CLASSIFIER | {'num_people': 2}),
    'fg_stformer, one map for all frames': (
        'fg_stformer',
        CLASSIFIER | {'focal_joints': False, 'per_frame': False, 'num_joint_layers': 2},
    ),
    'fg_stformer, tanh': (
        'fg_stformer',
        CLASSIFIER | {'focal_joints': False, 'per_frame': False, 'normalization': 'tanh'},
    ),
    'fg_stformer, joints only': (
        'fg_stformer',
        CLASSIFIER | {'part_branch': False, 'temporal_convolution': False},
    ),
}


class Case(NamedTuple):
    """A model and its number of people and smallest number of frames."""

    model: torch.nn.Module
    num_people: int
    min_frames: int

    def samples(self, count):
        return torch.randn(count * self.num_people * V, LENGTH, 3, dtype=torch.double)

    def split(self, x):
        return x.split(self.num_people * V)

    def counts(self, *counts):
        """Numbers of frames, enough for the model."""
        return torch.tensor(counts).clamp(min=self.min_frames)


@pytest.fixture(scope='module', params=CASES)
def case(request):
    """A model in double precision, with random parameters and statistics."""
    name, options = CASES[request.param]
    torch.manual_seed(0)
    model = create_model(name, skeleton='emotion_gait16', **options).double().eval()
    with torch.no_grad():
        for key, value in (*model.named_parameters(), *model.named_buffers()):
            if value.requires_grad or key.endswith('running_mean'):
                value.add_(0.2 * torch.randn_like(value))
    reflects = 'reflect' in options.get('padding', '')
    return Case(model, options.get('num_people', 1), options['kernel_size'] if reflects else 1)


def test_all_models_of_skeletons_are_here():
    assert {name for name, _ in CASES.values()} == set(SKELETON_MODELS)


@pytest.mark.parametrize('counts', [(LENGTH, 4, 9, 1), (5, 7, 7, 8)])
def test_a_sample_alone_and_padded_to_longer_ones(case, counts):
    x, counts = case.samples(4), case.counts(*counts)
    alone = torch.cat([case.model(part[:, :n]) for part, n in zip(case.split(x), counts)])
    for fill in (0.0, 1e6):
        for part, n in zip(case.split(x), counts):
            part[:, n:] = fill
        torch.testing.assert_close(case.model(x, num_frames=counts), alone)


def test_without_padding_nothing_changes(case):
    x = case.samples(2)
    assert torch.equal(case.model(x, num_frames=torch.tensor([LENGTH] * 2)), case.model(x))


def test_padded_frames_receive_no_gradient(case):
    x, counts = case.samples(2).requires_grad_(), case.counts(6, LENGTH)
    out = case.model(x, num_frames=counts)
    (out * torch.randn_like(out)).sum().backward()
    for gradient, n in zip(case.split(x.grad), counts):
        received = gradient.abs().amax(dim=(0, 2)) > 0
        assert received[:n].any()
        assert not received[n:].any()


def test_padding_has_no_effect_in_training(case):
    """Including the running statistics."""
    x, counts = case.samples(3), case.counts(7, 11, 11)
    found = []
    for length in (11, LENGTH):
        model = copy.deepcopy(case.model).train()
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        out = model(x[:, :length], num_frames=counts)
        found.append({'': out} | dict(model.named_buffers()))
    torch.testing.assert_close(*found)


def test_invalid_num_frames_raises(case):
    x = case.samples(2)
    with pytest.raises(ValueError, match=r'num_frames must have shape \[2\], .* got \[3\]'):
        case.model(x, num_frames=torch.tensor([LENGTH] * 3))
    for counts in ([0, LENGTH], [LENGTH, LENGTH + 1]):
        with pytest.raises(ValueError, match=rf'num_frames must be in \[1, {LENGTH}\], got'):
            case.model(x, num_frames=torch.tensor(counts))


@pytest.mark.parametrize('run', [predict, embed])
@pytest.mark.parametrize('case', [*SKELETON_MODELS, 'st_gcn, two people'], indirect=True)
def test_outputs_do_not_depend_on_the_batch_size(case, run):
    lengths = case.counts(4, 9, LENGTH, 1, 8).tolist()
    samples = [
        from_array(torch.randn(case.num_people, n, V, 3), 'emotion_gait16', axes='MTVC')
        for n in lengths
    ]
    alone, beside = (run(case.model, samples, joints, batch_size=size) for size in (1, 5))
    torch.testing.assert_close(beside, alone)
