import pytest

from graphmotion.skeletons.sides import find_mirror_pairs


@pytest.mark.parametrize(
    ('left', 'right'),
    [
        ('left_hip', 'right_hip'),
        ('leftHip', 'rightHip'),
        ('LHip', 'RHip'),
        ('HipLeft', 'HipRight'),
        ('hip.L', 'hip.R'),
        ('hip_l', 'hip_r'),
        ('LeftUpLeg', 'RightUpLeg'),
        ('l_hip_joint', 'r_hip_joint'),
        ('mixamorig:LeftHandIndex1', 'mixamorig:RightHandIndex1'),
        ('SHOULDER_LEFT', 'SHOULDER_RIGHT'),
        ('Left-Knee', 'Right-Knee'),
        ('left knee', 'right knee'),
        ('lefthip', 'righthip'),
        ('lhip', 'rhip'),
        ('LHIP', 'RHIP'),
    ],
)
def test_spellings_of_sides(left, right):
    assert find_mirror_pairs(['neck', right, 'Head', left]) == ((3, 1),)


def test_only_counterparts_are_paired():
    assert find_mirror_pairs(['left_hip', 'right_knee', 'left', 'right']) == ()
    assert find_mirror_pairs(['lumbar', 'rib', 'leg', 'rod', 'l_r', 'r_l']) == ()
    joints = ['LIndex1', 'RIndex2', 'LIndex2', 'RIndex1']
    assert find_mirror_pairs(joints) == ((0, 3), (2, 1))
