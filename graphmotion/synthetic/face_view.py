"""The scene of a face image, and the face as the camera sees it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from graphmotion.synthetic.action_units import ACTION_UNITS
from graphmotion.synthetic.face_points import POINT_INDEX, Point

#: The parameters of a face image, with their default values.
SCENE_DEFAULTS = {
    # Reflectances of the subject, from 0 to 1.
    'skin': 0.66,
    'hair': 0.14,
    'brow': 0.20,
    'lip': 0.72,  # relative to the skin
    'iris': 0.20,
    'beard': 0.0,  # darkness, from 0 to 1
    'moustache': 0.0,  # darkness, from 0 to 1
    'age': 0.35,  # depth of wrinkles, from 0 to 1
    'brow_width': 4.6,  # millimetres
    'iris_size': 5.9,  # radius in millimetres
    'nose_relief': 1.0,  # factors on the height of the relief
    'cheek_relief': 1.0,
    'brow_relief': 1.0,
    # Pose in degrees: the nose to the right of the image and up, the head to the right.
    'yaw': 0.0,
    'pitch': 0.0,
    'roll': 0.0,
    'gaze_right': 0.0,  # shift of the pupils in millimetres
    'gaze_up': 0.0,
    # Crop: misalignment in millimetres, and a factor on the scale.
    'crop_right': 0.0,
    'crop_up': 0.0,
    'zoom': 1.0,
    # Light: direction in degrees from straight ahead, ambient fraction, and the brightness of a
    # white surface in full light.
    'light_right': 0.0,
    'light_up': 25.0,
    'ambient': 0.45,
    'exposure': 1.2,
    # Background: grey level, and gradients to the right and upwards.
    'background': 0.45,
    'background_right': 0.0,
    'background_up': 0.0,
    'blur': 0.0,  # standard deviation in millimetres
}

#: The extent of the shorter side of an image in millimetres.
FIELD_OF_VIEW = 178.0
#: The point about which the head turns, in millimetres.
PIVOT = (0.0, -40.0, -80.0)

_EYE_CORNERS, _NOSE_BASE = [36, 39, 42, 45], 33
_UNIT_ROWS = {unit: row for row, unit in enumerate(ACTION_UNITS)}


def head_rotation(yaw: Tensor, pitch: Tensor, roll: Tensor) -> Tensor:
    r"""Returns rotations by roll, pitch and yaw, in this order, :math:`(N, 3, 3)`.

    Args:
        yaw (Tensor): The angle about :math:`y` in degrees.
        pitch (Tensor): The angle about :math:`x` in degrees.
        roll (Tensor): The angle about :math:`z` in degrees.
    """
    (cy, cp, cr), (sy, sp, sr) = (
        [f(torch.deg2rad(angle)) for angle in (yaw, pitch, roll)] for f in (torch.cos, torch.sin)
    )
    zero, one = torch.zeros_like(yaw), torch.ones_like(yaw)
    about_y = torch.stack([cy, zero, sy, zero, one, zero, -sy, zero, cy], -1)
    about_x = torch.stack([one, zero, zero, zero, cp, sp, zero, -sp, cp], -1)
    about_z = torch.stack([cr, sr, zero, -sr, cr, zero, zero, zero, one], -1)
    y, x, z = (m.view(-1, 3, 3) for m in (about_y, about_x, about_z))
    return y @ x @ z


class FaceView:
    r"""A batch of faces as the camera sees them, in orthographic projection.

    The crop is centred between the eyes and the base of the nose.

    Args:
        points (Tensor): The points of the faces :math:`(N, P, 3)`.
        units (Tensor): The intensities of the action units :math:`(N, A, 2)`.
        scene (dict): All of :obj:`SCENE_DEFAULTS`, :math:`(N)` each.
        size (tuple): The height and width of the images.

    Attributes:
        rotation (Tensor): The rotation of the head :math:`(N, 3, 3)`.
        points (Tensor): The rotated points in millimetres :math:`(N, P, 3)`.
        pixels (Tensor): The points in pixels :math:`(N, P, 2)`.
        scale (Tensor): The number of pixels per millimetre :math:`(N)`.
        columns (Tensor): :math:`x` of the pixel centres in millimetres :math:`(N, W)`.
        rows (Tensor): :math:`y` of the pixel centres in millimetres :math:`(N, H)`.
    """

    def __init__(
        self, points: Tensor, units: Tensor, scene: dict[str, Tensor], size: tuple[int, int]
    ) -> None:
        self.units, self.scene, self.size = units, scene, size
        height, width = size
        pivot = points.new_tensor(PIVOT)
        self.rotation = head_rotation(scene['yaw'], scene['pitch'], scene['roll'])
        self.points = (points - pivot) @ self.rotation.transpose(1, 2) + pivot
        self.scale = scene['zoom'] * min(size) / FIELD_OF_VIEW
        anchor = self.points[:, _EYE_CORNERS, :2].mean(1)
        anchor = anchor + self.points[:, [_NOSE_BASE], :2].mean(1) + points.new_tensor([0.0, -4.0])
        anchor = anchor / 2 + torch.stack([scene['crop_right'], scene['crop_up']], -1)
        scale = self.scale.unsqueeze(1)
        self.columns = (torch.arange(width) + 0.5 - width / 2) / scale + anchor[:, :1]
        self.rows = (height / 2 - torch.arange(height) - 0.5) / scale + anchor[:, 1:]
        flipped = (self.points[..., :2] - anchor.unsqueeze(1)) * scale.new_tensor([1.0, -1.0])
        center = points.new_tensor([width / 2, height / 2])
        self.pixels = flipped * scale.unsqueeze(2) + center

    def at(self, points: Sequence[Point]) -> Tensor:
        r"""Returns the pixels of the given points, :math:`(N, K, 2)`."""
        return self.pixels[:, [POINT_INDEX[point] for point in points]]

    def offset(self, right: float | Tensor, up: float | Tensor) -> Tensor:
        r"""Converts an offset from millimetres to pixels, :math:`(N, 1, 2)`."""
        return torch.stack([right * self.scale, -up * self.scale], dim=-1).unsqueeze(1)

    def intensity(self, unit: int, side: str = '') -> Tensor:
        r"""Returns the intensity of an action unit on one side, or the mean of both sides."""
        both = self.units[:, _UNIT_ROWS[unit]]
        return both[:, int(side == 'left')] if side else both.mean(-1)
