import pytest
import torch

from graphmotion.nn import ClusterPooling

CLUSTER = torch.tensor([2, 0, 1, 2, 0, 2, 3])
N, M = 7, 4


def loop(x, reduce):
    """Loops over graphs and clusters."""
    out = []
    for graph in x.split(N):
        for number in range(M):
            group = torch.stack([graph[i] for i in range(N) if CLUSTER[i] == number])
            out.append(group.mean(dim=0) if reduce == 'mean' else group.amax(dim=0))
    return torch.stack(out)


@pytest.mark.parametrize('reduce', ['mean', 'max'])
@pytest.mark.parametrize('shape', [(3,), (5, 3), (2, 5, 3), ()])
@pytest.mark.parametrize('ties', [False, True])
def test_against_a_loop(reduce, shape, ties):
    x = torch.randint(2, (3 * N, *shape)) if ties else torch.randn(3 * N, *shape)
    x = x.double().requires_grad_()
    out, expected = ClusterPooling(CLUSTER, reduce)(x), loop(x, reduce)
    torch.testing.assert_close(out, expected)
    gradient = torch.randn_like(out)
    torch.testing.assert_close(
        torch.autograd.grad(out, x, gradient), torch.autograd.grad(expected, x, gradient)
    )


@pytest.mark.parametrize('reduce', ['mean', 'max'])
def test_second_derivatives(reduce):
    pool = ClusterPooling(CLUSTER, reduce)
    x = torch.randn(2 * N, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(pool, (x,))


@pytest.mark.parametrize('reduce', ['mean', 'max'])
def test_pooling_reverts_unpooling(reduce):
    pool = ClusterPooling(CLUSTER, reduce)
    clusters = torch.randn(3 * M, 5, 2)
    torch.testing.assert_close(pool(pool.unpool(clusters)), clusters)


@pytest.mark.parametrize('reduce', ['mean', 'max'])
def test_constants_are_preserved_by_pooling_and_unpooling(reduce):
    pool = ClusterPooling(CLUSTER, reduce)
    x = torch.full((2 * N, 3), 0.7)
    torch.testing.assert_close(pool.unpool(pool(x)), x)


def test_unpooling_copies_the_value_of_a_cluster_to_its_members():
    pool = ClusterPooling(CLUSTER)
    assert pool.unpool(torch.arange(8.0).view(8, 1)).flatten().tolist() == [
        *(2, 0, 1, 2, 0, 2, 3),
        *(6, 4, 5, 6, 4, 6, 7),
    ]


@pytest.mark.parametrize('reduce', ['mean', 'max'])
def test_permuting_nodes_and_clusters(reduce):
    """Permuting nodes has no effect; permuting clusters permutes the output."""
    x = torch.randn(N, 5, 3)
    nodes, clusters = torch.randperm(N), torch.randperm(M)
    expected = ClusterPooling(CLUSTER, reduce)(x)
    torch.testing.assert_close(ClusterPooling(CLUSTER[nodes], reduce)(x[nodes]), expected)
    renumbered = ClusterPooling(clusters.argsort()[CLUSTER], reduce)(x)
    torch.testing.assert_close(renumbered, expected[clusters])


def test_thousands_of_nodes():
    cluster = torch.cat([torch.arange(900), torch.randint(900, (2700,))])
    x = torch.randn(2 * 3600, 4, dtype=torch.float64)
    matrix = torch.nn.functional.one_hot(cluster).double()
    matrix = (matrix / matrix.sum(dim=0)).t()
    expected = (matrix @ x.view(2, 3600, 4)).view(-1, 4)
    torch.testing.assert_close(ClusterPooling(cluster)(x), expected)


def test_has_no_parameters_or_state():
    pool = ClusterPooling(CLUSTER)
    assert not list(pool.parameters())
    assert not pool.state_dict()


@pytest.mark.parametrize(
    ('cluster', 'num', 'reason'),
    [
        (torch.tensor([0, 2, 0]), None, r'got none in 1 of 3 clusters: \[1\]'),
        (torch.tensor([0, 1]), 4, r'got none in 2 of 4 clusters: \[2, 3\]'),
        (torch.tensor([0, 3]), 2, r'in 0\.\.1, got values from 0 to 3'),
        (torch.tensor([-1, 0]), None, r'in 0\.\.0, got values from -1 to 0'),
        (torch.tensor([0.0, 1.0]), None, 'vector .* of integers, got torch.float32'),
        (torch.tensor([[0, 1]]), None, r'of shape \[1, 2\]'),
        (torch.tensor([], dtype=torch.long), None, r'of shape \[0\]'),
    ],
)
def test_invalid_clusters_raise(cluster, num, reason):
    with pytest.raises(ValueError, match=reason):
        ClusterPooling(cluster, num_clusters=num)


def test_wrong_input_raises():
    with pytest.raises(ValueError, match=r"\['mean', 'max'\], got 'concat'"):
        ClusterPooling(CLUSTER, 'concat')
    with pytest.raises(ValueError, match='multiple of 7 nodes'):
        ClusterPooling(CLUSTER)(torch.randn(8, 2))
    with pytest.raises(ValueError, match='multiple of 4 nodes'):
        ClusterPooling(CLUSTER).unpool(torch.randn(7, 2))


@pytest.mark.parametrize('reduce', ['mean', 'max'])
def test_bfloat16_is_kept_and_summed_exactly(reduce):
    """A running sum of hundreds of members in bfloat16 would stop growing."""
    pool = ClusterPooling(torch.zeros(1000, dtype=torch.long), reduce)
    out = pool(torch.ones(2000, 8, dtype=torch.bfloat16))
    assert out.dtype == torch.bfloat16
    torch.testing.assert_close(out.float(), torch.ones(2, 8), atol=0.01, rtol=0)


@pytest.mark.slow
@pytest.mark.parametrize('reduce', ['mean', 'max'])
def test_export_with_gradients(reduce):
    pool = ClusterPooling(CLUSTER, reduce)
    x = torch.randn(2 * N, 5, 3, requires_grad=True)
    graphs = torch.export.Dim('graphs')
    program = torch.export.export(pool, (x,), dynamic_shapes=({0: N * graphs},))
    larger = torch.randn(5 * N, 5, 3)
    torch.testing.assert_close(program.module()(larger), pool(larger))


@pytest.mark.slow
@pytest.mark.filterwarnings('ignore:.*should not be instantiated')  # PyTorch's own, hidden there
@pytest.mark.parametrize('reduce', ['mean', 'max'])
def test_compiles_with_its_gradient(reduce):
    pool = ClusterPooling(CLUSTER, reduce)
    x = torch.randn(2 * N, 5, 3, requires_grad=True)
    torch._dynamo.reset()
    compiled = torch.compile(pool, backend='aot_eager', fullgraph=True)
    gradient = torch.randn(2 * M, 5, 3)
    torch.testing.assert_close(
        torch.autograd.grad(compiled(x), x, gradient), torch.autograd.grad(pool(x), x, gradient)
    )


def test_later_changes_of_the_clusters_have_no_effect():
    cluster = torch.tensor([0, 1, 1, 0])
    pool = ClusterPooling(cluster)
    cluster.fill_(7)
    assert pool.cluster.tolist() == [0, 1, 1, 0]
    assert pool.unpool(torch.tensor([[3.0], [5.0]])).flatten().tolist() == [3, 5, 5, 3]
