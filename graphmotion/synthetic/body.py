r"""A jointed body: segment lengths, landmarks and forward kinematics.

The frame is right-handed, in metres: :math:`x` points to the left side of the body, :math:`y` up
and :math:`z` ahead; the ground is :math:`y = 0`. Traits are tensors :math:`(N)` by name, see
:mod:`graphmotion.synthetic.walking_styles`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

import torch
from torch import Tensor

from graphmotion.skeletons import Skeleton
from graphmotion.skeletons.convert import SAME_PLACE

#: Segment lengths as fractions of body height: Drillis and Contini, "Body Segment Parameters"
#: (1966), as drawn in Winter, "Biomechanics and Motor Control of Human Movement", figure 4.1. The
#: trunk extends from the hip (0.530) to the shoulder (0.818). The widths are distances between
#: joint centres, which are smaller than the outer breadths of the source.
SEGMENT_FRACTIONS = {
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
_SCALED_SEGMENTS = {
    'leg_scale': ('thigh', 'shank'),
    'arm_scale': ('upper_arm', 'forearm', 'hand'),
    'trunk_scale': ('lower_trunk', 'upper_trunk'),
    'shoulder_scale': ('shoulder_width',),
    'hip_scale': ('hip_width',),
    'head_scale': ('head',),
    'foot_scale': ('foot',),
}

#: The points of a foot that touch the ground.
SOLE_POINTS = ('heel', 'ball', 'foot')

# A landmark: its segment, and its offset from the joint at which the segment starts. Coordinates
# are multiples of a body length, such as '0.5 hip_width'.
_Offset = tuple[str, str, str]
_Landmark = tuple[str, _Offset]

_CENTRAL_LANDMARKS: dict[str, _Landmark] = {
    'pelvis': ('pelvis', ('0', '0', '0')),
    'lower_spine': ('lower_trunk', ('0', '0.5 lower_trunk', '0')),
    'spine_navel': ('lower_trunk', ('0', '0.7 lower_trunk', '0')),
    'spine': ('upper_trunk', ('0', '0', '0')),
    'spine_chest': ('upper_trunk', ('0', '0.4 upper_trunk', '0')),
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
# On the left side of the body.
_SIDE_LANDMARKS: dict[str, _Landmark] = {
    'hip': ('pelvis', ('0.5 hip_width', '0', '0')),
    'knee': ('thigh', ('0', '-1 thigh', '0')),
    'ankle': ('shank', ('0', '-1 shank', '0')),
    'heel': ('foot', ('0', '-1 ankle_height', '-0.26 foot')),
    'ball': ('foot', ('0', '-1 ankle_height', '0.53 foot')),
    'foot': ('foot', ('0', '-0.85 ankle_height', '0.74 foot')),
    'small_toe': ('foot', ('0.28 foot', '-0.9 ankle_height', '0.55 foot')),
    'clavicle': ('upper_trunk', ('0.1 shoulder_width', '1 upper_trunk', '0')),
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

# The joint at which a segment starts: an offset on the parent segment, or the name of a landmark.
_TRUNK_JOINTS: dict[str, _Landmark] = {
    'lower_trunk': ('pelvis', ('0', '0', '0')),
    'upper_trunk': ('lower_trunk', ('0', '1 lower_trunk', '0')),
    'head': ('upper_trunk', ('0', '1.15 upper_trunk', '0')),
}
_LIMB_JOINTS = {
    'thigh': 'hip',
    'shank': 'knee',
    'foot': 'ankle',
    'upper_arm': 'shoulder',
    'forearm': 'elbow',
    'hand': 'wrist',
}


def body_lengths(traits: Mapping[str, Tensor]) -> dict[str, Tensor]:
    r"""Returns the lengths of a body in metres, :math:`(N)` each.

    The names are those of :obj:`SEGMENT_FRACTIONS`, :obj:`"height"`, and :obj:`"coat"` for the
    length of a coat below the hips.

    Args:
        traits (mapping): The traits of :math:`N` bodies.
    """
    out = {name: fraction * traits['height'] for name, fraction in SEGMENT_FRACTIONS.items()}
    for trait, names in _SCALED_SEGMENTS.items():
        for name in names:
            out[name] = out[name] * traits[trait]
    for upper, lower in (('thigh', 'shank'), ('upper_arm', 'forearm')):
        shift = (out[upper] + out[lower]) * traits[f'{upper}_share']
        out[upper], out[lower] = out[upper] + shift, out[lower] - shift
    out['height'] = traits['height']
    out['coat'] = traits['coat_length'] * out['thigh']
    return out


def landmark_names() -> list[str]:
    r"""Returns the sorted names of all landmarks."""
    return sorted(_landmarks())


def find_landmarks(skeleton: Skeleton) -> list[str]:
    r"""Returns the landmark of each joint of a skeleton.

    The joint :obj:`"foot"` is the tip of the foot and :obj:`"hand"` is the middle of the hand. In a
    skeleton without ankles or wrists, such as :obj:`"emotion_gait16"`, they are the ankle and the
    wrist.

    Args:
        skeleton (Skeleton): The skeleton.

    Raises:
        ValueError: If a joint name is not the name of a landmark.
    """
    landmarks = _landmarks()
    unknown = [joint for joint in skeleton.joints if joint not in landmarks]
    if unknown:
        raise ValueError(
            f'the joints of {skeleton.name!r} must be landmarks of the synthetic body, '
            f'{landmark_names()}, got {unknown}'
        )
    ends = {'foot': 'ankle', 'hand': 'wrist'}
    out = []
    for joint in skeleton.joints:
        side, _, part = joint.partition('_')
        end = f'{side}_{ends[part]}' if part in ends else joint
        out.append(joint if end in skeleton.joints else end)
    return out


def forward_kinematics(
    rotations: Mapping[str, Tensor], lengths: Mapping[str, Tensor], landmarks: Sequence[str]
) -> Tensor:
    r"""Computes the positions of landmarks relative to the pelvis.

    Args:
        rotations (mapping): The rotation of each segment from its own frame to the frame of the
            body: pelvis, lower and upper trunk, head, and on each side thigh, shank, foot, upper
            arm, forearm and hand, named as in :obj:`"left_thigh"`. The identity rotation is a body
            that stands upright with hanging arms.
        lengths (mapping): The lengths returned by :func:`body_lengths`.
        landmarks (sequence of str): The names of the landmarks, see :func:`landmark_names`.

    Shapes:
        - **rotations:** :math:`(N, T, 3, 3)` each
        - **lengths:** :math:`(N)` each
        - **output:** :math:`(N, T, L, 3)`
    """
    origins = {'pelvis': torch.zeros(rotations['pelvis'].shape[:-1])}
    for segment, (parent, offset) in _joints().items():
        origins[segment] = origins[parent] + _rotate_offset(rotations[parent], offset, lengths)
    out = []
    for name in landmarks:
        segment, offset = _landmarks()[name]
        out.append(origins[segment] + _rotate_offset(rotations[segment], offset, lengths))
    return torch.stack(out, dim=2)


def landmark_offset(landmark: str, rotation: Tensor, lengths: Mapping[str, Tensor]) -> Tensor:
    r"""Computes the position of a landmark relative to the start of its segment.

    Args:
        landmark (str): The name of the landmark, see :func:`landmark_names`.
        rotation (Tensor): The rotation of its segment.
        lengths (mapping): The lengths returned by :func:`body_lengths`.

    Shapes:
        - **rotation:** :math:`(N, T, 3, 3)`
        - **output:** :math:`(N, T, 3)`
    """
    return _rotate_offset(rotation, _landmarks()[landmark][1], lengths)


def rotation_matrix(yaw: Tensor, roll: Tensor, pitch: Tensor) -> Tensor:
    r"""Returns the rotation matrices :math:`\mathbf{R}_y \mathbf{R}_z \mathbf{R}_x`.

    Args:
        yaw (Tensor): The angle about :math:`y` in degrees.
        roll (Tensor): The angle about :math:`z` in degrees.
        pitch (Tensor): The angle about :math:`x` in degrees.

    Shapes:
        - **input:** :math:`(N, T)` each, or shapes that broadcast to it
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


@cache
def _joints() -> dict[str, _Landmark]:
    """Returns the start of each segment: the parent segment and the offset on it."""
    out = dict(_TRUNK_JOINTS)
    for side in ('left', 'right'):
        for segment, joint in _LIMB_JOINTS.items():
            out[f'{side}_{segment}'] = _landmarks()[f'{side}_{joint}']
    return out


@cache
def _landmarks() -> dict[str, _Landmark]:
    """Returns the landmarks of both sides, including alternative names."""
    out = dict(_CENTRAL_LANDMARKS)
    for name, (segment, (x, y, z)) in _SIDE_LANDMARKS.items():
        mirrored = x if x == '0' else x[1:] if x[0] == '-' else f'-{x}'
        for side, side_x in (('left', x), ('right', mirrored)):
            own = f'{side}_{segment}' if segment in _LIMB_JOINTS else segment
            out[f'{side}_{name}'] = (own, (side_x, y, z))
    for names in SAME_PLACE:
        known = next(name for name in names if name in out)
        out |= dict.fromkeys(names, out[known])
    return out


def _rotate_offset(rotation: Tensor, offset: _Offset, lengths: Mapping[str, Tensor]) -> Tensor:
    """Rotates an offset on a segment into the frame of the body: [N, T, 3]."""
    local = torch.stack([_parse_length(term, lengths) for term in offset], dim=-1)
    return (rotation @ local[:, None, :, None]).squeeze(-1)


def _parse_length(term: str, lengths: Mapping[str, Tensor]) -> Tensor:
    number, _, name = term.partition(' ')
    return float(number) * lengths[name or 'height']
