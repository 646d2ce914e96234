import copy
import dataclasses
import pickle

import networkx as nx
import numpy as np
import pytest
import torch
from torch_geometric.utils import dense_to_sparse

from graphmotion.skeletons import Skeleton, get_skeleton, list_skeletons

ARM = Skeleton(['shoulder', 'elbow', 'wrist'], [('shoulder', 'elbow'), ('elbow', 'wrist')], 'arm')


def make(joints='abcd', bones=((0, 1), (1, 2), (2, 3)), **options):
    return Skeleton(list(joints), bones, **options)


# Construction #################################################################


def test_names_and_bones_are_enough():
    assert ARM.joints == ('shoulder', 'elbow', 'wrist')
    assert ARM.bones == ((0, 1), (1, 2))
    assert ARM.name == 'arm'
    assert ARM.joints[ARM.center] == 'elbow'  # the graph centre
    assert ARM.pairs == ()
    assert ARM.hierarchies == ()
    assert Skeleton(['a'], []).num_bones == 0


@pytest.mark.parametrize(
    'bones',
    [
        [('a', 'b'), ('b', 'c'), ('c', 'd')],
        [(0, 1), (1, 2), (2, 3)],
        [['a', 1], (np.int64(1), 'c'), (2, 3)],
        torch.tensor([[0, 1], [1, 2], [2, 3]]),
        iter([(0, 1), (1, 2), (2, 3)]),
    ],
)
def test_joints_may_be_named_or_numbered(bones):
    skeleton = make(bones=bones)
    assert skeleton == make()
    assert all(type(joint) is int for bone in skeleton.bones for joint in bone)


@pytest.mark.parametrize(
    ('joints', 'bones', 'message'),
    [
        ('abc', [(0, 1), (1, 2), (2, 0)], r'the bone \(c, a\) closes a cycle'),
        ('abcd', [(0, 1), (1, 2), (0, 2), (2, 3)], r'\(a, c\) closes a cycle'),
        ('ab', [('a', 'x')], r"unknown joint 'x'; expected one of \['a', 'b'\]"),
        ('aba', [(0, 1), (1, 2)], "two joints are named 'a'"),
        ('abcd', [(0, 1), (2, 3)], r"not connected: no path of bones from 'a' to \['c', 'd'\]"),
        ('ab', [], r"not connected.*\['b'\]"),
        ('ab', [(0, 0)], r'\(a, a\) connects a joint to itself'),
        ('ab', [(0, 1), (1, 0)], r'\(b, a\) is given twice'),
        ('ab', [(0, 2)], r'position 2 is out of range 0\.\.1'),
        ('ab', [(0, -1)], r'position -1 is out of range 0\.\.1'),
        ('ab', [(0, 1.0)], 'a joint is a name or a position, got 1.0'),
        ('ab', [(0, True)], 'a joint is a name or a position, got True'),
        ('abc', [(0, 1, 2)], 'a bone is a pair of joints'),
        ('ab', ['ab'], "a bone is a pair of joints, got 'ab'"),
        ('ab', [0, 1], 'a bone is a pair of joints, got 0'),
        ('', [], 'at least one joint'),
        (['a', ''], [(0, 1)], "non-empty str, got ''"),
        (['a', 3], [(0, 1)], 'non-empty str, got 3'),
    ],
)
def test_invalid_skeletons_raise_with_the_reason(joints, bones, message):
    with pytest.raises(ValueError, match=message) as caught:
        Skeleton(list(joints), bones, name='mine')
    assert "Skeleton 'mine'" in str(caught.value)


def test_a_single_str_of_names_raises():
    with pytest.raises(ValueError, match='joints is a list of names'):
        Skeleton('ab', [(0, 1)])


@pytest.mark.parametrize(
    ('pairs', 'message'),
    [
        ([('a', 'b'), ('b', 'c')], "'b' is in two left-right pairs"),
        ([('a', 'x')], "unknown joint 'x'"),
        ([(0, 4)], r'out of range 0\.\.3'),
        ([(0, 0)], "'a' is paired with itself"),
        ([(0, 1, 2)], 'a left-right pair is two joints'),
        (['ab'], "a left-right pair is two joints, got 'ab'"),
        ([0], 'a left-right pair is two joints, got 0'),
    ],
)
def test_invalid_pairs_raise(pairs, message):
    with pytest.raises(ValueError, match=message):
        make(pairs=pairs)


@pytest.mark.parametrize(('center', 'message'), [('x', "unknown joint 'x'"), (4, 'out of range')])
def test_invalid_centre_raises(center, message):
    with pytest.raises(ValueError, match=message):
        make(center=center)


@pytest.mark.parametrize(
    ('joints', 'pairs'),
    [
        (['left_knee', 'right_knee'], ((0, 1),)),
        (['right_knee', 'left_knee'], ((1, 0),)),
        (['Left Knee', 'right-knee'], ((0, 1),)),
        (['l_knee', 'r_knee'], ((0, 1),)),
        (['knee_left', 'knee_right'], ((0, 1),)),
        (['left_upper_leg', 'right_upper_leg'], ((0, 1),)),
        (['left_knee', 'right_hip'], ()),
        (['LKnee', 'RKnee'], ((0, 1),)),
        (['cleft', 'cright'], ()),
    ],
)
def test_pairs_are_inferred_from_names(joints, pairs):
    assert Skeleton(joints, [(0, 1)]).pairs == pairs


def test_given_pairs_replace_inferred_pairs():
    names = ['left_knee', 'right_knee', 'a', 'b']
    skeleton = make(names, pairs=[('a', 'b')])
    assert skeleton.pairs == ((2, 3),)
    assert skeleton.mirror == (0, 1, 3, 2)
    assert make(names, pairs=[]).pairs == ()
    assert make(names, pairs=[]).mirror == (0, 1, 2, 3)


@pytest.mark.parametrize('seed', range(5))
def test_default_centre_is_the_graph_centre(seed):
    tree = nx.random_labeled_tree(11, seed=seed)
    skeleton = Skeleton([f'j{i}' for i in tree], list(tree.edges))
    assert skeleton.center in nx.center(tree)


# Value ########################################################################


def test_equal_by_value():
    assert make() == make()
    assert hash(make()) == hash(make())
    assert len({make(), make(), ARM}) == 2
    for other in (
        make(name='other'),
        make('abce'),
        make(bones=[(0, 1), (1, 2), (1, 3)]),
        make(center=0),
        make(pairs=[(0, 1)]),
        make(hierarchies={'halves': [{'x': ['a', 'b'], 'y': ['c', 'd']}]}),
    ):
        assert make() != other
    assert make() != 'abcd'


@pytest.mark.parametrize('name', ['ntu25', 'emotion_gait16'])
def test_copies_are_equal(name):
    skeleton = get_skeleton(name)
    for twin in (
        pickle.loads(pickle.dumps(skeleton)),
        copy.copy(skeleton),
        copy.deepcopy(skeleton),
        dataclasses.replace(skeleton),
    ):
        assert twin == skeleton
        assert hash(twin) == hash(skeleton)
        assert twin.hierarchy().sizes == skeleton.hierarchy().sizes
    renamed = dataclasses.replace(skeleton, name='other')
    assert renamed != skeleton
    assert renamed.bones == skeleton.bones


def test_immutable():
    joints = ['a', 'b']
    skeleton = Skeleton(joints, [(0, 1)])
    joints[0] = 'c'
    assert skeleton.joints == ('a', 'b')
    with pytest.raises(dataclasses.FrozenInstanceError):
        skeleton.name = 'other'
    skeleton.edge_index[:] = 7
    skeleton.hop_distance()[:] = 7
    skeleton.adjacency()[:] = 7
    assert skeleton.edge_index.tolist() == [[0, 1], [1, 0]]
    assert skeleton.hop_distance().tolist() == [[0, 1], [1, 0]]
    assert skeleton.adjacency().tolist() == [[[0.5, 0.5], [0.5, 0.5]]]


def test_printable():
    skeleton = get_skeleton('emotion_gait16')
    assert repr(skeleton) == (
        'Skeleton(emotion_gait16, joints=16, center=root, pairs=6, parts=16-10-5-3)'
    )
    lines = str(skeleton).splitlines()
    assert lines[0] == repr(skeleton)
    assert lines[1:4] == ['  0 root', '    1 spine', '      2 neck']
    assert len(lines) == 17


def test_index():
    assert ARM.index('wrist') == ARM.index(2) == ARM.index(torch.tensor(2)) == 2
    for joint, message in [('hand', 'unknown joint'), (3, 'out of range'), (None, 'NoneType')]:
        with pytest.raises(ValueError, match=message):
            ARM.index(joint)


# The graph ####################################################################


def random_tree(seed, num_joints=12):
    tree = nx.random_labeled_tree(num_joints, seed=seed)
    joints = [f'j{i}' for i in range(num_joints)]
    return tree, Skeleton(joints, list(tree.edges), center=seed % num_joints)


def cases():
    built_in = [(get_skeleton(n).to_networkx(), get_skeleton(n)) for n in list_skeletons()]
    return built_in + [random_tree(seed) for seed in range(5)]


@pytest.mark.parametrize(('tree', 'skeleton'), cases())
def test_hops_and_parents_match_networkx(tree, skeleton):
    size = skeleton.num_joints
    expected = dict(nx.all_pairs_shortest_path_length(tree))
    hops = skeleton.hop_distance()
    assert hops.dtype == torch.long
    assert hops.tolist() == [[expected[i][j] for j in range(size)] for i in range(size)]
    for joint, parent in enumerate(skeleton.parents):
        path = nx.shortest_path(tree, joint, skeleton.center)
        assert parent == (path[1] if len(path) > 1 else joint)


def test_networkx_view():
    tree = ARM.to_networkx()
    assert tree.name == 'arm'
    assert dict(tree.nodes(data='name')) == {0: 'shoulder', 1: 'elbow', 2: 'wrist'}
    assert sorted(tree.edges) == [(0, 1), (1, 2)]
    tree.remove_node(1)  # the view is the caller's own
    assert ARM.num_bones == 2


def loop_adjacency(tree, center, strategy, max_hop, normalization):
    """The partitions of the ST-GCN paper, entry by entry, in double precision."""
    size = tree.number_of_nodes()
    hops = dict(nx.all_pairs_shortest_path_length(tree))
    degree = [sum(hops[i][j] <= max_hop for j in range(size)) for i in range(size)]
    count = {'uniform': 1, 'distance': max_hop + 1, 'spatial': 2 * max_hop + 1}[strategy]
    out = np.zeros((count, size, size))
    for i in range(size):  # receives
        for j in range(size):  # sends
            hop = hops[i][j]
            if hop > max_hop:
                continue
            weight = {
                'row': 1 / degree[i],
                'column': 1 / degree[j],
                'sym': 1 / (degree[i] * degree[j]) ** 0.5,
                None: 1.0,
            }[normalization]
            if strategy == 'uniform':
                k = 0
            elif strategy == 'distance':
                k = hop
            elif hop == 0:
                k = 0
            elif hops[j][center] >= hops[i][center]:  # away from the centre, or as far
                k = 2 * hop - 1
            else:
                k = 2 * hop
            out[k, i, j] = weight
    return out


@pytest.mark.parametrize('normalization', ['row', 'column', 'sym', None])
@pytest.mark.parametrize('max_hop', [0, 1, 2, 3])
@pytest.mark.parametrize('strategy', ['uniform', 'distance', 'spatial'])
def test_partitions_match_the_paper(strategy, max_hop, normalization):
    for tree, skeleton in [*cases()[:3], random_tree(7)]:
        adj = skeleton.adjacency(strategy, max_hop, normalization)
        expected = loop_adjacency(tree, skeleton.center, strategy, max_hop, normalization)
        assert adj.dtype == torch.float32
        assert adj.shape == expected.shape
        np.testing.assert_allclose(adj, expected, atol=1e-6)


@pytest.mark.parametrize('normalization', ['row', 'sym', None])
@pytest.mark.parametrize('max_hop', [0, 1, 2])
@pytest.mark.parametrize('strategy', ['uniform', 'distance', 'spatial'])
def test_edges_match_the_adjacency(strategy, max_hop, normalization):
    for tree, skeleton in [*cases()[:2], random_tree(7)]:
        edge_index, weight = skeleton.edges(strategy, max_hop, normalization)
        expected = loop_adjacency(tree, skeleton.center, strategy, max_hop, normalization)
        num_edges, num_partitions = edge_index.size(1), len(expected)
        assert weight.shape == ((num_edges, num_partitions) if num_partitions > 1 else (num_edges,))
        dense = np.zeros_like(expected)
        for source, target, row in zip(*edge_index.tolist(), weight.view(-1, num_partitions)):
            assert not dense[:, target, source].any()  # each edge is there once
            dense[:, target, source] = row
        np.testing.assert_allclose(dense, expected, atol=1e-6)
        assert num_edges == (expected.sum(axis=0) != 0).sum()
        assert edge_index.t().tolist() == sorted(edge_index.t().tolist())


@pytest.mark.parametrize('options', [{'cap_distance': True}, {'per_partition': True}])
def test_edges_of_published_partitions(options):
    body = get_skeleton('ntu25')
    adj = body.adjacency('spatial', normalization='column', **options)
    (source, target), weight = body.edges('spatial', normalization='column', **options)
    assert not torch.equal(adj, body.adjacency('spatial', normalization='column'))
    torch.testing.assert_close(weight, adj[:, target, source].t())
    assert adj[:, target, source].sum() == adj.sum()


def test_edges_match_dense_to_sparse_of_the_transpose():
    adj, (edge_index, weight) = ARM.adjacency(), ARM.edges()
    expected = dense_to_sparse(adj[0].t())
    assert torch.equal(edge_index, expected[0])
    assert torch.equal(weight, expected[1])
    assert not torch.equal(weight, dense_to_sparse(adj[0])[1])


@pytest.mark.parametrize(('tree', 'skeleton'), cases())
def test_partitions_sum_to_the_normalised_adjacency(tree, skeleton):
    binary = nx.to_numpy_array(tree, nodelist=range(skeleton.num_joints)) + np.eye(len(skeleton))
    degree = binary.sum(axis=1)
    for strategy in ('uniform', 'distance', 'spatial'):
        row = skeleton.adjacency(strategy).sum(dim=0)
        np.testing.assert_allclose(row, binary / degree[:, None], atol=1e-6)
        np.testing.assert_allclose(row.sum(dim=1), 1, atol=1e-6)
        none = skeleton.adjacency(strategy, normalization=None).sum(dim=0)
        np.testing.assert_allclose(none, binary)
        sym = skeleton.adjacency(strategy, normalization='sym').sum(dim=0)
        # NetworkX's normalised Laplacian of the graph with self loops is I - D^-1/2 A D^-1/2.
        looped = nx.from_numpy_array(binary)
        laplacian = np.eye(len(skeleton)) - np.asarray(sym, dtype=np.float64)
        expected = nx.linalg.normalized_laplacian_matrix(looped, range(len(skeleton))).toarray()
        np.testing.assert_allclose(laplacian, expected, atol=1e-6)


def test_spatial_partition_separates_nearer_and_farther_neighbours():
    # b is the centre of a - b - c - d.
    itself, farther, nearer = make(center='b').adjacency('spatial', normalization=None)
    assert torch.equal(itself, torch.eye(4))
    assert farther.nonzero().tolist() == [[1, 0], [1, 2], [2, 3]]  # receiver, farther sender
    assert nearer.nonzero().tolist() == [[0, 1], [2, 1], [3, 2]]


def columns_to_one(a):
    total = a.sum(axis=0)
    return a / np.where(total > 0, total, 1)


def st_gcn_graph(num_nodes, bones, center, max_hop):
    """The spatial partition of ST-GCN's code: distances beyond max_hop are infinite, including to
    the centre, and columns receive."""
    distance = np.full((num_nodes, num_nodes), np.inf)
    lengths = dict(nx.all_pairs_shortest_path_length(nx.Graph(bones)))
    for i, row in lengths.items():
        for j, hops in row.items():
            if hops <= max_hop:
                distance[i, j] = hops
    adj = columns_to_one((distance <= max_hop).astype(float))
    out = []
    for hop in range(max_hop + 1):
        close, further = np.zeros_like(adj), np.zeros_like(adj)
        for sender, receiver in zip(*np.nonzero(distance == hop)):
            nearer = distance[sender, center] < distance[receiver, center]
            (further if nearer else close)[sender, receiver] = adj[sender, receiver]
        out += [close] if hop == 0 else [close, further]
    return np.stack(out)


def ctr_gcn_graph(num_nodes, inward):
    """The graph of the code of 2s-AGCN and CTR-GCN: itself, inward and outward bones."""
    child, parent = np.array(inward).T
    into = np.zeros((num_nodes, num_nodes))
    into[parent, child] = 1
    return np.stack([np.eye(num_nodes), columns_to_one(into), columns_to_one(into.T)])


# (joint, its neighbour towards the centre), counted from one as in the published code.
NTU = [(1, 2), (2, 21), (3, 21), (4, 3), (5, 21), (6, 5), (7, 6), (8, 7), (9, 21), (10, 9)]
NTU += [(11, 10), (12, 11), (13, 1), (14, 13), (15, 14), (16, 15), (17, 1), (18, 17), (19, 18)]
NTU += [(20, 19), (22, 23), (23, 8), (24, 25), (25, 12)]
UCLA = [(1, 2), (2, 3), (4, 3), (5, 3), (6, 5), (7, 6), (8, 7), (9, 3), (10, 9), (11, 10), (12, 11)]
UCLA += [(13, 1), (14, 13), (15, 14), (16, 15), (17, 1), (18, 17), (19, 18), (20, 19)]
OPENPOSE = [(4, 3), (3, 2), (7, 6), (6, 5), (13, 12), (12, 11), (10, 9), (9, 8), (11, 5), (8, 2)]
OPENPOSE += [(5, 1), (2, 1), (0, 1), (15, 0), (14, 0), (17, 15), (16, 14)]
COCO = [(15, 13), (13, 11), (16, 14), (14, 12), (11, 5), (12, 6), (9, 7), (7, 5), (10, 8), (8, 6)]
COCO += [(5, 0), (6, 0), (1, 0), (3, 1), (2, 0), (4, 2)]
PUBLISHED = [
    ('ntu25_st_gcn', [(i - 1, j - 1) for i, j in NTU], 20),
    ('kinect20', [(i - 1, j - 1) for i, j in UCLA], 2),
    ('openpose18_st_gcn', OPENPOSE, 1),
    # Of PYSKL
    ('ntu25', [(i - 1, {23: 8, 25: 12}.get(j, j) - 1) for i, j in NTU], 20),
    ('coco17', COCO, 0),
]


@pytest.mark.parametrize(('name', 'inward', 'center'), PUBLISHED)
def test_partitions_of_published_weights(name, inward, center):
    body = get_skeleton(name)
    for max_hop in (1, 2, 3):
        theirs = st_gcn_graph(len(body), inward, center, max_hop)
        ours = body.adjacency('spatial', max_hop, cap_distance=True)
        np.testing.assert_allclose(ours.transpose(1, 2), theirs, atol=1e-6)
        np.testing.assert_allclose(ours.sum(dim=(0, 2)), 1, atol=1e-6)
    theirs = ctr_gcn_graph(len(body), inward)
    ours = body.adjacency('spatial', normalization='column', per_partition=True)
    np.testing.assert_allclose(ours, theirs, atol=1e-6)
    parents = list(range(len(body)))
    for joint, parent in inward:
        parents[joint] = parent
    assert body.parents == tuple(parents)


def test_a_capped_distance_only_separates_neighbours_around_the_centre():
    # b is the centre of a - b - c - d - e.
    path = make('abcde', ((0, 1), (1, 2), (2, 3), (3, 4)), center='b')
    _, farther, nearer = path.adjacency('spatial', normalization=None, cap_distance=True)
    assert nearer.nonzero().tolist() == [[0, 1], [2, 1], [3, 2]]  # but not d for e
    assert farther.nonzero().tolist() == [[1, 0], [1, 2], [2, 3], [3, 4], [4, 3]]
    for strategy in ('uniform', 'distance'):
        same = path.adjacency(strategy, 2, cap_distance=True)
        assert torch.equal(same, path.adjacency(strategy, 2))


def test_partitions_may_be_normalised_separately():
    for strategy in ('uniform', 'distance', 'spatial'):
        binary = get_skeleton('ntu25').adjacency(strategy, 2, normalization=None)
        for normalization in ('row', 'column', 'sym'):
            parts = get_skeleton('ntu25').adjacency(
                strategy, 2, normalization=normalization, per_partition=True
            )
            for part, ones in zip(parts.double().numpy(), binary.double().numpy()):
                rows, columns = (np.maximum(ones.sum(k, keepdims=True), 1) for k in (1, 0))
                scale = {'row': rows, 'column': columns, 'sym': (rows * columns) ** 0.5}
                np.testing.assert_allclose(part, ones / scale[normalization], atol=1e-6)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'strategy': 'near'}, r"\['uniform', 'distance', 'spatial'\], got 'near'"),
        ({'normalization': 'col'}, r"\['row', 'column', 'sym'\] or None, got 'col'"),
        ({'max_hop': -1}, 'at least 0, got -1'),
    ],
)
def test_invalid_adjacencies_raise(options, message):
    with pytest.raises(ValueError, match=message):
        ARM.adjacency(**options)
    with pytest.raises(ValueError, match=message):
        ARM.edges(**options)


# Subsets ######################################################################


def test_subset_keeps_order_pairs_and_paths():
    body = get_skeleton('coco17')
    limbs = [j for j in reversed(body.joints) if 'eye' not in j and 'ear' not in j]
    small = body.subset(limbs, name='limbs')
    assert small.joints == tuple(limbs)
    assert small.name == 'limbs'
    assert small.joints[small.center] == 'nose'
    assert len(small.pairs) == 6
    for left, right in small.pairs:
        assert small.joints[left] == small.joints[right].replace('right', 'left')
    names = {frozenset(small.joints[i] for i in bone) for bone in small.bones}
    kept = {frozenset(body.joints[i] for i in bone) for bone in body.bones}
    assert names <= kept


def test_subset_bridges_removed_joints():
    chain = make(center='a')
    small = chain.subset(['a', 'd'])
    assert small.bones in (((1, 0),), ((0, 1),))
    # Without the centre the nearest joint takes its place.
    small = make(center='a').subset(['d', 'b', 'c'])
    assert small.joints[small.center] == 'b'
    assert {frozenset(small.joints[i] for i in bone) for bone in small.bones} == {
        frozenset('bc'),
        frozenset('cd'),
    }
    star = Skeleton(list('abcd'), [(0, 1), (0, 2), (0, 3)], center='a').subset('dbc')
    assert star.joints[star.center] == 'd'
    assert star.parents == (0, 0, 0)


def test_subset_drops_incomplete_pairs():
    small = get_skeleton('coco17').subset(['nose', 'left_eye', 'left_ear', 'right_ear'])
    assert [tuple(small.joints[i] for i in pair) for pair in small.pairs] == [
        ('left_ear', 'right_ear')
    ]


@pytest.mark.parametrize(
    ('joints', 'message'),
    [(['x'], 'unknown joint'), (['a', 'a'], 'different joints'), ([], 'different joints')],
)
def test_invalid_subsets_raise(joints, message):
    with pytest.raises(ValueError, match=message):
        make().subset(joints)
