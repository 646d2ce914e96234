"""Conversion of joint positions between layouts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from graphmotion.skeletons.layouts import get_skeleton
from graphmotion.skeletons.skeleton import Skeleton

# Names of the same place on the body in different layouts; the first is the common name.
SAME_PLACE = (
    ('pelvis', 'root', 'mid_hip', 'hip_center', 'spine_base'),
    ('thorax', 'shoulder_center', 'spine_shoulder'),
    ('spine', 'spine_mid'),
    ('left_foot', 'left_toe', 'left_big_toe', 'left_foot_index'),
    ('right_foot', 'right_toe', 'right_big_toe', 'right_foot_index'),
)

# Places that are computed as a midpoint if a layout lacks them. Applied in this order: the first
# rule whose joints are available counts, and rules may use the results of earlier ones.
MIDPOINTS = (
    ('pelvis', ('left_hip', 'right_hip')),
    ('thorax', ('left_shoulder', 'right_shoulder')),
    ('neck', ('left_shoulder', 'right_shoulder')),
    ('spine', ('pelvis', 'thorax')),
    ('lower_spine', ('pelvis', 'spine')),
    ('head', ('left_ear', 'right_ear')),
    ('left_hand', ('left_pinky', 'left_index')),
    ('right_hand', ('right_pinky', 'right_index')),
)

# Neighbouring places, which error messages suggest as substitutes.
NEIGHBORS = {
    'left_hand': 'left_wrist',
    'right_hand': 'right_wrist',
    'left_wrist': 'left_hand',
    'right_wrist': 'right_hand',
    'left_foot': 'left_ankle',
    'right_foot': 'right_ankle',
    'left_ankle': 'left_foot',
    'right_ankle': 'right_foot',
    'head': 'nose',
    'nose': 'head',
}

_PLACE = {name: names[0] for names in SAME_PLACE for name in names}


def conversion_matrix(
    source: str | Skeleton,
    target: str | Skeleton,
    substitutes: Mapping[str, str | Sequence[str]] | None = None,
) -> Tensor:
    r"""Computes the matrix that converts joint positions from one layout to another.

    A target joint is, in this order of precedence: given by :obj:`substitutes`; the source joint
    of the same name; the source joint with another name for the same place, such as
    :obj:`"mid_hip"` for :obj:`"pelvis"`; or the midpoint of source joints, such as the pelvis from
    both hips, neck and thorax from both shoulders, the spine from pelvis and thorax, and the head
    from both ears.

    .. code-block:: python

        matrix = conversion_matrix('body25', 'coco17')
        print(matrix.shape)  # [17, 25]
        pos = matrix.float() @ torch.randn(25, 2)

    Args:
        source (str or Skeleton): Layout of the data.
        target (str or Skeleton): Layout to convert to.
        substitutes (mapping, optional): Source joint, or several source joints to average, for
            target joints, such as :obj:`{'left_hand': 'left_wrist'}`. (default: :obj:`None`)

    Returns:
        Tensor: Double-precision matrix :math:`(V_{target}, V_{source})` whose rows sum to one.

    Raises:
        ValueError: If target joints cannot be derived.
    """
    source, target = get_skeleton(source), get_skeleton(target)
    substitutes = dict(substitutes or {})
    for joint in substitutes:
        target.index(joint)
    rows = dict(zip(source.joints, torch.eye(source.num_joints, dtype=torch.float64)))
    places: dict[str, Tensor] = {}
    for name, row in rows.items():
        places.setdefault(_PLACE.get(name, name), row)
    for name, parts in MIDPOINTS:
        if name not in places and all(part in places for part in parts):
            places[name] = torch.stack([places[part] for part in parts]).mean(dim=0)

    out, missing = [], []
    for joint in target.joints:
        if joint in substitutes:
            given = substitutes[joint]
            given = [given] if isinstance(given, str) else list(given)
            if not given:
                raise ValueError(f'substitutes must name at least one joint for {joint!r}')
            out.append(torch.stack([rows[source.joints[source.index(j)]] for j in given]).mean(0))
        elif joint in rows:
            out.append(rows[joint])
        elif _PLACE.get(joint, joint) in places:
            out.append(places[_PLACE.get(joint, joint)])
        else:
            missing.append(joint)
    if missing:
        raise ValueError(
            f'{source.name!r} has no joints for {missing} of {target.name!r}, neither by name nor '
            f'as a midpoint. Pass substitutes={_suggest(missing, source)}, or use '
            'target.subset(...) without them'
        )
    return torch.stack(out)


def _suggest(missing: Sequence[str], source: Skeleton) -> dict[str, str]:
    """Returns a neighbouring joint for missing joints, or '...' if the source has none."""
    found = ((joint, NEIGHBORS.get(_PLACE.get(joint, joint))) for joint in missing)
    return {joint: near if near in source.joints else '...' for joint, near in found}


def convert(
    pos: Tensor,
    source: str | Skeleton,
    target: str | Skeleton,
    substitutes: Mapping[str, str | Sequence[str]] | None = None,
) -> Tensor:
    r"""Converts joint positions from one layout to another.

    .. code-block:: python

        pos = torch.rand(17, 60, 3)
        converted = convert(pos, 'coco17', 'h36m17')
        converted = convert(pos, 'coco17', 'emotion_gait16', substitutes={
            'left_hand': 'left_wrist', 'right_hand': 'right_wrist',
            'left_foot': 'left_ankle', 'right_foot': 'right_ankle'})

    Args:
        pos (Tensor): Positions of one or more consecutive bodies.
        source (str or Skeleton): Layout of :obj:`pos`.
        target (str or Skeleton): Layout to convert to.
        substitutes (mapping, optional): See :func:`conversion_matrix`. (default: :obj:`None`)

    Shapes:
        - **pos:** :math:`(B \cdot V_{source}, T, D)`
        - **output:** :math:`(B \cdot V_{target}, T, D)`

    Raises:
        ValueError: If target joints cannot be derived or the number of nodes is not a multiple of
            the number of source joints.
    """
    if not pos.is_floating_point():
        pos = pos.float()  # midpoints of pixels may be fractional
    weight = conversion_matrix(source, target, substitutes).to(pos)
    num_source = weight.size(1)
    if pos.dim() < 2 or pos.size(0) % num_source:
        raise ValueError(
            f'the first dimension of pos must be a multiple '
            f'of the {num_source} joints of {get_skeleton(source).name!r}, got {list(pos.shape)}'
        )
    bodies, rest = pos.size(0) // num_source, pos.shape[1:]
    flat = pos.reshape(bodies, num_source, rest.numel())
    return (weight @ flat).view(bodies * weight.size(0), *rest)
