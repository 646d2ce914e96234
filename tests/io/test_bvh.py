import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from graphmotion.data import from_array
from graphmotion.io import get_format, read_bvh, read_poses

FILE = """HIERARCHY
ROOT Hips
{
    OFFSET 0 0 0
    CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
    JOINT LeftUpLeg
    {
        OFFSET 1 -1 0
        CHANNELS 3 Zrotation Yrotation Xrotation
        JOINT LeftLeg
        {
            OFFSET 0 -4 0
            CHANNELS 3 Zrotation Xrotation Yrotation
            End Site
            {
                OFFSET 0 -3 1
            }
        }
    }
    JOINT RightUpLeg
    {
        OFFSET -1 -1 0
        CHANNELS 3 Zrotation Xrotation Yrotation
    }
}
MOTION
Frames: 2
Frame Time: 0.0333333
0 90 0 10 20 30 40 50 60 70 80 90 0 0 0
5 91 -2 -10 5 7 11 13 17 19 23 29 31 37 41
"""


def write(path, text):
    path.write_text(text)
    return str(path)


def test_positions_follow_from_the_rotations(tmp_path):
    motion = read_bvh(write(tmp_path / 'a.bvh', FILE), end_sites=True)
    names = ('Hips', 'LeftUpLeg', 'LeftLeg', 'LeftLeg_end', 'RightUpLeg')
    assert motion.skeleton.joints == names
    assert motion.frame_rate == pytest.approx(30, rel=1e-4)
    rows = np.array([line.split() for line in FILE.splitlines()[-2:]], float)
    for row, pos in zip(rows, motion.pos):
        hips = Rotation.from_euler('ZXY', row[3:6], degrees=True)
        thigh = hips * Rotation.from_euler('ZYX', row[6:9], degrees=True)
        shank = thigh * Rotation.from_euler('ZXY', row[9:12], degrees=True)
        hip = row[:3] + hips.apply([1, -1, 0])
        knee = hip + thigh.apply([0, -4, 0])
        expected = [row[:3], hip, knee, knee + shank.apply([0, -3, 1])]
        expected.append(row[:3] + hips.apply([-1, -1, 0]))
        np.testing.assert_allclose(pos, expected, rtol=1e-5, atol=1e-5)


def test_becomes_a_sample(tmp_path):
    path = write(tmp_path / 'a.bvh', FILE)
    motion = read_bvh(path)
    assert motion.skeleton.num_joints == 4
    assert motion.skeleton.joints[motion.skeleton.center] == 'Hips'
    assert from_array(motion.pos, motion.skeleton).pos.shape == (4, 2, 3)
    (track,) = read_poses(path, 'bvh')
    np.testing.assert_array_equal(track.pos, motion.pos)
    assert track.score.min() == 1


@pytest.mark.parametrize(
    ('old', 'new', 'match'),
    [
        (FILE, '', 'content: expected HIERARCHY and MOTION'),
        ('HIERARCHY', 'hierarchy', "HIERARCHY: expected HIERARCHY, found 'hierarchy'"),
        ('ROOT', 'JOINT', 'expected one ROOT with JOINTs'),
        ('OFFSET 1 -1 0', 'OFFSET 1 -1 a', "expected a number, found 'a'"),
        ('OFFSET 1', 'SCALE 1', "expected a joint or its fields, found 'SCALE'"),
        ('Zrotation Yrotation', 'Zrotation Wrotation', 'CHANNELS: .*Wrotation'),
        ('CHANNELS 6', 'CHANNELS 9999', 'CHANNELS: expected'),
        ('}\nMOTION', 'MOTION', 'HIERARCHY: expected }, found the end'),
        ('Frames: 2', 'Frames: 3', 'expected 3 frames of 15 channels, found 30 numbers'),
        ('Frames: 2', 'Frames: two', 'MOTION: expected Frames, Frame Time'),
        ('0.0333333', '0', 'Frame Time: expected a positive number, found 0'),
        ('31 37 41', '31 37 nan', 'MOTION: expected finite numbers'),
        ('OFFSET 1 -1 0', 'OFFSET 1e300 -1 0', 'positions: .*found NaN or infinite'),
        ('JOINT RightUpLeg', 'JOINT LeftUpLeg', "expected unique names, found 'LeftUpLeg' twice"),
    ],
)
def test_malformed_files(tmp_path, old, new, match):
    assert old in FILE
    with pytest.raises(ValueError, match=rf'a\.bvh: .*{match}'):
        read_bvh(write(tmp_path / 'a.bvh', FILE.replace(old, new, 1)))


def test_registered_format_reads_names_and_rate_without_the_motion(tmp_path, monkeypatch):
    path = write(tmp_path / 'a.bvh', FILE)
    motion = read_bvh(path)
    assert repr(motion) == 'BVH(joints=4, pos=[2, 4, 3], frame_rate=30)'
    monkeypatch.setattr('graphmotion.io.bvh._read_motion', None)
    monkeypatch.setattr('graphmotion.io.bvh._forward_kinematics', None)
    known = get_format('bvh')
    assert known.read_frame_rate(path) == motion.frame_rate
    assert tuple(known.read_joints(path)) == motion.skeleton.joints
