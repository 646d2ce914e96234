"""Silhouettes of a body made of tapered capsules around the bones."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

#: The height and width of a silhouette.
SILHOUETTE_SIZE = (64, 44)

# The landmarks at both ends, the radii there as fractions of body height, the increase by a coat,
# and the trait that scales the radii. The trait is 0 for bags and coats that are not worn.
_Capsule = tuple[str, str, float, float, float, str]
_CENTRAL_CAPSULES: list[_Capsule] = [
    ('jaw', 'skull', 0.046, 0.052, 0.0, 'head_scale'),
    ('thorax', 'jaw', 0.036, 0.032, 0.006, 'girth'),
    ('neck', 'left_deltoid', 0.024, 0.026, 0.006, 'girth'),
    ('neck', 'right_deltoid', 0.024, 0.026, 0.006, 'girth'),
    ('left_chest', 'right_chest', 0.058, 0.058, 0.010, 'girth'),
    ('left_waist', 'right_waist', 0.052, 0.052, 0.014, 'girth'),
    ('left_buttock', 'right_buttock', 0.056, 0.056, 0.010, 'girth'),
    ('left_hem', 'right_hem', 0.055, 0.055, 0.0, 'coat'),
    ('backpack', 'backpack_base', 0.060, 0.065, 0.0, 'backpack'),
    ('shoulder_bag', 'shoulder_bag', 0.060, 0.060, 0.0, 'shoulder_bag'),
    ('left_handbag', 'left_handbag', 0.060, 0.060, 0.0, 'left_handbag'),
    ('right_handbag', 'right_handbag', 0.060, 0.060, 0.0, 'right_handbag'),
]
_SIDE_CAPSULES: list[_Capsule] = [
    ('chest', 'deltoid', 0.046, 0.028, 0.008, 'girth'),
    ('chest', 'waist', 0.058, 0.052, 0.012, 'girth'),
    ('waist', 'buttock', 0.052, 0.056, 0.014, 'girth'),
    ('deltoid', 'elbow', 0.028, 0.023, 0.010, 'girth'),
    ('elbow', 'wrist', 0.023, 0.016, 0.010, 'girth'),
    ('wrist', 'hand_tip', 0.018, 0.012, 0.0, 'height'),
    ('hip', 'knee', 0.048, 0.034, 0.0, 'girth'),
    ('knee', 'calf', 0.033, 0.032, 0.0, 'girth'),
    ('calf', 'ankle', 0.032, 0.021, 0.0, 'girth'),
    ('ankle', 'heel', 0.021, 0.014, 0.0, 'height'),
    ('ankle', 'ball', 0.021, 0.016, 0.0, 'height'),
    ('heel', 'foot', 0.014, 0.012, 0.0, 'height'),
    ('buttock', 'hem', 0.070, 0.066, 0.0, 'coat'),
]
_CAPSULES: list[_Capsule] = _CENTRAL_CAPSULES + [
    (f'{side}_{capsule[0]}', f'{side}_{capsule[1]}', *capsule[2:])
    for capsule in _SIDE_CAPSULES
    for side in ('left', 'right')
]
#: The landmarks at the ends of each capsule.
CAPSULE_ENDS = [capsule[:2] for capsule in _CAPSULES]
_BATCH_SIZE = 64  # frames, which fit into the processor's cache


def capsule_radii(traits: Mapping[str, Tensor]) -> Tensor:
    r"""Returns the radii at both ends of each capsule in metres, 0 if absent.

    Args:
        traits (mapping): The traits of :math:`N` walkers.

    Shapes:
        - **output:** :math:`(N, P, 2)`, in the order of :obj:`CAPSULE_ENDS`
    """
    height = traits['height'].view(-1, 1, 1)
    scales = dict(traits) | {'height': torch.ones_like(traits['height'])}
    scale = torch.stack([scales[name] for *_, name in _CAPSULES], dim=1).unsqueeze(-1)
    radii = torch.tensor([capsule[2:4] for capsule in _CAPSULES])
    coat = torch.tensor([capsule[4] for capsule in _CAPSULES]).unsqueeze(-1)
    return height * scale * (radii + coat * traits['coat'].view(-1, 1, 1))


def crop_to_body(
    ends: Tensor, radii: Tensor, size: tuple[int, int] = SILHOUETTE_SIZE
) -> tuple[Tensor, Tensor]:
    r"""Computes the crop in which the body is centred and as high as the image.

    Args:
        ends (Tensor): Both ends of each capsule in pixels.
        radii (Tensor): The radii at the ends in pixels, 0 for absent capsules.
        size (tuple, optional): The height and width of the image. (default: :obj:`(64, 44)`)

    Shapes:
        - **ends:** :math:`(F, P, 2, 2)`
        - **radii:** :math:`(F, P, 2)`
        - **output:** corners :math:`\mathbf{c}` :math:`(F, 2)` and scales :math:`s` :math:`(F)`,
          which map a point to :math:`(\mathbf{p} - \mathbf{c}) \, s`
    """
    present = (radii > 0).all(dim=-1)
    top = (ends[..., 1] - radii).masked_fill(~present.unsqueeze(-1), torch.inf).flatten(1).amin(1)
    bottom = (ends[..., 1] + radii).masked_fill(~present.unsqueeze(-1), -torch.inf)
    scale = size[0] / (bottom.flatten(1).amax(1) - top)
    length = (ends[:, :, 0] - ends[:, :, 1]).norm(dim=-1)
    area = present * radii.sum(-1) * (length + radii.sum(-1))
    center = (ends[..., 0].mean(-1) * area).sum(1) / area.sum(1)
    return torch.stack([center - size[1] / 2 / scale, top], dim=1), scale


def render_silhouettes(
    ends: Tensor, radii: Tensor, size: tuple[int, int] = SILHOUETTE_SIZE
) -> Tensor:
    r"""Renders silhouettes in the crops of :func:`crop_to_body`.

    A capsule is convex, so that it covers one run of pixels in each row, bounded by its two circles
    and their two common tangents. The runs of all capsules are accumulated at once.

    Args:
        ends (Tensor): Both ends of each capsule in pixels.
        radii (Tensor): The radii at the ends in pixels, 0 for absent capsules.
        size (tuple, optional): The height and width of the images. (default: :obj:`(64, 44)`)

    Shapes:
        - **ends:** :math:`(F, P, 2, 2)`
        - **radii:** :math:`(F, P, 2)`
        - **output:** :math:`(F, H, W)`, bytes, 1 inside the body and 0 outside
    """
    corner, scale = crop_to_body(ends, radii, size)
    ends = (ends - corner[:, None, None]) * scale[:, None, None, None]
    radii = radii * scale[:, None, None]
    present = (radii > 0).all(dim=-1).any(dim=0)
    batches = zip(ends[:, present].split(_BATCH_SIZE), radii[:, present].split(_BATCH_SIZE))
    return torch.cat([_fill_capsules(*batch, size) for batch in batches])


def _fill_capsules(ends: Tensor, radii: Tensor, size: tuple[int, int]) -> Tensor:
    rows, columns = size
    y = (torch.arange(rows) + 0.5).unsqueeze(1)
    (ax, ay), (bx, by) = ((end[:, None, :, 0], end[:, None, :, 1]) for end in ends.unbind(2))
    ra, rb = radii.unsqueeze(1).unbind(-1)
    low = torch.full((len(ends), rows, ends.size(1)), torch.inf)
    high = -low

    for x0, y0, r in ((ax, ay, ra), (bx, by, rb)):
        half = (r.square() - (y - y0).square()).sqrt_()  # NaN beyond the circle, ignored by fmin
        torch.fmin(low, x0 - half, out=low)
        torch.fmax(high, half.add_(x0), out=high)
    # Tangents run from a + r_a n to b + r_b n, with n at the same angle on both sides of the axis.
    length = torch.hypot(bx - ax, by - ay).clamp(min=1e-6)
    ux, uy = (bx - ax) / length, (by - ay) / length
    along = ((ra - rb) / length).clamp(-1, 1)
    across = (1 - along.square()).sqrt()
    for sign in (1, -1):
        nx, ny = along * ux - sign * across * uy, along * uy + sign * across * ux
        x0, y0, dx, dy = (
            ax + ra * nx,
            ay + ra * ny,
            bx - ax + (rb - ra) * nx,
            by - ay + (rb - ra) * ny,
        )
        fraction = (y - y0).div_(dy)
        fraction.masked_fill_((fraction - 0.5).abs_() > 0.5, torch.nan)
        x = fraction.mul_(dx).add_(x0)
        torch.fmin(low, x, out=low)
        torch.fmax(high, x, out=high)

    # A pixel is covered if its centre is covered.
    present = ((ra > 0) & (rb > 0)).expand_as(low)
    first = low.sub_(0.5).ceil_().clamp_(0, columns).long()
    last = high.add_(0.5).floor_().clamp_(0, columns).long().masked_fill_(~present, 0)
    first = torch.minimum(first, last)
    runs = torch.zeros(len(ends), rows, columns + 1, dtype=torch.int8)
    one = torch.ones((), dtype=torch.int8).expand_as(first)
    runs.scatter_add_(2, first, one).scatter_add_(2, last, -one)
    return (runs[..., :columns].cumsum(2, dtype=torch.int8) > 0).byte()
