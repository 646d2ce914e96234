import pytest

from graphmotion.checks import as_list, check_angles, check_choices, check_frame_range, check_int


def test_what_is_taken():
    assert check_int('n', 3, 1) == 3
    assert as_list(4, 2) == [4, 4]
    assert as_list((4, 5, 6), 2) == [4, 5, 6]
    assert check_choices('moods', 'sad', ('happy', 'sad')) == ('sad',)
    assert check_choices('moods', ['sad', 'happy'], ('happy', 'sad')) == ('sad', 'happy')
    assert check_angles('views', [0, -45]) == (0, -45)
    assert check_frame_range(5) == (5, 5)
    assert check_frame_range((5, 9)) == (5, 9)


@pytest.mark.parametrize(
    ('call', 'message'),
    [
        (lambda: check_int('n', 0, 1), 'n must be an integer >= 1, got 0'),
        (lambda: check_int('n', True), 'n must be an integer, got True'),
        (lambda: check_int('n', 1.0), 'n must be an integer, got 1.0'),
        (
            lambda: check_choices('moods', ['sad', 'sad'], ('sad',)),
            r'moods must be distinct values of \[',
        ),
        (lambda: check_choices('moods', ['bored'], ('sad',)), r"\['sad'\], got \['bored'\]"),
        (lambda: check_angles('views', [0, 360]), 'views must be distinct angles in degrees'),
        (lambda: check_angles('views', []), 'views must be distinct angles in degrees'),
        (lambda: check_frame_range((9, 3)), r'num_frames must be an integer or \(min, max\), got'),
        (
            lambda: check_frame_range((1, 2, 3)),
            r'num_frames must be an integer or \(min, max\), got',
        ),
    ],
)
def test_what_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
