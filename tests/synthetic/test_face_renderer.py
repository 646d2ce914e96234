import pytest
import torch

from graphmotion.synthetic.action_units import EXPRESSIONS, unit_intensities
from graphmotion.synthetic.face_model import deform_face
from graphmotion.synthetic.face_points import MIRROR_INDEX, NUM_LANDMARKS, POINT_INDEX
from graphmotion.synthetic.face_renderer import render_faces
from graphmotion.synthetic.face_shapes import SHAPE_TRAITS
from graphmotion.synthetic.face_view import FIELD_OF_VIEW

BIG = (160, 160)


def render(units=None, size=BIG, **scene):
    units = unit_intensities(units or {}).unsqueeze(0)
    points = deform_face(torch.zeros(1, len(SHAPE_TRAITS), 2), units)
    values = {name: torch.tensor([float(value)]) for name, value in scene.items()}
    images, landmarks = render_faces(points, units, values, size)
    return images[0], landmarks[0]


def grey(image, point, reach=1):
    """Returns the mean grey level around a pixel."""
    x, y = (int(value) for value in point)
    return float(image[y - reach : y + reach + 1, x - reach : x + reach + 1].mean())


def test_mean_face_is_symmetric_in_frontal_light():
    for units in ({}, *EXPRESSIONS.values()):
        image, landmarks = render(units)
        torch.testing.assert_close(image, image.flip(1), atol=2e-3, rtol=0)
        mirrored = landmarks[MIRROR_INDEX[:NUM_LANDMARKS]] * torch.tensor([-1.0, 1]) + torch.tensor(
            [160.0, 0]
        )
        torch.testing.assert_close(landmarks, mirrored, atol=1e-3, rtol=0)
        assert image.min() >= 0
        assert image.max() <= 1


def test_mirrored_scene():
    scene = {'yaw': 10, 'roll': 4, 'light_right': 20, 'background_right': 0.2, 'crop_right': 3}
    image, _ = render({12: (0.2, 0.9), 14: (0.0, 0.5)}, **scene)
    other, _ = render(
        {12: (0.9, 0.2), 14: (0.5, 0.0)}, **{name: -value for name, value in scene.items()}
    )
    # Subpixel sampling is not symmetric.
    assert (image - other.flip(1)).abs().mean() < 2e-3


def test_landmarks_lie_on_their_features():
    image, at = render()
    skin = grey(image, (at[30] + at[35]) / 2 + torch.tensor([12.0, 0]))
    assert grey(image, (at[37] + at[40]) / 2) < 0.55 * skin  # an iris
    assert grey(image, at[24]) < 0.6 * skin  # a brow
    assert grey(image, (at[51] + at[62]) / 2, 0) < 0.8 * skin  # a lip
    white = (at[36] + 0.16 * (at[39] - at[36])).round()
    assert grey(image, white, 0) > grey(image, (at[37] + at[40]) / 2) + 0.1
    # The skin inside the jaw line is brighter than the background.
    for number in (3, 4, 12, 13):
        inwards = (at[30] - at[number]) / (at[30] - at[number]).norm()
        black, _ = render(background=0.05, hair=0.02)
        assert grey(black, at[number] + 4 * inwards) > grey(black, at[number] - 4 * inwards) + 0.1


def test_open_mouth_is_dark():
    def inside(units):
        image, at = render(units)
        return grey(image, (at[62] + at[66]) / 2, 0)

    assert inside({26: 1.0}) < 0.6 * inside({})
    assert inside({27: 1.0, 25: 1.0}) < 0.6 * inside({})
    # A smile with parted lips shows teeth, which are brighter than the lips.
    image, at = render({12: 1.0, 25: 1.0, 10: 0.6})
    assert grey(image, (at[62] + at[66]) / 2, 0) > grey(image, (at[66] + at[57]) / 2, 0)


def test_closed_eye():
    rest, at = render()
    shut, _ = render({43: 1.0})
    wide, _ = render({5: 1.0})
    window = (slice(int(at[37, 1]) - 3, int(at[41, 1]) + 3), slice(int(at[36, 0]), int(at[39, 0])))
    assert shut[window].std() < 0.7 * rest[window].std()
    assert wide[window].max() >= rest[window].max() - 1e-3
    assert (wide[window] - rest[window]).abs().mean() > 0.01


@pytest.mark.parametrize(
    ('unit', 'point'), [(4, 'glabella'), (1, 'forehead'), (9, 28), (12, 'left_nasolabial')]
)
def test_units_deepen_wrinkles(unit, point):
    units = unit_intensities({unit: 1.0}).unsqueeze(0)
    points = deform_face(torch.zeros(1, len(SHAPE_TRAITS), 2), units)
    with_lines = render_faces(points, units, {}, BIG).images[0]
    without = render_faces(points, torch.zeros_like(units), {}, BIG).images[0]
    x, y = points[0, POINT_INDEX[point], :2].tolist()
    scale = 160 / FIELD_OF_VIEW
    column, row = int(80 + x * scale), int(80 - (y + 26) * scale)
    near = (slice(max(row - 16, 0), row + 16), slice(column - 16, column + 16))
    darker = without - with_lines
    assert darker[near].max() > 0.03
    assert darker.mean() > 0


def test_light():
    right, at = render(light_right=40, ambient=0.3)
    cheeks = (at[3] + at[31]) / 2, (at[13] + at[35]) / 2
    assert grey(right, cheeks[1], 3) > 1.3 * grey(right, cheeks[0], 3)
    dark, _ = render(exposure=0.6)
    bright, _ = render(exposure=1.2)
    torch.testing.assert_close(bright, (2 * dark).clamp(max=1), atol=1e-5, rtol=0)
    even, _ = render(ambient=1.0)
    same, _ = render(ambient=1.0, light_right=40, light_up=-10)
    torch.testing.assert_close(even, same)


def test_pose():
    _, rest = render()
    eyes = [36, 39, 42, 45]
    _, yaw = render(yaw=15)
    assert (yaw[30] - yaw[eyes].mean(0))[0] > 4 + (rest[30] - rest[eyes].mean(0))[0]
    _, pitch = render(pitch=10)
    assert (pitch[30] - pitch[eyes].mean(0))[1] < (rest[30] - rest[eyes].mean(0))[1] - 1
    _, roll = render(roll=8)
    across = (
        roll[45] - roll[36]
    )  # the head tilts to the right of the image, so that the left eye is lower
    torch.testing.assert_close(
        torch.rad2deg(torch.atan2(across[1], across[0])), torch.tensor(8.0), atol=0.1, rtol=0
    )
    _, zoomed = render(zoom=1.1)
    torch.testing.assert_close(zoomed - 80, 1.1 * (rest - 80), atol=1e-3, rtol=0)
    _, moved = render(crop_right=5, crop_up=-3)
    shift = torch.tensor([-5.0, -3.0]) * 160 / FIELD_OF_VIEW
    torch.testing.assert_close(moved, rest + shift, atol=1e-3, rtol=0)


@pytest.mark.parametrize('size', [(8, 8), (48, 48), (100, 37), (33, 90), (224, 224)])
def test_any_size(size):
    image, landmarks = render({12: 1.0, 25: 1.0}, size)
    assert image.shape == size
    assert torch.isfinite(image).all()
    reference, at = render({12: 1.0, 25: 1.0})
    middle = torch.tensor([size[1] / 2, size[0] / 2])
    torch.testing.assert_close(landmarks, middle + (at - 80) * min(size) / 160, atol=1e-3, rtol=0)
    if size == (48, 48):  # the same image at a lower resolution
        coarse = torch.nn.functional.interpolate(reference[None, None], size, mode='area')[0, 0]
        assert (image - coarse).abs().mean() < 0.02


def test_faces_are_independent():
    names = list(EXPRESSIONS) * 10  # more than one batch
    units = torch.stack([unit_intensities(EXPRESSIONS[name]) for name in names])
    torch.manual_seed(0)
    shapes = 0.5 * torch.randn(len(names), len(SHAPE_TRAITS), 1).expand(-1, -1, 2)
    points = deform_face(shapes, units)
    yaw = 8 * torch.randn(len(names))
    images, landmarks = render_faces(points, units, {'yaw': yaw})
    for n in (0, 5, 66, 79):
        rows = slice(n, n + 1)
        alone = render_faces(points[rows], units[rows], {'yaw': yaw[rows]})
        torch.testing.assert_close(images[rows], alone.images, atol=1e-4, rtol=0)
        torch.testing.assert_close(landmarks[rows], alone.landmarks)


def test_unknown_scene_parameters():
    with pytest.raises(
        ValueError, match=r"scene must have some of the keys \['skin'.*, got \['light'\]"
    ):
        render(light=1)
