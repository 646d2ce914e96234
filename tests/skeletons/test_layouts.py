import networkx as nx
import pytest
import torch

from graphmotion.skeletons import Skeleton, get_skeleton, list_skeletons

NUM_JOINTS = {
    'azure_kinect32': 32,
    'body25': 25,
    'coco17': 17,
    'emotion_gait16': 16,
    'emotion_gait21': 21,
    'h36m17': 17,
    'kinect20': 20,
    'mediapipe33': 33,
    'ntu25': 25,
    'ntu25_st_gcn': 25,
    'openpose18': 18,
    'openpose18_st_gcn': 18,
    'ucalgary18': 18,
}

# Single joints by position, as the formats' own documentation numbers them.
POSITIONS = {
    'azure_kinect32': {0: 'pelvis', 1: 'spine_navel', 3: 'neck', 4: 'left_clavicle'}
    | {9: 'left_hand_tip', 10: 'left_thumb', 11: 'right_clavicle', 17: 'right_thumb'}
    | {18: 'left_hip', 22: 'right_hip', 25: 'right_foot', 26: 'head', 27: 'nose', 28: 'left_eye'}
    | {29: 'left_ear', 30: 'right_eye', 31: 'right_ear'},
    'body25': {1: 'neck', 4: 'right_wrist', 8: 'mid_hip', 14: 'left_ankle', 15: 'right_eye'}
    | {18: 'left_ear', 19: 'left_big_toe', 21: 'left_heel', 22: 'right_big_toe', 24: 'right_heel'},
    'coco17': {0: 'nose', 1: 'left_eye', 4: 'right_ear', 5: 'left_shoulder', 8: 'right_elbow'}
    | {9: 'left_wrist', 12: 'right_hip', 13: 'left_knee', 16: 'right_ankle'},
    'emotion_gait16': {0: 'root', 1: 'spine', 2: 'neck', 3: 'head', 4: 'right_shoulder'}
    | {6: 'right_hand', 7: 'left_shoulder', 9: 'left_hand', 10: 'right_hip', 12: 'right_foot'}
    | {13: 'left_hip', 15: 'left_foot'},
    'emotion_gait21': {0: 'root', 1: 'left_hip', 4: 'left_toe', 5: 'right_hip', 8: 'right_toe'}
    | {9: 'lower_spine', 11: 'neck', 12: 'head', 13: 'left_shoulder', 16: 'left_hand'}
    | {17: 'right_shoulder', 20: 'right_hand'},
    'h36m17': {0: 'pelvis', 1: 'right_hip', 3: 'right_ankle', 4: 'left_hip', 7: 'spine'}
    | {8: 'thorax', 10: 'head', 11: 'left_shoulder', 13: 'left_wrist', 16: 'right_wrist'},
    'kinect20': {0: 'hip_center', 2: 'shoulder_center', 3: 'head', 4: 'left_shoulder'}
    | {7: 'left_hand', 11: 'right_hand', 12: 'left_hip', 15: 'left_foot', 19: 'right_foot'},
    'mediapipe33': {0: 'nose', 1: 'left_eye_inner', 4: 'right_eye_inner', 7: 'left_ear'}
    | {8: 'right_ear', 9: 'left_mouth', 11: 'left_shoulder', 16: 'right_wrist', 17: 'left_pinky'}
    | {22: 'right_thumb', 23: 'left_hip', 28: 'right_ankle', 29: 'left_heel'}
    | {32: 'right_foot_index'},
    'ntu25': {0: 'spine_base', 1: 'spine_mid', 2: 'neck', 3: 'head', 4: 'left_shoulder'}
    | {7: 'left_hand', 11: 'right_hand', 12: 'left_hip', 15: 'left_foot', 19: 'right_foot'}
    | {20: 'spine_shoulder', 21: 'left_hand_tip', 22: 'left_thumb', 24: 'right_thumb'},
    'openpose18': {0: 'nose', 1: 'neck', 2: 'right_shoulder', 7: 'left_wrist', 8: 'right_hip'}
    | {13: 'left_ankle', 14: 'right_eye', 15: 'left_eye', 16: 'right_ear', 17: 'left_ear'},
    'ntu25_st_gcn': {20: 'spine_shoulder', 21: 'left_hand_tip', 22: 'left_thumb'},
    'openpose18_st_gcn': {1: 'neck', 2: 'right_shoulder', 8: 'right_hip', 11: 'left_hip'},
    'ucalgary18': {0: 'left_foot', 1: 'left_ankle', 3: 'left_hip', 4: 'right_foot', 7: 'right_hip'}
    | {8: 'spine_base', 9: 'spine_mid', 10: 'neck', 11: 'head', 12: 'left_shoulder'}
    | {14: 'left_wrist', 15: 'right_wrist', 16: 'left_elbow', 17: 'right_elbow'},
}

# Bones by position, as the datasets' papers and reference code draw them.
BONES = {
    'azure_kinect32': '0-1 1-2 2-3 2-4 4-5 5-6 6-7 7-8 8-9 7-10 2-11 11-12 12-13 13-14 14-15 15-16 '
    '14-17 0-18 18-19 19-20 20-21 0-22 22-23 23-24 24-25 3-26 26-27 26-28 26-29 26-30 26-31',
    'emotion_gait16': '0-1 0-10 0-13 1-2 2-3 2-4 2-7 4-5 5-6 7-8 8-9 10-11 11-12 13-14 14-15',
    'emotion_gait21': '0-1 1-2 2-3 3-4 0-5 5-6 6-7 7-8 0-9 9-10 10-11 11-12 '
    '10-13 13-14 14-15 15-16 10-17 17-18 18-19 19-20',
    'kinect20': '0-1 1-2 2-3 2-4 4-5 5-6 6-7 2-8 8-9 9-10 10-11 0-12 12-13 13-14 14-15 '
    '0-16 16-17 17-18 18-19',
    'coco17': '13-15 11-13 14-16 12-14 5-11 6-12 7-9 5-7 8-10 6-8 0-5 0-6 0-1 1-3 0-2 2-4',
    'openpose18': '0-1 1-2 2-3 3-4 1-5 5-6 6-7 1-8 8-9 9-10 1-11 11-12 12-13 0-14 0-15 14-16 15-17',
    'openpose18_st_gcn': '4-3 3-2 7-6 6-5 13-12 12-11 10-9 9-8 11-5 8-2 5-1 2-1 0-1 15-0 14-0 '
    '17-15 16-14',
    'ntu25': '0-1 1-20 2-20 3-2 4-20 5-4 6-5 7-6 8-20 9-8 10-9 11-10 12-0 13-12 14-13 15-14 16-0 '
    '17-16 18-17 19-18 21-7 22-7 23-11 24-11',
    'ntu25_st_gcn': '0-1 1-20 2-20 3-2 4-20 5-4 6-5 7-6 8-20 9-8 10-9 11-10 12-0 13-12 14-13 15-14 '
    '16-0 17-16 18-17 19-18 21-22 22-7 23-24 24-11',
    'h36m17': '0-1 1-2 2-3 0-4 4-5 5-6 0-7 7-8 8-9 9-10 8-11 11-12 12-13 8-14 14-15 15-16',
    'ucalgary18': '0-1 1-2 2-3 3-8 4-5 5-6 6-7 7-8 8-9 9-10 10-11 10-12 10-13 '
    '12-16 16-14 13-17 17-15',
}


def bones_of(text):
    return {frozenset(map(int, bone.split('-'))) for bone in text.split()}


def test_list_is_sorted_and_complete():
    assert list_skeletons() == sorted(NUM_JOINTS)


@pytest.mark.parametrize('name', NUM_JOINTS)
def test_built_in(name):
    skeleton = get_skeleton(name)
    assert skeleton.name == name
    assert len(skeleton) == skeleton.num_joints == len(skeleton.joints) == NUM_JOINTS[name]
    assert nx.is_tree(skeleton.to_networkx())
    assert skeleton.num_bones == NUM_JOINTS[name] - 1
    for position, joint in POSITIONS[name].items():
        assert skeleton.joints[position] == joint
    if name in BONES:
        assert {frozenset(bone) for bone in skeleton.bones} == bones_of(BONES[name])
    assert all(joint == joint.lower().strip() and ' ' not in joint for joint in skeleton.joints)


@pytest.mark.parametrize('name', NUM_JOINTS)
def test_bones_point_to_the_root(name):
    skeleton = get_skeleton(name)
    assert all(skeleton.parents[joint] == parent for joint, parent in skeleton.bones)


@pytest.mark.parametrize('name', NUM_JOINTS)
def test_mirror_is_a_symmetry_of_the_bones(name):
    skeleton = get_skeleton(name)
    mirror = skeleton.mirror
    assert all(mirror[mirror[joint]] == joint for joint in range(skeleton.num_joints))
    bones = {frozenset(bone) for bone in skeleton.bones}
    assert {frozenset(mirror[joint] for joint in bone) for bone in bones} == bones
    for i, joint in enumerate(skeleton.joints):
        swapped = joint.replace('left', '?').replace('right', 'left').replace('?', 'right')
        assert skeleton.joints[mirror[i]] == swapped
    assert mirror[skeleton.center] == skeleton.center
    for left, right in skeleton.pairs:
        assert skeleton.joints[left].startswith('left')
        assert skeleton.joints[right].startswith('right')


@pytest.mark.parametrize(
    ('name', 'center'),
    [
        ('coco17', 'nose'),
        ('openpose18', 'neck'),
        ('openpose18_st_gcn', 'neck'),
        ('ntu25', 'spine_shoulder'),
        ('ntu25_st_gcn', 'spine_shoulder'),
        ('emotion_gait16', 'root'),
        ('h36m17', 'pelvis'),
        ('ucalgary18', 'spine_base'),
    ],
)
def test_centres(name, center):
    skeleton = get_skeleton(name)
    assert skeleton.joints[skeleton.center] == center


@pytest.mark.parametrize('name', ['ntu25', 'openpose18'])
def test_layouts_of_published_weights_have_the_same_joints_and_parts(name):
    ours, published = get_skeleton(name), get_skeleton(f'{name}_st_gcn')
    assert published.joints == ours.joints
    assert published.pairs == ours.pairs
    assert published.hierarchies == ours.hierarchies
    assert len(set(published.bones) - set(ours.bones)) == 2


def test_get_returns_skeletons_unchanged_and_is_cached():
    skeleton = Skeleton(['a', 'b'], [(0, 1)])
    assert get_skeleton(skeleton) is skeleton
    assert get_skeleton('ntu25') is get_skeleton('ntu25')


@pytest.mark.parametrize('name', ['ntu', 'COCO17', ''])
def test_unknown_name_lists_the_built_in_layouts(name):
    with pytest.raises(ValueError, match=r'unknown skeleton.*coco17.*ntu25'):
        get_skeleton(name)


@pytest.mark.parametrize('value', [25, None, ['coco17']])
def test_other_types_raise(value):
    with pytest.raises(TypeError, match=type(value).__name__):
        get_skeleton(value)


# Part hierarchies #############################################################


def groups(skeleton, level, source=0):
    return {frozenset(members) for members in skeleton.hierarchy().members(level, source)}


def sets(text):
    return {frozenset(map(int, group.split(','))) for group in text.split()}


@pytest.mark.parametrize('name', NUM_JOINTS)
def test_hierarchies_coarsen_to_limbs_and_halves(name):
    skeleton = get_skeleton(name)
    hierarchy = skeleton.hierarchy()
    assert hierarchy.sizes[0] == skeleton.num_joints
    assert hierarchy.sizes[-2:] == (5, 3)
    for level in range(hierarchy.num_levels):
        coarse = skeleton.coarsen(level)
        assert nx.is_tree(coarse.to_networkx())
        members = hierarchy.members(level)
        assert sorted(j for part in members for j in part) == list(range(skeleton.num_joints))
        # The mirror of a part is a part.
        mirrored = {frozenset(skeleton.mirror[j] for j in part) for part in members}
        assert mirrored == {frozenset(part) for part in members}


def test_joint_maps_of_emotion_gait_16():
    skeleton = get_skeleton('emotion_gait16')
    assert skeleton.hierarchy().sizes == (16, 10, 5, 3)
    assert groups(skeleton, 1) == sets('0,1 2,3 4,5 6 7,8 9 10,11 12 13,14 15')
    assert groups(skeleton, 2) == sets('0,1,2,3 4,5,6 7,8,9 10,11,12 13,14,15')
    assert groups(skeleton, 3) == sets('0,1,2,3 4,5,6,7,8,9 10,11,12,13,14,15')
    assert skeleton.hierarchy().names(3) == ('trunk', 'upper_limbs', 'lower_limbs')


def test_joint_maps_of_emotion_gait_21():
    skeleton = get_skeleton('emotion_gait21')
    assert skeleton.hierarchy().members(1) == (
        *((0, 9, 10), (11, 12), (13, 14), (15, 16), (17, 18)),
        *((19, 20), (1, 2), (3, 4), (5, 6), (7, 8)),
    )


@pytest.mark.parametrize('name', ['emotion_gait16', 'emotion_gait21'])
def test_coarse_graphs_of_both_emotion_gaits(name):
    skeleton = get_skeleton(name)
    ten, five, three = (skeleton.coarsen(level) for level in (1, 2, 3))
    wanted = '0-1 1-2 1-4 2-3 4-5 0-6 0-8 6-7 8-9'
    if name == 'emotion_gait21':  # arms hang on the upper spine, which is of the torso
        wanted = wanted.replace('1-2 1-4', '0-2 0-4')
    assert {frozenset(bone) for bone in ten.bones} == bones_of(wanted)
    assert {frozenset(bone) for bone in five.bones} == bones_of('0-1 0-2 0-3 0-4')
    assert {frozenset(bone) for bone in three.bones} == bones_of('0-1 0-2')


def test_ten_parts_of_kinect():
    assert groups(get_skeleton('ntu25'), 1) == sets(
        '2,3 0,1,20 4,5 6,7,21,22 8,9 10,11,23,24 12,13 14,15 16,17 18,19'
    )
    assert groups(get_skeleton('kinect20'), 1) == sets(
        '0,1 2,3 4,5 6,7 8,9 10,11 12,13 14,15 16,17 18,19'
    )


@pytest.mark.parametrize('name', NUM_JOINTS)
def test_parts_do_not_mix_sides(name):
    """Left comes first in a pair at every level, which identifies the limbs."""
    skeleton = get_skeleton(name)
    for level in range(1, skeleton.hierarchy().num_levels - 1):
        coarse = skeleton.coarsen(level)
        assert len(coarse.pairs) == sum(joint.startswith('left') for joint in coarse.joints)
        for left, right in coarse.pairs:
            assert coarse.joints[left].startswith('left')
            assert coarse.joints[right] == coarse.joints[left].replace('left', 'right')


def test_edge_index_is_sorted_and_symmetric():
    for name in NUM_JOINTS:
        edge_index = get_skeleton(name).edge_index
        assert edge_index.dtype == torch.long
        assert edge_index.shape == (2, 2 * (NUM_JOINTS[name] - 1))
        pairs = edge_index.t().tolist()
        assert pairs == sorted(pairs)
        assert {(j, i) for i, j in pairs} == {(i, j) for i, j in pairs}
