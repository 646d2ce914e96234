import math

import numpy as np
import pytest
import torch

from graphmotion.skeletons import get_skeleton, list_skeletons
from graphmotion.synthetic.body import body_lengths, find_landmarks
from graphmotion.synthetic.walker import (
    KNEE_ANGLES,
    SOLE_ANGLES,
    THIGH_ANGLES,
    _fourier_series,
    simulate_walk,
)
from graphmotion.synthetic.walking_styles import CONDITIONS, EMOTIONS, sample_walks

from .conftest import average_traits


def walked(traits, landmarks, cycles=2, steps=100, **options):
    """Returns the landmarks {name: [T, 3]} of a walk at constant pace, and its phase."""
    phase = torch.arange(cycles * steps) / steps
    points = simulate_walk(traits, phase.unsqueeze(0), landmarks, **options)[0]
    return dict(zip(landmarks, points.unbind(1))), phase


def sampled(frames=60, landmarks=(), subjects=6):
    """Samples walks of several subjects in all emotions and conditions."""
    keys = [(s, e, c, 1) for s in range(subjects) for e in EMOTIONS for c in CONDITIONS]
    walks = sample_walks(0, keys)
    return walks, simulate_walk(walks.traits, walks.phase(frames, 30), landmarks)


def distance(points, a, b):
    return (points[a] - points[b]).norm(dim=-1)


@pytest.mark.parametrize('curve', [THIGH_ANGLES, KNEE_ANGLES, SOLE_ANGLES])
def test_fourier_series(curve):
    phase = torch.tensor([[0.0, 0.123, 0.5, 0.77, 3.21]])
    j = np.arange(20)
    expected = []
    for p in phase[0].double().tolist():
        total = 0.0
        for k in range(-7, 8):
            weight = sum(np.array(curve) * np.exp(-2j * math.pi * k * j / 20)) / 20
            total += (weight * np.exp(2j * math.pi * k * p)).real
        expected.append(total)
    out = _fourier_series(curve, phase)
    torch.testing.assert_close(out[0].double(), torch.tensor(expected).double(), atol=1e-4, rtol=0)
    at_knots = _fourier_series(curve, (torch.arange(20) / 20).unsqueeze(0))[0]
    assert (at_knots - torch.tensor(curve)).abs().max() < 1.5


def test_segment_lengths():
    points, _ = walked(
        average_traits(height=1.8, leg_scale=1.1, thigh_share=0.01),
        ['left_hip', 'left_knee', 'left_ankle', 'right_shoulder', 'right_elbow', 'right_wrist'],
    )
    thigh, shank = 0.245 * 1.8 * 1.1, 0.246 * 1.8 * 1.1
    moved = 0.01 * (thigh + shank)
    for a, b, length in [
        ('left_hip', 'left_knee', thigh + moved),
        ('left_knee', 'left_ankle', shank - moved),
        ('right_shoulder', 'right_elbow', 0.186 * 1.8),
        ('right_elbow', 'right_wrist', 0.146 * 1.8),
    ]:
        torch.testing.assert_close(distance(points, a, b), torch.full((200,), length))


@pytest.mark.parametrize('name', list_skeletons())
def test_rigid_bones_keep_their_length(name):
    skeleton = get_skeleton(name)
    walks, points = sampled(40, find_landmarks(skeleton), subjects=2)
    assert points.isfinite().all()
    chains = 'hip-knee knee-ankle ankle-foot ankle-heel knee-foot shoulder-elbow elbow-wrist'
    chains += ' wrist-hand elbow-hand hand-thumb eye-ear nose-eye neck-shoulder'
    chains += ' pelvis-hip root-hip hip_center-hip'
    rigid = [tuple(bone.split('-')) for bone in chains.split()]
    lengths = {}
    for i, j in skeleton.bones:
        ends = [skeleton.joints[k].removeprefix('left_').removeprefix('right_') for k in (i, j)]
        if tuple(ends) in rigid or tuple(ends[::-1]) in rigid:
            lengths[skeleton.joints[i], skeleton.joints[j]] = (
                points[:, :, i] - points[:, :, j]
            ).norm(dim=-1)
    assert len(lengths) >= 8
    for bone, length in lengths.items():
        assert (length - length[:, :1]).abs().max() < 1e-5, bone
        assert length.min() > 0.01, bone
    knees = [k for k in lengths if 'knee' in k[0] + k[1] and 'hip' in k[0] + k[1]]
    own = body_lengths(walks.traits)['thigh']
    torch.testing.assert_close(lengths[knees[0]][:, 0], own)


def test_one_foot_is_on_the_ground_and_none_below():
    soles = [f'{side}_{part}' for side in ('left', 'right') for part in ('heel', 'ball', 'foot')]
    _, points = sampled(60, soles)
    lowest = points[..., 1].amin(dim=2)
    assert lowest.min() > -1e-5
    assert lowest.max() < 0.01


def test_stance_foot_does_not_slide():
    walks, points = sampled(90, ['pelvis', 'left_ball', 'right_ball'])
    phase = walks.phase(90, 30)
    speed = points.diff(dim=1)[..., 2] * 30
    for foot, shift in ((1, 0.0), (2, 0.5)):
        stance = (phase[:, 1:] + shift) % 1
        stance = (stance > 0.15) & (stance < 0.4)
        slide = speed[..., foot][stance].abs()
        assert slide.mean() < 0.03
        assert slide.quantile(0.99) < 0.15
    assert speed[..., 0].mean(1).min() > 0.6
    assert speed[..., 0].mean(1).max() < 2.2
    # Feet stay on their own tracks.
    assert points[:, :, 1, 0].std(dim=1).max() < 0.02
    assert (points[:, :, 1, 0] > points[:, :, 2, 0]).float().mean() > 0.95


def test_speed_is_stride_length_times_cadence():
    points, phase = walked(average_traits(), ['pelvis', 'left_ball', 'right_ball'], cycles=3)
    prints = [points['left_ball'][phase == at, 2].item() for at in (0.25, 1.25, 2.25)]
    stride = points['pelvis'][200, 2] - points['pelvis'][100, 2]
    assert prints[1] - prints[0] == pytest.approx(stride.item(), rel=0.02)
    right = points['right_ball'][75, 2].item()
    assert right - prints[0] == pytest.approx(stride.item() / 2, rel=0.05)
    # At 110 steps per minute, this is a normal speed of about 1.3 m/s.
    assert 1.1 < stride * 110 / 120 < 1.5


def test_joints_bend_in_the_right_direction():
    names = ['hip', 'knee', 'ankle', 'heel', 'foot', 'shoulder', 'elbow', 'wrist']
    landmarks = [f'{side}_{name}' for side in ('left', 'right') for name in names]
    _, points = sampled(60, [*landmarks, 'head', 'neck', 'pelvis', 'nose'])
    for start in (0, 8):
        hip, knee, ankle, heel, foot, shoulder, elbow, wrist = points[
            :, :, start : start + 8
        ].unbind(2)
        # The knee is in front of the line from hip to ankle, the elbow behind that to the wrist.
        for a, b, c, sign in ((hip, knee, ankle, 1), (shoulder, elbow, wrist, -1)):
            u, v = b - a, c - b
            turn = u[..., 1] * v[..., 2] - u[..., 2] * v[..., 1]
            assert (sign * turn > -1e-3).all()
        assert (foot[..., 2] > heel[..., 2]).all()
        assert (hip[..., 1] > knee[..., 1]).all()
    head, neck, pelvis, nose = points[:, :, 16:].unbind(2)
    assert (head[..., 1] > neck[..., 1]).all()
    assert (neck[..., 1] > pelvis[..., 1] + 0.3).all()
    assert (nose[..., 2] > neck[..., 2]).all()
    assert (points[:, :, 0, 0] > points[:, :, 8, 0]).all()  # x is to the left


def test_arms_swing_against_legs():
    names = ['left_wrist', 'left_ankle', 'right_wrist', 'right_ankle']
    keys = [(s, 'neutral', 'normal', 1) for s in range(10)]
    walks = sample_walks(0, keys)
    points = simulate_walk(walks.traits, walks.phase(90, 30), names, travel=False)
    for z in points[..., 2]:
        corr = torch.corrcoef(z.t())
        assert corr[0, 1] < -0.6
        assert corr[2, 3] < -0.6
        assert corr[0, 3] > 0.5
        assert corr[1, 3] < -0.8


def test_symmetric_walk_is_mirrored_after_half_a_cycle():
    skeleton = get_skeleton('mediapipe33')
    names = find_landmarks(skeleton)
    phase = torch.arange(200).unsqueeze(0) / 100
    points = simulate_walk(average_traits(), phase, names, travel=False)[0]
    mirrored = points[:, list(skeleton.mirror)] * torch.tensor([-1.0, 1.0, 1.0])
    torch.testing.assert_close(points[:-50], mirrored[50:], atol=1e-4, rtol=0)


def test_body_is_lowest_in_double_support():
    points, phase = walked(average_traits(), ['pelvis'])
    height = points['pelvis'][:, 1]
    assert 0.02 < height.max() - height.min() < 0.06
    assert abs(phase[height[:50].argmin()].item() % 0.5 - 0.02) < 0.08
    assert 0.2 < phase[height[:50].argmax()] < 0.38


def test_treadmill():
    moving, _ = walked(average_traits(), ['pelvis', 'left_knee'])
    still, _ = walked(average_traits(), ['pelvis', 'left_knee'], travel=False)
    assert (still['pelvis'][:, 2] == 0).all()
    torch.testing.assert_close(
        still['left_knee'], moving['left_knee'] - moving['pelvis'] * torch.tensor([0.0, 0.0, 1.0])
    )
