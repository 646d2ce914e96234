import pytest
import torch

from graphmotion.synthetic.action_units import ACTION_UNITS, UNIT_FIELDS, unit_intensities
from graphmotion.synthetic.face_model import deform_face
from graphmotion.synthetic.face_points import MEAN_FACE, MIRROR_INDEX, POINT_INDEX
from graphmotion.synthetic.face_shapes import SHAPE_FIELDS, SHAPE_TRAITS

REST = torch.zeros(1, len(SHAPE_TRAITS), 2)


def face(units=None, shapes=None):
    """Returns the points of one face."""
    shapes = REST if shapes is None else shapes
    return deform_face(shapes, unit_intensities(units or {}).unsqueeze(0))[0]


def test_mean_face():
    torch.testing.assert_close(face(), MEAN_FACE)


UP, DOWN, OUT, IN = (1, 1), (1, -1), (0, 1), (0, -1)


@pytest.mark.parametrize(
    ('unit', 'landmark', 'direction'),
    [
        (1, 22, UP), (2, 26, UP), (4, 22, DOWN), (4, 22, IN), (5, 43, UP), (6, 46, UP),
        (7, 43, DOWN), (7, 47, UP), (9, 35, UP), (9, 52, UP), (10, 52, UP), (12, 54, UP),
        (12, 54, OUT), (14, 54, OUT), (15, 54, DOWN), (16, 57, DOWN), (17, 57, UP), (17, 8, UP),
        (18, 54, IN), (20, 54, OUT), (23, 52, DOWN), (23, 56, UP), (23, 54, IN), (24, 57, UP),
        (25, 66, DOWN), (26, 8, DOWN), (26, 57, DOWN), (27, 8, DOWN), (43, 44, DOWN),
    ],
)  # fmt: skip
def test_direction_of_units(unit, landmark, direction):
    axis, sign = direction
    moved = face({unit: 1.0}) - face()
    assert sign * moved[landmark, axis] > 0.7
    other = MIRROR_INDEX[landmark]
    mirrored = sign if axis else -sign
    if other != landmark:
        assert mirrored * moved[other, axis] > 0.7
    half = face({unit: 0.5}) - face()
    torch.testing.assert_close(half[landmark, axis], moved[landmark, axis] / 2)


def test_unaffected_landmarks():
    still = {1: range(48, 68), 12: range(17, 27), 26: range(17, 48), 43: range(48, 68)}
    for unit, numbers in still.items():
        assert not (face({unit: 1.0}) - face())[list(numbers)].any()
    # Unit 2 raises the outer brow, unit 1 does not; unit 1 raises the inner brow more than unit 2.
    one, two = face({1: 1.0}) - face(), face({2: 1.0}) - face()
    assert one[26, 1] == 0
    assert one[22, 1] > 5 + two[22, 1]


def test_jaw_opens_the_mouth():
    def gap(units):
        return float((face(units)[62] - face(units)[66])[1])

    assert gap({}) == 0
    assert 2 < gap({25: 1.0}) < gap({26: 1.0}) < gap({27: 1.0})


def test_sides():
    left = face({12: (0.0, 1.0)}) - face()
    assert left[54, 1] > 5
    assert not left[48].any()
    both = face({12: 1.0}) - face()
    torch.testing.assert_close(left[57], both[57] / 2)
    right = face({12: (1.0, 0.0)})
    torch.testing.assert_close(right[MIRROR_INDEX] * torch.tensor([-1.0, 1, 1]), left + face())


def test_against_a_loop():
    torch.manual_seed(0)
    shapes, units = torch.randn(3, len(SHAPE_TRAITS), 2), 0.1 * torch.rand(3, len(ACTION_UNITS), 2)
    units[:, list(ACTION_UNITS).index(25)] += 0.9  # parted lips, so that nothing crosses
    points = deform_face(0.1 * shapes, units)
    for n in range(3):
        for place in (8, 22, 26, 31, 45, 54, 57, POINT_INDEX['left_cheek'], POINT_INDEX['chin']):
            x = MEAN_FACE[place, 0]
            wanted = MEAN_FACE[place].double()
            for values, fields in ((0.1 * shapes, SHAPE_FIELDS), (units, UNIT_FIELDS)):
                for value, field in zip(values[n].double(), fields.double()):
                    share = value.mean() if x == 0 else value[int(x > 0)]
                    wanted = wanted + share * field[place]
            torch.testing.assert_close(points[n, place], wanted.float())


def test_lids_and_lips_do_not_cross():
    torch.manual_seed(0)
    shapes = torch.randn(500, len(SHAPE_TRAITS), 1).clamp(-2.2, 2.2).expand(-1, -1, 2)
    points = deform_face(shapes, 1.15 * torch.rand(500, len(ACTION_UNITS), 2))
    y = points[..., 1]
    for upper, lower in ((37, 41), (38, 40), (43, 47), (44, 46), (61, 67), (62, 66), (63, 65)):
        assert (y[:, upper] >= y[:, lower] - 1e-4).all()
    for upper, lower in ((50, 61), (51, 62), (52, 63), (67, 58), (66, 57), (65, 56)):
        assert (y[:, upper] > y[:, lower] + 0.5).all()


def test_invalid_shapes():
    with pytest.raises(ValueError, match=r'units must have shape \[N, 21, 2\], got \[1, 20, 2\]'):
        deform_face(REST, torch.zeros(1, 20, 2))
    with pytest.raises(ValueError, match=r'shapes must have shape \[N, 28, 2\], got \[1, 27, 2\]'):
        deform_face(REST[:, 1:], torch.zeros(1, 21, 2))
