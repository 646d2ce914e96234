"""Painting of shapes and lines onto face images."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from graphmotion.synthetic import face_canvas as canvas
from graphmotion.synthetic.face_points import Point
from graphmotion.synthetic.face_view import FaceView


class FacePainter:
    r"""Paints onto a batch of face images; lengths are in millimetres.

    Args:
        view (FaceView): The faces.

    Attributes:
        image (Tensor): The images :math:`(N, H, W)`, initially black.
    """

    def __init__(self, view: FaceView) -> None:
        self.view = view
        self.image = view.points.new_zeros(len(view.points), *view.size)

    def fill(self, coverage: canvas.Coverage, tone: Tensor, opacity: Tensor | float = 1.0) -> None:
        r"""Paints an area.

        Args:
            coverage (tuple): The area.
            tone (Tensor): The brightness of each pixel :math:`(N, H, W)` or each face :math:`(N)`.
            opacity (Tensor or float, optional): The opacity, or the opacity for each face.
                (default: :obj:`1.0`)
        """
        values, (rows, columns) = coverage
        tone = tone[:, rows, columns] if tone.dim() == 3 else tone.view(-1, 1, 1)
        if isinstance(opacity, Tensor):
            opacity = opacity.view(-1, 1, 1)
        part = self.image[:, rows, columns]
        part += (tone - part) * (values * opacity)

    def darken(self, coverage: canvas.Coverage, fraction: Tensor | float) -> None:
        r"""Reduces the brightness of an area by a fraction, common or for each face."""
        values, (rows, columns) = coverage
        fraction = fraction.view(-1, 1, 1) if isinstance(fraction, Tensor) else fraction
        self.image[:, rows, columns] *= 1 - values * fraction

    def inside(self, points: Sequence[Point]) -> canvas.Coverage:
        r"""Returns the area inside a closed curve through points of the face."""
        return canvas.area_inside(self.view.at(points), self.view.size)

    def between(self, upper: Tensor, lower: Tensor) -> canvas.Coverage:
        r"""Returns the area between two curves, given in pixels."""
        return canvas.area_between(upper, lower, self.view.size)

    def ellipse(
        self, center: Tensor, width: float | Tensor, height: float | Tensor
    ) -> canvas.Coverage:
        r"""Returns an ellipse with a centre :math:`(N, 1, 2)` in pixels."""
        radii = torch.stack([width * self.view.scale, height * self.view.scale], dim=-1)
        return canvas.ellipse(center[:, 0], radii, self.view.size)

    def line(
        self, points: Tensor, width: Tensor | float, vertical: bool = False
    ) -> canvas.Coverage:
        r"""Returns a line through points in pixels."""
        return canvas.line(points, width * self.view.scale, self.view.size, vertical)
