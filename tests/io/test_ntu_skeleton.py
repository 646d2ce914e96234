import numpy as np
import pytest

from graphmotion.io import (
    Body,
    get_format,
    read_ntu_skeleton,
    remove_spurious_bodies,
    select_bodies,
)


def text(frames):
    """A .skeleton file: for each frame {number of a body: its joints}."""
    lines = [f'{len(frames)}']
    for bodies in frames:
        lines.append(f'{len(bodies)}')
        for number, joints in bodies.items():
            lines.append(f'{number} 0 1 1 1 1 0 0.01 -0.25 2')
            lines.append(f'{len(joints)}')
            for x, y, z in joints:
                lines.append(f'{x} {y} {z} 277.4 191.8 1036.2 519.1 -0.2 0.05 0.97 -0.1 2')
    return '\n'.join(lines) + '\n'


def joints(seed):
    return np.random.default_rng(seed).normal(size=(25, 3)).astype(np.float32)


# Two numbers that are one as floating-point numbers
ONE, OTHER = 72057594037944734, 72057594037944738


def test_reads_bodies_by_id():
    frames = [{ONE: joints(0)}, {}, {OTHER: joints(1), ONE: joints(2)}]
    num_frames, bodies = read_ntu_skeleton('a', text(frames).encode())
    assert num_frames == 3
    assert [body.frames.tolist() for body in bodies] == [[0, 2], [2]]
    assert bodies[0].pos.dtype == np.float32
    np.testing.assert_allclose(bodies[0].pos, [joints(0), joints(2)], rtol=1e-6)
    np.testing.assert_allclose(bodies[1].pos, [joints(1)], rtol=1e-6)


def test_a_file_without_bodies(tmp_path):
    path = tmp_path / 'a.skeleton'
    path.write_text(text([{}, {}]))
    assert read_ntu_skeleton(str(path)) == (2, [])


WHOLE = text([{ONE: joints(0)}, {ONE: joints(1)}])


@pytest.mark.parametrize(
    ('content', 'match'),
    [
        ('', 'content: .* found an empty file'),
        ('\n\n', 'content: .* found an empty file'),
        (WHOLE[: len(WHOLE) // 3], 'frames: expected 2, found the end of the file in frame 1'),
        (WHOLE[: -len(WHOLE) // 3], 'frames: expected 2, found the end of the file in frame 2'),
        (WHOLE[: WHOLE.rindex('-0.1')], 'frames: expected 2, found the end of the file in frame 2'),
        (WHOLE + '1\n', 'frames: expected 2, found 1 words after the last frame'),
        ('0\n', 'frames: expected 0, found 0 words'),
        ('-1\n', 'frames: expected -1'),
        (text([{ONE: joints(0)[:20]}]), 'joints of a body: expected 25, found 20'),
        ('no skeleton', 'content: .* found invalid literal'),
        (WHOLE.replace('0.01', 'x', 1).replace('2\n25', '2\nx', 1), 'content: .* invalid literal'),
        (WHOLE.replace(f'{joints(0)[3, 1]}', 'x'), "content: .* found could not convert .*'x'"),
        (WHOLE.replace(f'{joints(0)[3, 1]}', 'nan'), 'positions: .* found NaN'),
        (WHOLE.replace(f'{joints(0)[3, 1]}', '1e99'), 'positions: .* found NaN'),
    ],
)
@pytest.mark.filterwarnings('ignore:overflow')
def test_malformed_files_raise(tmp_path, content, match):
    path = tmp_path / 'a.skeleton'
    path.write_text(content)
    with pytest.raises(ValueError, match=rf'a\.skeleton: {match}'):
        read_ntu_skeleton(str(path))


def test_a_missing_and_a_binary_file(tmp_path):
    with pytest.raises(FileNotFoundError, match='no such file'):
        read_ntu_skeleton(str(tmp_path / 'nowhere.skeleton'))
    for content in (b'\xff\xfe\x00', bytes(range(256)), b'2\n1\n\xff'):
        with pytest.raises(ValueError, match='a: '):
            read_ntu_skeleton('a', content)


def body(start, num_frames, width=0.5, height=1.7, motion=0.1, seed=0):
    """Returns a box of the given size that moves back and forth."""
    points = np.random.default_rng(seed).uniform(-0.5, 0.5, size=(25, 3))
    points[0], points[1] = -0.5, 0.5
    path = motion * np.sin(np.arange(num_frames))[:, None] * np.array([1, 0, 0])
    pos = points * [width, height, 0.3] + path[:, None]
    return Body(np.arange(start, start + num_frames), pos.astype(np.float32))


def test_motion_is_the_variance_of_the_joints():
    one = body(0, 30)
    expected = sum(one.pos[:, :, k].astype(float).reshape(-1).var() for k in range(3))
    assert one.motion == pytest.approx(expected, rel=1e-6)


def test_spurious_bodies_are_removed():
    calm, lively = body(0, 30, motion=0.1), body(0, 30, motion=0.6)
    short = body(0, 11, motion=0.7)
    wide = body(0, 30, width=1.6, motion=0.7)
    small = body(0, 30, width=0.1, height=0.3, motion=0.01)
    wild = body(0, 30, motion=3.0)
    kept = remove_spurious_bodies([calm, short, wide, small, lively])
    assert kept == [lively, calm, small]  # who moves most comes first
    assert remove_spurious_bodies([calm, body(5, 12, motion=0.2)])[0].frames[0] == 5
    # By a range of motion, of which the one that moves most is exempt.
    within = (0.089925, 2.0)
    assert remove_spurious_bodies([calm, small, lively], motion_range=within) == [lively, calm]
    assert remove_spurious_bodies([calm, wild], motion_range=within) == [wild, calm]
    wilder = body(0, 30, motion=4.0)
    assert remove_spurious_bodies([wild, wilder], motion_range=within) == [wilder]


def test_two_people_crossing_a_room_are_kept():
    there = body(0, 60, motion=0)
    back = body(0, 60, motion=0, seed=1)
    way = np.linspace(0, 5, 60, dtype=np.float32)
    there.pos[..., 0] += way[:, None]
    back.pos[..., 0] += way[::-1, None]
    assert min(there.motion, back.motion) > 2
    assert {id(kept) for kept in remove_spurious_bodies([there, back])} == {id(there), id(back)}
    assert len(remove_spurious_bodies([there, back], motion_range=(0.089925, 2.0))) == 1


def test_at_least_one_body_is_kept():
    for one in (body(0, 3), body(0, 30, width=2.0), body(0, 30, motion=9.0)):
        assert remove_spurious_bodies([one]) == [one]
    assert len(remove_spurious_bodies([body(0, 3), body(4, 3)])) == 2
    assert remove_spurious_bodies([]) == []
    wide = [body(0, 30, width=1.6), body(0, 30, width=1.7)]
    assert len(remove_spurious_bodies(wide)) == 2


def test_wide_frames_are_excluded_from_motion():
    odd = body(0, 30)
    odd.pos[:5] *= [8, 1, 1]  # a sixth of the frames
    calm = body(0, 30, motion=0.2)
    assert odd.motion > calm.motion
    assert remove_spurious_bodies([odd, calm])[0] is calm


def test_bodies_are_assigned_to_people():
    first, second, again = body(2, 10, seed=1), body(5, 10, seed=2), body(15, 5, seed=3)
    pos, score = select_bodies(25, [first, second, again])
    assert pos.shape == (2, 18, 25, 3)  # frames 2..19
    assert score.shape == (2, 18, 25)
    np.testing.assert_array_equal(pos[0, :10], first.pos)
    np.testing.assert_array_equal(pos[0, 13:], again.pos)
    np.testing.assert_array_equal(pos[1, 3:13], second.pos)
    assert score[:, :, 7].astype(int).tolist() == [
        [1] * 10 + [0] * 3 + [1] * 5,
        [0] * 3 + [1] * 10 + [0] * 5,
    ]
    assert not pos[score == 0].any()


def test_frames_without_people_are_dropped():
    pos, score = select_bodies(25, [body(0, 3), body(20, 3)], num_people=1)
    assert pos.shape == (1, 6, 25, 3)
    assert score.all()


def test_number_of_people():
    bodies = [body(0, 5, seed=k) for k in range(3)]
    one, _ = select_bodies(5, bodies, num_people=1)
    np.testing.assert_array_equal(one[0], bodies[0].pos)
    four, score = select_bodies(5, bodies, num_people=4)
    assert four.shape[0] == 4
    assert score[:, 0, 0].tolist() == [1, 1, 1, 0]


def test_all_people_of_a_file_are_read_unless_limited(tmp_path):
    generator = np.random.default_rng(0)
    poses = [joints(seed) * [0.3, 1, 0.3] + [3 * seed, 0, 0] for seed in range(3)]
    frames = [
        {n: pose + generator.normal(size=(25, 3)) / 50 for n, pose in enumerate(poses, start=1)}
        for _ in range(20)
    ]
    path = tmp_path / 'S001C001P001R001A001.skeleton'
    path.write_text(text(frames))
    read = get_format('ntu_skeleton').read
    tracks = read(str(path))
    starts = sorted(float(track.pos[0, :, 0].mean()) for track in tracks)
    expected = sorted(float(frame[:, 0].mean()) for frame in frames[0].values())
    np.testing.assert_allclose(starts, expected, rtol=1e-4)
    assert len(read(str(path), num_people=2)) == 2
