import numpy as np
import pytest
import torch
from matplotlib.patches import ConnectionPatch, FancyArrowPatch
from PIL import Image

from graphmotion.skeletons import get_skeleton
from graphmotion.visualization import (
    plot_adjacency,
    plot_adjacency_on_body,
    plot_cross_scale,
    rest_pose,
)

from .conftest import check_nothing_is_clipped

GAIT = get_skeleton('emotion_gait16')
FRONT = rest_pose(GAIT)[:, :2].numpy()


# Matrices #####################################################################


def test_partitions_side_by_side_with_joint_names():
    adj = GAIT.adjacency('spatial')
    figure = plot_adjacency(adj, GAIT, titles=['root', 'centrifugal', 'centripetal'], title='gait')
    axes = [ax for ax in figure.axes if ax.images]
    assert [ax.get_title() for ax in axes] == ['root', 'centrifugal', 'centripetal']
    for ax, matrix in zip(axes, adj):
        np.testing.assert_allclose(ax.images[0].get_array(), matrix)
        assert ax.images[0].get_clim() == (0, float(adj.max()))  # one scale
    assert [t.get_text() for t in axes[0].get_yticklabels()] == list(GAIT.joints)
    assert [t.get_text() for t in axes[0].get_xticklabels()] == list(GAIT.joints)
    assert (axes[0].get_xlabel(), axes[0].get_ylabel()) == ('source', 'target')
    check_nothing_is_clipped(figure)


def test_nodes_are_numbered_without_a_skeleton():
    ax = plot_adjacency(torch.eye(3)).axes[0]
    assert [t.get_text() for t in ax.get_yticklabels()] == ['0', '1', '2']


def test_signed_colormap_is_centred_at_zero():
    adj = torch.tensor([[0.0, -3.0], [1.0, 0.0]])
    image = plot_adjacency(adj).axes[0].images[0]
    assert image.get_clim() == (-3, 3)
    assert np.mean(image.to_rgba(0.0)[:3]) > 0.95
    blue, red = image.to_rgba(-3.0), image.to_rgba(3.0)
    assert blue[2] > blue[0]
    assert red[0] > red[2]


@pytest.mark.parametrize('name', ['mediapipe33'])
@pytest.mark.parametrize('max_hop', [0, 1, 4])
def test_any_number_of_matrices(name, max_hop):
    skeleton = get_skeleton(name)
    figure = plot_adjacency(skeleton.adjacency('distance', max_hop), skeleton, title='all')
    assert len([ax for ax in figure.axes if ax.images]) == max_hop + 1
    check_nothing_is_clipped(figure)


def test_all_zero_matrix():
    figure = plot_adjacency(torch.zeros(16, 16), GAIT)
    assert figure.axes[0].images[0].get_clim() == (0, 1)
    plot_adjacency_on_body(torch.zeros(16, 16), GAIT)


# Over the body ################################################################


def arrows(ax):
    return [patch for patch in ax.patches if isinstance(patch, FancyArrowPatch)]


def ends(arrow):
    """Returns source and target, the joints nearest to the ends of the arrow."""
    path = arrow._posA_posB
    return tuple(int(np.argmin(((FRONT - point) ** 2).sum(axis=1))) for point in path)


def test_arrows_point_from_source_to_target_and_grow_with_the_weight():
    adj = torch.zeros(16, 16)
    adj[3, 2], adj[9, 15], adj[0, 0] = 1.0, 0.5, 0.8
    ax = plot_adjacency_on_body(adj, GAIT).axes[0]
    weak, strong = arrows(ax)
    assert ends(strong) == (2, 3)
    assert ends(weak) == (15, 9)
    assert strong.get_linewidth() > weak.get_linewidth()
    assert sum(strong.get_edgecolor()[:3]) < sum(weak.get_edgecolor()[:3])  # darker
    rings = ax.collections[-1]
    np.testing.assert_allclose(rings.get_offsets(), FRONT, atol=1e-6)
    assert int(np.argmax(rings.get_linewidths())) == 0
    assert len(set(rings.get_linewidths())) == 2


def test_only_the_strongest_positive_weights_are_drawn():
    adj = torch.rand(16, 16, generator=torch.Generator().manual_seed(0)) - 0.5
    ax = plot_adjacency_on_body(adj, GAIT, num_links=5).axes[0]
    off = adj.clone()
    off.fill_diagonal_(-1)
    best = off.flatten().topk(5).indices.tolist()
    assert {ends(arrow) for arrow in arrows(ax)} == {(k % 16, k // 16) for k in best}
    ax = plot_adjacency_on_body(-torch.rand(16, 16), GAIT).axes[0]
    assert arrows(ax) == []
    ax = plot_adjacency_on_body(torch.rand(16, 16), GAIT).axes[0]
    assert len(arrows(ax)) == 32


def test_partitions_on_the_body():
    figure = plot_adjacency_on_body(
        GAIT.adjacency('spatial'), GAIT, titles=['root', 'centrifugal', 'centripetal'], title='gait'
    )
    axes = [ax for ax in figure.axes if ax.get_title()]
    assert [ax.get_title() for ax in axes] == ['root', 'centrifugal', 'centripetal']
    assert [len(arrows(ax)) for ax in axes] == [0, 15, 15]
    for arrow in arrows(axes[2]):  # towards the leaves
        source, target = ends(arrow)
        assert GAIT.parents[target] == source
    check_nothing_is_clipped(figure)


def test_given_pose_is_projected():
    pose = torch.randn(16, 2)
    ax = plot_adjacency_on_body(torch.eye(16), GAIT, pose).axes[0]
    expected = pose.numpy() * [1, -1]  # image coordinates
    np.testing.assert_allclose(ax.collections[-1].get_offsets(), expected, atol=1e-6)
    left, right = ax.get_xlim()
    assert left < expected[:, 0].min()
    assert expected[:, 0].max() < right


# Across scales ################################################################


def links(figure):
    return [artist for artist in figure.artists if isinstance(artist, ConnectionPatch)]


@pytest.mark.parametrize(
    ('num_targets', 'num_sources'), [(16, 10), (10, 16), (10, 5), (3, 10), (16, 16)]
)
def test_shape_determines_the_scales(num_targets, num_sources):
    adj = torch.rand(num_targets, num_sources, generator=torch.Generator().manual_seed(0)).softmax(
        dim=-1
    )
    figure = plot_cross_scale(adj, GAIT, title='across')
    target, source, matrix = figure.axes[:3]
    assert (target.get_title(), source.get_title()) == (
        f'target: {num_targets} nodes',
        f'source: {num_sources} nodes',
    )
    hierarchy = GAIT.hierarchy()
    names = [GAIT.coarsen(hierarchy.level_of(size)).joints for size in (num_targets, num_sources)]
    assert [t.get_text() for t in matrix.get_yticklabels()] == list(names[0])
    assert [t.get_text() for t in matrix.get_xticklabels()] == list(names[1])
    np.testing.assert_allclose(matrix.images[0].get_array(), adj)
    assert len(target.collections[0].get_segments()) == num_targets - 1
    assert len(source.collections[0].get_segments()) == num_sources - 1
    assert len(links(figure)) == num_targets
    check_nothing_is_clipped(figure)


def test_lines_connect_the_pairs_of_largest_weight():
    adj = torch.zeros(16, 10)
    adj[3, 1], adj[9, 0] = 1.0, 0.4
    figure = plot_cross_scale(adj, GAIT)
    weak, strong = links(figure)
    assignment = GAIT.assignment(1)
    parts = (assignment / assignment.sum(1, keepdim=True)).numpy() @ FRONT
    np.testing.assert_allclose(strong.xy1, FRONT[3], atol=1e-6)
    np.testing.assert_allclose(strong.xy2, parts[1], atol=1e-6)
    np.testing.assert_allclose(weak.xy1, FRONT[9], atol=1e-6)
    np.testing.assert_allclose(weak.xy2, parts[0], atol=1e-6)
    assert strong.get_linewidth() > weak.get_linewidth()
    assert len(links(plot_cross_scale(torch.rand(16, 10), GAIT, num_links=3))) == 3


def test_parts_are_drawn_at_the_mean_of_their_joints():
    pose = torch.randn(16, 3)
    figure = plot_cross_scale(torch.rand(5, 10), GAIT, pose)
    for ax, level in zip(figure.axes, (2, 1)):
        for part, members in enumerate(GAIT.hierarchy().members(level)):
            expected = pose[list(members), :2].mean(dim=0)
            np.testing.assert_allclose(ax.collections[1].get_offsets()[part], expected, atol=1e-6)


def test_files_are_written(tmp_path):
    plot_adjacency(torch.eye(3), path=tmp_path / 'a.png')
    plot_adjacency_on_body(torch.eye(16), GAIT, path=tmp_path / 'b.png')
    plot_cross_scale(torch.rand(16, 10), GAIT, path=tmp_path / 'c.png')
    for name in 'abc':
        with Image.open(tmp_path / f'{name}.png') as image:
            image.load()


@pytest.mark.parametrize(
    ('draw', 'message'),
    [
        (lambda: plot_adjacency(torch.zeros(3, 4)), r'adj must be square, got shape \[3, 4\]'),
        (lambda: plot_adjacency(torch.zeros(3)), 'must be 2D or 3D'),
        (lambda: plot_adjacency(torch.zeros(0, 0)), 'must not be empty'),
        (
            lambda: plot_adjacency(torch.eye(3), GAIT),
            "must have the 16 joints of 'emo.* as nodes, got 3",
        ),
        (
            lambda: plot_adjacency(torch.eye(3), titles=['a', 'b']),
            'titles must have length 1, got 2',
        ),
        (lambda: plot_adjacency_on_body(torch.eye(3), GAIT), 'must have the 16 joints .*, got 3'),
        (
            lambda: plot_adjacency_on_body(torch.eye(16), GAIT, torch.zeros(9, 3)),
            r'pose must have shape \[16, D\], got \[9, 3\]',
        ),
        (
            lambda: plot_adjacency_on_body(torch.eye(16), GAIT, torch.zeros(32, 3)),
            r'pose must have shape \[16, D\], got \[32, 3\]',
        ),
        (
            lambda: plot_adjacency_on_body(torch.eye(16), GAIT, torch.zeros(16, 4)),
            '2 or 3 coordinates',
        ),
        (
            lambda: plot_adjacency(torch.full((2, 2), torch.nan)),
            'adj must be finite, got 4 non-finite values',
        ),
        (
            lambda: plot_adjacency_on_body(torch.eye(16), GAIT, num_links=0),
            'num_links must be an integer >= 1',
        ),
        (
            lambda: plot_cross_scale(torch.rand(16, 10), GAIT, num_links=0),
            'num_links must be an integer >= 1',
        ),
        (lambda: plot_cross_scale(torch.rand(16, 9), GAIT), 'none of 9'),
        (lambda: plot_cross_scale(torch.rand(2, 16, 10), GAIT), 'must be 2D'),
        (lambda: plot_cross_scale(torch.rand(16, 10), GAIT, hierarchy='x'), "hierarchy 'x'"),
    ],
)
def test_invalid_input(draw, message):
    with pytest.raises(ValueError, match=message):
        draw()
