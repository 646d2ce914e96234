r"""A walking body, driven by joint angles over the gait cycle.

The frame is that of :mod:`graphmotion.synthetic.body`, with :math:`z` in the direction of walking.
The phase counts gait cycles and is an integer at each heel strike of the left foot.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from graphmotion.synthetic.body import (
    SOLE_POINTS,
    body_lengths,
    forward_kinematics,
    landmark_offset,
    rotation_matrix,
)

# Angles in degrees at every 5 % of the gait cycle from heel strike: of the thigh, forwards from
# the vertical, of the knee, and of the sole, toes up. They follow the hip, knee and ankle curves of
# normal walking at natural cadence in Winter, "The Biomechanics and Motor Control of Human Gait"
# (1991), with a pelvic tilt of 4.5 degrees. As the joint angles of one person do not fit the bones
# of another, they were adjusted by least squares, by at most 7 degrees at the hip and 5 degrees at
# the knee, so that with mean proportions the stance leg carries the pelvis at constant speed with a
# flat sole and the swing foot clears the ground. The sole replaces the ankle so that the foot stays
# flat if a style changes hip and knee.
# fmt: off
THIGH_ANGLES = (22, 22.5, 21.5, 18.5, 12.5, 5, -2.5, -7.5, -11.5, -15.5,
                -18, -16, -11, -3.5, 3.5, 8.5, 17, 25, 26.5, 23.5)
KNEE_ANGLES = (2.5, 9, 16.5, 19.5, 17, 11.5, 6, 5, 6.5, 7.5,
               12, 23.5, 38, 51, 60.5, 61, 53, 35, 14, 2)
SOLE_ANGLES = (17.5, 6.5, 0, 0, 0, 0, 0, -2.5, -4.5, -8,
               -14.5, -26.5, -46.5, -65, -67.5, -48.5, -20, -1, 8.5, 17)
# fmt: on
_NUM_HARMONICS = 7
_CONTACT_SMOOTHING = 0.004  # metres


def simulate_walk(
    traits: Mapping[str, Tensor],
    phase: Tensor,
    landmarks: Sequence[str],
    travel: bool = True,
) -> Tensor:
    r"""Computes the positions of landmarks of walking bodies.

    Joint angles are truncated Fourier series of the phase, and forward kinematics yields the
    positions relative to the pelvis. The pelvis is then placed such that the feet rest on the
    ground,

    .. math::
        y_t = -\min_c p^y_{c,t}, \qquad
        z_{t+1} = z_t - \sum_c w_{c,t} \left( p^z_{c,t+1} - p^z_{c,t} \right),

    where :math:`c` denotes the heels, balls and tips of the feet. The minimum is smoothed over a
    few millimetres, and the weights :math:`w` sum to one and are large for points of the stance
    foot that touch the ground. Hence, the stance foot does not slide, and the speed is the product
    of cadence and step length.

    Args:
        traits (mapping): The traits of :math:`N` walkers.
        phase (Tensor): The phase in gait cycles, increasing over frames.
        landmarks (sequence of str): The names of the landmarks, see
            :func:`~graphmotion.synthetic.body.landmark_names`.
        travel (bool, optional): If set to :obj:`False`, the pelvis stays at :math:`z = 0`, as on a
            treadmill; otherwise, it starts there. (default: :obj:`True`)

    Shapes:
        - **phase:** :math:`(N, T)`
        - **output:** :math:`(N, T, L, 3)`
    """
    lengths = body_lengths(traits)
    # With high sharpness, legs swing fast and stop abruptly.
    sharpness = traits['sharpness'].unsqueeze(1)
    phase = phase + sharpness / (4 * math.pi) * _sine(2 * phase, 0.1)
    rotations = _segment_rotations(traits, phase, lengths)
    soles = [f'{side}_{point}' for side in ('left', 'right') for point in SOLE_POINTS]
    points = forward_kinematics(rotations, lengths, [*soles, *landmarks])
    contact, points = points[:, :, : len(soles)], points[:, :, len(soles) :]
    height = contact[..., 1]
    root = torch.zeros_like(contact[:, :, 0])
    # Log-sum-exp is an upper bound of the maximum, so that no point is below the ground.
    root[..., 1] = _CONTACT_SMOOTHING * torch.logsumexp(-height / _CONTACT_SMOOTHING, dim=-1)
    root[..., 0] = traits['sway'].unsqueeze(1) * _sine(phase, 0.05)
    if travel:
        # Only the stance foot, from heel strike to toe-off, moves the body.
        stance = torch.stack([phase, phase + 0.5 + traits['step_asymmetry'].unsqueeze(1)], 2)
        stance = 20 * (_sine(stance, 0.05) + 0.3).clamp(max=0)
        weight = stance.repeat_interleave(len(SOLE_POINTS), dim=2) - height / _CONTACT_SMOOTHING
        weight = torch.softmax(weight, dim=-1)
        weight = (weight[:, 1:] + weight[:, :-1]) / 2
        root[:, 1:, 2] = -(weight * contact[..., 2].diff(dim=1)).sum(-1).cumsum(1)
    return points + root.unsqueeze(2)


def _segment_rotations(
    traits: Mapping[str, Tensor], phase: Tensor, lengths: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Returns the rotation [N, T, 3, 3] of each segment."""

    def trait(name: str) -> Tensor:
        return traits[name].unsqueeze(1)

    zero = torch.zeros_like(phase)
    trunk_phase = phase - trait('trunk_lag')
    nod = _sine(2 * phase, 0.15)

    pelvis_yaw = -trait('pelvis_rotation') * _sine(phase, -0.25)
    chest_yaw = trait('trunk_rotation') * _sine(trunk_phase, -0.25)
    roll = trait('trunk_roll') * _sine(phase, 0.05)
    lean = trait('trunk_lean') + trait('trunk_nod') * nod
    chest_pitch = lean + trait('slump')
    head_pitch = 0.4 * chest_pitch + trait('head_pitch') + trait('head_nod') * nod
    side_lean = trait('side_lean') - roll

    rotations = {
        'pelvis': rotation_matrix(
            pelvis_yaw, trait('pelvis_obliquity') * _sine(phase, -0.05), zero
        ),
        'lower_trunk': rotation_matrix((pelvis_yaw + chest_yaw) / 2, 0.5 * side_lean, lean),
        'upper_trunk': rotation_matrix(chest_yaw, side_lean, chest_pitch),
        'head': rotation_matrix(0.2 * chest_yaw + trait('head_yaw'), 0.3 * side_lean, head_pitch),
    }
    for side, sign in (('left', 1.0), ('right', -1.0)):
        side_phase = phase if side == 'left' else phase + 0.5 + trait('step_asymmetry')
        scale = 1 + 0.5 * sign * trait('leg_asymmetry')
        flexion = trait('knee_flexion') + trait('bounce') * _sine(2 * side_phase, -0.01)
        lift = trait('knee_lift') * _sine(side_phase, 0.55).clamp(min=0) ** 2
        thigh_angle = _fourier_series(THIGH_ANGLES, side_phase) * trait('stride') * scale
        thigh_angle = thigh_angle + (flexion + lift) / 2
        knee_angle = _fourier_series(KNEE_ANGLES, side_phase) + flexion + lift
        shank_angle = thigh_angle - knee_angle.clamp(min=0)
        foot_angle = _fourier_series(SOLE_ANGLES, side_phase) * trait('stride') * scale

        # The leg leans sideways from the hip so that the foot stays on its own track.
        hip = landmark_offset(f'{side}_hip', rotations['pelvis'], lengths)
        thigh, shank = lengths['thigh'].unsqueeze(1), lengths['shank'].unsqueeze(1)
        drop = thigh * _cos(thigh_angle) + shank * _cos(shank_angle)
        track = 0.5 * sign * trait('step_width') - trait('sway') * _sine(phase, 0.05)
        leg_roll = torch.asin(((track - hip[..., 0]) / drop).clamp(-0.5, 0.5))
        leg_roll = torch.rad2deg(leg_roll)
        rotations[f'{side}_thigh'] = rotation_matrix(zero, leg_roll, -thigh_angle)
        rotations[f'{side}_shank'] = rotation_matrix(zero, leg_roll, -shank_angle)
        rotations[f'{side}_foot'] = rotation_matrix(
            sign * trait('toe_out') + zero, zero, -foot_angle
        )

        # Each arm swings in antiphase with the leg on its side.
        arm_phase = side_phase - trait('arm_lag')
        swing = trait('arm_swing') * (1 + 0.5 * sign * trait('arm_asymmetry'))
        swing = (swing * trait(f'{side}_arm_freedom')).clamp(min=0)
        shoulder = trait('arm_flexion') - 17 * swing * _sine(arm_phase, -0.25)
        elbow = trait('elbow_swing') * swing * (1 - _sine(arm_phase, -0.30))
        elbow = (trait('elbow_flexion') + elbow).clamp(min=2)
        upper_arm = rotation_matrix(
            0.5 * chest_yaw, sign * trait('arm_abduction') + zero, -shoulder
        )
        forearm = upper_arm @ rotation_matrix(-sign * trait('forearm_turn') + zero, zero, -elbow)
        rotations[f'{side}_upper_arm'] = upper_arm
        rotations[f'{side}_forearm'] = forearm
        rotations[f'{side}_hand'] = forearm @ rotation_matrix(zero, zero, zero - 8)
    return rotations


def _fourier_series(samples: Sequence[float], phase: Tensor) -> Tensor:
    """Evaluates the truncated Fourier series of equidistant samples of one cycle."""
    mean, *harmonics = np.fft.rfft(samples)[: _NUM_HARMONICS + 1] / len(samples)
    out = torch.full_like(phase, float(mean.real))
    for k, c in enumerate(harmonics, start=1):
        angle = 2 * math.pi * k * phase
        out += 2 * float(c.real) * torch.cos(angle) - 2 * float(c.imag) * torch.sin(angle)
    return out


def _sine(phase: Tensor, shift: float) -> Tensor:
    """Evaluates a sine wave that crosses zero upwards at the phase :obj:`shift`."""
    return torch.sin(2 * math.pi * (phase - shift))


def _cos(degrees: Tensor) -> Tensor:
    return torch.cos(torch.deg2rad(degrees))
