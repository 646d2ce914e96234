"""An acting body: from curves of what its trunk, arms and feet do to the places of its landmarks.

The frame is that of :mod:`graphmotion.synthetic.walker`: :math:`x` to the left, :math:`y` up from
the ground and :math:`z` ahead, in metres. Feet and pelvis are told where to be, and the legs follow
by inverse kinematics, so that a foot that bears weight stays where it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from graphmotion.synthetic.walker import SOLES, carried, locate, rotation, segment_lengths

#: What the curves are of: of the body as a whole,
BODY = (
    'drop',  # of the pelvis, from where it is in standing; parts of the leg's length, as all places
    'back',  # of the pelvis, backwards
    'shift',  # of the pelvis, to the left
    'turn',  # of the pelvis, to the left; degrees, as all angles
    'tilt',  # of the pelvis, forwards
    'lean',  # of the trunk, forwards
    'side',  # of the trunk, to the right
    'twist',  # of the trunk over the pelvis, to the left
    'nod',  # of the head, forwards
)
#: and of each side, as in "left_lift".
SIDED = (
    'step',  # of the foot, forwards
    'lift',  # of the foot's lowest point, from the ground
    'heel',  # of the sole, heel up
    'flexion',  # of the upper arm, forwards; 0 hangs down, 180 points up
    'abduction',  # of the upper arm, then, to its side
    'outward',  # of the upper arm, then, about the vertical, to its side
    'inward',  # of the forearm about the upper arm, towards the middle
    'elbow',
)
CURVES = (*BODY, *(f'{side}_{name}' for side in ('left', 'right') for name in SIDED))

_REACH = 0.998  # how far a leg stretches, so that its knee has a direction to bend to
_STANDING = 0.992
_ELBOW = 4.0, 145.0  # the least and the greatest bend
_APART = 0.06  # metres by which feet stand farther apart than the tracks of a walk
# A foot in the air need not be reached: each metre of height allows the pelvis as many more.
_FREE = 6.0


def act(traits: Mapping[str, Tensor], curves: Mapping[str, Tensor], names: Sequence[str]) -> Tensor:
    r"""Where the landmarks of bodies are that follow the given curves.

    The knee lies in the plane of the leg, at the distances of thigh and shank from hip and ankle,
    on its front side. The pelvis sinks where a foot on the ground would else be out of reach.

    Args:
        traits (mapping): The traits of :math:`N` bodies, as of a walker.
        curves (mapping): A curve for each of :obj:`CURVES`.
        names (sequence of str): Landmarks of a walker.

    Shapes:
        - **curves:** :math:`(N, T)` each
        - **output:** :math:`(N, T, L, 3)`
    """
    lengths = segment_lengths(traits) | {'height': traits['height']}
    lengths['coat'] = traits['coat_length'] * lengths['thigh']
    thigh, shank = lengths['thigh'].unsqueeze(1), lengths['shank'].unsqueeze(1)
    leg = thigh + shank
    sides = (('left', 1.0), ('right', -1.0))
    rotations = _upper_body(curves)
    zero = torch.zeros_like(curves['drop'])
    out = {f'{side}_out': sign * traits['toe_out'].unsqueeze(1) + zero for side, sign in sides}

    hips, ankles = {}, {}
    for side, sign in sides:
        pitch, lift = curves[f'{side}_heel'], leg * curves[f'{side}_lift']
        foot = rotations[f'{side}_foot'] = rotation(out[f'{side}_out'], zero, pitch)
        flat = rotation(out[f'{side}_out'], zero, zero)
        # The foot rolls over its ball, or over its heel if the toes are up.
        soles = {name: carried(f'{side}_{name}', foot, lengths) for name in SOLES}
        ball = carried(f'{side}_ball', flat, lengths) - soles['ball']
        heel = carried(f'{side}_heel', flat, lengths) - soles['heel']
        ankle = torch.where(pitch.unsqueeze(-1) > 0, ball, heel)
        ankle[..., 0] += sign * (traits['step_width'].unsqueeze(1) + _APART) / 2
        ankle[..., 1] = lift - torch.stack([*soles.values()], 2)[..., 1].amin(2)
        ankle[..., 2] += leg * curves[f'{side}_step']
        ankles[side] = ankle
        hips[side] = carried(f'{side}_hip', rotations['pelvis'], lengths)

    ground = lengths['ankle_height'].unsqueeze(1)
    pelvis = torch.stack(
        [
            leg * curves['shift'],
            leg * (_STANDING - curves['drop']) + ground,
            -leg * curves['back'],
        ],
        dim=-1,
    )
    for side, _ in sides:
        across = ankles[side] - hips[side] - pelvis
        reach = ((_REACH * leg) ** 2 - across[..., 0] ** 2 - across[..., 2] ** 2).clamp(min=0)
        highest = ankles[side][..., 1] - hips[side][..., 1] + reach.sqrt()
        highest = highest + _FREE * leg * curves[f'{side}_lift']
        pelvis[..., 1] = pelvis[..., 1].minimum(highest)

    for side, _ in sides:
        down = ankles[side] - hips[side] - pelvis
        distance = down.norm(dim=-1)
        down = down / distance.unsqueeze(-1)
        distance = distance.minimum(_REACH * leg).maximum((thigh - shank).abs() + 0.1 * leg)
        along = (distance**2 + thigh**2 - shank**2) / (2 * distance)
        before = (thigh**2 - along**2).clamp(min=0).sqrt()
        aside = rotation(out[f'{side}_out'] + curves['turn'], zero, zero)[..., 0]
        front = torch.nn.functional.normalize(torch.linalg.cross(down, aside), dim=-1)
        knee = along.unsqueeze(-1) * down + before.unsqueeze(-1) * front
        ankle = distance.unsqueeze(-1) * down
        across = torch.linalg.cross(front, down)
        rotations[f'{side}_thigh'] = _limb(across, knee)
        rotations[f'{side}_shank'] = _limb(across, ankle - knee)
    return locate(rotations, lengths, names) + pelvis.unsqueeze(2)


def _upper_body(curves: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The rotations of trunk, head and arms."""
    turn, twist, side_lean = curves['turn'], curves['twist'], curves['side']
    tilt, lean = curves['tilt'], curves['lean']
    zero = torch.zeros_like(turn)
    out = {
        'pelvis': rotation(turn, zero, tilt),
        'lower_trunk': rotation(turn + twist / 2, side_lean / 2, (tilt + 2 * lean) / 3),
        'upper_trunk': rotation(turn + twist, side_lean, lean),
        'head': rotation(turn + twist / 2, 0.3 * side_lean, 0.4 * lean + curves['nod']),
    }
    for side, sign in (('left', 1.0), ('right', -1.0)):
        flexion, abduction, outward, inward, elbow = (
            curves[f'{side}_{name}'] for name in SIDED[-5:]
        )
        yaw = turn + twist + sign * outward
        upper_arm = rotation(yaw, sign * abduction, -flexion)
        elbow = elbow.clamp(*_ELBOW)
        forearm = upper_arm @ rotation(-sign * inward, zero, -elbow)
        out[f'{side}_upper_arm'], out[f'{side}_forearm'] = upper_arm, forearm
        out[f'{side}_hand'] = forearm @ rotation(zero, zero, zero - 8)
    return out


def _limb(across: Tensor, bone: Tensor) -> Tensor:
    """The rotation of a segment that hangs along a bone and bends about an axis across it."""
    up = torch.nn.functional.normalize(-bone, dim=-1)
    return torch.stack([across, up, torch.linalg.cross(across, up)], dim=-1)
