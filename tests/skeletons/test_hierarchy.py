import numpy as np
import pytest
import torch

from graphmotion.skeletons import Skeleton, get_skeleton, list_skeletons

LEVELS = [
    {'ab': ['a', 'b'], 'cd': ['c', 'd'], 'ef': ['f', 'e']},
    {'left': ['ef'], 'rest': ['ab', 'cd']},
]


def make(levels=None, bones=((0, 1), (1, 2), (2, 3), (3, 4), (4, 5)), **options):
    hierarchies = {'parts': LEVELS if levels is None else levels}
    return Skeleton(list('abcdef'), bones, 'mine', hierarchies=hierarchies, **options)


def test_levels():
    hierarchy = make().hierarchy()
    assert hierarchy.name == 'parts'
    assert hierarchy.num_levels == 3
    assert hierarchy.sizes == (6, 3, 2)
    assert hierarchy.names(1) == ('ab', 'cd', 'ef')
    assert hierarchy.names(2) == ('left', 'rest')
    assert hierarchy.members(0) == ((0,), (1,), (2,), (3,), (4,), (5,))
    assert hierarchy.members(1) == ((0, 1), (2, 3), (4, 5))
    assert hierarchy.members(2) == ((4, 5), (0, 1, 2, 3))
    assert hierarchy.members(2, source=1) == ((2,), (0, 1))
    assert [hierarchy.level_of(size) for size in (6, 3, 2)] == [0, 1, 2]


@pytest.mark.parametrize(
    'levels',
    [
        [{'ab': [0, 1], 'cd': [2, 3], 'ef': [5, 4]}, {'left': [2], 'rest': [0, 1]}],
        {'ab': ('a', 1), 'cd': np.array([2, 3]), 'ef': ['e', 'f']},  # one level alone
    ],
)
def test_members_may_be_names_or_positions(levels):
    assert make(levels).hierarchy().members(1) == ((0, 1), (2, 3), (4, 5))


def test_a_str_is_one_member_and_not_its_letters():
    with pytest.raises(ValueError, match="unknown member 'ab'"):
        make([{'ab': 'ab', 'cd': 'cd', 'ef': 'ef'}])


def test_a_single_member_needs_no_list():
    levels = [{'a': 'a', 'rest': ['b', 'c', 'd', 'e', 'f']}]
    assert make(levels).hierarchy().members(1) == ((0,), (1, 2, 3, 4, 5))


def test_hierarchies_are_selected_by_name():
    skeleton = Skeleton(
        list('abc'),
        [(0, 1), (1, 2)],
        hierarchies={
            'first': [{'x': ['a'], 'y': ['b', 'c']}],
            'second': [{'z': ['a', 'b', 'c']}],
        },
    )
    assert skeleton.hierarchy().name == 'first'
    assert skeleton.hierarchy('second').sizes == (3, 1)
    assert skeleton.coarsen(1, hierarchy='second').num_joints == 1
    with pytest.raises(ValueError, match=r"hierarchy 'third'.*\['first', 'second'\]"):
        skeleton.hierarchy('third')
    with pytest.raises(ValueError, match='does not have a part hierarchy'):
        Skeleton(['a'], []).hierarchy()


@pytest.mark.parametrize(
    ('levels', 'message'),
    [
        ([{'x': ['a', 'b'], 'y': ['c', 'd', 'e']}], r"level 1: \['f'\] belong to no part"),
        ([{'x': list('abc'), 'y': list('cdef')}], "level 1: 'c' is a member of 'x' and of 'y'"),
        ([{'x': list('abcdez'), 'y': ['f']}], "part 'x': unknown member 'z'"),
        ([{'x': [0, 1, 2, 3, 4, 6]}], r"part 'x': member position 6 is out of range 0\.\.5"),
        ([{'x': [0, 1, 2, 3, 4, -1]}], r"part 'x': member position -1 is out of range 0\.\.5"),
        ([{'x': list('abcdef'), 'y': []}], "the part 'y' is empty"),
        ([dict(zip('uvwxyz', 'abcdef'))], '6 parts do not coarsen the 6 nodes'),
        ([LEVELS[0], {'all': list('abcdef')}], "level 2, part 'all': unknown member 'a'"),
        ([], 'needs at least one level'),
        ([{'x': [0, 1.7, 2, 3, 4, 5]}], '1.7'),
        ([[['a', 'b', 'c'], ['d', 'e', 'f']]], 'level 1'),
    ],
)
def test_invalid_hierarchies_raise(levels, message):
    with pytest.raises(ValueError, match=message) as caught:
        make(levels)
    assert "Skeleton 'mine', hierarchy 'parts'" in str(caught.value)


def test_hierarchies_is_a_mapping_of_names():
    with pytest.raises((ValueError, TypeError), match='hierarch'):
        Skeleton(list('abcdef'), [(i, i + 1) for i in range(5)], hierarchies=LEVELS)


@pytest.mark.parametrize(
    ('ask', 'message'),
    [
        (lambda h: h.members(3), r'levels 0\.\.2, got 3'),
        (lambda h: h.members(-1), r'levels 0\.\.2, got -1'),
        (lambda h: h.names(0), r'levels 1\.\.2, got 0'),
        (lambda h: h.members(1, source=2), 'finer level 2 is above the coarser level 1'),
        (lambda h: h.level_of(4), r'levels of \[6, 3, 2\] nodes, none of 4'),
        (lambda h: h.above(3), 'got 3'),
    ],
)
def test_invalid_levels_raise(ask, message):
    with pytest.raises(ValueError, match=message):
        ask(make().hierarchy())


# Assignment ###################################################################


def test_assignment_marks_members():
    out = make().assignment(1)
    assert out.dtype == torch.float32
    assert out.tolist() == [[1, 1, 0, 0, 0, 0], [0, 0, 1, 1, 0, 0], [0, 0, 0, 0, 1, 1]]
    assert torch.equal(make().assignment(0), torch.eye(6))
    with pytest.raises(ValueError, match='above the coarser'):
        make().assignment(1, source=2)


@pytest.mark.parametrize('name', list_skeletons())
def test_assignments_compose(name):
    skeleton = get_skeleton(name)
    last = skeleton.hierarchy().num_levels
    for level in range(last):
        direct = skeleton.assignment(level)
        assert torch.equal(direct.sum(dim=0), torch.ones(skeleton.num_joints))
        for between in range(level + 1):
            product = skeleton.assignment(level, between) @ skeleton.assignment(between)
            assert torch.equal(product, direct)
            # The coarser skeleton counts its levels from itself.
            coarse = skeleton.coarsen(between)
            if level > between:
                assert torch.equal(
                    coarse.assignment(level - between), skeleton.assignment(level, between)
                )


# Coarser skeletons ############################################################


def test_coarsen_connects_parts_that_a_bone_connects():
    coarse = make(center='c').coarsen(1)
    assert coarse.joints == ('ab', 'cd', 'ef')
    assert {frozenset(bone) for bone in coarse.bones} == {frozenset((0, 1)), frozenset((1, 2))}
    assert coarse.joints[coarse.center] == 'cd'
    assert coarse.hierarchy().sizes == (3, 2)
    assert coarse.coarsen(1).joints == ('left', 'rest')
    assert coarse.coarsen(1).hierarchies == ()
    finest = make().coarsen(0)
    assert finest.joints == make().joints
    assert finest.hierarchy() == make().hierarchy()
    assert {frozenset(b) for b in finest.bones} == {frozenset(b) for b in make().bones}


@pytest.mark.parametrize('name', list_skeletons())
def test_coarse_bones_match_the_assignment(name):
    skeleton = get_skeleton(name)
    fine = skeleton.adjacency(normalization=None)[0] - torch.eye(skeleton.num_joints)
    for level in range(skeleton.hierarchy().num_levels):
        assignment = skeleton.assignment(level)
        joined = (assignment @ fine @ assignment.t() > 0).fill_diagonal_(False)
        coarse = skeleton.coarsen(level)
        adj = coarse.adjacency(normalization=None)[0].bool().fill_diagonal_(False)
        assert torch.equal(adj, joined)
        assert assignment[coarse.center, skeleton.center] == 1


def test_parts_that_close_a_cycle_raise():
    levels = [{'ends': ['a', 'f'], 'x': ['b', 'c'], 'y': ['d', 'e']}]
    with pytest.raises(ValueError, match='closes a cycle'):
        make(levels).coarsen(1)


def test_parts_are_mirrored_iff_all_their_members_are():
    def body(*parts):
        joints = ['c', 'left_hand', 'right_hand', 'left_foot', 'right_foot']
        levels = [{'c': ['c'], **{str(i): list(part) for i, part in enumerate(parts)}}]
        bones = [(0, 1), (0, 2), (0, 3), (0, 4)]
        return Skeleton(joints, bones, center=0, hierarchies={'parts': levels}).coarsen(1)

    even = body(['left_hand', 'left_foot'], ['right_hand', 'right_foot'])
    assert even.pairs == ((1, 2),)
    swapped = body(['right_hand', 'right_foot'], ['left_hand', 'left_foot'])
    assert swapped.pairs == ((2, 1),)  # left first
    middle = body(['left_hand', 'right_hand'], ['left_foot', 'right_foot'])
    assert middle.pairs == ()
    # The mirror of two parts is one part: none of them has a mirror image.
    uneven = body(['left_hand'], ['left_foot'], ['right_hand', 'right_foot'])
    assert uneven.pairs == ()
