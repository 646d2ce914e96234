"""Grey images of faces, drawn from their points with soft edges.

Skin is shaded as a smooth surface: an ellipsoid for the head with bumps and hollows, that are
products of a function of the column and one of the row, so that a matrix product sums them for all
pixels. On it lie areas between two curves, such as lips and the opening of the eyes, whose share of
each pixel is exact along one axis, and lines of a soft profile, such as lids and wrinkles.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from graphmotion.synthetic import face_canvas as canvas
from graphmotion.synthetic.face_model import ACTION_UNITS, NUM_LANDMARKS, PLACES, Place

#: Traits of a picture, by name, with the value that is taken where none is given.
SCENE = {
    # Of the subject: reflectances from 0 to 1,
    'skin': 0.66,
    'hair': 0.14,
    'brow': 0.20,
    'lip': 0.72,  # as a part of that of the skin, as are the others below
    'iris': 0.20,
    'beard': 0.0,  # how dark it is, 0 to 1
    'moustache': 0.0,
    'age': 0.35,  # how deep lines are, 0 to 1
    'brow_width': 4.6,  # millimetres
    'iris_size': 5.9,  # radius in millimetres
    'nose_relief': 1.0,  # factors on the relief of the surface
    'cheek_relief': 1.0,
    'brow_relief': 1.0,
    # of the pose, in degrees: the nose to the image's right, up, and the head to the image's right,
    'yaw': 0.0,
    'pitch': 0.0,
    'roll': 0.0,
    'gaze_right': 0.0,  # millimetres by which pupils move, to the image's right and up
    'gaze_up': 0.0,
    # of the crop: millimetres by which it misses the face, and a factor on its scale,
    'crop_right': 0.0,
    'crop_up': 0.0,
    'zoom': 1.0,
    # of the light: degrees from ahead to the image's right and up, the part that comes from
    # everywhere, and what a white surface in full light gives,
    'light_right': 0.0,
    'light_up': 25.0,
    'ambient': 0.45,
    'exposure': 1.2,
    # of the background: its grey, and how much brighter it is on the right and above,
    'background': 0.45,
    'background_right': 0.0,
    'background_up': 0.0,
    'blur': 0.0,  # standard deviation in millimetres
}

#: Millimetres from edge to edge of a picture's shorter side.
FIELD = 178.0

# The head for the shading: centre and half axes; the point about which it turns.
_CENTRE, _AXES = (0.0, -15.0, -88.0), (77.0, 125.0, 98.0)
_PIVOT = (0.0, -40.0, -80.0)
_FACES_AT_ONCE = 64  # as many as the processor's cache holds, at 48 x 48

# A place, how high or bright, width and height in millimetres, and the trait that scales it.
_Bump = tuple[Place, float, float, float, str | None]
# Bumps of the surface: place, height, width and height in millimetres, and the factor on them.
_RELIEF: list[_Bump] = [
    (27, 2.5, 5.5, 8, 'nose_relief'),
    (28, 4.5, 5.5, 8, 'nose_relief'),
    (29, 6.5, 6.5, 8, 'nose_relief'),
    (30, 10, 8.5, 8, 'nose_relief'),
    ('glabella', 2, 9, 7, 'brow_relief'),
    ('forehead', 3.0, 34, 20, None),
    ('philtrum', 3.0, 14, 9, None),
    ('hollow', -2.2, 12, 4.5, None),
    ('chin', 5.5, 15, 9.5, None),
    (51, 1.8, 10, 3.2, None),
    (57, 2.4, 10, 4, None),
    # With a left and a right one:
    (31, 4.5, 5.0, 5.0, 'nose_relief'),
    (35, 4.5, 5.0, 5.0, 'nose_relief'),
    (39, -5.0, 7, 8, None),
    (42, -5.0, 7, 8, None),
    ('iris', -2.0, 14, 9, None),
    (19, 3.2, 14, 6, 'brow_relief'),
    (24, 3.2, 14, 6, 'brow_relief'),
    ('cheek', 4.5, 15, 13, 'cheek_relief'),
    ('cheekbone', 2.5, 13, 11, 'cheek_relief'),
    ('fold_end', -2.0, 6, 8, None),
    ('bag', 0.9, 10, 4, None),
    (5, 2.5, 14, 12, None),
    (11, 2.5, 14, 12, None),
]
# What units add to a bump, in millimetres at full intensity.
_UNIT_RELIEF: dict[Place, dict[int, float]] = {
    'cheek': {6: 2.5, 12: 3.0, 9: 1.5},
    'bag': {6: 1.5, 7: 1.0, 9: 0.8},
    'chin': {17: 3.0, 24: 1.0},
    'hollow': {17: -1.8, 23: -1.0, 24: -1.0},
    'glabella': {4: 1.2, 9: 1.0},
    51: {23: -1.2, 24: -1.2, 18: 1.5},
    57: {23: -1.4, 24: -1.4, 18: 1.5, 17: 0.8},
    'fold_end': {12: -1.5, 14: -2.5, 15: -1.0},
    'philtrum': {24: 0.6},
}
# Where skin is darker or brighter: place, how much, width and height in millimetres.
_TONES: list[tuple[Place, float, float, float]] = [
    ('iris', -0.13, 17, 9),
    (39, -0.14, 6, 8),
    (42, -0.14, 6, 8),
    (28, 0.04, 6, 20),
    (30, 0.05, 6, 5),
    (33, -0.16, 10, 2.6),
    ('hollow', -0.07, 10, 3.5),
    ('cheek', -0.02, 13, 10),
    ('forehead', 0.04, 28, 16),
]
_BEARD: list[tuple[Place, float, float]] = [
    *((number, 11, 9) for number in (2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14)),
    ('chin', 15, 8),
]
_MOUSTACHE: list[tuple[Place, float, float]] = [
    (50, 8, 3.4),
    (52, 8, 3.4),
    (49, 6, 4),
    (53, 6, 4),
]


def _around(names: Sequence[str]) -> list[Place]:
    """A closed curve, down on one side and up on the other."""
    return [*(f'right_{name}' for name in names), *(f'left_{name}' for name in reversed(names))]


_HAIR = _around(('hair_top', 'hair_side', 'hair_low', 'hair_end'))
_NECK = _around(('neck', 'shoulder'))
_SKULL = ('hair_top', 'forehead_side', 'temple')
_OUTLINE = [
    *range(17),
    *(f'left_{name}' for name in reversed(_SKULL)),
    *(f'right_{name}' for name in _SKULL),
]


class Picture(NamedTuple):
    r"""Pictures of faces.

    Shapes:
        - **images:** :math:`(N, H, W)`, 0 black to 1 white
        - **landmarks:** :math:`(N, 68, 2)`, in pixels, :math:`x` to the right and :math:`y` down;
          the first pixel is from 0 to 1
    """

    images: Tensor
    landmarks: Tensor


def draw_faces(
    points: Tensor, units: Tensor, scene: Mapping[str, Tensor], size: tuple[int, int] = (48, 48)
) -> Picture:
    r"""Take pictures of faces.

    Args:
        points (Tensor): The points of the faces, of
            :func:`~graphmotion.synthetic.face_model.place_points`.
        units (Tensor): The intensities of their action units, for the lines that they draw.
        scene (mapping): Some of :obj:`SCENE`, a value for each face.
        size (tuple, optional): Height and width of the images. (default: :obj:`(48, 48)`)

    Shapes:
        - **points:** :math:`(N, P, 3)`
        - **units:** :math:`(N, A, 2)`
        - **scene:** :math:`(N)` each

    Raises:
        ValueError: If a name in the scene is not known.
    """
    unknown = set(scene) - set(SCENE)
    if unknown:
        raise ValueError(f'unknown in a scene: {sorted(unknown)}, expected some of {list(SCENE)}')
    count = len(points)
    traits = {
        name: scene[name].to(points) if name in scene else points.new_full((count,), default)
        for name, default in SCENE.items()
    }
    parts = []
    for start in range(0, count, _FACES_AT_ONCE):
        rows = slice(start, start + _FACES_AT_ONCE)
        part = _Painter(points[rows], {name: value[rows] for name, value in traits.items()}, size)
        parts.append(part.paint(units[rows]))
    return Picture(*(torch.cat(values) for values in zip(*parts)))


def turn(yaw: Tensor, pitch: Tensor, roll: Tensor) -> Tensor:
    r"""Rotations by angles in degrees: first roll, then pitch, then yaw, :math:`(N, 3, 3)`."""
    (cy, cp, cr), (sy, sp, sr) = (
        [f(torch.deg2rad(angle)) for angle in (yaw, pitch, roll)] for f in (torch.cos, torch.sin)
    )
    zero, one = torch.zeros_like(yaw), torch.ones_like(yaw)
    about_y = torch.stack([cy, zero, sy, zero, one, zero, -sy, zero, cy], -1)
    about_x = torch.stack([one, zero, zero, zero, cp, sp, zero, -sp, cp], -1)
    about_z = torch.stack([cr, sr, zero, -sr, cr, zero, zero, zero, one], -1)
    y, x, z = (m.view(-1, 3, 3) for m in (about_y, about_x, about_z))
    return y @ x @ z


class _Painter:
    """Paints a few faces at once."""

    def __init__(self, points: Tensor, scene: dict[str, Tensor], size: tuple[int, int]) -> None:
        self.scene, self.size = scene, size
        height, width = size
        pivot = points.new_tensor(_PIVOT)
        self.rotation = turn(scene['yaw'], scene['pitch'], scene['roll'])
        # Seen from the camera, in millimetres.
        self.places = (points - pivot) @ self.rotation.transpose(1, 2) + pivot
        self.scale = scene['zoom'] * min(size) / FIELD  # pixels a millimetre
        anchor = self.places[:, [36, 39, 42, 45], :2].mean(1)
        anchor = anchor + self.places[:, [33], :2].mean(1) + points.new_tensor([0.0, -4.0])
        anchor = anchor / 2 + torch.stack([scene['crop_right'], scene['crop_up']], -1)
        scale = self.scale.unsqueeze(1)
        self.columns = (torch.arange(width) + 0.5 - width / 2) / scale + anchor[:, :1]
        self.rows = (height / 2 - torch.arange(height) - 0.5) / scale + anchor[:, 1:]
        flipped = (self.places[..., :2] - anchor.unsqueeze(1)) * scale.new_tensor([1.0, -1.0])
        middle = points.new_tensor([width / 2, height / 2])
        self.pixels = flipped * scale.unsqueeze(2) + middle
        self.image = points.new_zeros(len(points), height, width)

    def paint(self, units: Tensor) -> Picture:
        """All from the background to the front."""
        self.units = units
        self._up = self._offset(0.0, 1.0)
        scene = self.scene
        tone = 1 + self._bumps([(*place, None) for place in _TONES])
        hair_light = 0.55 + 0.45 * self._light(relief=False)
        light = self._light(relief=True)
        skin = scene['skin'].view(-1, 1, 1) * tone * self._whiskers() * light
        hair = scene['hair'].view(-1, 1, 1) * hair_light

        self._background()
        self._fill(self._inside(_HAIR), hair)
        shadow = (light * scene['skin'].view(-1, 1, 1)).mul(0.62)
        for side in ('right', 'left'):
            self._fill(self._disc(self._at([f'{side}_ear']), 7.5, 15.0), 1.4 * shadow)
        self._fill(self._inside(_NECK), shadow)
        self._fill(self._inside(_OUTLINE), skin)
        self._wrinkles()
        self._nose()
        self._mouth(light)
        for side in ('right', 'left'):
            self._eye(side, light)
            self._brow(side, light)
        self._fill(self._hair_in_front(), hair)
        images = self.image * scene['exposure'].view(-1, 1, 1)
        images = canvas.blur(images, scene['blur'] * self.scale)
        return Picture(images.clamp(0, 1), self.pixels[:, :NUM_LANDMARKS].clone())

    # Surface ##################################################################

    def _bumps(self, bumps: Sequence[_Bump], slopes: bool = False) -> Tensor:
        r"""The sum of bumps :math:`h \exp(-x^2/2w^2 - y^2/2v^2)`, or its slopes (2, N, H, W)."""
        bumps = [bump for one in bumps for bump in _both_sides(one)]
        at = self.places[:, [PLACES[place] for place, *_ in bumps]]
        sizes = torch.tensor([bump[1:4] for bump in bumps], dtype=at.dtype)
        heights = sizes[:, 0] * torch.ones_like(at[..., 0])
        for k, (place, _, _, _, factor) in enumerate(bumps):
            if factor is not None:
                heights[:, k] *= self.scene[factor]
            if slopes:
                heights[:, k] += self._raised(place)
        x = (self.columns.unsqueeze(1) - at[..., :1]) / sizes[:, 1:2]
        y = (self.rows.unsqueeze(1) - at[..., 1:2]) / sizes[:, 2:]
        of_x, of_y = (-x.square() / 2).exp(), (-y.square() / 2).exp() * heights.unsqueeze(2)
        if not slopes:
            return of_y.transpose(1, 2) @ of_x
        along_x = of_y.transpose(1, 2) @ (of_x * -x / sizes[:, 1:2])
        along_y = (of_y * -y / sizes[:, 2:]).transpose(1, 2) @ of_x
        return torch.stack([along_x, along_y])

    def _raised(self, place: Place) -> Tensor | float:
        """What units add to the height of a bump."""
        side, name = _side(place)
        return sum(
            (size * self._unit(unit, side) for unit, size in _UNIT_RELIEF.get(name, {}).items()),
            0.0,
        )

    def _unit(self, unit: int, side: str = '') -> Tensor:
        """The intensity of a unit on a side, or the mean of both."""
        both = self.units[:, _UNIT_ROWS[unit]]
        return both[:, int(side == 'left')] if side else both.mean(-1)

    def _light(self, relief: bool) -> Tensor:
        """How much light each pixel sends back, 1 if the light comes straight onto it."""
        scene = self.scene
        centre = self.rotation @ self.places.new_tensor(
            [c - p for c, p in zip(_CENTRE, _PIVOT)]
        ) + self.places.new_tensor(_PIVOT)
        axes = self.places.new_tensor(_AXES)
        form = (self.rotation / axes.square()) @ self.rotation.transpose(1, 2)
        x = (self.columns - centre[:, :1]).unsqueeze(1)
        y = (self.rows - centre[:, 1:2]).unsqueeze(2)
        (a, b, c), (_, d, e), (_, _, f) = (
            [value.view(-1, 1, 1) for value in row.unbind(-1)] for row in form.unbind(-2)
        )
        # The nearer root of f z^2 + 2 (c x + e y) z + (a x^2 + 2 b x y + d y^2 - 1) = 0.
        half = c * x + e * y
        root = half.square() - f * (a * x.square() + (2 * b * x) * y + d * y.square() - 1)
        ahead = torch.maximum(root, 1e-3 * f).sqrt()  # f z + c x + e y
        z = (ahead - half) / f
        slope_x, slope_y = (a * x + b * y + c * z) / ahead, (b * x + d * y + e * z) / ahead
        if relief:
            bumps = self._bumps(_RELIEF, slopes=True)
            slope_x, slope_y = slope_x - bumps[0], slope_y - bumps[1]
        right, up = torch.deg2rad(scene['light_right']), torch.deg2rad(scene['light_up'])
        to_x, to_y, to_z = (
            value.view(-1, 1, 1)
            for value in (right.sin() * up.cos(), up.sin(), right.cos() * up.cos())
        )
        facing = slope_x.mul(to_x).add_(slope_y * to_y).add_(to_z)
        facing = facing * torch.rsqrt(1 + slope_x.square() + slope_y.square())
        ambient = scene['ambient'].view(-1, 1, 1)
        return ambient + (1 - ambient) * facing.clamp(min=0)

    def _whiskers(self) -> Tensor:
        """What a beard and a moustache leave of the skin's reflectance."""
        out = torch.ones_like(self.image)
        for name, places in (('beard', _BEARD), ('moustache', _MOUSTACHE)):
            if bool((self.scene[name] > 0).any()):
                bumps = [(place, 0.5, width, height, None) for place, width, height in places]
                dense = 1 - (-1.6 * self._bumps(bumps)).exp()
                out = out - self.scene[name].view(-1, 1, 1) * dense
        return out.clamp_(min=0.15)

    # Areas ####################################################################

    def _offset(self, right: float | Tensor, up: float | Tensor) -> Tensor:
        """Pixels (N, 1, 2) that make as many millimetres."""
        return torch.stack([right * self.scale, -up * self.scale], dim=-1).unsqueeze(1)

    def _at(self, places: Sequence[Place]) -> Tensor:
        return self.pixels[:, [PLACES[place] for place in places]]

    def _inside(self, places: Sequence[Place]) -> canvas.Cover:
        return canvas.outline(self._at(places), self.size)

    def _area(self, upper: Tensor, lower: Tensor) -> canvas.Cover:
        return canvas.area(upper, lower, self.size)

    def _disc(self, centre: Tensor, width: float | Tensor, height: float | Tensor) -> canvas.Cover:
        """An ellipse about points (N, 1, 2), with radii in millimetres."""
        radii = torch.stack([width * self.scale, height * self.scale], dim=-1)
        return canvas.disc(centre[:, 0], radii, self.size)

    def _line(self, points: Tensor, width: Tensor | float, upright: bool = False) -> canvas.Cover:
        """A soft line, with its width in millimetres."""
        return canvas.line(points, width * self.scale, self.size, upright)

    def _fill(self, cover: canvas.Cover, tone: Tensor, opacity: Tensor | float = 1.0) -> None:
        """Paint over, with a tone for all pixels of the image or for each face."""
        share, (rows, columns) = cover
        tone = tone[:, rows, columns] if tone.dim() == 3 else tone.view(-1, 1, 1)
        if isinstance(opacity, Tensor):
            opacity = opacity.view(-1, 1, 1)
        part = self.image[:, rows, columns]
        part += (tone - part) * (share * opacity)

    def _darken(self, cover: canvas.Cover, by: Tensor | float) -> None:
        """Take a part of the light."""
        share, (rows, columns) = cover
        by = by.view(-1, 1, 1) if isinstance(by, Tensor) else by
        self.image[:, rows, columns] *= 1 - share * by

    # Parts ####################################################################

    def _background(self) -> None:
        scene = self.scene
        height, width = self.size
        x, y = (torch.arange(n).to(self.image) / n - 0.5 for n in (width, height))
        tone = scene['background'].unsqueeze(1) + scene['background_right'].unsqueeze(1) * x
        rise = scene['background_up'].unsqueeze(1) * y
        self.image += (tone.unsqueeze(1) - rise.unsqueeze(2)).clamp(0.05, 1)

    def _hair_in_front(self) -> canvas.Cover:
        names = ('hairline_corner', 'hairline_side')
        line = self._at(
            [*(f'right_{n}' for n in names), 'hairline', *(f'left_{n}' for n in reversed(names))]
        )
        # Down to the temples on either side, and up to the edge.
        ends = self._at(['right_temple', 'left_temple']) + line.new_tensor([[-1.0, 0], [1, 0]])
        line = torch.cat([ends[:, :1], line, ends[:, 1:]], dim=1)
        top = line.clone()
        top[..., 1] = torch.minimum(line[..., 1].amin(1, True) - 1, line.new_zeros(()))
        return self._area(top, line)

    def _eye(self, side: str, light: Tensor) -> None:
        scene = self.scene
        first = 36 if side == 'right' else 42
        upper = self._at(range(first, first + 4))
        lower = self._at([first, first + 5, first + 4, first + 3])
        opening, window = self._area(upper, lower)
        self._fill((opening, window), 0.92 * (0.45 + 0.45 * light))
        centre = self._at([f'{side}_iris'])
        centre = centre + self._offset(scene['gaze_right'], scene['gaze_up'])
        for part, tone in ((1.0, scene['iris']), (0.42, 0.3 * scene['iris'])):
            radius = part * scene['iris_size']
            shape = canvas.whole(self._disc(centre, radius, radius), self.size)
            self._fill((opening * shape[(slice(None), *window)], window), tone)
        # The shadow of the upper lid, the edge of the lower one, the crease, what lies below.
        self._darken(self._line(upper - 0.2 * self._up, 1.5), 0.72)
        self._darken(self._line(lower - 0.4 * self._up, 1.1), 0.22)
        open_ = (1 - self._unit(43, side)).clamp(0, 1)
        self._darken(self._line(upper + 4.2 * self._up, 1.3), 0.2 * open_)
        bag = self._unit(6, side) + 0.7 * self._unit(7, side) + 0.5 * self._unit(9, side)
        self._darken(self._line(lower - 5.5 * self._up, 1.5), (0.05 + 0.16 * bag).clamp(max=0.35))

    def _brow(self, side: str, light: Tensor) -> None:
        points = self._at(range(17, 22) if side == 'right' else range(22, 27))
        share, window = self._line(points, self.scene['brow_width'] / 2)
        tone = self.scene['brow'].view(-1, 1, 1) * (0.5 + 0.5 * light)
        self._fill(((1.35 * share).clamp(max=1), window), tone, 0.88)

    def _nose(self) -> None:
        for nostril, wing in (('right_nostril', 31), ('left_nostril', 35)):
            self._darken(self._disc(self._at([nostril]), 3.4, 2.2), 0.62)
            self._darken(self._disc(self._at([wing]), 3.0, 3.6), 0.16)

    def _mouth(self, light: Tensor) -> None:
        scene = self.scene
        lip = (scene['lip'] * scene['skin']).view(-1, 1, 1) * light
        corners = self._at([48]), self._at([54])
        outer_top, outer_low = self._at(range(48, 55)), self._at([48, 59, 58, 57, 56, 55, 54])
        inner_top, inner_low = self._at(range(60, 65)), self._at([60, 67, 66, 65, 64])
        edge_top = torch.cat([corners[0], inner_top, corners[1]], dim=1)
        edge_low = torch.cat([corners[0], inner_low, corners[1]], dim=1)
        self._fill(self._area(outer_top, edge_low), 0.86 * lip)  # faces down
        self._fill(self._area(edge_top, outer_low), lip)
        self._fill(self._area(inner_top, inner_low), 0.12 * scene['skin'])
        # Teeth stay with the skull or with the jaw, and lips show them.
        white = 0.2 + 0.62 * light.mean((1, 2))
        upper = self._row_of_teeth('upper_teeth', inner_top, inner_low)
        lower = self._row_of_teeth('lower_teeth', inner_top, inner_low)
        self._fill(self._area(inner_top, upper), white, 0.92)
        self._fill(self._area(lower, inner_low), white, 0.35)
        gap = (inner_low[:, 1:4, 1] - inner_top[:, 1:4, 1]).mean(1) / self.scale
        pressed = self._unit(23) + self._unit(24)
        depth = 0.6 * (1 - gap / 4).clamp(0, 1) + 0.08 * pressed
        self._darken(self._line((edge_top + edge_low) / 2, 1.0), depth)
        self._darken(self._line(outer_low[:, 1:-1] - 1.6 * self._up, 1.6), 0.14)

    def _row_of_teeth(self, place: str, top: Tensor, low: Tensor) -> Tensor:
        """The edge of a row of teeth, along the lips and no farther than they let it be seen."""
        x = top[..., 0] - (top[:, :1, 0] + top[:, -1:, 0]) / 2
        slant = (top[:, -1:, 1] - top[:, :1, 1]) / (top[:, -1:, 0] - top[:, :1, 0])
        bend = 0.004 / self.scale.unsqueeze(1) * x.square()
        y = self._at([place])[..., 1] + slant * x - bend
        y = torch.maximum(torch.minimum(y, low[..., 1]), top[..., 1])
        return torch.stack([top[..., 0], y], dim=-1)

    def _wrinkles(self) -> None:
        """Lines of the skin, which units deepen, the more the older the face is."""
        age = self.scene['age']
        deep = 0.4 + 0.6 * age
        up = self._up
        # Across the forehead.
        raised = torch.maximum(self._unit(1), 0.75 * self._unit(2))
        brows = self._at(range(19, 25))
        for rise, share in ((12.0, 1.0), (19.0, 0.85), (26.0, 0.6)):
            depth = share * (0.03 * age + 0.24 * deep * raised)
            self._darken(self._line(brows + rise * up, 1.3), depth.clamp(max=0.4))
        # Across the bridge of the nose.
        depth = (0.3 * deep * self._unit(9)).clamp(max=0.4)
        top, bottom = self._at([27]), self._at([28])
        for share in (0.1, 0.5, 0.9):
            centre = top + share * (bottom - top)
            line = torch.cat([centre + self._offset(x, -0.2 * abs(x)) for x in (-7, 0, 7)], dim=1)
            self._darken(self._line(line, 1.0), depth)
        for side, outwards, brow, corner in (('right', -1, 21, 48), ('left', 1, 22, 54)):
            self._lines_of(side, outwards, self._at([brow]), self._at([corner]))

    def _lines_of(self, side: str, outwards: int, brow: Tensor, mouth: Tensor) -> None:
        """The lines on a side, which has the inner end of a brow and a corner of the mouth."""
        age = self.scene['age']
        deep = 0.4 + 0.6 * age
        unit = {number: self._unit(number, side) for number in ACTION_UNITS}
        # Between the brows.
        frown = unit[4] + 0.4 * unit[9]
        line = torch.cat([brow + self._offset(-3 * outwards, y) for y in (7, 1, -7)], dim=1)
        depth = 0.02 + 0.34 * deep * frown
        self._darken(self._line(line, 1.2, upright=True), depth.clamp(max=0.5))
        # From the wing of the nose to beside the corner of the mouth.
        line = self._at([f'{side}_{name}' for name in ('fold_top', 'fold', 'fold_end')])
        fold = 0.34 * unit[12] + 0.38 * unit[10] + 0.3 * unit[9] + 0.12 * unit[6] + 0.1 * unit[20]
        depth = 0.03 + 0.06 * age + deep * fold
        self._darken(self._line(line, 2.1, upright=True), depth.clamp(max=0.4))
        # From the corner of the mouth downwards, and the dimple beside it.
        line = torch.cat([mouth, mouth + self._offset(2.5 * outwards, -6)], dim=1)
        depth = 0.03 + 0.06 * age + 0.34 * deep * unit[15]
        self._darken(self._line(line, 1.5, upright=True), depth.clamp(max=0.45))
        line = torch.cat([mouth + self._offset(3 * outwards, y) for y in (4, -4)], dim=1)
        depth = 0.12 * unit[12] + 0.45 * deep * unit[14]
        self._darken(self._line(line, 1.4, upright=True), depth.clamp(max=0.5))
        # Beside the eye.
        start = self._at([f'{side}_crow'])
        depth = (deep * (0.03 * age + 0.22 * unit[6])).clamp(max=0.4)
        for rise in (4, 0, -4):
            ends = [start, start + self._offset(8 * outwards, rise)]
            self._darken(self._line(torch.cat(ends[::outwards], dim=1), 0.9), depth)


_UNIT_ROWS = {unit: row for row, unit in enumerate(ACTION_UNITS)}


def _both_sides(bump: _Bump) -> list[_Bump]:
    if bump[0] in PLACES:
        return [bump]
    return [(f'{side}_{bump[0]}', *bump[1:]) for side in ('right', 'left')]


def _side(place: Place) -> tuple[str, Place]:
    """The side of a place, if it has one, and the name without it."""
    if isinstance(place, str) and place.startswith(('right_', 'left_')):
        side, _, name = place.partition('_')
        return side, name
    return '', place
