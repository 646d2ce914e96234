import numpy as np
import pytest

from graphmotion.io import MalformedFileError, read_landmarks

POINTS = np.random.default_rng(0).uniform(0, 100, (68, 2)).round(3)


def pts(points, count=None):
    rows = '\n'.join(f'{x} {y}' for x, y in points)
    return f'version: 1\nn_points:  {count or len(points)}\n{{\n{rows}\n}}\n'.encode()


def test_pts_files_count_pixels_from_one(tmp_path):
    path = tmp_path / 'a.pts'
    path.write_bytes(pts(POINTS))
    np.testing.assert_allclose(read_landmarks(str(path)), POINTS - 0.5)
    assert read_landmarks('a.PTS', pts([[1, 1]]), 1).tolist() == [[0.5, 0.5]]


@pytest.mark.parametrize('separator', [' ', ',', ', ', '   '])
@pytest.mark.parametrize('header', ['', 'x,y\n', '68\n\n'])
def test_text_files_count_pixels_from_zero(separator, header):
    rows = '\n'.join(f'  {x}{separator}{y}' for x, y in POINTS)
    points = read_landmarks('a.txt', (header + rows + '\n').encode())
    np.testing.assert_allclose(points, POINTS + 0.5)


def test_any_number_of_points():
    assert len(read_landmarks('a.pts', pts(POINTS[:5]), None)) == 5


@pytest.mark.parametrize(
    ('path', 'content', 'message'),
    [
        ('a.pts', pts(POINTS[:67]), 'points: expected 68 points, found 67'),
        ('a.pts', pts(POINTS, 67), 'n_points: expected 68, the number of points, found 67'),
        ('a.pts', b'1 2\n3 4', 'content: expected n_points and points between braces'),
        ('a.pts', pts(POINTS).replace(b'{', b'{\nnan 1'), 'line 1: expected column and row'),
        ('a.txt', b'1 2\n3 4 5', "line 2: expected column and row, found '3 4 5'"),
        ('a.txt', b'1 2\n3 inf', 'line 2'),
        ('a.txt', b'', 'points: expected 68 points, found 0'),
    ],
)
def test_bad_files(path, content, message):
    with pytest.raises(MalformedFileError, match=f'^{path}: {message}'):
        read_landmarks(path, content)


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_landmarks(str(tmp_path / 'a.pts'))
