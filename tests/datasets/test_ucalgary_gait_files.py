import numpy as np
import pytest

from graphmotion.datasets import read_ucalgary_gait
from graphmotion.skeletons import get_skeleton

# As the files have it.
JOINTS = (
    'Foot Left X, Y, Z, Ankle Left X, Y, Z, Knee Left X, Y, Z, Hip Left X, Y, Z, '
    'Foot Right X, Y, Z, Ankle Right X, Y, Z, Knee Right X, Y, Z, Hip Right X, Y, Z,'
    'Spine Base X, Y, Z,Spine Mid X, Y, Z , Neck X, Y, Z, Head X, Y, Z , ShouldL X, Y, Z, '
    'ShouldR X, Y, Z,WristLeft X,Y,Z,WristRight X,Y,Z,ElbowLeft X,Y,Z,ElbowRight X,Y,Z'
)
HEADER = JOINTS + ',SholdD,LSHD,RSHD,HIPD,LWristSpineD,RWristSpineD, ShoulDX, HipDX '


def table(values, header=HEADER):
    return '\n'.join([header, *(','.join(f'{v:.6g}' for v in row) for row in values)]) + '\n'


def walk(frames=6):
    return np.random.default_rng(0).normal(size=(frames, 62))


def test_reads_the_joints_in_the_order_of_the_layout(tmp_path):
    values = walk()
    (tmp_path / 'a.csv').write_text(table(values))
    pos = read_ucalgary_gait(str(tmp_path / 'a.csv'))
    assert pos.dtype == np.float32
    np.testing.assert_allclose(pos, values[:, :54].reshape(6, 18, 3), rtol=1e-5)
    np.testing.assert_array_equal(read_ucalgary_gait('a', table(values).encode()), pos)
    np.testing.assert_array_equal(
        read_ucalgary_gait('a', table(values).replace('\n', '\r\n\r\n').encode()), pos
    )
    # Columns after the joints are optional.
    np.testing.assert_array_equal(
        read_ucalgary_gait('a', table(values[:, :54], JOINTS).encode()), pos
    )


def test_the_header_names_the_joints_of_the_layout():
    def plain(name):
        words = name.lower().replace('should', 'shoulder').replace('left', ' left ')
        words = words.replace('right', ' right ').split()
        if words[0] in ('shoulderl', 'shoulderr'):
            words = ['shoulder', {'l': 'left', 'r': 'right'}[words[0][-1]]]
        sides = [word for word in words if word in ('left', 'right')]
        return '_'.join(sides + [word for word in words if word not in sides])

    names = [cell.strip()[:-1].strip() for cell in JOINTS.split(',')][::3]
    assert tuple(plain(name) for name in names) == get_skeleton('ucalgary18').joints


whole = table(walk())


@pytest.mark.parametrize(
    ('content', 'match'),
    [
        ('', 'content: expected a table, found an empty file'),
        ('\n\n', 'content: expected a table, found an empty file'),
        (whole[:200], 'header: expected the 18 joints'),
        (whole.split('\n', 1)[1], 'header: expected the 18 joints'),
        (whole.replace('Knee Left', 'Hip Left'), 'header: expected the 18 joints'),
        (HEADER, r'positions: expected numbers of shape \[T, 18, 3\], found the shape \[0, 18, 3'),
        (whole[:-100], 'rows: expected a number for each column, found .* in frame 6'),
        (whole + '1,2,3', 'rows: expected a number for each column, found 3 for 62 .* frame 7'),
        (table(walk()).replace('\n0.', '\nfoot', 1), 'rows: expected a number .*foot'),
        (table(np.full((2, 62), np.nan)), 'positions: .*NaN'),
        ('\0' * 500, '.*expected'),
    ],
)
def test_invalid_files_raise(tmp_path, content, match):
    (tmp_path / 'a.csv').write_text(content)
    with pytest.raises(ValueError, match=rf'a\.csv: {match}'):
        read_ucalgary_gait(str(tmp_path / 'a.csv'))
    with pytest.raises(FileNotFoundError, match='no such file'):
        read_ucalgary_gait(str(tmp_path / 'nowhere.csv'))
