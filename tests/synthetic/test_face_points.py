import torch

from graphmotion.synthetic.action_units import UNIT_FIELDS
from graphmotion.synthetic.face_points import (
    MEAN_FACE,
    MIRROR_INDEX,
    NUM_LANDMARKS,
    POINT_INDEX,
)
from graphmotion.synthetic.face_shapes import SHAPE_FIELDS


def test_layout_of_300w():
    points = MEAN_FACE
    assert points.shape == (len(POINT_INDEX), 3)
    x, y = points[:NUM_LANDMARKS, 0], points[:NUM_LANDMARKS, 1]
    # Jaw from the left of the image over the chin, which is lowest; brows, eyes and lips from left.
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
    # Brows above eyes above nose above mouth above chin.
    assert y[17:27].min() > y[36:48].max() > y[33] > y[48:68].max()
    assert y[48:68].min() > y[8]
    # The unit: 62 mm between the pupils, about 120 mm from the root of the nose to the chin.
    assert points[POINT_INDEX['left_iris'], 0] - points[POINT_INDEX['right_iris'], 0] == 62
    assert 105 < y[27] - y[8] < 130


def test_mirror():
    assert torch.equal(MIRROR_INDEX[MIRROR_INDEX], torch.arange(len(POINT_INDEX)))
    flip = torch.tensor([-1.0, 1, 1])
    for field in (MEAN_FACE, *UNIT_FIELDS, *SHAPE_FIELDS):
        torch.testing.assert_close(field[MIRROR_INDEX] * flip, field)
    for a, b in ((0, 16), (17, 26), (31, 35), (36, 45), (41, 46), (48, 54), (59, 55), (67, 65)):
        assert MIRROR_INDEX[a] == b
    assert MIRROR_INDEX[8] == 8
    assert POINT_INDEX['left_cheek'] == MIRROR_INDEX[POINT_INDEX['right_cheek']]
