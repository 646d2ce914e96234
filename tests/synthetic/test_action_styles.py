from itertools import product

import numpy as np
import pytest
import torch

from graphmotion.synthetic.action_styles import (
    _evaluate_action,
    _mirror_curves,
    sample_performances,
)
from graphmotion.synthetic.actions import ACTIONS, Action, Oscillation
from graphmotion.synthetic.actor import BODY_CURVES, CURVES, SIDE_CURVES


def keys(action, subjects=40, takes=(1,)):
    return [(subject, action, take) for subject in range(subjects) for take in takes]


@pytest.mark.parametrize('pair', [('sit down', 'stand up'), ('raise arms', 'lower arms')])
def test_reversed_actions(pair):
    time = np.linspace(0, 1, 41)[None]
    one, other = (_evaluate_action(ACTIONS[name], time, time) for name in pair)
    np.testing.assert_allclose(one, other[:, ::-1], atol=1e-9)
    assert np.abs(one - other).max() > 0.4
    assert ACTIONS[pair[0]].seconds == ACTIONS[pair[1]].seconds


def test_curves_interpolate_the_poses_and_rest_at_both_ends():
    poses = {0.0: {}, 0.4: {'drop': 0.3, 'left_elbow': 45.0}, 1.0: {'lean': 23.0}}
    time = np.array([[0.0, 0.0, 0.4, 1.0, 1.0]])
    out = dict(zip(CURVES, _evaluate_action(Action(poses, 1.0), time, time)[0].T))
    np.testing.assert_allclose(out['drop'], [0, 0, 0.3, 0, 0], atol=1e-12)
    np.testing.assert_allclose(out['left_elbow'], [0, 0, 30, 0, 0], atol=1e-12)
    np.testing.assert_allclose(out['lean'], [0, 0, 0, 20, 20], atol=1e-12)
    ends = _evaluate_action(Action(poses, 1.0), np.array([[0.0, 1e-4, 1 - 1e-4, 1.0]]), time[:, :4])
    assert np.abs(np.diff(ends, axis=1)[:, ::2]).max() < 1e-4


def test_oscillations():
    oscillations = {'turn': Oscillation(10, 0.25), 'left_lift': Oscillation(0.2, pulse=True)}
    action = Action({0.0: {}, 1.0: {}}, oscillations=oscillations, rate=2.0)
    time, phase = np.full((1, 5), 0.5), np.array([[0.0, 0.125, 0.25, 0.375, 0.5]])
    out = dict(zip(CURVES, _evaluate_action(action, time, phase)[0].T))
    np.testing.assert_allclose(out['turn'], [-10, 0, 10, 0, -10], atol=1e-9)
    np.testing.assert_allclose(out['left_lift'], [0, 0.2, 0, 0, 0], atol=1e-9)
    assert np.abs(_evaluate_action(action, time * 0, phase)).max() == 0


def test_mirror_curves():
    order, sign = _mirror_curves()
    mirrored = dict(zip(CURVES, np.arange(len(CURVES))[order]))
    for name in SIDE_CURVES:
        assert CURVES[mirrored[f'left_{name}']] == f'right_{name}'
        assert CURVES[mirrored[f'right_{name}']] == f'left_{name}'
    assert all(CURVES[mirrored[name]] == name for name in BODY_CURVES)
    assert {n for n, s in zip(CURVES, sign) if s < 0} == {'shift', 'turn', 'side', 'twist'}


def test_performances_are_independent():
    everything = list(product(range(4), ACTIONS, (1, 2)))
    many = sample_performances(3, everything, (20, 60), 30)
    key = (2, 'throw', 2)
    one = sample_performances(3, [key], (20, 60), 30)
    row = everything.index(key)
    for name in CURVES:
        assert torch.equal(one.curves[name][0], many.curves[name][row])
    for name in one.traits:
        assert torch.equal(one.traits[name][0], many.traits[name][row])
    for field in ('lengths', 'heading', 'position'):
        assert torch.equal(getattr(one, field)[0], getattr(many, field)[row])
    other = sample_performances(4, [key], (20, 60), 30)
    assert not torch.equal(one.curves['lean'], other.curves['lean'])


def test_global_generators_are_not_used():
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    sample_performances(0, keys('wave', 3), (20, 30), 30)
    assert torch.equal(before[0], torch.get_rng_state())
    assert (before[1] == np.random.get_state()[1]).all()  # noqa: NPY002


def test_handedness():
    sampled = sample_performances(0, keys('throw', 60, range(1, 6)), (60, 60), 30)
    lift = [sampled.curves[f'{side}_outward'].amax(1).view(60, 5) for side in ('left', 'right')]
    right = (lift[1] > lift[0]).float()
    of_subject = right.mean(1)
    assert 0.6 < (of_subject > 0.5).float().mean() < 0.9
    assert 0.8 < torch.maximum(of_subject, 1 - of_subject).mean() < 0.97
    assert (of_subject == 1).any()


def test_differences_between_subjects_and_takes():
    sampled = sample_performances(0, keys('squat', 40, (1, 2, 3)), (90, 90), 30)
    depth = sampled.curves['drop'].amax(1).view(40, 3)
    assert 0.46 * 0.9 < depth.mean() < 0.46 * 1.1
    assert depth.mean(1).std() > 1.2 * depth.std(1).mean()
    assert depth.std(1).min() > 0
    moving = (sampled.curves['drop'] > 0.02).sum(1).view(40, 3) / 30
    assert 1.0 < moving.mean() < 1.8  # of 1.8 seconds
    assert moving.std() > 0.1


def test_short_sequences():
    sampled = sample_performances(0, keys('squat', 30), (9, 12), 30)
    for length, drop in zip(sampled.lengths, sampled.curves['drop']):
        assert drop[:length].amax() > 0.35
        assert drop[length - 1] < 0.1
    assert sample_performances(0, keys('jump', 3), (1, 1), 30).curves['lean'].shape == (3, 1)
    assert all(c.isfinite().all() for c in sampled.curves.values())


def test_standing_feet_do_not_move():
    sampled = sample_performances(0, keys('clap'), (60, 60), 30)
    for side in ('left', 'right'):
        assert all(
            (sampled.curves[f'{side}_{name}'] == 0).all() for name in ('step', 'lift', 'heel')
        )
    assert (sampled.curves['shift'].std(1) > 0).all()
    assert sampled.curves['shift'].abs().max() < 0.02


def test_length_heading_and_position_are_independent_of_the_action():
    sampled = {a: sample_performances(0, keys(a, 60, (1, 2, 3)), (40, 80), 30) for a in ACTIONS}
    for field, error in (('lengths', 11.8), ('heading', 14.4), ('position', 0.29)):
        means = torch.stack([getattr(d, field).float().mean(0).flatten() for d in sampled.values()])
        assert (means - means.mean(0)).abs().max() < 3.5 * error / 180**0.5
    lengths = torch.cat([d.lengths for d in sampled.values()])
    assert (lengths.min(), lengths.max()) == (40, 80)
