"""Joint layouts of datasets and pose estimators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import pairwise
from typing import Any

from graphmotion.skeletons.face_68 import FACE_68_EDGES, FACE_68_MIRROR
from graphmotion.skeletons.skeleton import Skeleton

# A layout is a tree {joint: parent} in the order of the data, so that bones are (joint, parent).
_Tree = Mapping[str, 'str | None']


def _limbs(
    arms: Sequence[Sequence[str]], legs: Sequence[Sequence[str]]
) -> dict[str, tuple[str, ...]]:
    """Returns the upper and lower part of each limb, given pairs of joint lists."""
    return {
        f'{side}_{half}_{limb}': tuple(f'{side}_{joint}' for joint in joints)
        for limb, halves in (('arm', arms), ('leg', legs))
        for side in ('left', 'right')
        for half, joints in zip(('upper', 'lower'), halves)
    }


def _parts(
    trunk: Mapping[str, Sequence[str]],
    arms: Sequence[Sequence[str]] = (('shoulder', 'elbow'), ('wrist',)),
    legs: Sequence[Sequence[str]] = (('hip', 'knee'), ('ankle',)),
) -> dict[str, list[dict[str, tuple[str, ...]]]]:
    """Returns levels of limb segments, limbs, and upper and lower body."""
    fine = {name: tuple(joints) for name, joints in trunk.items()} | _limbs(arms, legs)
    limbs = {
        f'{side}_{limb}': (f'{side}_upper_{limb}', f'{side}_lower_{limb}')
        for limb in ('arm', 'leg')
        for side in ('left', 'right')
    }
    return {
        'parts': [
            fine,
            {'trunk': tuple(trunk)} | limbs,
            {
                'trunk': ('trunk',),
                'upper_limbs': ('left_arm', 'right_arm'),
                'lower_limbs': ('left_leg', 'right_leg'),
            },
        ]
    }


def _both(tree: Mapping[str, str]) -> dict[str, str]:
    """Returns alternating entries for left and right, for interleaved layouts."""
    out = {}
    for joint, parent in tree.items():
        for side in ('left', 'right'):
            out[f'{side}_{joint}'] = parent.replace('*', side)
    return out


def _chain(side: str, root: str, *joints: str) -> dict[str, str]:
    """Returns the joints of one limb as a chain that starts at the joint ``root``."""
    names = [f'{side}_{joint}' for joint in joints]
    return dict(zip(names, [root, *names[:-1]]))


def _coco17() -> tuple[_Tree, str, dict]:
    tree = {'nose': None} | _both(
        {
            'eye': 'nose',
            'ear': '*_eye',
            'shoulder': 'nose',
            'elbow': '*_shoulder',
            'wrist': '*_elbow',
            'hip': '*_shoulder',
            'knee': '*_hip',
            'ankle': '*_knee',
        }
    )
    head = ('nose', 'left_eye', 'right_eye', 'left_ear', 'right_ear')
    return tree, 'nose', _parts({'head': head})


def _openpose_body(leg_root: str) -> dict[str, str | None]:
    return (
        {'nose': 'neck', 'neck': None}
        | _chain('right', 'neck', 'shoulder', 'elbow', 'wrist')
        | _chain('left', 'neck', 'shoulder', 'elbow', 'wrist')
        | ({leg_root: 'neck'} if leg_root != 'neck' else {})
        | _chain('right', leg_root, 'hip', 'knee', 'ankle')
        | _chain('left', leg_root, 'hip', 'knee', 'ankle')
        | {'right_eye': 'nose', 'left_eye': 'nose'}
        | {'right_ear': 'right_eye', 'left_ear': 'left_eye'}
    )


_FACE = ('nose', 'right_eye', 'left_eye', 'right_ear', 'left_ear')


def _openpose18() -> tuple[_Tree, str, dict]:
    return _openpose_body('neck'), 'neck', _parts({'torso': ('neck',), 'head': _FACE})


def _openpose18_st_gcn() -> tuple[_Tree, str, dict]:
    tree, center, parts = _openpose18()
    hips = {f'{side}_hip': f'{side}_shoulder' for side in ('left', 'right')}
    return {**tree, **hips}, center, parts


def _body25() -> tuple[_Tree, str, dict]:
    tree = _openpose_body('mid_hip')
    for side in ('left', 'right'):
        tree |= {
            f'{side}_big_toe': f'{side}_ankle',
            f'{side}_small_toe': f'{side}_big_toe',
            f'{side}_heel': f'{side}_ankle',
        }
    feet = ('ankle', 'big_toe', 'small_toe', 'heel')
    parts = _parts({'torso': ('neck', 'mid_hip'), 'head': _FACE}, legs=(('hip', 'knee'), feet))
    return tree, 'neck', parts


def _ntu25() -> tuple[_Tree, str, dict]:
    tree = (
        {'spine_base': 'spine_mid', 'spine_mid': 'spine_shoulder'}
        | {'neck': 'spine_shoulder', 'head': 'neck'}
        | _chain('left', 'spine_shoulder', 'shoulder', 'elbow', 'wrist', 'hand')
        | _chain('right', 'spine_shoulder', 'shoulder', 'elbow', 'wrist', 'hand')
        | _chain('left', 'spine_base', 'hip', 'knee', 'ankle', 'foot')
        | _chain('right', 'spine_base', 'hip', 'knee', 'ankle', 'foot')
        | {'spine_shoulder': None}
        | {'left_hand_tip': 'left_hand', 'left_thumb': 'left_hand'}
        | {'right_hand_tip': 'right_hand', 'right_thumb': 'right_hand'}
    )
    trunk = {'torso': ('spine_base', 'spine_mid', 'spine_shoulder'), 'head': ('neck', 'head')}
    hand = ('wrist', 'hand', 'hand_tip', 'thumb')
    parts = _parts(trunk, (('shoulder', 'elbow'), hand), (('hip', 'knee'), ('ankle', 'foot')))
    return tree, 'spine_shoulder', parts


def _ntu25_st_gcn() -> tuple[_Tree, str, dict]:
    tree, center, parts = _ntu25()
    tips = {f'{side}_hand_tip': f'{side}_thumb' for side in ('left', 'right')}
    return {**tree, **tips}, center, parts


def _azure_kinect32() -> tuple[_Tree, str, dict]:
    tree: dict[str, str | None] = {'pelvis': None, 'spine_navel': 'pelvis'}
    tree |= {'spine_chest': 'spine_navel', 'neck': 'spine_chest'}
    for side in ('left', 'right'):
        arm = ('clavicle', 'shoulder', 'elbow', 'wrist', 'hand', 'hand_tip')
        tree |= _chain(side, 'spine_chest', *arm) | {f'{side}_thumb': f'{side}_wrist'}
    for side in ('left', 'right'):
        tree |= _chain(side, 'pelvis', 'hip', 'knee', 'ankle', 'foot')
    tree |= {'head': 'neck', 'nose': 'head'}
    tree |= {f'{side}_{joint}': 'head' for side in ('left', 'right') for joint in ('eye', 'ear')}
    trunk = {'torso': ('pelvis', 'spine_navel', 'spine_chest'), 'head': ('neck', 'head', *_FACE)}
    arms = (('clavicle', 'shoulder', 'elbow'), ('wrist', 'hand', 'hand_tip', 'thumb'))
    return tree, 'pelvis', _parts(trunk, arms, (('hip', 'knee'), ('ankle', 'foot')))


def _kinect20() -> tuple[_Tree, str, dict]:
    tree = (
        {'hip_center': 'spine', 'spine': 'shoulder_center'}
        | {'shoulder_center': None, 'head': 'shoulder_center'}
        | _chain('left', 'shoulder_center', 'shoulder', 'elbow', 'wrist', 'hand')
        | _chain('right', 'shoulder_center', 'shoulder', 'elbow', 'wrist', 'hand')
        | _chain('left', 'hip_center', 'hip', 'knee', 'ankle', 'foot')
        | _chain('right', 'hip_center', 'hip', 'knee', 'ankle', 'foot')
    )
    trunk = {'torso': ('hip_center', 'spine'), 'head': ('shoulder_center', 'head')}
    near_far = (('shoulder', 'elbow'), ('wrist', 'hand')), (('hip', 'knee'), ('ankle', 'foot'))
    return tree, 'shoulder_center', _parts(trunk, *near_far)


def _emotion_gait16() -> tuple[_Tree, str, dict]:
    tree = (
        {'root': None, 'spine': 'root', 'neck': 'spine', 'head': 'neck'}
        | _chain('right', 'neck', 'shoulder', 'elbow', 'hand')
        | _chain('left', 'neck', 'shoulder', 'elbow', 'hand')
        | _chain('right', 'root', 'hip', 'knee', 'foot')
        | _chain('left', 'root', 'hip', 'knee', 'foot')
    )
    trunk = {'torso': ('root', 'spine'), 'head': ('neck', 'head')}
    near_far = (('shoulder', 'elbow'), ('hand',)), (('hip', 'knee'), ('foot',))
    return tree, 'root', _parts(trunk, *near_far)


def _emotion_gait21() -> tuple[_Tree, str, dict]:
    tree = (
        {'root': None}
        | _chain('left', 'root', 'hip', 'knee', 'ankle', 'toe')
        | _chain('right', 'root', 'hip', 'knee', 'ankle', 'toe')
        | {'lower_spine': 'root', 'spine': 'lower_spine', 'neck': 'spine', 'head': 'neck'}
        | _chain('left', 'spine', 'shoulder', 'elbow', 'wrist', 'hand')
        | _chain('right', 'spine', 'shoulder', 'elbow', 'wrist', 'hand')
    )
    trunk = {'torso': ('root', 'lower_spine', 'spine'), 'head': ('neck', 'head')}
    near_far = (('shoulder', 'elbow'), ('wrist', 'hand')), (('hip', 'knee'), ('ankle', 'toe'))
    return tree, 'root', _parts(trunk, *near_far)


def _mediapipe33() -> tuple[_Tree, str, dict]:
    tree: dict[str, str | None] = {'nose': None}
    for side in ('left', 'right'):
        tree |= _chain(side, 'nose', 'eye_inner', 'eye', 'eye_outer', 'ear')
        # The ear ends the chain of the eye, but comes after both eyes in the data.
    tree = {j: p for j, p in tree.items() if not j.endswith('_ear')}
    tree |= {'left_ear': 'left_eye_outer', 'right_ear': 'right_eye_outer'}
    tree |= {'left_mouth': 'nose', 'right_mouth': 'nose'}
    head = tuple(tree)
    tree |= _both(
        {
            'shoulder': 'nose',
            'elbow': '*_shoulder',
            'wrist': '*_elbow',
            'pinky': '*_wrist',
            'index': '*_wrist',
            'thumb': '*_wrist',
            'hip': '*_shoulder',
            'knee': '*_hip',
            'ankle': '*_knee',
            'heel': '*_ankle',
            'foot_index': '*_ankle',
        }
    )
    arms = (('shoulder', 'elbow'), ('wrist', 'pinky', 'index', 'thumb'))
    legs = (('hip', 'knee'), ('ankle', 'heel', 'foot_index'))
    return tree, 'nose', _parts({'head': head}, arms, legs)


def _h36m17() -> tuple[_Tree, str, dict]:
    tree = (
        {'pelvis': None}
        | _chain('right', 'pelvis', 'hip', 'knee', 'ankle')
        | _chain('left', 'pelvis', 'hip', 'knee', 'ankle')
        | {'spine': 'pelvis', 'thorax': 'spine', 'neck': 'thorax', 'head': 'neck'}
        | _chain('left', 'thorax', 'shoulder', 'elbow', 'wrist')
        | _chain('right', 'thorax', 'shoulder', 'elbow', 'wrist')
    )
    parts = _parts({'torso': ('pelvis', 'spine', 'thorax'), 'head': ('neck', 'head')})
    return tree, 'pelvis', parts


def _ucalgary18() -> tuple[_Tree, str, dict]:
    tree: dict[str, str | None] = {}
    for side in ('left', 'right'):  # in the data, legs start at the foot
        leg = _chain(side, 'spine_base', 'hip', 'knee', 'ankle', 'foot')
        tree |= dict(reversed(leg.items()))
    tree |= {'spine_base': None, 'spine_mid': 'spine_base', 'neck': 'spine_mid', 'head': 'neck'}
    tree |= _both({'shoulder': 'neck', 'wrist': '*_elbow', 'elbow': '*_shoulder'})
    trunk = {'torso': ('spine_base', 'spine_mid'), 'head': ('neck', 'head')}
    return tree, 'spine_base', _parts(trunk, legs=(('hip', 'knee'), ('ankle', 'foot')))


_LAYOUTS = {
    'azure_kinect32': _azure_kinect32,
    'body25': _body25,
    'coco17': _coco17,
    'emotion_gait16': _emotion_gait16,
    'emotion_gait21': _emotion_gait21,
    'h36m17': _h36m17,
    'kinect20': _kinect20,
    'mediapipe33': _mediapipe33,
    'ntu25': _ntu25,
    'ntu25_st_gcn': _ntu25_st_gcn,
    'openpose18': _openpose18,
    'openpose18_st_gcn': _openpose18_st_gcn,
    'ucalgary18': _ucalgary18,
}


def _hand21() -> dict[str, Any]:
    fingers = ('index_finger', 'middle_finger', 'ring_finger', 'pinky')
    chains = [[f'thumb_{joint}' for joint in ('cmc', 'mcp', 'ip', 'tip')]]
    chains += [[f'{name}_{joint}' for joint in ('mcp', 'pip', 'dip', 'tip')] for name in fingers]
    joints = ['wrist', *(joint for chain in chains for joint in chain)]
    bones = [bone for chain in chains for bone in pairwise(chain)]
    palm = ['wrist', *(chain[0] for chain in chains[1:]), 'wrist']
    bones += [('wrist', 'thumb_cmc'), *pairwise(palm)]
    return {
        'joints': joints,
        'bones': bones,
        'center': 'wrist',
        'hierarchies': {'parts': {'palm': 'wrist'} | {c[0].split('_')[0]: c for c in chains}},
    }


def _coco_wholebody133() -> dict[str, Any]:
    body = get_skeleton('coco17')
    joints, bones = list(body.joints), [(body.joints[i], body.joints[j]) for i, j in body.bones]
    for side in ('left', 'right'):
        feet = [f'{side}_{joint}' for joint in ('big_toe', 'small_toe', 'heel')]
        joints += feet
        bones += [(joint, f'{side}_ankle') for joint in feet]
    joints += [f'face_{number}' for number in range(68)]
    bones += [(f'face_{i}', f'face_{j}') for i, j in FACE_68_EDGES]
    for side in ('left', 'right'):
        joints.append(f'{side}_hand_root')
        bones.append((f'{side}_hand_root', f'{side}_wrist'))
        for name in ('thumb', 'forefinger', 'middle_finger', 'ring_finger', 'pinky_finger'):
            finger = _chain(side, f'{side}_hand_root', *(f'{name}{k}' for k in range(1, 5)))
            joints += finger
            bones += finger.items()
    sides = [(j, j.replace('left', 'right', 1)) for j in joints if j.startswith('left')]
    face = [(f'face_{i}', f'face_{j}') for i, j in enumerate(FACE_68_MIRROR) if i < j]
    return {'joints': joints, 'bones': bones, 'center': 'nose', 'pairs': sides + face}


# Layouts whose bones form cycles or several components.
_GRAPHS = {'coco_wholebody133': _coco_wholebody133, 'hand21': _hand21}


def list_skeletons(tree: bool = True) -> list[str]:
    r"""Returns the names of the built-in layouts of bodies or, if :obj:`tree` is :obj:`False`, of
    those whose bones do not form a tree, sorted.

    * :obj:`azure_kinect32`: Azure Kinect
    * :obj:`body25`: OpenPose, BODY_25 model
    * :obj:`coco17`: COCO keypoints, used by AlphaPose, HRNet, YOLO, and CASIA-B and OU-MVLP poses
    * :obj:`emotion_gait16` and :obj:`emotion_gait21`: Emotion-Gait
    * :obj:`h36m17`: Human3.6M
    * :obj:`kinect20`: Kinect v1, used by Northwestern-UCLA and, reordered, by UTD-MHAD
    * :obj:`mediapipe33`: MediaPipe (BlazePose)
    * :obj:`ntu25`: Kinect v2, used by NTU RGB+D; the graph of PYSKL
    * :obj:`ntu25_st_gcn`: the same joints, with the hand tip connected to the thumb instead of the
      hand: the graph and the bone streams of the published code and weights of ST-GCN, 2s-AGCN,
      MS-G3D and CTR-GCN
    * :obj:`openpose18`: OpenPose, COCO model
    * :obj:`openpose18_st_gcn`: the same joints, with the hips connected to the shoulders instead
      of the neck: the graph of the published code and weights of ST-GCN, 2s-AGCN and PYSKL
    * :obj:`ucalgary18`: Kinect v2 without hands, used by the University of Calgary gait dataset

    For :obj:`coco17` and :obj:`kinect20`, the graphs equal the graphs of PYSKL and CTR-GCN. See
    :meth:`Skeleton.adjacency` for the partitions of published code.

    The bones of these form cycles or several components:

    * :obj:`coco_wholebody133`: COCO-WholeBody: :obj:`coco17`, feet, the 68 facial landmarks of
      300-W, whose lines are not connected to each other or to the body, and hands, whose roots are
      connected to the wrists
    * :obj:`hand21`: hands of MediaPipe, with a closed palm

    If an estimator defines keypoint connections with cycles or a separate face (COCO, MediaPipe),
    the bones form a tree through the nose: shoulders are connected to the nose, hips to the
    shoulders.

    .. code-block:: python

        >>> 'ntu25' in list_skeletons()
        True
    """
    return sorted(_LAYOUTS if tree else _GRAPHS)


@cache
def _build(name: str) -> Skeleton:
    if name in _GRAPHS:
        return Skeleton(name=name, tree=False, **_GRAPHS[name]())
    tree, center, hierarchies = _LAYOUTS[name]()
    return Skeleton(
        tuple(tree),
        tuple((joint, parent) for joint, parent in tree.items() if parent is not None),
        name=name,
        center=center,
        hierarchies=hierarchies,
    )


def get_skeleton(skeleton: str | Skeleton) -> Skeleton:
    r"""Returns the built-in layout of this name; a :class:`Skeleton` is returned unchanged.

    .. code-block:: python

        >>> get_skeleton('coco17').num_joints
        17

    Raises:
        ValueError: If there is no such layout.
        TypeError: If the argument is neither a name nor a :class:`Skeleton`.
    """
    if isinstance(skeleton, Skeleton):
        return skeleton
    if not isinstance(skeleton, str):
        raise TypeError(
            f'skeleton must be a Skeleton or the name of one, got {type(skeleton).__name__}'
        )
    if skeleton not in _LAYOUTS and skeleton not in _GRAPHS:
        names = sorted([*_LAYOUTS, *_GRAPHS])
        raise ValueError(
            f'unknown skeleton {skeleton!r}; the built-in ones are {names}. '
            f'Define your own by Skeleton(joints, bones)'
        )
    return _build(skeleton)
