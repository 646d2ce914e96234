from itertools import product

import numpy as np
import pytest
import torch

from graphmotion.synthetic.walker import simulate_walk
from graphmotion.synthetic.walking_styles import (
    CONDITION_EFFECTS,
    CONDITIONS,
    EMOTION_EFFECTS,
    EMOTIONS,
    TRAITS,
    sample_walks,
)


def keys(emotion='neutral', condition='normal', subjects=40, takes=(1,)):
    return [(s, emotion, condition, t) for s in range(subjects) for t in takes]


def test_effects_change_known_traits():
    for effects in (EMOTION_EFFECTS, CONDITION_EFFECTS):
        for effect in effects.values():
            assert effect.keys() <= TRAITS.keys()
    assert tuple(EMOTION_EFFECTS) == EMOTIONS
    assert tuple(CONDITION_EFFECTS) == CONDITIONS


def test_walks_are_independent():
    everyone = product(range(4), EMOTIONS, CONDITIONS, (1, 2))
    many = sample_walks(3, list(everyone))
    one = sample_walks(3, [(2, 'sad', 'coat', 2)])
    row = 2 * 24 + EMOTIONS.index('sad') * 6 + CONDITIONS.index('coat') * 2 + 1
    for name in TRAITS:
        assert torch.equal(one.traits[name][0], many.traits[name][row])
    assert torch.equal(one.phase(20, 30)[0], many.phase(20, 30)[row])
    assert one.length[0] == many.length[row]


def test_seed_subject_and_take_change_the_walk():
    height = sample_walks(0, keys()).traits['height']
    assert len(height.unique()) == 40
    assert not torch.equal(height, sample_walks(1, keys()).traits['height'])
    takes = sample_walks(0, keys(subjects=1, takes=range(1, 9)))
    assert len(takes.traits['height'].unique()) == 1
    assert len(takes.traits['cadence'].unique()) == 8
    assert takes.start.std() > 0.1


def test_global_generators_are_not_used():
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    sample_walks(0, keys())
    assert torch.equal(before[0], torch.get_rng_state())
    assert (before[1] == np.random.get_state()[1]).all()  # noqa: NPY002


def test_mean_and_deviation_of_traits():
    walks = sample_walks(0, keys(subjects=800))
    for name, (mean, between, within) in TRAITS.items():
        total = (between**2 + within**2) ** 0.5
        values = walks.traits[name]
        assert values.mean().item() == pytest.approx(mean, abs=0.15 * total + 1e-6)
        assert values.std().item() == pytest.approx(total, rel=0.15, abs=1e-6)
        assert (values - mean).abs().max() <= 2.5 * (between + within) + 1e-4


def measured(emotion, condition='normal'):
    """Returns the mean speed in m/s and the range of the wrists in metres."""
    walks = sample_walks(0, keys(emotion, condition))
    points = simulate_walk(
        walks.traits, walks.phase(75, 30), ['pelvis', 'left_wrist', 'right_wrist']
    )
    speed = (points[:, -1, 0, 2] - points[:, 0, 0, 2]) * 30 / 74
    wrists = points[:, :, 1:, 2] - points[:, :, :1, 2]
    return speed.mean().item(), (wrists.amax(1) - wrists.amin(1))


def test_emotions_change_speed_and_arm_swing_as_described():
    speed, swing = {}, {}
    for emotion in EMOTIONS:
        speed[emotion], arms = measured(emotion)
        swing[emotion] = arms.mean().item()
    assert speed['sad'] < speed['neutral'] - 0.15
    assert speed['neutral'] + 0.08 < speed['happy'] < speed['angry']
    assert swing['sad'] < 0.75 * swing['neutral']
    assert swing['neutral'] < 0.85 * swing['happy']
    assert 1.1 < speed['neutral'] < 1.45


def test_bags_and_coats_reduce_arm_swing():
    _, normal = measured('neutral')
    _, bag = measured('neutral', 'bag')
    _, coat = measured('neutral', 'coat')
    ratio = bag / normal
    kinds = sample_walks(0, keys(condition='bag')).traits
    for side, arm in (('left', 0), ('right', 1)):
        held = kinds[f'{side}_handbag'] > 0
        assert held.any()
        assert ratio[held, arm].max() < 0.6
        assert ratio[held, 1 - arm].mean() > 0.75
    worn = sum(
        kinds[name] > 0 for name in ('backpack', 'shoulder_bag', 'left_handbag', 'right_handbag')
    )
    assert (worn == 1).all()
    assert (coat / normal).mean() < 0.9
    assert (sample_walks(0, keys(condition='coat')).traits['coat'] > 0.3).all()
    assert (sample_walks(0, keys()).traits['coat'] == 0).all()


def test_phase_advances_at_the_cadence():
    walks = sample_walks(0, keys())
    phase = walks.phase(301, 30)
    assert (phase.diff(dim=1) > 0).all()
    rate = (phase[:, -1] - phase[:, 0]) / 10
    size = (walks.traits['height'] * walks.traits['leg_scale'] / 1.70) ** 0.5
    assert (rate - walks.traits['cadence'] / 120 / size).abs().max() < 0.02
    assert ((phase[:, 0] > -0.2) & (phase[:, 0] < 1.2)).all()
    torch.testing.assert_close(walks.phase(61, 60)[:, ::2], walks.phase(31, 30))
