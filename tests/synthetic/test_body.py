import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from graphmotion.skeletons import Skeleton, get_skeleton
from graphmotion.synthetic.body import (
    body_lengths,
    find_landmarks,
    forward_kinematics,
    landmark_offset,
    rotation_matrix,
)

from .conftest import average_traits


def test_rotation():
    yaw, roll, pitch = (
        torch.tensor([[20.0, -130.0]]),
        torch.tensor([[5.0, 60.0]]),
        torch.tensor([[-40.0, 75.0]]),
    )
    out = rotation_matrix(yaw, roll, pitch)
    angles = np.stack([yaw[0], roll[0], pitch[0]], axis=1)
    expected = Rotation.from_euler('YZX', angles, degrees=True).as_matrix()
    np.testing.assert_allclose(out[0].numpy(), expected, atol=1e-6)


def test_forward_kinematics():
    lengths = body_lengths(average_traits())
    straight = torch.eye(3).expand(1, 1, 3, 3)
    segments = ['pelvis', 'lower_trunk', 'upper_trunk', 'head']
    limbs = ['thigh', 'shank', 'foot', 'upper_arm', 'forearm', 'hand']
    segments += [f'{side}_{limb}' for side in ('left', 'right') for limb in limbs]
    rotations = dict.fromkeys(segments, straight)
    # Half a turn about x, so that the forearm points up.
    rotations['right_forearm'] = torch.diag(torch.tensor([1.0, -1.0, -1.0])).expand(1, 1, 3, 3)
    names = ['pelvis', 'left_ankle', 'right_elbow', 'right_wrist']
    pelvis, ankle, elbow, wrist = forward_kinematics(rotations, lengths, names)[0, 0]
    assert pelvis.tolist() == [0, 0, 0]
    torch.testing.assert_close(ankle, torch.tensor([0.055, -0.491, 0.0]) * 1.7)
    shoulder = torch.tensor([-0.11, 0.13 + 0.158, 0.0]) * 1.7
    torch.testing.assert_close(elbow, shoulder - torch.tensor([0.0, 0.186, 0.0]) * 1.7)
    torch.testing.assert_close(wrist, elbow + torch.tensor([0.0, 0.146, 0.0]) * 1.7)
    offset = landmark_offset('right_wrist', rotations['right_forearm'], lengths)[0, 0]
    torch.testing.assert_close(offset, wrist - elbow)


def test_hands_and_feet_of_skeletons_without_wrists_and_ankles():
    short = dict(
        zip(
            get_skeleton('emotion_gait16').joints,
            find_landmarks(get_skeleton('emotion_gait16')),
        )
    )
    assert short['left_hand'] == 'left_wrist'
    assert short['right_foot'] == 'right_ankle'
    long = get_skeleton('ntu25')
    assert find_landmarks(long) == list(long.joints)


def test_custom_skeletons():
    legs = Skeleton(['right_knee', 'pelvis', 'left_knee'], [(0, 1), (1, 2)])
    assert find_landmarks(legs) == ['right_knee', 'pelvis', 'left_knee']
    odd = Skeleton(['pelvis', 'tail', 'left_wing'], [(0, 1), (1, 2)], name='odd')
    message = r"'odd' must be landmarks.*left_knee.*, got \['tail', 'left_wing'\]"
    with pytest.raises(ValueError, match=message):
        find_landmarks(odd)
