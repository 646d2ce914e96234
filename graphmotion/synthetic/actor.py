"""An acting body, driven by animation curves and inverse kinematics.

The frame is that of :mod:`graphmotion.synthetic.body`. The curves set the angles of trunk and arms
and the positions of feet and pelvis, and the legs follow, so that a foot that carries weight does
not slide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from graphmotion.synthetic.body import (
    SOLE_POINTS,
    body_lengths,
    forward_kinematics,
    landmark_offset,
    rotation_matrix,
)

#: The curves of the trunk and the head. Positions are fractions of leg length, angles are degrees.
BODY_CURVES = (
    'drop',  # position of the pelvis, down from standing
    'back',  # position of the pelvis, backwards
    'shift',  # position of the pelvis, to the left
    'turn',  # yaw of the pelvis, to the left
    'tilt',  # pitch of the pelvis, forwards
    'lean',  # pitch of the trunk, forwards
    'side',  # roll of the trunk, to the right
    'twist',  # yaw of the trunk relative to the pelvis, to the left
    'nod',  # pitch of the head, forwards
)
#: The curves of each side, with names such as ``"left_lift"``.
SIDE_CURVES = (
    'step',  # position of the foot, forwards
    'lift',  # height of the lowest point of the foot
    'heel',  # pitch of the sole, heel up
    'flexion',  # of the upper arm, forwards: 0 is down, 180 is up
    'abduction',  # of the upper arm, outwards, after the flexion
    'outward',  # yaw of the upper arm, outwards, after the abduction
    'inward',  # of the forearm about the upper arm, towards the middle
    'elbow',  # flexion of the elbow
)
CURVES = (
    *BODY_CURVES,
    *(f'{side}_{name}' for side in ('left', 'right') for name in SIDE_CURVES),
)

# Fractions of leg length: the largest extension, at which the knee still has a direction to bend
# in, and the extension in standing.
_MAX_EXTENSION, _STANDING_EXTENSION = 0.998, 0.992
_ELBOW_RANGE = 4.0, 145.0  # degrees
_EXTRA_WIDTH = 0.06  # metres between the feet, in addition to the step width of walking
# A foot in the air need not be within reach: each metre of its lift raises the highest position of
# the pelvis by this many metres.
_LIFT_ALLOWANCE = 6.0


def simulate_action(
    traits: Mapping[str, Tensor], curves: Mapping[str, Tensor], landmarks: Sequence[str]
) -> Tensor:
    r"""Computes the positions of landmarks of bodies that follow the given curves.

    The knee lies in the plane of the leg, in front of the line from hip to ankle, at the distances
    of the thigh and the shank. The pelvis is lowered where it would be out of reach of a foot on
    the ground.

    Args:
        traits (mapping): The traits of :math:`N` bodies.
        curves (mapping): The values of all :obj:`CURVES`.
        landmarks (sequence of str): The names of the landmarks, see
            :func:`~graphmotion.synthetic.body.landmark_names`.

    Shapes:
        - **curves:** :math:`(N, T)` each
        - **output:** :math:`(N, T, L, 3)`
    """
    lengths = body_lengths(traits)
    thigh, shank = lengths['thigh'].unsqueeze(1), lengths['shank'].unsqueeze(1)
    leg = thigh + shank
    sides = (('left', 1.0), ('right', -1.0))
    rotations = _upper_body_rotations(curves)
    zero = torch.zeros_like(curves['drop'])
    toe_out = {side: sign * traits['toe_out'].unsqueeze(1) + zero for side, sign in sides}

    hips, ankles = {}, {}
    for side, sign in sides:
        pitch, lift = curves[f'{side}_heel'], leg * curves[f'{side}_lift']
        foot = rotations[f'{side}_foot'] = rotation_matrix(toe_out[side], zero, pitch)
        flat = rotation_matrix(toe_out[side], zero, zero)
        # The foot rolls over its ball, or over its heel if the toes are up.
        soles = {name: landmark_offset(f'{side}_{name}', foot, lengths) for name in SOLE_POINTS}
        ball = landmark_offset(f'{side}_ball', flat, lengths) - soles['ball']
        heel = landmark_offset(f'{side}_heel', flat, lengths) - soles['heel']
        ankle = torch.where(pitch.unsqueeze(-1) > 0, ball, heel)
        ankle[..., 0] += sign * (traits['step_width'].unsqueeze(1) + _EXTRA_WIDTH) / 2
        ankle[..., 1] = lift - torch.stack([*soles.values()], 2)[..., 1].amin(2)
        ankle[..., 2] += leg * curves[f'{side}_step']
        ankles[side] = ankle
        hips[side] = landmark_offset(f'{side}_hip', rotations['pelvis'], lengths)

    pelvis = torch.stack(
        [
            leg * curves['shift'],
            leg * (_STANDING_EXTENSION - curves['drop']) + lengths['ankle_height'].unsqueeze(1),
            -leg * curves['back'],
        ],
        dim=-1,
    )
    for side, _ in sides:
        x, _, z = (ankles[side] - hips[side] - pelvis).unbind(-1)
        reach = ((_MAX_EXTENSION * leg) ** 2 - x**2 - z**2).clamp(min=0)
        highest = ankles[side][..., 1] - hips[side][..., 1] + reach.sqrt()
        highest = highest + _LIFT_ALLOWANCE * leg * curves[f'{side}_lift']
        pelvis[..., 1] = pelvis[..., 1].minimum(highest)

    for side, _ in sides:
        direction = ankles[side] - hips[side] - pelvis
        distance = direction.norm(dim=-1)
        direction = direction / distance.unsqueeze(-1)
        distance = distance.minimum(_MAX_EXTENSION * leg)
        distance = distance.maximum((thigh - shank).abs() + 0.1 * leg)
        along = (distance**2 + thigh**2 - shank**2) / (2 * distance)
        ahead = (thigh**2 - along**2).clamp(min=0).sqrt()
        lateral = rotation_matrix(toe_out[side] + curves['turn'], zero, zero)[..., 0]
        front = torch.nn.functional.normalize(torch.linalg.cross(direction, lateral), dim=-1)
        knee = along.unsqueeze(-1) * direction + ahead.unsqueeze(-1) * front
        ankle = distance.unsqueeze(-1) * direction
        axis = torch.linalg.cross(front, direction)
        rotations[f'{side}_thigh'] = _align_limb(axis, knee)
        rotations[f'{side}_shank'] = _align_limb(axis, ankle - knee)
    return forward_kinematics(rotations, lengths, landmarks) + pelvis.unsqueeze(2)


def _upper_body_rotations(curves: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns the rotations of the trunk, the head and the arms."""
    turn, twist, side_lean = curves['turn'], curves['twist'], curves['side']
    tilt, lean = curves['tilt'], curves['lean']
    zero = torch.zeros_like(turn)
    out = {
        'pelvis': rotation_matrix(turn, zero, tilt),
        'lower_trunk': rotation_matrix(turn + twist / 2, side_lean / 2, (tilt + 2 * lean) / 3),
        'upper_trunk': rotation_matrix(turn + twist, side_lean, lean),
        'head': rotation_matrix(turn + twist / 2, 0.3 * side_lean, 0.4 * lean + curves['nod']),
    }
    for side, sign in (('left', 1.0), ('right', -1.0)):
        flexion, abduction, outward, inward, elbow = (
            curves[f'{side}_{name}'] for name in SIDE_CURVES[-5:]
        )
        yaw = turn + twist + sign * outward
        upper_arm = rotation_matrix(yaw, sign * abduction, -flexion)
        elbow = elbow.clamp(*_ELBOW_RANGE)
        forearm = upper_arm @ rotation_matrix(-sign * inward, zero, -elbow)
        out[f'{side}_upper_arm'], out[f'{side}_forearm'] = upper_arm, forearm
        out[f'{side}_hand'] = forearm @ rotation_matrix(zero, zero, zero - 8)
    return out


def _align_limb(axis: Tensor, bone: Tensor) -> Tensor:
    """Returns the rotation of a segment along a bone that bends about an axis."""
    up = torch.nn.functional.normalize(-bone, dim=-1)
    return torch.stack([axis, up, torch.linalg.cross(axis, up)], dim=-1)
