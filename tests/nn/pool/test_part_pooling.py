import pytest
import torch

from graphmotion.nn import PartPooling
from graphmotion.skeletons import get_skeleton

SKELETON = get_skeleton('emotion_gait16')


@pytest.mark.parametrize('level', [0, 1, 2, 3])
@pytest.mark.parametrize('reduce', ['mean', 'max'])
def test_against_a_loop(level, reduce):
    pool = PartPooling(SKELETON.assignment(level), reduce)
    x = torch.randn(2 * 16, 4, 3)
    expected = []
    for graph in x.split(16):
        for members in SKELETON.hierarchy().members(level):
            group = torch.stack([graph[i] for i in members])
            expected.append(group.mean(dim=0) if reduce == 'mean' else group.amax(dim=0))
    torch.testing.assert_close(pool(x), torch.stack(expected))


@pytest.mark.parametrize('reduce', ['mean', 'max'])
def test_pooling_reverts_unpooling(reduce):
    pool = PartPooling(SKELETON.assignment(2), reduce)
    parts = torch.randn(3 * 5, 4, 3)
    torch.testing.assert_close(pool(pool.unpool(parts)), parts)


def test_constants_are_preserved_by_pooling_and_unpooling():
    pool = PartPooling(SKELETON.assignment(1))
    x = torch.full((2 * 16, 4, 3), 0.7)
    torch.testing.assert_close(pool.unpool(pool(x)), x)


def test_unpooling_copies_the_value_of_a_part_to_its_members():
    pool = PartPooling(torch.tensor([[1.0, 0, 1, 0], [0, 1, 0, 1]]))
    out = pool.unpool(torch.tensor([[[1.0]], [[2.0]], [[3.0]], [[4.0]]]))
    assert out.flatten().tolist() == [1, 2, 1, 2, 3, 4, 3, 4]


@pytest.mark.parametrize(
    ('assignment', 'reason'),
    [
        (torch.tensor([[1.0, 1], [0, 1]]), r'one part for each node, got \[1, 2\]'),
        (torch.tensor([[1.0, 1], [0, 0]]), r'a node for each part, got \[2, 0\]'),
        (torch.tensor([[0.5, 1], [0.5, 0]]), 'zeros and ones'),
        (torch.ones(3), 'must be a matrix'),
    ],
)
def test_invalid_partitions_raise(assignment, reason):
    with pytest.raises(ValueError, match=reason):
        PartPooling(assignment)


def test_unknown_reduction_raises():
    with pytest.raises(ValueError, match=r"\['mean', 'max', 'concat'\], got 'median'"):
        PartPooling(torch.eye(3), 'median')


@pytest.mark.scatter
def test_maximum_with_torch_scatter():
    """Matches the kernel of torch-scatter, including its gradient."""
    torch_scatter = pytest.importorskip('torch_scatter')
    pool = PartPooling(SKELETON.assignment(1), 'max')
    x = torch.randn(2 * 16, 4, 3, requires_grad=True)
    graphs = x.view(2, 16, 4, 3)
    part_of = SKELETON.assignment(1).argmax(dim=0)
    expected, _ = torch_scatter.scatter_max(graphs, part_of, dim=1)
    out = pool(x)
    torch.testing.assert_close(out, expected.reshape(-1, 4, 3))
    (gradient,) = torch.autograd.grad(out.sum(), x)
    assert gradient.sum() == out.numel()


def test_the_mean_is_as_exact_as_its_input():
    pool = PartPooling(get_skeleton('ntu25').assignment(1))  # with parts of three joints
    x = torch.full((25, 2, 3), 0.1, dtype=torch.float64)
    torch.testing.assert_close(pool(x), x[:10], rtol=1e-15, atol=0)


@pytest.mark.parametrize('frames', [(), (4,)])
@pytest.mark.parametrize('level', [0, 1, 2])
def test_concatenation_against_a_loop(level, frames):
    pool = PartPooling(SKELETON.assignment(level), 'concat')
    parts = SKELETON.hierarchy().members(level)
    size = max(map(len, parts))
    assert pool.part_size == size
    x = torch.randn(2 * 16, *frames, 3)
    expected = torch.zeros(2 * len(parts), *frames, size * 3)
    for b in range(2):
        for p, members in enumerate(parts):
            for slot, joint in enumerate(sorted(members)):
                row = expected[b * len(parts) + p]
                row[..., slot * 3 : slot * 3 + 3] = x[b * 16 + joint]
    assert torch.equal(pool(x), expected)


def test_empty_slots_are_zero_for_infinite_members():
    pool = PartPooling(torch.tensor([[1.0, 1, 0], [0, 0, 1]]), 'concat')
    x = torch.full((3, 2, 1), torch.inf, requires_grad=True)
    out = pool(x)
    assert out[1].tolist() == [[torch.inf, 0.0]] * 2
    (gradient,) = torch.autograd.grad(out, x, torch.tensor([1.0, 10.0]).expand(2, 2, 2))
    assert gradient[:, 0, 0].tolist() == [1, 10, 1]


def test_one_linear_map_serves_all_parts():
    """The mean is such a map if all parts have the same size."""
    assignment = torch.eye(3).repeat_interleave(2, dim=1)
    x = torch.randn(2 * 6, 4, 5)
    lin = torch.eye(5).repeat(1, 2) / 2
    torch.testing.assert_close(
        PartPooling(assignment, 'concat')(x) @ lin.t(), PartPooling(assignment)(x)
    )


def test_concatenation_cannot_be_unpooled():
    pool = PartPooling(SKELETON.assignment(1), 'concat')
    with pytest.raises(ValueError, match="must be 'mean' or 'max' to unpool"):
        pool.unpool(torch.randn(10, 4, 3))


def test_skeletons_are_not_assignments():
    with pytest.raises(TypeError, match=r'such as skeleton.assignment\(1\), got Skeleton'):
        PartPooling(get_skeleton('coco17'))
