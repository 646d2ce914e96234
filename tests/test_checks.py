import pytest

from graphmotion.checks import angles, chosen, frame_range, several, whole


def test_what_is_taken():
    assert whole('n', 3, 1) == 3
    assert several(4, 2) == [4, 4]
    assert several((4, 5, 6), 2) == [4, 5, 6]
    assert chosen('moods', 'sad', ('happy', 'sad')) == ('sad',)
    assert chosen('moods', ['sad', 'happy'], ('happy', 'sad')) == ('sad', 'happy')
    assert angles('views', [0, -45]) == (0, -45)
    assert frame_range(5) == (5, 5)
    assert frame_range((5, 9)) == (5, 9)


@pytest.mark.parametrize(
    ('call', 'message'),
    [
        (lambda: whole('n', 0, 1), 'n: expected a whole number of at least 1, got 0'),
        (lambda: whole('n', True), 'n: expected a whole number, got True'),
        (lambda: whole('n', 1.0), 'n: expected a whole number, got 1.0'),
        (lambda: chosen('moods', ['sad', 'sad'], ('sad',)), r'moods are different ones of \['),
        (lambda: chosen('moods', ['bored'], ('sad',)), r"\['sad'\], got \['bored'\]"),
        (lambda: angles('views', [0, 360]), 'views are different angles in degrees'),
        (lambda: angles('views', []), 'views are different angles in degrees'),
        (lambda: frame_range((9, 3)), r'num_frames is a number or \(least, greatest\), got'),
        (lambda: frame_range((1, 2, 3)), r'num_frames is a number or \(least, greatest\), got'),
    ],
)
def test_what_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
