import pytest

from graphmotion.checks import (
    as_list,
    check_angles,
    check_choice,
    check_choices,
    check_frame_range,
    check_int,
    check_interval,
    check_number,
    check_positive,
    check_probability,
    symmetric_interval,
)


def test_valid_arguments():
    assert check_int('n', 3, 1) == 3
    assert as_list(4, 2) == [4, 4]
    assert as_list((4, 5, 6), 2) == [4, 5, 6]
    assert check_choice('mood', 'sad', ('happy', 'sad')) == 'sad'
    assert check_choice('mood', None, (None, 'sad')) is None
    assert check_choices('moods', 'sad', ('happy', 'sad')) == ('sad',)
    assert check_choices('moods', ['sad', 'happy'], ('happy', 'sad')) == ('sad', 'happy')
    assert check_probability('p', 1) == 1
    assert check_number('std', 0, 0) == 0.0
    assert check_number('light', 4, 0, 4) == 4.0
    assert check_positive('fps', 30) == 30.0
    assert check_interval('scales', [1, 2]) == (1.0, 2.0)
    assert check_interval('area', (0.1, 1), above=0, maximum=1) == (0.1, 1.0)
    assert symmetric_interval('degrees', -5) == (-5.0, 5.0)
    assert symmetric_interval('degrees', (1, 5)) == (1.0, 5.0)
    assert check_angles('views', [0, -45]) == (0, -45)
    assert check_frame_range(5) == (5, 5)
    assert check_frame_range((5, 9)) == (5, 9)


@pytest.mark.parametrize(
    ('call', 'message'),
    [
        (lambda: check_int('n', 0, 1), 'n must be an integer >= 1, got 0'),
        (lambda: check_int('n', True), 'n must be an integer, got True'),
        (lambda: check_int('n', 5, 1, 4), 'n must be an integer >= 1 and <= 4, got 5'),
        (lambda: check_int('n', 1.0), 'n must be an integer, got 1.0'),
        (
            lambda: check_choices('moods', ['sad', 'sad'], ('sad',)),
            r'moods must be distinct values of \[',
        ),
        (lambda: check_choices('moods', ['bored'], ('sad',)), r"\['sad'\], got \['bored'\]"),
        (lambda: check_choice('mood', 'bored', ('sad',)), r"must be one of \['sad'\], got 'bored'"),
        (lambda: check_probability('p', 1.5), r'p must be in \[0, 1\], got 1.5'),
        (lambda: check_probability('p', float('nan')), r'p must be in \[0, 1\], got nan'),
        (lambda: check_number('std', -1, 0), 'std must be a number at least 0, got -1'),
        (lambda: check_number('std', float('inf'), 0), 'a number at least 0, got inf'),
        (lambda: check_number('light', 5, 0, 4), r'light must be a number in \[0, 4\], got 5'),
        (lambda: check_number('light', 'dim', 0, 4), "got 'dim'"),
        (lambda: check_positive('fps', 0), 'fps must be positive and finite, got 0'),
        (lambda: check_positive('fps', float('nan')), 'positive and finite, got nan'),
        (lambda: check_interval('scales', 1), r'scales must be an interval \(low, high\), got 1'),
        (lambda: check_interval('scales', (2, 1)), r'an interval \(low, high\), got \(2, 1\)'),
        (lambda: check_interval('scales', (0, float('nan'))), r'an interval \(low, high\), got'),
        (lambda: check_interval('scales', (0, 1), above=0), r'\(low, high\) in \(0, inf\), got'),
        (lambda: check_interval('area', (0.5, 2), 0, 1), r'\(low, high\) in \(0, 1\], got'),
        (lambda: symmetric_interval('degrees', 'x'), "degrees must be an interval .* got 'x'"),
        (lambda: check_angles('views', [0, 360]), 'views must be distinct angles in degrees'),
        (lambda: check_angles('views', []), 'views must be distinct angles in degrees'),
        (lambda: check_frame_range((9, 3)), r'num_frames must be an integer or \(min, max\), got'),
        (
            lambda: check_frame_range((1, 2, 3)),
            r'num_frames must be an integer or \(min, max\), got',
        ),
    ],
)
def test_invalid_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()
