import pytest

from graphmotion.io.frame_numbers import (
    fill_gaps,
    numbers_in_name,
    split_frame_name,
    split_frame_names,
)


@pytest.mark.parametrize(
    ('name', 'expected'),
    [
        ('12.jpg', ('', 12)),
        ('videos/run2_000000000013.jpg', ('videos/run2', 13)),
        (r'videos\run_13.jpg', ('videos/run', 13)),
        ('7', ('', 7)),
        ('image.jpg', ('image', None)),
        ('cam1.0012.jpg', ('cam1', 12)),
        ('1.04.jpg', ('1.04', None)),  # seconds
    ],
)
def test_name_and_number(name, expected):
    assert split_frame_name(name) == expected


def test_a_constant_last_number_is_no_frame_number():
    names = [f'a/walk_{t}_mask0.png' for t in (9, 10)]
    assert list(split_frame_names(names).values()) == [('a/walk', 9), ('a/walk', 10)]
    # If both numbers differ, the last one counts.
    names += ['a/walk_9_mask1.png']
    assert split_frame_names(names)['a/walk_10_mask0.png'] == ('a/walk_10_mask', 0)
    # Names with other words or folders are other recordings.
    assert split_frame_names(['a1_0', 'b2_0'])['a1_0'] == ('a1', 0)
    assert split_frame_names(['1/0.jpg', '2/0.jpg'])['2/0.jpg'] == ('2', 0)


def test_gaps():
    assert fill_gaps({3: 'a', 5: 'b'}, 'file') == ['a', None, 'b']
    # A step that may be a coincidence.
    assert fill_gaps({0: 'a', 2: 'b', 6: 'c'}, 'file') == ['a', None, 'b', None, None, None, 'c']
    with pytest.warns(
        UserWarning, match='file: frame numbers: the 3 numbers 7..167 are mult.* 40 '
    ):
        assert fill_gaps({7: 'a', 47: 'b', 167: 'c'}, 'file') == ['a', 'b', None, None, 'c']
    with pytest.warns(UserWarning, match='only 3 of 0..101 exist'):
        assert len(fill_gaps({0: 'a', 50: 'b', 101: 'c'}, 'file')) == 102
    with pytest.raises(ValueError, match=r'file: frame numbers: .* found 2 of 0..1000000'):
        fill_gaps({0: 'a', 1000000: 'b'}, 'file')


def test_numbers_in_names():
    assert numbers_in_name('take 2/frame_10_mask1.png') == (10, 1)
    assert numbers_in_name('take 2/a.png') == ()
