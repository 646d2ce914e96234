"""A walking body: joint angles over the gait cycle and forward kinematics.

The frame is right-handed, in metres: :math:`x` points to the walker's left, :math:`y` up and
:math:`z` in the direction of walking; the ground is :math:`y = 0`. A phase counts gait cycles: it
is a whole number when the left heel strikes. Traits of walkers are tensors :math:`(N)` by name;
:mod:`graphmotion.synthetic.walking_styles` draws them and tells what each one means.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
import torch
from torch import Tensor

from graphmotion.skeletons import Skeleton
from graphmotion.skeletons.convert import SAME_PLACE

# Lengths as fractions of body height: Drillis and Contini, "Body Segment Parameters" (1966), as
# drawn in Winter, "Biomechanics and Motor Control of Human Movement", figure 4.1. The trunk is
# what lies between hip (0.530) and shoulder (0.818). Distances of joint centres across the body
# are less than the breadths over the outside that they give.
FRACTIONS = {
    'thigh': 0.245,
    'shank': 0.246,
    'ankle_height': 0.039,
    'foot': 0.152,
    'upper_arm': 0.186,
    'forearm': 0.146,
    'hand': 0.108,
    'lower_trunk': 0.130,
    'upper_trunk': 0.158,
    'shoulder_width': 0.220,
    'hip_width': 0.110,
    'head': 0.152,
}

# Angles in degrees at every 5 % of the gait cycle, from heel strike: of the thigh forwards from the
# vertical, of the knee, and of the sole, toes up. They follow the curves of normal walking at
# natural cadence in Winter, "The Biomechanics and Motor Control of Human Gait" (1991), for hip,
# knee and ankle, with a pelvis tilted by 4.5 degrees. As joint angles of one person do not fit the
# bones of another, they were moved by least squares, hip and knee by at most 7 and 5 degrees, until
# the stance leg of mean proportions carries the pelvis at an even speed, with its sole flat on the
# ground, and the swing foot clears the ground. The sole stands for the ankle, so that it stays
# flat also when a style changes the other two.
# fmt: off
THIGH = (22, 22.5, 21.5, 18.5, 12.5, 5, -2.5, -7.5, -11.5, -15.5,
         -18, -16, -11, -3.5, 3.5, 8.5, 17, 25, 26.5, 23.5)
KNEE = (2.5, 9, 16.5, 19.5, 17, 11.5, 6, 5, 6.5, 7.5,
        12, 23.5, 38, 51, 60.5, 61, 53, 35, 14, 2)
SOLE = (17.5, 6.5, 0, 0, 0, 0, 0, -2.5, -4.5, -8,
        -14.5, -26.5, -46.5, -65, -67.5, -48.5, -20, -1, 8.5, 17)
# fmt: on
_HARMONICS = 7

# How near to the lowest point of the feet, in metres, another one carries weight as well.
_CONTACT = 0.004

# The points of a foot that touch the ground.
SOLES = ('heel', 'ball', 'foot')

# Places on the body: the segment that carries it and its offset there, each coordinate as a
# number of some length (see `_lengths`). The sides are those of the left half.
_MIDDLE: dict[str, tuple[str, tuple[str, str, str]]] = {
    'pelvis': ('pelvis', ('0', '0', '0')),
    'lower_spine': ('lower_trunk', ('0', '0.5 lower_trunk', '0')),
    'spine': ('upper_trunk', ('0', '0', '0')),
    'thorax': ('upper_trunk', ('0', '1 upper_trunk', '0')),
    'neck': ('head', ('0', '0', '0')),
    'nose': ('head', ('0', '0.46 head', '0.48 head')),
    'head': ('head', ('0', '0.55 head', '0.10 head')),
    'jaw': ('head', ('0', '0.46 head', '0.16 head')),
    'skull': ('head', ('0', '0.66 head', '0.06 head')),
    'backpack': ('upper_trunk', ('0', '0.65 upper_trunk', '-0.100 height')),
    'backpack_base': ('upper_trunk', ('0', '-0.1 upper_trunk', '-0.105 height')),
    'shoulder_bag': ('pelvis', ('0.095 height', '0.01 height', '-0.01 height')),
}
_SIDED: dict[str, tuple[str, tuple[str, str, str]]] = {
    'hip': ('pelvis', ('0.5 hip_width', '0', '0')),
    'knee': ('thigh', ('0', '-1 thigh', '0')),
    'ankle': ('shank', ('0', '-1 shank', '0')),
    'heel': ('foot', ('0', '-1 ankle_height', '-0.26 foot')),
    'ball': ('foot', ('0', '-1 ankle_height', '0.53 foot')),
    'foot': ('foot', ('0', '-0.85 ankle_height', '0.74 foot')),
    'small_toe': ('foot', ('0.28 foot', '-0.9 ankle_height', '0.55 foot')),
    'shoulder': ('upper_trunk', ('0.5 shoulder_width', '1 upper_trunk', '0')),
    'elbow': ('upper_arm', ('0', '-1 upper_arm', '0')),
    'wrist': ('forearm', ('0', '-1 forearm', '0')),
    'hand': ('hand', ('0', '-0.5 hand', '0')),
    'hand_tip': ('hand', ('0', '-1 hand', '0')),
    'thumb': ('hand', ('-0.1 hand', '-0.45 hand', '0.3 hand')),
    'index': ('hand', ('0', '-0.85 hand', '0.18 hand')),
    'pinky': ('hand', ('0', '-0.72 hand', '-0.22 hand')),
    'eye_inner': ('head', ('0.08 head', '0.58 head', '0.43 head')),
    'eye': ('head', ('0.14 head', '0.58 head', '0.41 head')),
    'eye_outer': ('head', ('0.20 head', '0.58 head', '0.37 head')),
    'ear': ('head', ('0.30 head', '0.53 head', '0.04 head')),
    'mouth': ('head', ('0.11 head', '0.30 head', '0.40 head')),
    'handbag': ('hand', ('0', '-1.8 hand', '0')),
    'deltoid': ('upper_trunk', ('0.5 shoulder_width', '0.92 upper_trunk', '0')),
    'chest': ('upper_trunk', ('0.28 shoulder_width', '0.7 upper_trunk', '0')),
    'waist': ('lower_trunk', ('0.22 shoulder_width', '0.7 lower_trunk', '0')),
    'buttock': ('pelvis', ('0.55 hip_width', '0', '-0.008 height')),
    'calf': ('shank', ('0', '-0.3 shank', '-0.006 height')),
    'hem': ('thigh', ('0', '-1 coat', '0')),
}

# Where the segments of the trunk begin, and the joints at which those of the limbs do.
_TRUNK: dict[str, tuple[str, tuple[str, str, str]]] = {
    'lower_trunk': ('pelvis', ('0', '0', '0')),
    'upper_trunk': ('lower_trunk', ('0', '1 lower_trunk', '0')),
    'head': ('upper_trunk', ('0', '1.15 upper_trunk', '0')),
}
_LIMBS = {
    'thigh': 'hip',
    'shank': 'knee',
    'foot': 'ankle',
    'upper_arm': 'shoulder',
    'forearm': 'elbow',
    'hand': 'wrist',
}


def segment_lengths(traits: Mapping[str, Tensor]) -> dict[str, Tensor]:
    r"""The lengths of the body's segments in metres, :math:`(N)` each.

    Args:
        traits (mapping): The traits of :math:`N` walkers.
    """
    out = {name: fraction * traits['height'] for name, fraction in FRACTIONS.items()}
    scales = {
        'leg_scale': ('thigh', 'shank'),
        'arm_scale': ('upper_arm', 'forearm', 'hand'),
        'trunk_scale': ('lower_trunk', 'upper_trunk'),
        'shoulder_scale': ('shoulder_width',),
        'hip_scale': ('hip_width',),
        'head_scale': ('head',),
        'foot_scale': ('foot',),
    }
    for trait, names in scales.items():
        for name in names:
            out[name] = out[name] * traits[trait]
    for upper, lower in (('thigh', 'shank'), ('upper_arm', 'forearm')):
        moved = (out[upper] + out[lower]) * traits[f'{upper}_share']
        out[upper], out[lower] = out[upper] + moved, out[lower] - moved
    return out


def landmark_names() -> list[str]:
    r"""The joint names that a walker has a place for, sorted."""
    return sorted(_places())


def find_landmarks(skeleton: Skeleton) -> list[str]:
    r"""For every joint of a layout the place on the body that it stands for.

    A foot is the tip of the foot and a hand the middle of the hand. In a layout without ankles
    or wrists, as Emotion-Gait's with 16 joints, they end the shank and the forearm.

    Raises:
        ValueError: If there is no place of a joint's name; the message lists all of them.
    """
    places = _places()
    unknown = [joint for joint in skeleton.joints if joint not in places]
    if unknown:
        raise ValueError(
            f'Skeleton {skeleton.name!r}: the walker has no place for the joints {unknown}; it '
            f'knows {landmark_names()}'
        )
    ends = {'foot': 'ankle', 'hand': 'wrist'}
    out = []
    for joint in skeleton.joints:
        side, _, part = joint.partition('_')
        end = f'{side}_{ends[part]}' if part in ends else joint
        out.append(joint if end in skeleton.joints else end)
    return out


def walk(
    traits: Mapping[str, Tensor],
    phase: Tensor,
    landmarks: Sequence[str],
    travel: bool = True,
) -> Tensor:
    r"""Where the landmarks of walkers are at given phases of their gait cycles.

    Forward kinematics from the joint angles, truncated Fourier series of the phase, gives all
    points relative to the pelvis. The pelvis is then placed so that the feet rest on the ground,

    .. math::
        y_t = -\min_c p^y_{c,t}, \qquad
        z_{t+1} = z_t - \sum_c w_{c,t} \left( p^z_{c,t+1} - p^z_{c,t} \right),

    with a minimum over the heels, balls and tips of the feet that is smoothed over a few
    millimetres, and weights :math:`w` of sum one that are large for those points :math:`c` of a
    foot in its stance that touch the ground. So the stance foot does not slide, and the speed is
    cadence times step length.

    Args:
        traits (mapping): The traits of :math:`N` walkers.
        phase (Tensor): The phase in cycles, rising from frame to frame.
        landmarks (sequence of str): Names from :func:`landmark_names`.
        travel (bool, optional): If :obj:`False`, the pelvis stays at :math:`z = 0`, as on a
            treadmill; else it is there in the first frame. (default: :obj:`True`)

    Shapes:
        - **phase:** :math:`(N, T)`
        - **output:** :math:`(N, T, L, 3)`
    """
    lengths = segment_lengths(traits) | {'height': traits['height']}
    lengths['coat'] = traits['coat_length'] * lengths['thigh']
    # A sharp walker swings fast and stops short, a smooth one moves evenly.
    sharpness = traits['sharpness'].unsqueeze(1)
    phase = phase + sharpness / (4 * math.pi) * _wave(2 * phase, 0.1)
    rotations = _rotations(traits, phase, lengths)
    soles = [f'{side}_{point}' for side in ('left', 'right') for point in SOLES]
    points = locate(rotations, lengths, [*soles, *landmarks])
    contact, points = points[:, :, : len(soles)], points[:, :, len(soles) :]
    height = contact[..., 1]
    root = torch.zeros_like(contact[:, :, 0])
    # log-sum-exp is above the maximum, so that no point is below the ground.
    root[..., 1] = _CONTACT * torch.logsumexp(-height / _CONTACT, dim=-1)
    root[..., 0] = traits['sway'].unsqueeze(1) * _wave(phase, 0.05)
    if travel:
        # Only a foot in its stance, from heel strike to toe-off, carries the body.
        stance = torch.stack([phase, phase + 0.5 + traits['step_asymmetry'].unsqueeze(1)], 2)
        stance = 20 * (_wave(stance, 0.05) + 0.3).clamp(max=0)
        weight = stance.repeat_interleave(len(SOLES), dim=2) - height / _CONTACT
        weight = torch.softmax(weight, dim=-1)
        weight = (weight[:, 1:] + weight[:, :-1]) / 2
        root[:, 1:, 2] = -(weight * contact[..., 2].diff(dim=1)).sum(-1).cumsum(1)
    return points + root.unsqueeze(2)


def locate(
    rotations: Mapping[str, Tensor], lengths: Mapping[str, Tensor], landmarks: Sequence[str]
) -> Tensor:
    r"""Forward kinematics: where the landmarks of bodies are relative to the pelvis.

    Args:
        rotations (mapping): The rotation of every segment, from its own frame into that of the
            body: of the pelvis, the lower and the upper trunk, the head, and on each side the
            thigh, shank, foot, upper arm, forearm and hand, as in :obj:`"left_thigh"`. In its own
            frame a limb hangs down.
        lengths (mapping): From :func:`segment_lengths`, and the :obj:`"height"`; for the hem of
            a coat also its length, :obj:`"coat"`.
        landmarks (sequence of str): Names from :func:`landmark_names`.

    Shapes:
        - **rotations:** :math:`(N, T, 3, 3)` each
        - **lengths:** :math:`(N)` each
        - **output:** :math:`(N, T, L, 3)`
    """
    origins = {'pelvis': torch.zeros(rotations['pelvis'].shape[:-1])}
    for segment, (carrier, offset) in _joints().items():
        origins[segment] = origins[carrier] + _turned(rotations[carrier], offset, lengths)
    out = []
    for name in landmarks:
        segment, offset = _places()[name]
        out.append(origins[segment] + _turned(rotations[segment], offset, lengths))
    return torch.stack(out, dim=2)


def carried(landmark: str, rotation: Tensor, lengths: Mapping[str, Tensor]) -> Tensor:
    r"""Where a landmark is from the joint of the segment that carries it.

    Args:
        landmark (str): A name from :func:`landmark_names`.
        rotation (Tensor): The rotation of that segment.
        lengths (mapping): See :func:`locate`.

    Shapes:
        - **rotation:** :math:`(N, T, 3, 3)`
        - **output:** :math:`(N, T, 3)`
    """
    return _turned(rotation, _places()[landmark][1], lengths)


def rotation(yaw: Tensor, roll: Tensor, pitch: Tensor) -> Tensor:
    r"""Rotations by angles in degrees about :math:`x` (pitch), then :math:`z` (roll), then
    :math:`y` (yaw): :math:`R_y R_z R_x`.

    Shapes:
        - **input:** :math:`(N, T)` each, or what goes with it
        - **output:** :math:`(N, T, 3, 3)`
    """
    yaw, roll, pitch = torch.broadcast_tensors(yaw, roll, pitch)
    a, b, c = (torch.deg2rad(angle) for angle in (yaw, roll, pitch))
    ca, sa, cb, sb, cc, sc = a.cos(), a.sin(), b.cos(), b.sin(), c.cos(), c.sin()
    rows = (
        (ca * cb, sa * sc - ca * sb * cc, ca * sb * sc + sa * cc),
        (sb, cb * cc, -cb * sc),
        (-sa * cb, sa * sb * cc + ca * sc, ca * cc - sa * sb * sc),
    )
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)


def _rotations(
    traits: Mapping[str, Tensor], phase: Tensor, lengths: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """The rotation (N, T, 3, 3) of every segment of a walker."""

    def trait(name: str) -> Tensor:
        return traits[name].unsqueeze(1)

    zero = torch.zeros_like(phase)
    trunk_phase = phase - trait('trunk_lag')
    nod = _wave(2 * phase, 0.15)

    pelvis_yaw = -trait('pelvis_rotation') * _wave(phase, -0.25)
    chest_yaw = trait('trunk_rotation') * _wave(trunk_phase, -0.25)
    roll = trait('trunk_roll') * _wave(phase, 0.05)
    lean = trait('trunk_lean') + trait('trunk_nod') * nod
    chest_pitch = lean + trait('slump')
    head_pitch = 0.4 * chest_pitch + trait('head_pitch') + trait('head_nod') * nod
    side_lean = trait('side_lean') - roll

    rotations = {
        'pelvis': rotation(pelvis_yaw, trait('pelvis_obliquity') * _wave(phase, -0.05), zero),
        'lower_trunk': rotation((pelvis_yaw + chest_yaw) / 2, 0.5 * side_lean, lean),
        'upper_trunk': rotation(chest_yaw, side_lean, chest_pitch),
        'head': rotation(0.2 * chest_yaw + trait('head_yaw'), 0.3 * side_lean, head_pitch),
    }
    for side, sign in (('left', 1.0), ('right', -1.0)):
        own = phase if side == 'left' else phase + 0.5 + trait('step_asymmetry')
        half = 1 + 0.5 * sign * trait('leg_asymmetry')
        bend = trait('knee_flexion') + trait('bounce') * _wave(2 * own, -0.01)
        lift = trait('knee_lift') * _wave(own, 0.55).clamp(min=0) ** 2
        thigh_angle = _series(THIGH, own) * trait('stride') * half + (bend + lift) / 2
        shank_angle = thigh_angle - (_series(KNEE, own) + bend + lift).clamp(min=0)
        foot_angle = _series(SOLE, own) * trait('stride') * half

        # The leg leans sideways from the hip so that the foot stays in its own track.
        hip = carried(f'{side}_hip', rotations['pelvis'], lengths)
        thigh, shank = lengths['thigh'].unsqueeze(1), lengths['shank'].unsqueeze(1)
        drop = thigh * _cos(thigh_angle) + shank * _cos(shank_angle)
        track = 0.5 * sign * trait('step_width') - trait('sway') * _wave(phase, 0.05)
        aside = torch.asin(((track - hip[..., 0]) / drop).clamp(-0.5, 0.5))
        aside = torch.rad2deg(aside)
        rotations[f'{side}_thigh'] = rotation(zero, aside, -thigh_angle)
        rotations[f'{side}_shank'] = rotation(zero, aside, -shank_angle)
        rotations[f'{side}_foot'] = rotation(sign * trait('toe_out') + zero, zero, -foot_angle)

        # Arms swing against the leg of their side.
        arm_phase = own - trait('arm_lag')
        swing = trait('arm_swing') * (1 + 0.5 * sign * trait('arm_asymmetry'))
        swing = (swing * trait(f'{side}_arm_freedom')).clamp(min=0)
        shoulder = trait('arm_flexion') - 17 * swing * _wave(arm_phase, -0.25)
        bend = trait('elbow_swing') * swing * (1 - _wave(arm_phase, -0.30))
        elbow = (trait('elbow_flexion') + bend).clamp(min=2)
        upper_arm = rotation(0.5 * chest_yaw, sign * trait('arm_abduction') + zero, -shoulder)
        forearm = upper_arm @ rotation(-sign * trait('forearm_turn') + zero, zero, -elbow)
        rotations[f'{side}_upper_arm'] = upper_arm
        rotations[f'{side}_forearm'] = forearm
        rotations[f'{side}_hand'] = forearm @ rotation(zero, zero, zero - 8)
    return rotations


@cache
def _joints() -> dict[str, tuple[str, tuple[str, str, str]]]:
    """The segment that carries each segment, and the offset of their joint on it."""
    out = dict(_TRUNK)
    for side in ('left', 'right'):
        for segment, joint in _LIMBS.items():
            out[f'{side}_{segment}'] = _places()[f'{side}_{joint}']
    return out


@cache
def _places() -> dict[str, tuple[str, tuple[str, str, str]]]:
    """All landmarks with the segment and the offset of each, under all their names."""
    out = dict(_MIDDLE)
    on_side = {'thigh', 'shank', 'foot', 'upper_arm', 'forearm', 'hand'}
    for name, (segment, (x, y, z)) in _SIDED.items():
        mirrored = x if x == '0' else x[1:] if x[0] == '-' else f'-{x}'
        for side, across in (('left', x), ('right', mirrored)):
            carrier = f'{side}_{segment}' if segment in on_side else segment
            out[f'{side}_{name}'] = (carrier, (across, y, z))
    for names in SAME_PLACE:
        known = next(name for name in names if name in out)
        out |= dict.fromkeys(names, out[known])
    return out


def _turned(
    rotation: Tensor, offset: tuple[str, str, str], lengths: Mapping[str, Tensor]
) -> Tensor:
    """An offset on a segment in the frame of the body, (N, T, 3)."""
    local = torch.stack([_length(term, lengths) for term in offset], dim=-1)
    return (rotation @ local[:, None, :, None]).squeeze(-1)


def _length(term: str, lengths: Mapping[str, Tensor]) -> Tensor:
    number, _, name = term.partition(' ')
    return float(number) * lengths[name or 'height']


def _series(curve: Sequence[float], phase: Tensor) -> Tensor:
    """The truncated Fourier series of a curve that is given at equal steps of the cycle."""
    mean, *harmonics = np.fft.rfft(curve)[: _HARMONICS + 1] / len(curve)
    out = torch.full_like(phase, float(mean.real))
    for k, c in enumerate(harmonics, start=1):
        angle = 2 * math.pi * k * phase
        out += 2 * float(c.real) * torch.cos(angle) - 2 * float(c.imag) * torch.sin(angle)
    return out


def _wave(phase: Tensor, shift: float) -> Tensor:
    """A sine wave that rises through zero at the phase `shift`."""
    return torch.sin(2 * math.pi * (phase - shift))


def _cos(degrees: Tensor) -> Tensor:
    return torch.cos(torch.deg2rad(degrees))
