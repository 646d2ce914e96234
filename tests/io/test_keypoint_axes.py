import pytest

from graphmotion.io.keypoint_axes import axis_order, is_ambiguous


@pytest.mark.parametrize(
    ('axes', 'num_dims', 'expected'),
    [
        (None, 4, 'MTVC'),
        (None, 3, 'TVC'),
        ('CTVM', 4, 'CTVM'),
        ('CTVM', 3, 'CTV'),
        ('VTC', 3, 'VTC'),
    ],
)
def test_order_of_axes(axes, num_dims, expected):
    assert axis_order(axes, num_dims) == expected


@pytest.mark.parametrize('axes', ['', 'TV', 'MTVV', 'MTVCX', 'mtvc'])
def test_other_letters_raise(axes):
    with pytest.raises(ValueError, match=f"axes must hold each .* got '{axes}'"):
        axis_order(axes, 4)


def test_ambiguous_shapes():
    """Two or three people, and two coordinates or two people."""
    assert is_ambiguous((2, 60, 17, 2))
    assert is_ambiguous((3, 60, 17, 2))
    for shape in ((1, 60, 17, 2), (2, 60, 17, 3), (4, 60, 17, 2), (60, 17, 2)):
        assert not is_ambiguous(shape)
