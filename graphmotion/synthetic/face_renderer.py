"""Rendering of grey-scale face images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from graphmotion.synthetic.face_canvas import gaussian_blur
from graphmotion.synthetic.face_features import (
    FACE_OUTLINE,
    HAIR_OUTLINE,
    NECK_OUTLINE,
    SIDES,
    front_hair,
    paint_background,
    paint_brow,
    paint_eye,
    paint_mouth,
    paint_nose,
)
from graphmotion.synthetic.face_painter import FacePainter
from graphmotion.synthetic.face_points import NUM_LANDMARKS
from graphmotion.synthetic.face_shading import (
    facial_hair_transmission,
    reflected_light,
    skin_tone,
)
from graphmotion.synthetic.face_view import SCENE_DEFAULTS, FaceView
from graphmotion.synthetic.face_wrinkles import paint_wrinkles

_BATCH_SIZE = 64  # faces of 48 x 48 pixels, which fit into the processor's cache


class FaceImages(NamedTuple):
    r"""Face images with their landmarks.

    Shapes:
        - **images:** :math:`(N, H, W)`, from 0 (black) to 1 (white)
        - **landmarks:** :math:`(N, 68, 2)` in pixels, :math:`x` to the right and :math:`y` down;
          the first pixel extends from 0 to 1
    """

    images: Tensor
    landmarks: Tensor


def render_faces(
    points: Tensor, units: Tensor, scene: Mapping[str, Tensor], size: tuple[int, int] = (48, 48)
) -> FaceImages:
    r"""Renders face images.

    Args:
        points (Tensor): The points of the faces, as returned by
            :func:`~graphmotion.synthetic.face_model.deform_face`.
        units (Tensor): The intensities of the action units, which deepen wrinkles.
        scene (mapping): The parameters of the images by name; missing ones default to
            :obj:`~graphmotion.synthetic.face_view.SCENE_DEFAULTS`.
        size (tuple, optional): The height and width of the images. (default: :obj:`(48, 48)`)

    Shapes:
        - **points:** :math:`(N, P, 3)`
        - **units:** :math:`(N, A, 2)`
        - **scene:** :math:`(N)` each

    Raises:
        ValueError: If the name of a scene parameter is unknown.
    """
    unknown = sorted(set(scene) - set(SCENE_DEFAULTS))
    if unknown:
        raise ValueError(f'scene must have some of the keys {list(SCENE_DEFAULTS)}, got {unknown}')
    values = {
        name: scene[name].to(points) if name in scene else points.new_full((len(points),), default)
        for name, default in SCENE_DEFAULTS.items()
    }
    batches = []
    for start in range(0, len(points), _BATCH_SIZE):
        rows = slice(start, start + _BATCH_SIZE)
        part = {name: value[rows] for name, value in values.items()}
        batches.append(_render_batch(FaceView(points[rows], units[rows], part, size)))
    return FaceImages(*(torch.cat(tensors) for tensors in zip(*batches)))


def _render_batch(view: FaceView) -> FaceImages:
    """Renders a batch of faces from back to front."""
    scene = view.scene
    light = reflected_light(view, relief=True)
    reflectance = scene['skin'].view(-1, 1, 1)
    skin = reflectance * skin_tone(view) * facial_hair_transmission(view) * light
    hair = scene['hair'].view(-1, 1, 1) * (0.55 + 0.45 * reflected_light(view, relief=False))
    shadow = (light * reflectance).mul(0.62)

    painter = FacePainter(view)
    paint_background(painter)
    painter.fill(painter.inside(HAIR_OUTLINE), hair)
    for side in SIDES:
        painter.fill(painter.ellipse(view.at([f'{side}_ear']), 7.5, 15.0), 1.4 * shadow)
    painter.fill(painter.inside(NECK_OUTLINE), shadow)
    painter.fill(painter.inside(FACE_OUTLINE), skin)
    paint_wrinkles(painter)
    paint_nose(painter)
    paint_mouth(painter, light)
    for side in SIDES:
        paint_eye(painter, side, light)
        paint_brow(painter, side, light)
    painter.fill(front_hair(painter), hair)
    images = painter.image * scene['exposure'].view(-1, 1, 1)
    images = gaussian_blur(images, scene['blur'] * view.scale)
    return FaceImages(images.clamp(0, 1), view.pixels[:, :NUM_LANDMARKS].clone())
