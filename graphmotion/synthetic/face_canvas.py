r"""Antialiased shapes on batches of pixel grids.

Each shape is returned as its coverage: the fraction of each pixel it covers, from 0 to 1, within a
window of pixels that contains the shape in all images of the batch. Points are
:math:`(N, K, 2)` in pixels, :math:`x` to the right and :math:`y` down; the first pixel extends from
0 to 1.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

Size = tuple[int, int]  # height and width
Window = tuple[slice, slice]  # rows and columns
Coverage = tuple[Tensor, Window]

_SUBPIXELS = 3  # samples per pixel across the axis along which coverage is exact
_SUBDIVISIONS = 4  # vertices of a closed curve per given point
_MIN_LINE_WIDTH = 0.45  # pixels; thinner lines are drawn fainter instead
_LINE_EXTENT = 3.3  # line widths beyond which the profile of a line is zero


def area_between(upper: Tensor, lower: Tensor, size: Size) -> Coverage:
    r"""Returns the area between two curves, given by points from left to right.

    Args:
        upper (Tensor): The points of the upper curve.
        lower (Tensor): The points of the lower curve.
        size (tuple): The height and width of the images.
    """
    points = torch.cat([upper, lower], dim=1)
    window = _bounding_window(points.amin(1), points.amax(1), size)
    rows, columns = window
    x = _subpixel_centers(columns).to(upper)
    top, _ = _interpolate(upper, x)
    bottom, _ = _interpolate(lower, x)
    left, right = points[..., 0].amin(1, True), points[..., 0].amax(1, True)
    bottom = torch.where((x < left) | (x > right), top, bottom)
    edge = torch.arange(rows.start, rows.stop).to(upper).unsqueeze(1)
    coverage = torch.minimum(bottom.unsqueeze(1), edge + 1) - torch.maximum(top.unsqueeze(1), edge)
    return coverage.clamp_(0, 1).unflatten(2, (-1, _SUBPIXELS)).mean(3), window


def area_inside(points: Tensor, size: Size) -> Coverage:
    r"""Returns the area inside a smooth closed curve.

    The area must cover a single run in each row.

    Args:
        points (Tensor): The points of the curve.
        size (tuple): The height and width of the images.
    """
    vertices = _close_curve(points)
    window = _bounding_window(vertices.amin(1), vertices.amax(1), size)
    rows, columns = window
    y = _subpixel_centers(rows).to(vertices).unsqueeze(1)
    x0, y0 = vertices.transpose(1, 2).unsqueeze(2).unbind(1)
    x1, y1 = vertices.roll(-1, 1).transpose(1, 2).unsqueeze(2).unbind(1)
    fraction = (y - y0) / (y1 - y0)
    missed = ~((fraction >= 0) & (fraction <= 1))  # including NaN on horizontal edges
    x = x0 + fraction * (x1 - x0)
    left = x.masked_fill(missed, torch.inf).amin(-1, True)
    right = x.masked_fill(missed, -torch.inf).amax(-1, True)
    edge = torch.arange(columns.start, columns.stop).to(vertices)
    coverage = torch.minimum(right, edge + 1) - torch.maximum(left, edge)
    return coverage.clamp_(0, 1).unflatten(1, (-1, _SUBPIXELS)).mean(2), window


def ellipse(center: Tensor, radii: Tensor, size: Size) -> Coverage:
    r"""Returns axis-aligned ellipses.

    Args:
        center (Tensor): The centres :math:`(N, 2)`.
        radii (Tensor): The radii :math:`(N, 2)` along :math:`x` and :math:`y`.
        size (tuple): The height and width of the images.
    """
    window = _bounding_window(center - radii - 1, center + radii + 1, size)
    rows, columns = window
    x = torch.arange(columns.start, columns.stop).to(center) + 0.5
    y = torch.arange(rows.start, rows.stop).to(center) + 0.5
    x = ((x - center[:, :1]) / radii[:, :1]).square().unsqueeze(1)
    y = ((y - center[:, 1:]) / radii[:, 1:]).square().unsqueeze(2)
    smaller = radii.amin(-1).view(-1, 1, 1)
    coverage = (0.5 + (1 - (x + y).sqrt()) * smaller).clamp_(0, 1)
    # An ellipse smaller than a pixel covers only a part of it.
    return coverage * (math.pi * smaller.square()).clamp(max=1), window


def line(points: Tensor, width: Tensor, size: Size, vertical: bool = False) -> Coverage:
    r"""Returns smooth lines with a Gaussian profile.

    Args:
        points (Tensor): The points of the line, from left to right.
        width (Tensor): The widths :math:`(N)`, at which the profile is :math:`1/e`.
        size (tuple): The height and width of the images.
        vertical (bool, optional): If set to :obj:`True`, points are given from top to bottom.
            (default: :obj:`False`)
    """
    if vertical:
        coverage, (columns, rows) = line(points.flip(-1), width, size[::-1])
        return coverage.transpose(1, 2), (rows, columns)
    drawn = width.clamp(min=_MIN_LINE_WIDTH)
    margin = _LINE_EXTENT * drawn.unsqueeze(1)
    window = _bounding_window(points.amin(1) - margin, points.amax(1) + margin, size)
    rows, columns = window
    x = torch.arange(columns.start, columns.stop).to(points) + 0.5
    y = torch.arange(rows.start, rows.stop).to(points).unsqueeze(1) + 0.5
    middle, slope = _interpolate(points, x)
    beyond = (points[:, :1, 0] - x).clamp(min=0) + (x - points[:, -1:, 0]).clamp(min=0)
    distance = (y - middle.unsqueeze(1)).square() / (1 + slope.square()).unsqueeze(1)
    distance.add_(beyond.square().unsqueeze(1))
    coverage = distance.div_(-drawn.square().view(-1, 1, 1)).exp_()
    return coverage * (width / drawn).view(-1, 1, 1), window


def to_full_image(coverage: Coverage, size: Size) -> Tensor:
    r"""Expands a coverage from its window to the image, :math:`(N, H, W)`."""
    values, (rows, columns) = coverage
    out = values.new_zeros(len(values), *size)
    out[:, rows, columns] = values
    return out


def gaussian_blur(images: Tensor, std: Tensor) -> Tensor:
    r"""Blurs each image with a Gaussian of its own standard deviation in pixels.

    Args:
        images (Tensor): The images :math:`(N, H, W)`.
        std (Tensor): The standard deviations :math:`(N)`.
    """
    kernels = []
    for size in images.shape[1:]:
        position = torch.arange(size).to(images)
        distance = (position.unsqueeze(1) - position).square()
        exponent = distance / (-2 * std.square().view(-1, 1, 1) - 1e-6)
        kernels.append(exponent.exp() / exponent.exp().sum(-1, keepdim=True))
    return kernels[0] @ images @ kernels[1].transpose(1, 2)


def _bounding_window(low: Tensor, high: Tensor, size: Size) -> Window:
    """Returns the pixels between the corners [N, 2] of all images."""
    (x0, y0), (x1, y1) = low.amin(0).tolist(), high.amax(0).tolist()
    left, top = max(math.floor(x0), 0), max(math.floor(y0), 0)
    right, bottom = min(math.ceil(x1), size[1]), min(math.ceil(y1), size[0])
    return slice(top, max(bottom, top)), slice(left, max(right, left))


def _subpixel_centers(pixels: slice) -> Tensor:
    index = torch.arange(pixels.start * _SUBPIXELS, pixels.stop * _SUBPIXELS)
    return (index + 0.5) / _SUBPIXELS


def _interpolate(points: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    r"""Evaluates a smooth curve :math:`y(x)` through points [N, K, 2], and its slope.

    The curve is a cubic Hermite spline with Catmull-Rom tangents, and constant beyond its ends.

    Shapes:
        - **x:** :math:`(C)`
        - **output:** :math:`(N, C)` each
    """
    knots, values = points.unbind(-1)
    # If the head is turned, points may not be in order.
    knots = (knots.double() + 1e-4 * torch.arange(knots.size(1))).cummax(1).values
    knots = (knots + 1e-4 * torch.arange(knots.size(1))).to(values)
    step = knots.diff(dim=1).clamp(min=1e-3)
    secant = values.diff(dim=1) / step
    inner = (step[:, 1:] * secant[:, :-1] + step[:, :-1] * secant[:, 1:]) / (
        step[:, 1:] + step[:, :-1]
    )
    tangent = torch.cat([secant[:, :1], inner, secant[:, -1:]], dim=1)
    x = x.expand(len(knots), -1).contiguous()
    piece = torch.searchsorted(knots.contiguous(), x).sub_(1).clamp_(0, knots.size(1) - 2)
    x0, h = knots.gather(1, piece), step.gather(1, piece)
    y0, y1 = values.gather(1, piece), values.gather(1, piece + 1)
    m0, m1 = tangent.gather(1, piece) * h, tangent.gather(1, piece + 1) * h
    t = ((x - x0) / h).clamp(0, 1)
    a, b = 2 * (y0 - y1) + m0 + m1, 3 * (y1 - y0) - 2 * m0 - m1
    return y0 + t * (m0 + t * (b + t * a)), (m0 + t * (2 * b + 3 * a * t)) / h


def _close_curve(points: Tensor) -> Tensor:
    """Returns the vertices of a closed Catmull-Rom spline through points [N, K, 2]."""
    p0, p1, p2, p3 = (points.roll(shift, 1).unsqueeze(2) for shift in (1, 0, -1, -2))
    t = torch.arange(_SUBDIVISIONS).to(points).view(-1, 1) / _SUBDIVISIONS
    cubic = (2 * p0 - 5 * p1 + 4 * p2 - p3) + t * (3 * p1 - p0 - 3 * p2 + p3)
    return (p1 + t * ((p2 - p0) + t * cubic) / 2).flatten(1, 2)
