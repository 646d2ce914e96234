"""Cameras around a walker, self-occlusion and the errors of a pose estimator."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

# The direction that a part of the head faces, in degrees from straight ahead towards its own side.
# The part is visible from cameras up to about _VISIBLE_ANGLE from this direction.
_FACING_ANGLE = {
    'nose': 0.0,
    'mouth': 15.0,
    'eye_inner': 15.0,
    'eye': 20.0,
    'eye_outer': 30.0,
    'ear': 90.0,
}
_VISIBLE_ANGLE = 110.0
_ARM_PARTS = ('elbow', 'wrist', 'hand', 'hand_tip', 'thumb', 'index', 'pinky')
_LEG_PARTS = ('knee', 'ankle', 'heel', 'foot', 'toe', 'big_toe', 'small_toe', 'foot_index', 'ball')

_TYPICAL_ERROR = 0.010  # metres
_DRIFT_PERIOD = 6  # frames between the knots of the drifting part of the error
# Probabilities that a visible joint is lost, that an occluded joint is lost in addition, and that
# left and right are swapped in some frames of a sequence.
_LOST, _LOST_OCCLUDED, _SWAPPED = 0.002, 0.03, 0.12


@dataclass(frozen=True)
class Camera:
    r"""A pinhole camera that looks at the walker from the side given by an angle.

    For the angle :math:`\theta`, where 0 is in front of the walker, 90 on the left and 180 behind,
    the point :math:`(x, y, z)` is projected to the pixel

    .. math::
        u = \frac{W}{2} + f \, \frac{x \cos\theta - z \sin\theta}{\delta}, \qquad
        v = \frac{H}{2} + f \, \frac{h - y}{\delta}, \qquad
        \delta = D - x \sin\theta - z \cos\theta,

    with :math:`u` to the right and :math:`v` down.

    .. code-block:: python

        camera = Camera(width=640, height=480, focal_length=840.0)
        walks = SyntheticGait(num_subjects=1, num_takes=1, views=[90], camera=camera)

    Args:
        width (int, optional): The image width :math:`W` in pixels. (default: :obj:`320`)
        height (int, optional): The image height :math:`H` in pixels. (default: :obj:`240`)
        focal_length (float, optional): The focal length :math:`f` in pixels.
            (default: :obj:`420.0`)
        distance (float, optional): The distance :math:`D` from the origin in metres.
            (default: :obj:`7.0`)
        height_above_ground (float, optional): The height :math:`h` in metres.
            (default: :obj:`1.2`)

    Raises:
        ValueError: If the image size, the focal length or the distance is not positive.
    """

    width: int = 320
    height: int = 240
    focal_length: float = 420.0
    distance: float = 7.0
    height_above_ground: float = 1.2

    def __post_init__(self) -> None:
        for name in ('width', 'height', 'focal_length', 'distance'):
            if not getattr(self, name) > 0:
                raise ValueError(f'{name} must be positive, got {getattr(self, name)!r}')

    def project(self, points: Tensor, view: Tensor) -> tuple[Tensor, Tensor]:
        r"""Projects points onto the image.

        Args:
            points (Tensor): The points in metres, in the frame of the walker.
            view (Tensor): The angle :math:`\theta` of each walk in degrees.

        Shapes:
            - **points:** :math:`(N, *, 3)`
            - **view:** :math:`(N)`
            - **output:** pixels :math:`(N, *, 2)` and depths :math:`\delta` :math:`(N, *)`

        Raises:
            ValueError: If a point is not in front of the camera.
        """
        angle = torch.deg2rad(view).view(-1, *[1] * (points.dim() - 2))
        x, y, z = points.unbind(-1)
        sin, cos = angle.sin(), angle.cos()
        depth = self.distance - x * sin - z * cos
        if bool((depth < 0.2).any()):
            raise ValueError(
                f'points must be in front of the camera at a distance of {self.distance} m, got a '
                f'walk that reaches it; use fewer frames, a larger distance, or travel=False'
            )
        u = self.width / 2 + self.focal_length * (x * cos - z * sin) / depth
        v = self.height / 2 + self.focal_length * (self.height_above_ground - y) / depth
        return torch.stack([u, v], dim=-1), depth

    def in_image(self, pixels: Tensor) -> Tensor:
        r"""Returns whether pixels :math:`(*, 2)` lie inside the image."""
        size = torch.tensor([self.width, self.height])
        return ((pixels >= 0) & (pixels < size)).all(dim=-1)


def self_occlusion(
    pixels: Tensor,
    depth: Tensor,
    trunk: Tensor,
    view: Tensor,
    landmarks: Sequence[str],
    focal_length: float,
) -> Tensor:
    r"""Estimates how much of each landmark the body itself occludes, from 0 to 1.

    A limb is occluded by the same limb on the other side, an arm also by the trunk, and a part of
    the face if it faces away from the camera.

    Args:
        pixels (Tensor): The positions of the landmarks in the image.
        depth (Tensor): The depths of the landmarks.
        trunk (Tensor): The pixel and the depth of the middle of the trunk.
        view (Tensor): The angle of the camera in degrees.
        landmarks (sequence of str): The names of the landmarks.
        focal_length (float): The focal length in pixels.

    Shapes:
        - **pixels:** :math:`(N, T, V, 2)`
        - **depth:** :math:`(N, T, V)`
        - **trunk:** :math:`(N, T, 3)`
        - **view:** :math:`(N)`
        - **output:** :math:`(N, T, V)`
    """
    metres = depth / focal_length  # size of a pixel at each landmark
    other = _opposite_side(landmarks)
    distance = (pixels - pixels[:, :, other]).norm(dim=-1) * metres
    behind = torch.sigmoid((depth - depth[:, :, other] - 0.06) / 0.03)
    paired = other != torch.arange(len(landmarks))
    visible = 1 - paired * behind * torch.exp(-((distance / 0.12) ** 2))

    arms = torch.tensor([_part(name) in _ARM_PARTS for name in landmarks])
    distance = (pixels[..., 0] - trunk[..., :1]) * metres
    behind = torch.sigmoid((depth - trunk[..., 2:] - 0.06) / 0.03)
    visible *= 1 - arms * behind * torch.exp(-((distance / 0.14) ** 2))

    facing = [_FACING_ANGLE.get(_part(name), math.nan) for name in landmarks]
    side = [-1.0 if name.startswith('right_') else 1.0 for name in landmarks]
    angle = view.unsqueeze(1) - torch.tensor(facing) * torch.tensor(side)
    angle = ((angle + 180) % 360 - 180).abs()
    facing_away = torch.sigmoid((angle - _VISIBLE_ANGLE) / 8).nan_to_num(0.0)
    return 1 - visible * (1 - facing_away).unsqueeze(1)


def simulate_pose_estimator(
    pixels: Tensor,
    occlusion: Tensor,
    scale: Tensor,
    landmarks: Sequence[str],
    noise: float,
    generators: Sequence[np.random.Generator],
) -> tuple[Tensor, Tensor]:
    r"""Simulates the output of a pose estimator: noisy positions with confidences.

    Errors have a part that is independent in each frame and a part that drifts slowly; both grow
    with occlusion. The confidence decreases with the error and with occlusion. Landmarks are
    sometimes lost, more often when occluded, and in a few frames of some sequences, the left and
    right arms or legs are swapped.

    Args:
        pixels (Tensor): The true positions.
        occlusion (Tensor): The occlusion returned by :func:`self_occlusion`.
        scale (Tensor): The number of pixels per metre.
        landmarks (sequence of str): The names of the landmarks.
        noise (float): A factor for the size and the frequency of errors; 0 disables them.
        generators (sequence of numpy.random.Generator): The generator of each sequence.

    Shapes:
        - **pixels:** :math:`(N, T, V, 2)`
        - **occlusion:** :math:`(N, T, V)`
        - **scale:** :math:`(N, T, V)`
        - **output:** positions :math:`(N, T, V, 2)` and confidences :math:`(N, T, V)`, which are 0
          for lost landmarks
    """
    if noise == 0:
        return pixels, torch.ones_like(occlusion)
    _, num_frames, num_joints, _ = pixels.shape
    num_knots = (num_frames - 1) // _DRIFT_PERIOD + 2
    shapes = [(num_frames, 2), (num_knots, 2), (num_frames, 1), (num_frames, 1)]
    sizes = [frames * num_joints * channels for frames, channels in shapes]
    normal = [g.standard_normal(sum(sizes), dtype=np.float32) for g in generators]
    parts = torch.from_numpy(np.stack(normal)).split(sizes, dim=1)
    fast, slow, spread, doubt = (
        part.view(-1, frames, num_joints, channels)
        for part, (frames, channels) in zip(parts, shapes)
    )
    uniform = torch.from_numpy(
        np.stack([g.random(4 + num_frames * num_joints, dtype=np.float32) for g in generators])
    )

    position = torch.arange(num_frames) / _DRIFT_PERIOD
    knot = position.floor().long()
    fraction = (position - knot).view(-1, 1, 1)
    slow = slow[:, knot] * (1 - fraction) + slow[:, knot + 1] * fraction
    std = noise * _TYPICAL_ERROR * scale * (1 + 2 * occlusion) * torch.exp(0.4 * spread.squeeze(-1))
    error = std.unsqueeze(-1) * (0.6 * fast + 0.8 * slow)
    relative_error = error.norm(dim=-1) / (_TYPICAL_ERROR * scale)
    score = 0.97 - 0.25 * occlusion - 0.12 * relative_error + 0.04 * doubt.squeeze(-1)
    score = score.clamp(0.05, 1.0)
    detected = pixels + error

    other, frame = _opposite_side(landmarks), torch.arange(num_frames)
    for row in (uniform[:, 0] < noise * _SWAPPED).nonzero().flatten().tolist():
        swapped_parts = _ARM_PARTS if uniform[row, 1] < 0.3 else _LEG_PARTS
        start = int(uniform[row, 2] * num_frames)
        frames = ((frame >= start) & (frame <= start + int(3 * uniform[row, 3]))).nonzero()
        joints = torch.tensor([j for j, n in enumerate(landmarks) if _part(n) in swapped_parts])
        if len(joints):
            detected[row, frames, joints] = detected[row, frames, other[joints]]
            score[row, frames, joints] = 0.7 * score[row, frames, other[joints]]

    lost = uniform[:, 4:].view_as(score) < noise * (_LOST + _LOST_OCCLUDED * occlusion)
    return detected, score.masked_fill(lost, 0.0)


def _part(name: str) -> str:
    """Returns the name of a landmark without its side."""
    side, _, part = name.partition('_')
    return part if side in ('left', 'right') else name


def _opposite_side(landmarks: Sequence[str]) -> Tensor:
    """Returns the index of each landmark on the other side, or its own index."""
    index = {name: i for i, name in enumerate(landmarks)}
    swap = {'left': 'right', 'right': 'left'}
    out = []
    for i, name in enumerate(landmarks):
        side, _, part = name.partition('_')
        out.append(index.get(f'{swap.get(side, side)}_{part}', i))
    return torch.tensor(out)
