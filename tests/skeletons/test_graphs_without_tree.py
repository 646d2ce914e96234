"""Skeletons whose bones form cycles or several components."""

import networkx as nx
import pytest
import torch

from graphmotion.models import create_model
from graphmotion.skeletons import Skeleton, convert, get_skeleton, list_skeletons
from graphmotion.transforms import ToStream

SQUARE = Skeleton(list('abcd'), [(0, 1), (1, 2), (2, 3), (3, 0)], name='square', tree=False)
PAIRS = Skeleton(list('abcd'), [(0, 1), (2, 3)], name='pairs', center='a', tree=False)


def test_only_trees_by_default():
    for bones, message in (([(0, 1), (1, 2), (2, 0)], 'cycle'), ([(0, 1)], 'not connected')):
        with pytest.raises(ValueError, match=f'{message}.*; bones form a tree unless tree=False'):
            Skeleton(list('abc'), bones)
        assert not Skeleton(list('abc'), bones, tree=False).is_tree
    chain = Skeleton(list('abc'), [(0, 1), (1, 2)], tree=False)
    assert chain.is_tree
    assert chain == Skeleton(list('abc'), [(0, 1), (1, 2)])
    assert chain.parents == (1, 1, 1)


@pytest.mark.parametrize('name', ['hand21', 'coco_wholebody133', 'square', 'pairs'])
def test_hops_match_networkx(name):
    skeleton = {'square': SQUARE, 'pairs': PAIRS}.get(name) or get_skeleton(name)
    size = skeleton.num_joints
    known = dict(nx.all_pairs_shortest_path_length(skeleton.to_networkx()))
    expected = [[known[i].get(j, size) for j in range(size)] for i in range(size)]
    assert skeleton.hop_distance().tolist() == expected


def test_partitions():
    # A joint without a path is no neighbour, however many hops are allowed.
    for strategy in ('uniform', 'distance', 'spatial'):
        total = PAIRS.adjacency(strategy, max_hop=5, normalization=None).sum(dim=0)
        expected = torch.block_diag(torch.ones(2, 2), torch.ones(2, 2))
        assert torch.equal(total, expected)
    # From a, b and d are one hop away and c two.
    root, same, closer = SQUARE.adjacency('spatial', normalization=None)
    assert torch.equal(root, torch.eye(4))
    center = SQUARE.center
    hops = SQUARE.hop_distance()
    for i in range(4):
        for j in range(4):
            near = hops[i, j] == 1
            assert closer[i, j] == (near and hops[j, center] < hops[i, center])
            assert same[i, j] == (near and hops[j, center] >= hops[i, center])


@pytest.mark.parametrize('skeleton', [SQUARE, PAIRS])
def test_what_needs_a_tree_says_so(skeleton):
    message = rf"Skeleton '{skeleton.name}' must be a tree.*{skeleton.num_bones} bones form cycles"
    for call in (lambda: skeleton.parents, lambda: skeleton.subset('ab'),
                 lambda: ToStream('bone', skeleton)):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            call()
    ToStream('joint', skeleton)  # does not need one
    assert str(SQUARE).splitlines()[1:3] == ['  0 a: [1, 3]', '  1 b: [0, 2]']


def test_parts_of_cycles_may_form_a_cycle():
    hand = get_skeleton('hand21').coarsen(1)
    assert hand.joints == ('palm', 'thumb', 'index', 'middle', 'ring', 'pinky')
    assert len(nx.cycle_basis(hand.to_networkx())) == 1


def test_hands_have_the_connections_of_mediapipe():
    hand = get_skeleton('hand21')
    expected = '0-1 1-2 2-3 3-4 0-5 5-6 6-7 7-8 5-9 9-10 10-11 11-12 9-13 13-14 14-15 15-16 '
    expected += '13-17 17-18 18-19 19-20 0-17'
    bones = {frozenset(map(int, bone.split('-'))) for bone in expected.split()}
    assert {frozenset(bone) for bone in hand.bones} == bones
    assert [hand.joints[i] for i in (0, 4, 8, 12, 16, 20)] == [
        'wrist', 'thumb_tip', 'index_finger_tip', 'middle_finger_tip', 'ring_finger_tip',
        'pinky_tip',
    ]  # fmt: skip


def test_whole_bodies():
    body = get_skeleton('coco_wholebody133')
    assert body.num_joints == 133
    assert body.joints[:17] == get_skeleton('coco17').joints
    names = {17: 'left_big_toe', 22: 'right_heel', 23: 'face_0', 90: 'face_67'}
    names |= {91: 'left_hand_root', 96: 'left_forefinger1', 111: 'left_pinky_finger4'}
    names |= {112: 'right_hand_root', 132: 'right_pinky_finger4'}
    assert {i: body.joints[i] for i in names} == names
    mirror = body.mirror
    for i, j in {(5, 6), (17, 20), (23, 39), (59, 68), (54, 58), (91, 112), (111, 132)}:
        assert (mirror[i], mirror[j]) == (j, i)
    assert mirror[31] == 31  # the chin
    bones = {frozenset(bone) for bone in body.bones}
    assert {frozenset(mirror[joint] for joint in bone) for bone in bones} == bones
    # The body with feet and hands, and nine lines of the face.
    sizes = sorted(map(len, nx.connected_components(body.to_networkx())))
    assert sizes == [4, 5, 5, 5, 6, 6, 8, 12, 17, 65]
    pos = torch.rand(133, 4, 2)
    assert torch.equal(convert(pos, body, 'coco17'), pos[:17])


def test_lists():
    assert list_skeletons(tree=False) == ['coco_wholebody133', 'hand21']
    assert all(get_skeleton(name).is_tree for name in list_skeletons())
    with pytest.raises(ValueError, match=r"'coco_wholebody133'.*'hand21'"):
        get_skeleton('hand42')


@pytest.mark.parametrize('name', ['hand21', 'coco_wholebody133'])
def test_models_take_them(name):
    skeleton = get_skeleton(name)
    model = create_model('st_gcn', skeleton=skeleton, num_classes=3, in_channels=2).eval()
    assert model(torch.rand(2 * len(skeleton), 12, 2), batch=None).size(-1) == 3
