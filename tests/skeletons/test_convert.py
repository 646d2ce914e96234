import pytest
import torch

from graphmotion.skeletons import Skeleton, conversion_matrix, convert, get_skeleton

HANDS_AND_FEET = {
    'left_hand': 'left_wrist',
    'right_hand': 'right_wrist',
    'left_foot': 'left_ankle',
    'right_foot': 'right_ankle',
}


def draw(name, num_frames=5, dim=3, bodies=1, dtype=torch.float64):
    size = bodies * get_skeleton(name).num_joints
    return torch.randn(size, num_frames, dim, dtype=dtype)


def at(pos, name, joint):
    return pos[get_skeleton(name).index(joint)]


def mean(pos, name, *joints):
    return sum(at(pos, name, joint) for joint in joints) / len(joints)


def test_joints_of_the_same_name_are_copied_exactly():
    pos = draw('coco17')
    out = convert(pos, 'coco17', 'openpose18')
    assert out.shape == (18, 5, 3)
    assert out.dtype == torch.float64
    for joint in get_skeleton('coco17').joints:
        assert torch.equal(at(out, 'openpose18', joint), at(pos, 'coco17', joint))
    expected = mean(pos, 'coco17', 'left_shoulder', 'right_shoulder')
    assert torch.equal(at(out, 'openpose18', 'neck'), expected)


def test_documented_midpoints():
    pos = draw('coco17')
    out = convert(pos, 'coco17', 'h36m17')
    pelvis = mean(pos, 'coco17', 'left_hip', 'right_hip')
    thorax = mean(pos, 'coco17', 'left_shoulder', 'right_shoulder')
    expected = {
        'pelvis': pelvis,
        'thorax': thorax,
        'neck': thorax,
        'spine': (pelvis + thorax) / 2,
        'head': mean(pos, 'coco17', 'left_ear', 'right_ear'),
        'left_knee': at(pos, 'coco17', 'left_knee'),
    }
    for joint, position in expected.items():
        torch.testing.assert_close(at(out, 'h36m17', joint), position, atol=1e-12, rtol=0)


def test_hands_of_mediapipe_are_between_their_fingers():
    pos = draw('mediapipe33')
    out = convert(pos, 'mediapipe33', 'kinect20')
    expected = mean(pos, 'mediapipe33', 'left_pinky', 'left_index')
    torch.testing.assert_close(at(out, 'kinect20', 'left_hand'), expected, atol=1e-12, rtol=0)
    assert torch.equal(
        at(out, 'kinect20', 'right_foot'), at(pos, 'mediapipe33', 'right_foot_index')
    )


@pytest.mark.parametrize(
    ('source', 'joint', 'target', 'name'),
    [
        ('ntu25', 'spine_base', 'kinect20', 'hip_center'),
        ('ntu25', 'spine_mid', 'kinect20', 'spine'),
        ('ntu25', 'spine_shoulder', 'kinect20', 'shoulder_center'),
        ('ntu25', 'spine_base', 'h36m17', 'pelvis'),
        ('kinect20', 'hip_center', 'emotion_gait16', 'root'),
    ],
)
def test_other_names_of_one_place(source, joint, target, name):
    pos = draw(source)
    out = convert(pos, source, target)
    assert torch.equal(at(out, target, name), at(pos, source, joint))


@pytest.mark.parametrize(
    ('source', 'target'),
    [
        ('ntu25', 'kinect20'),
        ('ntu25', 'h36m17'),
        ('ntu25', 'emotion_gait16'),
        ('kinect20', 'emotion_gait16'),
        ('kinect20', 'h36m17'),
        ('body25', 'coco17'),
        ('body25', 'openpose18'),
        ('body25', 'h36m17'),
        ('mediapipe33', 'coco17'),
        ('mediapipe33', 'kinect20'),
        ('emotion_gait21', 'kinect20'),
    ],
)
def test_common_conversions_need_no_substitutes(source, target):
    weight = conversion_matrix(source, target)
    assert weight.shape == (get_skeleton(target).num_joints, get_skeleton(source).num_joints)
    torch.testing.assert_close(weight.sum(dim=1), torch.ones(len(weight)).to(weight))
    assert (weight >= 0).all()
    # A mirror commutes with the conversion.
    mirrored = weight[list(get_skeleton(target).mirror)][:, list(get_skeleton(source).mirror)]
    assert torch.equal(mirrored, weight)


def test_conversion_to_itself_is_the_identity():
    pos = draw('ntu25')
    assert torch.equal(convert(pos, 'ntu25', 'ntu25'), pos)


def test_subset_and_order():
    source = get_skeleton('ntu25')
    target = source.subset(['right_hand', 'spine_base', 'head'])
    pos = draw('ntu25')
    assert torch.equal(convert(pos, source, target), pos[[11, 0, 3]])


def test_error_lists_all_missing_joints_and_a_solution():
    with pytest.raises(ValueError, match='has no joints for') as caught:
        convert(draw('coco17'), 'coco17', 'emotion_gait16')
    message = str(caught.value)
    for joint in HANDS_AND_FEET:
        assert joint in message
    assert 'neck' not in message  # which is a midpoint
    for side in ('left', 'right'):
        assert f"'{side}_hand': '{side}_wrist'" in message
        assert f"'{side}_foot': '{side}_ankle'" in message
    assert 'substitutes={' in message
    assert "'coco17'" in message
    assert "'emotion_gait16'" in message


def test_substitutes():
    pos = draw('coco17')
    out = convert(pos, 'coco17', 'emotion_gait16', HANDS_AND_FEET)
    assert torch.equal(at(out, 'emotion_gait16', 'left_hand'), at(pos, 'coco17', 'left_wrist'))
    # They go before names and midpoints, and may be several.
    chosen = HANDS_AND_FEET | {'neck': ['nose', 'left_ear', 'right_ear'], 'left_knee': 'left_hip'}
    out = convert(pos, 'coco17', 'emotion_gait16', chosen)
    torch.testing.assert_close(
        at(out, 'emotion_gait16', 'neck'),
        mean(pos, 'coco17', 'nose', 'left_ear', 'right_ear'),
        atol=1e-12,
        rtol=0,
    )
    assert torch.equal(at(out, 'emotion_gait16', 'left_knee'), at(pos, 'coco17', 'left_hip'))


@pytest.mark.parametrize(
    ('substitutes', 'message'),
    [
        ({'tail': 'nose'}, "'openpose18': unknown joint 'tail'"),
        ({'neck': 'throat'}, "'coco17': unknown joint 'throat'"),
        ({'neck': ['nose', 'throat']}, "'coco17': unknown joint 'throat'"),
        ({'neck': []}, 'neck'),
    ],
)
def test_invalid_substitutes_raise(substitutes, message):
    with pytest.raises(ValueError, match=message):
        convert(draw('coco17'), 'coco17', 'openpose18', substitutes)


def test_several_bodies_and_any_trailing_shape():
    pos = draw('coco17', bodies=3)
    out = convert(pos, 'coco17', 'openpose18')
    assert out.shape == (54, 5, 3)
    for body in range(3):
        alone = convert(pos[17 * body : 17 * (body + 1)], 'coco17', 'openpose18')
        torch.testing.assert_close(out[18 * body : 18 * (body + 1)], alone)
    assert convert(draw('coco17')[:, :, 0], 'coco17', 'openpose18').shape == (18, 5)
    assert convert(draw('coco17')[:, 0], 'coco17', 'openpose18').shape == (18, 3)


def test_keeps_precision_and_gradient():
    pos = draw('coco17', dtype=torch.float32).requires_grad_()
    out = convert(pos, 'coco17', 'h36m17')
    assert out.dtype == torch.float32
    out.sum().backward()
    expected = conversion_matrix('coco17', 'h36m17').sum(dim=0)
    torch.testing.assert_close(pos.grad[:, 0, 0], expected.to(pos))


def test_pixels_may_be_integers():
    pos = torch.zeros(17, 1, 2, dtype=torch.long)
    source = get_skeleton('coco17')
    pos[source.index('left_shoulder')] = 3
    pos[source.index('right_shoulder')] = 4
    neck = at(convert(pos, source, 'openpose18'), 'openpose18', 'neck')
    assert neck.tolist() == [[3.5, 3.5]]


@pytest.mark.parametrize('shape', [(17, 0, 2), (0, 4, 2)])
def test_empty_tensors(shape):
    out = convert(torch.zeros(shape), 'coco17', 'openpose18')
    assert out.shape == (18 * shape[0] // 17, *shape[1:])


@pytest.mark.parametrize('shape', [(16, 5, 3), (18, 5, 3), (17,)])
def test_invalid_shapes_raise(shape):
    with pytest.raises(ValueError, match=r"multiple of the 17 joints of 'coco17'"):
        convert(torch.zeros(shape), 'coco17', 'openpose18')


def test_custom_layouts():
    mine = Skeleton(['mid_hip', 'nose', 'head_top'], [(0, 1), (1, 2)], name='mine')
    pos = draw('coco17')
    out = convert(pos, 'coco17', mine, substitutes={'head_top': ['left_eye', 'right_eye']})
    torch.testing.assert_close(out[0], mean(pos, 'coco17', 'left_hip', 'right_hip'))
    torch.testing.assert_close(out[2], mean(pos, 'coco17', 'left_eye', 'right_eye'))
