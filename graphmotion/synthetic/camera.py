"""Cameras around a walker, and what a pose estimator makes of their images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

# Where a part of the head faces, in degrees from straight ahead towards its own side; it is seen
# from a camera up to about _VISIBLE degrees away from there.
_FACING = {
    'nose': 0.0,
    'mouth': 15.0,
    'eye_inner': 15.0,
    'eye': 20.0,
    'eye_outer': 30.0,
    'ear': 90.0,
}
_VISIBLE = 110.0
_ARM = ('elbow', 'wrist', 'hand', 'hand_tip', 'thumb', 'index', 'pinky')
_LEG = ('knee', 'ankle', 'heel', 'foot', 'toe', 'big_toe', 'small_toe', 'foot_index', 'ball')

# The estimator's typical error in metres, the frames between two values of its slow part, and how
# often it loses a joint that it sees, loses one that is hidden, and mistakes left for right in
# some frames of a sequence.
_ERROR, _KNOT, _LOST_SEEN, _LOST_HIDDEN, _SWAPPED = 0.010, 6, 0.002, 0.03, 0.12


@dataclass(frozen=True)
class Camera:
    r"""A pinhole camera that looks at the place where a walk passes.

    Seen from the angle :math:`\theta`, 0 from the front, 90 from the walker's left side and 180
    from behind, the point :math:`(x, y, z)` is at the pixel

    .. math::
        u = \frac{W}{2} + f \, \frac{x \cos\theta - z \sin\theta}{\delta}, \qquad
        v = \frac{H}{2} + f \, \frac{h - y}{\delta}, \qquad
        \delta = D - x \sin\theta - z \cos\theta,

    :math:`u` to the right and :math:`v` down.

    Args:
        width (int, optional): Width :math:`W` of the image in pixels. (default: :obj:`320`)
        height (int, optional): Height :math:`H` of the image in pixels. (default: :obj:`240`)
        focal (float, optional): Focal length :math:`f` in pixels. (default: :obj:`420`)
        distance (float, optional): Distance :math:`D` in metres. (default: :obj:`7`)
        elevation (float, optional): Height :math:`h` over the ground in metres.
            (default: :obj:`1.2`)

    Raises:
        ValueError: If a length is not positive.
    """

    width: int = 320
    height: int = 240
    focal: float = 420.0
    distance: float = 7.0
    elevation: float = 1.2

    def __post_init__(self) -> None:
        for name in ('width', 'height', 'focal', 'distance'):
            if not getattr(self, name) > 0:
                raise ValueError(f'Camera: {name} is positive, got {getattr(self, name)!r}')

    def project(self, points: Tensor, view: Tensor) -> tuple[Tensor, Tensor]:
        r"""Project points.

        Args:
            points (Tensor): In metres, in the walker's frame.
            view (Tensor): The angle :math:`\theta` in degrees of each walk.

        Shapes:
            - **points:** :math:`(N, *, 3)`
            - **view:** :math:`(N)`
            - **output:** pixels :math:`(N, *, 2)` and depths :math:`\delta` :math:`(N, *)`

        Raises:
            ValueError: If a point is not before the camera.
        """
        angle = torch.deg2rad(view).view(-1, *[1] * (points.dim() - 2))
        x, y, z = points.unbind(-1)
        sin, cos = angle.sin(), angle.cos()
        depth = self.distance - x * sin - z * cos
        if bool((depth < 0.2).any()):
            raise ValueError(
                f'a walk leads up to or past the camera at a distance of {self.distance} m: ask '
                f'for fewer frames, a larger distance, or travel=False'
            )
        u = self.width / 2 + self.focal * (x * cos - z * sin) / depth
        v = self.height / 2 + self.focal * (self.elevation - y) / depth
        return torch.stack([u, v], dim=-1), depth

    def sees(self, pixels: Tensor) -> Tensor:
        r"""Whether pixels :math:`(*, 2)` are within the image."""
        size = torch.tensor([self.width, self.height])
        return ((pixels >= 0) & (pixels < size)).all(dim=-1)


def hidden(
    pixels: Tensor, depth: Tensor, trunk: Tensor, view: Tensor, names: Sequence[str], focal: float
) -> Tensor:
    r"""How much of each landmark is hidden from the camera by the body itself, in 0..1.

    A limb is hidden where its other side is before it, a part of an arm also where the trunk is,
    and a part of the face where it faces away.

    Args:
        pixels (Tensor): The landmarks in the image.
        depth (Tensor): Their depths.
        trunk (Tensor): Pixels and depth of the middle of the trunk.
        view (Tensor): The angle of the camera in degrees.
        names (sequence of str): The landmarks.
        focal (float): The focal length in pixels.

    Shapes:
        - **pixels:** :math:`(N, T, V, 2)`
        - **depth:** :math:`(N, T, V)`
        - **trunk:** :math:`(N, T, 3)`
        - **view:** :math:`(N)`
        - **output:** :math:`(N, T, V)`
    """
    metres = depth / focal  # a pixel's size at each landmark
    other = _others(names)
    apart = (pixels - pixels[:, :, other]).norm(dim=-1) * metres
    behind = torch.sigmoid((depth - depth[:, :, other] - 0.06) / 0.03)
    paired = other != torch.arange(len(names))
    seen = 1 - paired * behind * torch.exp(-((apart / 0.12) ** 2))

    arms = torch.tensor([_part(name) in _ARM for name in names])
    aside = (pixels[..., 0] - trunk[..., :1]) * metres
    behind = torch.sigmoid((depth - trunk[..., 2:] - 0.06) / 0.03)
    seen *= 1 - arms * behind * torch.exp(-((aside / 0.14) ** 2))

    facing = [_FACING.get(_part(name), math.nan) for name in names]
    side = [-1.0 if name.startswith('right_') else 1.0 for name in names]
    turned = view.unsqueeze(1) - torch.tensor(facing) * torch.tensor(side)
    turned = ((turned + 180) % 360 - 180).abs()
    away = torch.sigmoid((turned - _VISIBLE) / 8).nan_to_num(0.0)
    return 1 - seen * (1 - away).unsqueeze(1)


def detect(
    pixels: Tensor,
    occlusion: Tensor,
    scale: Tensor,
    names: Sequence[str],
    noise: float,
    sources: Sequence[np.random.Generator],
) -> tuple[Tensor, Tensor]:
    r"""What a pose estimator reports of landmarks: noisy positions and its confidence in them.

    Errors are partly new in each frame and partly drift slowly; they are larger for hidden
    landmarks. The confidence falls with the error and with what is hidden. A landmark is lost at
    times, more often when it is hidden, and in a few frames of a few sequences the left and right
    arms or legs are exchanged.

    Args:
        pixels (Tensor): The true positions.
        occlusion (Tensor): How much is hidden; see :func:`hidden`.
        scale (Tensor): Pixels a metre.
        names (sequence of str): The landmarks.
        noise (float): A factor on all errors and their frequencies; 0 for none.
        sources (sequence of numpy.random.Generator): One for each sequence.

    Shapes:
        - **pixels:** :math:`(N, T, V, 2)`
        - **occlusion:** :math:`(N, T, V)`
        - **scale:** :math:`(N, T, V)`
        - **output:** positions :math:`(N, T, V, 2)` and confidence :math:`(N, T, V)`, 0 where
          lost
    """
    if noise == 0:
        return pixels, torch.ones_like(occlusion)
    _, num_frames, num_joints, _ = pixels.shape
    num_knots = (num_frames - 1) // _KNOT + 2
    shapes = [(num_frames, 2), (num_knots, 2), (num_frames, 1), (num_frames, 1)]
    sizes = [frames * num_joints * channels for frames, channels in shapes]
    drawn = [source.standard_normal(sum(sizes), dtype=np.float32) for source in sources]
    parts = torch.from_numpy(np.stack(drawn)).split(sizes, dim=1)
    fast, slow, spread, doubt = (
        part.view(-1, frames, num_joints, channels)
        for part, (frames, channels) in zip(parts, shapes)
    )
    events = torch.from_numpy(
        np.stack([s.random(4 + num_frames * num_joints, dtype=np.float32) for s in sources])
    )

    at = torch.arange(num_frames) / _KNOT
    left = at.floor().long()
    between = (at - left).view(-1, 1, 1)
    slow = slow[:, left] * (1 - between) + slow[:, left + 1] * between
    typical = noise * _ERROR * scale * (1 + 2 * occlusion) * torch.exp(0.4 * spread.squeeze(-1))
    error = typical.unsqueeze(-1) * (0.6 * fast + 0.8 * slow)
    surprise = error.norm(dim=-1) / (_ERROR * scale)
    score = 0.97 - 0.25 * occlusion - 0.12 * surprise + 0.04 * doubt.squeeze(-1)
    score = score.clamp(0.05, 1.0)
    found = pixels + error

    other, frame = _others(names), torch.arange(num_frames)
    for row in (events[:, 0] < noise * _SWAPPED).nonzero().flatten().tolist():
        group = _ARM if events[row, 1] < 0.3 else _LEG
        start = int(events[row, 2] * num_frames)
        frames = ((frame >= start) & (frame <= start + int(3 * events[row, 3]))).nonzero()
        joints = torch.tensor([j for j, name in enumerate(names) if _part(name) in group])
        if len(joints):
            found[row, frames, joints] = found[row, frames, other[joints]]
            score[row, frames, joints] = 0.7 * score[row, frames, other[joints]]

    lost = events[:, 4:].view_as(score) < noise * (_LOST_SEEN + _LOST_HIDDEN * occlusion)
    return found, score.masked_fill(lost, 0.0)


def _part(name: str) -> str:
    """A landmark's name without its side."""
    side, _, part = name.partition('_')
    return part if side in ('left', 'right') else name


def _others(names: Sequence[str]) -> Tensor:
    """For every landmark the same one of the other side, or itself."""
    position = {name: i for i, name in enumerate(names)}
    swap = {'left': 'right', 'right': 'left'}
    out = []
    for i, name in enumerate(names):
        side, _, part = name.partition('_')
        out.append(position.get(f'{swap.get(side, side)}_{part}', i))
    return torch.tensor(out)
