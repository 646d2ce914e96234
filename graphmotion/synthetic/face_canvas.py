"""Shapes on a grid of pixels with soft edges, many images at once.

A cover is the share of each pixel that a shape takes, 0 to 1, in the window of pixels that all
images have in common around it. Points are :math:`(N, K, 2)`, :math:`x` to the right and :math:`y`
down, in pixels; the first pixel is from 0 to 1.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

Window = tuple[slice, slice]
Cover = tuple[Tensor, Window]

_SUBPIXELS = 3  # columns or rows in which a pixel is measured
_CORNERS = 4  # points of a closed curve for each one given
_THINNEST = 0.45  # pixels; thinner lines are drawn with that width, and fainter
_TAIL = 3.3  # widths of a line beyond which nothing is left of it


def area(upper: Tensor, lower: Tensor, size: tuple[int, int]) -> Cover:
    r"""What is between two curves, each given by points from the left to the right."""
    both = torch.cat([upper, lower], dim=1)
    window = _window(both.amin(1), both.amax(1), size)
    rows, columns = window
    at = _subpixels(columns).to(upper)
    top, _ = _curve(upper, at)
    bottom, _ = _curve(lower, at)
    first, last = both[..., 0].amin(1, True), both[..., 0].amax(1, True)
    bottom = torch.where((at < first) | (at > last), top, bottom)
    edge = torch.arange(rows.start, rows.stop).to(upper).unsqueeze(1)
    share = torch.minimum(bottom.unsqueeze(1), edge + 1) - torch.maximum(top.unsqueeze(1), edge)
    return share.clamp_(0, 1).unflatten(2, (-1, _SUBPIXELS)).mean(3), window


def outline(points: Tensor, size: tuple[int, int]) -> Cover:
    r"""What is within a closed curve that each row meets in one run."""
    corners = _closed_curve(points)
    window = _window(corners.amin(1), corners.amax(1), size)
    rows, columns = window
    at = _subpixels(rows).to(corners).unsqueeze(1)
    x0, y0 = corners.transpose(1, 2).unsqueeze(2).unbind(1)
    x1, y1 = corners.roll(-1, 1).transpose(1, 2).unsqueeze(2).unbind(1)
    share = (at - y0) / (y1 - y0)
    missed = ~((share >= 0) & (share <= 1))  # also where it is no number, on a level line
    x = x0 + share * (x1 - x0)
    first = x.masked_fill(missed, torch.inf).amin(-1, True)
    last = x.masked_fill(missed, -torch.inf).amax(-1, True)
    edge = torch.arange(columns.start, columns.stop).to(corners)
    share = torch.minimum(last, edge + 1) - torch.maximum(first, edge)
    return share.clamp_(0, 1).unflatten(1, (-1, _SUBPIXELS)).mean(2), window


def disc(centre: Tensor, radii: Tensor, size: tuple[int, int]) -> Cover:
    r"""Ellipses about centres (N, 2) with radii (N, 2) along :math:`x` and :math:`y`."""
    window = _window(centre - radii - 1, centre + radii + 1, size)
    rows, columns = window
    x = torch.arange(columns.start, columns.stop).to(centre) + 0.5
    y = torch.arange(rows.start, rows.stop).to(centre) + 0.5
    x = ((x - centre[:, :1]) / radii[:, :1]).square().unsqueeze(1)
    y = ((y - centre[:, 1:]) / radii[:, 1:]).square().unsqueeze(2)
    least = radii.amin(-1).view(-1, 1, 1)
    share = (0.5 + (1 - (x + y).sqrt()) * least).clamp_(0, 1)
    # One smaller than a pixel covers a part of it.
    return share * (math.pi * least.square()).clamp(max=1), window


def line(points: Tensor, width: Tensor, size: tuple[int, int], upright: bool = False) -> Cover:
    r"""A line with a Gaussian profile, of widths (N), along points from the left to the right, or,
    if upright, from above to below.
    """
    if upright:
        share, (columns, rows) = line(points.flip(-1), width, size[::-1])
        return share.transpose(1, 2), (rows, columns)
    drawn = width.clamp(min=_THINNEST)
    margin = _TAIL * drawn.unsqueeze(1)
    window = _window(points.amin(1) - margin, points.amax(1) + margin, size)
    rows, columns = window
    x = torch.arange(columns.start, columns.stop).to(points) + 0.5
    y = torch.arange(rows.start, rows.stop).to(points).unsqueeze(1) + 0.5
    middle, slope = _curve(points, x)
    over = (points[:, :1, 0] - x).clamp(min=0) + (x - points[:, -1:, 0]).clamp(min=0)
    distance = (y - middle.unsqueeze(1)).square() / (1 + slope.square()).unsqueeze(1)
    distance.add_(over.square().unsqueeze(1))
    share = distance.div_(-drawn.square().view(-1, 1, 1)).exp_()
    return share * (width / drawn).view(-1, 1, 1), window


def whole(cover: Cover, size: tuple[int, int]) -> Tensor:
    r"""A cover (N, H, W) of all pixels, in place of one of a window."""
    share, (rows, columns) = cover
    out = share.new_zeros(len(share), *size)
    out[:, rows, columns] = share
    return out


def blur(images: Tensor, width: Tensor) -> Tensor:
    r"""Images (N, H, W), each under a Gaussian of its own width (N) in pixels."""
    kernels = []
    for size in images.shape[1:]:
        at = torch.arange(size).to(images)
        apart = (at.unsqueeze(1) - at).square() / (-2 * width.square().view(-1, 1, 1) - 1e-6)
        kernels.append(apart.exp() / apart.exp().sum(-1, keepdim=True))
    return kernels[0] @ images @ kernels[1].transpose(1, 2)


def _window(low: Tensor, high: Tensor, size: tuple[int, int]) -> Window:
    """The pixels between corners (N, 2) of all images."""
    (x0, y0), (x1, y1) = low.amin(0).tolist(), high.amax(0).tolist()
    left, top = max(math.floor(x0), 0), max(math.floor(y0), 0)
    right, bottom = min(math.ceil(x1), size[1]), min(math.ceil(y1), size[0])
    return slice(top, max(bottom, top)), slice(left, max(right, left))


def _subpixels(pixels: slice) -> Tensor:
    at = torch.arange(pixels.start * _SUBPIXELS, pixels.stop * _SUBPIXELS)
    return (at + 0.5) / _SUBPIXELS


def _curve(points: Tensor, at: Tensor) -> tuple[Tensor, Tensor]:
    r"""A smooth curve :math:`y(x)` through points (N, K, 2) from the left, and its slope.

    It is a cubic Hermite spline with the tangents of Catmull and Rom; beyond its ends it is level.

    Shapes:
        - **at:** :math:`(C)`
        - **output:** :math:`(N, C)` each
    """
    x, y = points.unbind(-1)
    # In a turned head, points may come to lie above each other.
    x = (x.double() + 1e-4 * torch.arange(x.size(1))).cummax(1).values
    x = (x + 1e-4 * torch.arange(x.size(1))).to(y)
    step = x.diff(dim=1).clamp(min=1e-3)
    secant = y.diff(dim=1) / step
    inner = (step[:, 1:] * secant[:, :-1] + step[:, :-1] * secant[:, 1:]) / (
        step[:, 1:] + step[:, :-1]
    )
    tangent = torch.cat([secant[:, :1], inner, secant[:, -1:]], dim=1)
    where = at.expand(len(x), -1).contiguous()
    piece = torch.searchsorted(x.contiguous(), where).sub_(1).clamp_(0, x.size(1) - 2)
    x0, h = x.gather(1, piece), step.gather(1, piece)
    y0, y1 = y.gather(1, piece), y.gather(1, piece + 1)
    m0, m1 = tangent.gather(1, piece) * h, tangent.gather(1, piece + 1) * h
    t = ((where - x0) / h).clamp(0, 1)
    a, b = 2 * (y0 - y1) + m0 + m1, 3 * (y1 - y0) - 2 * m0 - m1
    return y0 + t * (m0 + t * (b + t * a)), (m0 + t * (2 * b + 3 * a * t)) / h


def _closed_curve(points: Tensor) -> Tensor:
    """More points on a smooth closed curve through points (N, K, 2): that of Catmull and Rom."""
    before, after, beyond = (points.roll(by, 1) for by in (1, -1, -2))
    t = torch.arange(_CORNERS).to(points).view(-1, 1) / _CORNERS
    p0, p1, p2, p3 = (p.unsqueeze(2) for p in (before, points, after, beyond))
    bend = (2 * p0 - 5 * p1 + 4 * p2 - p3) + t * (3 * p1 - p0 - 3 * p2 + p3)
    return (p1 + t * ((p2 - p0) + t * bend) / 2).flatten(1, 2)
