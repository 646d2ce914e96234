import numpy as np
import pytest

from graphmotion.io import read_gaitgraph

HEADER = 'image_name,' + ','.join(f'{k}_{c}' for k in range(17) for c in ('x', 'y', 'conf'))


def row(name, values):
    return name + ',' + ','.join(f'{v:.5f}' for v in np.ravel(values))


def frames(number, seed=0):
    random = np.random.default_rng(seed)
    poses = random.uniform(1, 300, size=(number, 17, 3))
    poses[..., 2] = random.uniform(0.1, 1, size=(number, 17))
    return poses.round(5).astype(np.float32)


def table(tmp_path, *rows, header=True):
    path = tmp_path / 'poses.csv'
    path.write_text('\n'.join([HEADER, *rows] if header else rows) + '\n')
    return str(path)


@pytest.mark.parametrize('header', [True, False])
@pytest.mark.parametrize(
    'image',
    [
        '{}/{:06d}.jpg',
        '/data/casia-b/{}/{}.png',
        '{}_{:03d}',
        '001/bg-01/018/{1:03d}.jpg',
        'x/001/bg-01/018/001-bg-01-018-{1}.jpg',
        'C:\\data\\001\\bg-01\\018\\{1:04d}.jpg',
    ],
)
def test_reads_sequences_in_the_order_of_their_frames(tmp_path, header, image):
    poses = frames(12)
    order = np.random.default_rng(1).permutation(12)
    rows = [row(image.format('001-bg-01-018', t + 1), poses[t]) for t in order]
    other = frames(2, seed=2)
    rows[3:3] = [row(f'124-nm-06-180/{t}.jpg', other[t]) for t in (0, 1)]
    read = read_gaitgraph(table(tmp_path, *rows, header=header))
    assert list(read) == ['001-bg-01-018', '124-nm-06-180']
    pos, score = read['001-bg-01-018']
    assert (pos.dtype, score.dtype) == (np.float32, np.float32)
    np.testing.assert_allclose(pos, poses[..., :2], rtol=1e-6)
    np.testing.assert_allclose(score, poses[..., 2], rtol=1e-6)
    np.testing.assert_allclose(read['124-nm-06-180'].pos, other[..., :2], rtol=1e-6)


def test_reads_bytes_and_names_without_numbers_in_the_order_of_the_file():
    poses = frames(3)
    content = '\r\n'.join(row('001-cl-02-090', pose) for pose in poses).encode()
    (pos, _) = read_gaitgraph('a.csv', b'\xef\xbb\xbf' + content)['001-cl-02-090']
    np.testing.assert_allclose(pos, poses[..., :2], rtol=1e-6)


def test_scores_are_limited_and_joints_without_one_are_missing(tmp_path):
    pose = frames(1)[0].astype(np.float64)
    pose[0, 2], pose[1, 2], pose[2, 2], pose[3, 0], pose[4, 0] = 1.25, 0, -0.1, np.nan, 1e300
    pos, score = read_gaitgraph(table(tmp_path, row('001-nm-01-000/1.jpg', pose)))['001-nm-01-000']
    assert score[0, 0] == 1
    assert not score[0, 1:5].any()
    assert not pos[0, 1:5].any()
    np.testing.assert_allclose(pos[0, [0, *range(5, 17)]], pose[[0, *range(5, 17)], :2], rtol=1e-6)


def test_rows_that_cannot_be_used_are_counted(tmp_path):
    poses = frames(6)
    rows = [row(f'001-nm-01-000/{t}.jpg', poses[t]) for t in range(3)]
    bad = [
        '001-nm-01-000/7.jpg',
        '001-nm-01-000/8.jpg' + ',' * 51,
        row('001-nm-01-000/2.jpg', poses[3]),
        row('1-nm-01-000/2.jpg', poses[4]),
        row('001-nm-01-000/9.jpg', poses[5])[:200],
    ]
    path = table(tmp_path, *rows, *bad)
    with pytest.warns(
        UserWarning,
        match=r'poses\.csv: skipped 5 of 8 rows: 3 without 17 joints \(001-nm-01-000/7\.jpg, .*\); '
        r'1 with a duplicate frame number \(001-nm-01-000/2\.jpg\); '
        r'1 without a sequence name \(1-nm-01-000/2\.jpg\)',
    ):
        read = read_gaitgraph(path)
    np.testing.assert_allclose(read['001-nm-01-000'].pos, poses[:3, :, :2], rtol=1e-6)


@pytest.mark.parametrize(
    ('content', 'found'),
    [
        (b'', 'none'),
        (b'\n \n', 'none'),
        (HEADER.encode(), 'none'),
        (b'\x89PNG\r\n\x1a\n\0\0', '.*'),
        (
            HEADER.encode() + b'\n001-nm-01-000/1.jpg,1,2',
            "1 other rows, such as '001-nm-01-000/1.jpg,1,2'",
        ),
    ],
)
def test_files_without_any_are_named(tmp_path, content, found):
    (tmp_path / 'a.csv').write_bytes(content)
    with pytest.raises(ValueError, match=rf'a\.csv: .*: expected .*, found {found}'):
        read_gaitgraph(str(tmp_path / 'a.csv'))


def test_a_file_that_is_not_there():
    with pytest.raises(FileNotFoundError, match=r'nowhere\.csv: no such file'):
        read_gaitgraph('nowhere.csv')
