import pytest
import torch

from graphmotion.synthetic.face_model import (
    ACTION_UNITS,
    EXPRESSIONS,
    MEAN_FACE,
    MIRROR,
    NUM_LANDMARKS,
    PLACES,
    SHAPE_FIELDS,
    SHAPES,
    UNIT_FIELDS,
    VARIANTS,
    place_points,
    units_by_number,
)

REST = torch.zeros(1, len(SHAPES), 2)


def face(units=None, shapes=None):
    """The points of one face, by place."""
    shapes = REST if shapes is None else shapes
    return place_points(shapes, units_by_number(units or {}).unsqueeze(0))[0]


def test_layout_of_300w():
    points = face()
    assert points.shape == (len(PLACES), 3)
    torch.testing.assert_close(points, MEAN_FACE)
    x, y = points[:NUM_LANDMARKS, 0], points[:NUM_LANDMARKS, 1]
    # Jaw from the image's left over the chin, which is lowest; brows, eyes and lips from the left.
    assert (x[:17].diff() > 0).all()
    assert y[:17].argmin() == 8
    assert (x[17:27].diff() > 0).all()
    assert (y[27:31].diff() < 0).all()
    assert (x[31:36].diff() > 0).all()
    for start in (36, 42):
        assert (x[start : start + 4].diff() > 0).all()
        assert (y[start + 1 : start + 3] > y[start + 4 : start + 6]).all()
    assert (x[48:55].diff() > 0).all()
    assert (x[54:60].diff() < 0).all()
    assert (x[60:65].diff() > 0).all()
    assert y[51] > y[62] >= y[66] > y[57]
    # Brows over eyes over nose over mouth over chin.
    assert y[17:27].min() > y[36:48].max() > y[33] > y[48:68].max()
    assert y[48:68].min() > y[8]
    # The unit: about 62 mm between the pupils, 120 from the nose's root to the chin.
    assert points[PLACES['left_iris'], 0] - points[PLACES['right_iris'], 0] == 62
    assert 105 < y[27] - y[8] < 130


def test_mirror():
    assert torch.equal(MIRROR[MIRROR], torch.arange(len(PLACES)))
    flip = torch.tensor([-1.0, 1, 1])
    for field in (MEAN_FACE, *UNIT_FIELDS, *SHAPE_FIELDS):
        torch.testing.assert_close(field[MIRROR] * flip, field)
    for a, b in ((0, 16), (17, 26), (31, 35), (36, 45), (41, 46), (48, 54), (59, 55), (67, 65)):
        assert MIRROR[a] == b
    assert MIRROR[8] == 8
    assert PLACES['left_cheek'] == MIRROR[PLACES['right_cheek']]


UP, DOWN, OUT, IN = (1, 1), (1, -1), (0, 1), (0, -1)


@pytest.mark.parametrize(
    ('unit', 'landmark', 'way'),
    [
        (1, 22, UP), (2, 26, UP), (4, 22, DOWN), (4, 22, IN), (5, 43, UP), (6, 46, UP),
        (7, 43, DOWN), (7, 47, UP), (9, 35, UP), (9, 52, UP), (10, 52, UP), (12, 54, UP),
        (12, 54, OUT), (14, 54, OUT), (15, 54, DOWN), (16, 57, DOWN), (17, 57, UP), (17, 8, UP),
        (18, 54, IN), (20, 54, OUT), (23, 52, DOWN), (23, 56, UP), (23, 54, IN), (24, 57, UP),
        (25, 66, DOWN), (26, 8, DOWN), (26, 57, DOWN), (27, 8, DOWN), (43, 44, DOWN),
    ],
)  # fmt: skip
def test_units_move_landmarks_their_way(unit, landmark, way):
    axis, sign = way
    moved = face({unit: 1.0}) - face()
    assert sign * moved[landmark, axis] > 0.7
    other = MIRROR[landmark]
    mirrored = sign if axis else -sign
    if other != landmark:
        assert mirrored * moved[other, axis] > 0.7
    half = face({unit: 0.5}) - face()
    torch.testing.assert_close(half[landmark, axis], moved[landmark, axis] / 2)


def test_what_units_leave_alone():
    still = {1: range(48, 68), 12: range(17, 27), 26: range(17, 48), 43: range(48, 68)}
    for unit, numbers in still.items():
        assert not (face({unit: 1.0}) - face())[list(numbers)].any()
    # The outer brow goes up by unit 2, not by 1, and the inner one by 1 more than by 2.
    one, two = face({1: 1.0}) - face(), face({2: 1.0}) - face()
    assert one[26, 1] == 0
    assert one[22, 1] > 5 + two[22, 1]


def test_the_jaw_opens_the_mouth():
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
    torch.testing.assert_close(right[MIRROR] * torch.tensor([-1.0, 1, 1]), left + face())


def test_against_a_loop():
    torch.manual_seed(0)
    shapes, units = torch.randn(3, len(SHAPES), 2), 0.1 * torch.rand(3, len(ACTION_UNITS), 2)
    units[:, list(ACTION_UNITS).index(25)] += 0.9  # lips apart, so that nothing is to be ordered
    points = place_points(0.1 * shapes, units)
    for n in range(3):
        for place in (8, 22, 26, 31, 45, 54, 57, PLACES['left_cheek'], PLACES['chin']):
            x = MEAN_FACE[place, 0]
            wanted = MEAN_FACE[place].double()
            for values, fields in ((0.1 * shapes, SHAPE_FIELDS), (units, UNIT_FIELDS)):
                for value, field in zip(values[n].double(), fields.double()):
                    share = value.mean() if x == 0 else value[int(x > 0)]
                    wanted = wanted + share * field[place]
            torch.testing.assert_close(points[n, place], wanted.float())


def test_lids_and_lips_do_not_cross():
    torch.manual_seed(0)
    shapes = torch.randn(500, len(SHAPES), 1).clamp(-2.2, 2.2).expand(-1, -1, 2)
    points = place_points(shapes, 1.15 * torch.rand(500, len(ACTION_UNITS), 2))
    y = points[..., 1]
    for upper, lower in ((37, 41), (38, 40), (43, 47), (44, 46), (61, 67), (62, 66), (63, 65)):
        assert (y[:, upper] >= y[:, lower] - 1e-4).all()
    for upper, lower in ((50, 61), (51, 62), (52, 63), (67, 58), (66, 57), (65, 56)):
        assert (y[:, upper] > y[:, lower] + 0.5).all()


def test_expressions_are_made_of_known_units():
    assert set(VARIANTS) == set(EXPRESSIONS)
    assert 'neutral' in EXPRESSIONS
    for name, units in EXPRESSIONS.items():
        assert all(0 < value <= 1 for value in units.values())
        assert not set(units) & set(VARIANTS[name])
        assert set(units) | set(VARIANTS[name]) <= set(ACTION_UNITS)
    prototypes = torch.stack([units_by_number(units) for units in EXPRESSIONS.values()])
    assert len(prototypes.flatten(1).unique(dim=0)) == len(EXPRESSIONS)


def test_bad_input():
    with pytest.raises(ValueError, match=r'unknown action units \[3, 99\], expected some of'):
        units_by_number({3: 1.0, 12: 1.0, 99: 0.0})
    with pytest.raises(ValueError, match=r'units \[N, 21, 2\], got \[1, 28, 2\] and \[1, 20, 2\]'):
        place_points(REST, torch.zeros(1, 20, 2))
