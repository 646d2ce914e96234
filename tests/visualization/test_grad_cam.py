import numpy as np
import pytest
import torch
from torch.nn import BatchNorm1d, Dropout, Identity, Linear, Module, ReLU, Sequential

from graphmotion.models import gaitformer, gaitmixer, st_gcn
from graphmotion.nn import PartPooling
from graphmotion.nn.graphs import graph_mean
from graphmotion.skeletons import get_skeleton
from graphmotion.visualization import (
    class_logit,
    cosine_to,
    grad_cam,
    plot_grad_cam,
    plot_grad_cam_on_body,
)

from .conftest import check_nothing_is_cut_off, walk

B, V, T, C, K = 2, 5, 6, 4, 3


class Toy(Module):
    """A linear network: features, the mean over nodes and frames, logits."""

    def __init__(self, num_nodes=V):
        super().__init__()
        self.num_nodes = num_nodes
        self.features = Linear(2, C)
        self.unused = Linear(2, C)
        self.lin = Linear(C, K)

    def forward(self, x):
        self.unused(x)
        return self.lin(graph_mean(self.features(x), self.num_nodes))


def toy(**options):
    torch.manual_seed(0)
    return Toy(**options).double(), torch.randn(B * V, T, 2, dtype=torch.float64)


def state(model):
    return {
        name: (module.training, len(module._forward_hooks))
        for name, module in model.named_modules()
    }


# Values #######################################################################


def test_a_linear_network_by_hand():
    model, x = toy()
    maps = grad_cam(model, 'features', x, target=class_logit(1))
    features = model.features(x)
    for b in range(B):
        for v in range(V):
            for t in range(T):
                # The slope of the logit is the same everywhere: its weight by the number of cells.
                value = sum(
                    features[b * V + v, t, c] * model.lin.weight[1, c] / (V * T) for c in range(C)
                )
                torch.testing.assert_close(maps[b, v, t], value.clamp_min(0))
    assert (maps > 0).any()
    assert (maps == 0).any()
    assert not maps.requires_grad


def test_maps_of_a_class_that_nothing_speaks_against_sum_up_to_its_logit():
    model, x = toy()
    with torch.no_grad():
        model.lin.weight.abs_()
        model.features.bias.fill_(20.0)  # all features are positive
    for classes in (None, torch.tensor([2, 0])):
        maps = grad_cam(model, model.features, x, target=class_logit(classes))
        logits = model(x)
        chosen = logits.argmax(dim=1) if classes is None else classes
        wanted = logits[[0, 1], chosen] - model.lin.bias[chosen]
        torch.testing.assert_close(maps.sum(dim=(1, 2)), wanted)


def test_the_likeness_of_embeddings_by_finite_differences():
    model, x = toy()
    reference = torch.randn(B, K, dtype=torch.float64)
    target = cosine_to(reference)
    maps = grad_cam(model, 'features', x, target=target)
    features = model.features(x).detach().unflatten(0, (B, V))
    weight = torch.empty(B, C, dtype=torch.float64)
    step = 1e-6
    for c in range(C):
        moved = []
        for sign in (1, -1):
            pooled = features.mean(dim=(1, 2))
            pooled[:, c] += sign * step
            moved.append(target(model.lin(pooled)))
        # Moving all V T cells together sums their slopes.
        weight[:, c] = (moved[0] - moved[1]).detach() / (2 * step) / (V * T)
    wanted = (features * weight.view(B, 1, 1, C)).sum(dim=-1).clamp_min(0)
    torch.testing.assert_close(maps, wanted, rtol=1e-6, atol=1e-8)
    shared = grad_cam(model, 'features', x, target=cosine_to(reference[0]))
    torch.testing.assert_close(shared[0], maps[0])


def test_samples_do_not_know_each_other():
    model, x = toy()
    maps = grad_cam(model, 'features', x)
    for b in range(B):
        torch.testing.assert_close(grad_cam(model, 'features', x[b * V : b * V + V])[0], maps[b])


def test_without_a_gradient_the_map_is_zero():
    model, x = toy()
    assert not grad_cam(model, 'unused', x).any()  # what it gives goes nowhere
    assert not grad_cam(model, 'features', x, target=lambda out: 0 * out[:, 0]).any()


@pytest.mark.parametrize('stride', [2, 3])
def test_fewer_frames_are_interpolated(stride):
    class Strided(Toy):
        def __init__(self):
            super().__init__()
            self.step = Identity()

        def forward(self, x):
            return self.lin(graph_mean(self.step(self.features(x)[:, ::stride]), V))

    model, x = Strided().double(), toy()[1]
    maps = grad_cam(model, 'step', x, target=class_logit(0))
    assert maps.shape == (B, V, T)
    coarse = model.features(x)[:, ::stride] @ model.lin.weight[0] / (V * (T // stride))
    coarse = coarse.relu().detach().view(B * V, -1).numpy()
    centers = stride * np.arange(T // stride) + (stride - 1) / 2
    for row, wanted in zip(maps.flatten(0, 1), coarse):
        np.testing.assert_allclose(row, np.interp(np.arange(T), centers, wanted), atol=1e-12)


def test_joints_get_what_their_part_has():
    skeleton = get_skeleton('coco17')
    assignment = skeleton.assignment(2)

    class Parts(Toy):
        def __init__(self):
            super().__init__()
            self.pool = PartPooling(assignment)

        def forward(self, x):
            return self.lin(graph_mean(self.pool(self.features(x)), len(assignment)))

    model, x = Parts(), torch.randn(B * 17, T, 2)
    parts = grad_cam(model, 'pool', x)
    joints = grad_cam(model, 'pool', x, assignment=assignment)
    assert (parts.shape, joints.shape) == ((B, 5, T), (B, 17, T))
    for part, members in enumerate(skeleton.hierarchy().members(2)):
        for joint in members:
            torch.testing.assert_close(joints[:, joint], parts[:, part])
    with pytest.raises(ValueError, match=r'assignment has .*\[17, 5\], expected \[5, V\]'):
        grad_cam(model, 'pool', x, assignment=assignment.t())


def test_static_graphs():
    model = Toy().double()
    x = torch.randn(B * V, 2, dtype=torch.float64)
    maps = grad_cam(model, 'features', x, target=class_logit(2))
    wanted = (model.features(x) @ model.lin.weight[2] / V).relu().view(B, V)
    torch.testing.assert_close(maps, wanted.detach())


def test_silhouettes_have_strips_for_nodes():
    class Strips(Module):
        def __init__(self):
            super().__init__()
            self.lift = Linear(1, C)
            self.lin = Linear(C, K)

        def forward(self, silhouettes):
            strips = silhouettes.unflatten(2, (4, -1)).mean(dim=(3, 4))  # [B, T, P]
            x = self.lift(strips.transpose(1, 2).flatten(0, 1).unsqueeze(-1))
            return self.lin(graph_mean(x, 4))

    model, clip = Strips(), torch.rand(B, T, 8, 3)
    maps = grad_cam(model, 'lift', clip, target=class_logit(0))
    strips = clip.view(B, T, 4, 2, 3).mean(dim=(3, 4)).transpose(1, 2).unsqueeze(-1)
    wanted = (model.lift(strips) @ model.lin.weight[0]).relu() / (4 * T)
    torch.testing.assert_close(maps, wanted.detach())


@pytest.mark.parametrize(
    ('make', 'layer', 'frames'),
    [
        (gaitmixer, 'temporal.1', 40),
        (gaitmixer, 'spatial', 40),
        (gaitformer, 'spatial.blocks.2', 40),
        (lambda: st_gcn('coco17', 4, 2, channels=(4, 8, 8)), 'layers.2', 20),
    ],
)
def test_models_by_the_names_of_their_layers(make, layer, frames):
    torch.manual_seed(0)
    model = make()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    x = torch.randn(2 * 17, 40, 2)
    reference = model.eval()(x[17:])[0].detach()
    before = state(model.train())
    maps = grad_cam(model, layer, x, target=cosine_to(reference))
    assert state(model) == before
    assert maps.shape == (2, 17, 40)
    assert (maps >= 0).all()
    assert maps.amax() > 0

    # The same by autograd alone, in the mode of inference.
    model.eval()
    kept = []
    handle = model.get_submodule(layer).register_forward_hook(lambda *args: kept.append(args[2]))
    score = torch.nn.functional.cosine_similarity(model(x), reference.unsqueeze(0))
    handle.remove()
    (slope,) = torch.autograd.grad(score.sum(), kept[0])
    slope, features = slope.view(2, 17, frames, -1), kept[0].view(2, 17, frames, -1)
    wanted = (features * slope.mean(dim=(1, 2), keepdim=True)).sum(dim=-1).relu().detach()
    if frames == 40:
        torch.testing.assert_close(maps, wanted, rtol=1e-3, atol=1e-7)
    else:
        wanted = torch.nn.functional.interpolate(wanted, size=40, mode='linear')
        torch.testing.assert_close(maps, wanted, rtol=1e-3, atol=1e-7)


def test_another_layout():
    """The blocks of GaitFormer over time take the frames of a joint, and a token, for nodes."""
    model, x = gaitformer(), torch.randn(2 * 17, 20, 2)
    with pytest.raises(ValueError, match=r'\[714, 1, 32\], more than the 34 nodes and 20 frames'):
        grad_cam(model, 'blocks.0', x)
    target = cosine_to(torch.randn(128))
    maps = grad_cam(
        model, 'blocks.0', x, target=target, layout=lambda out: out.view(34, 21, 32)[:, 1:]
    )
    assert maps.shape == (2, 17, 20)
    assert maps.amax() > 0


# What is left behind ##########################################################


def test_mode_gradients_and_hooks_are_what_they_were():
    model, x = toy()
    model.extra = Sequential(BatchNorm1d(3), Dropout(0.5))
    model.train()
    model.extra[0].eval()
    model.lin.weight.requires_grad_(False)
    model.lin.bias.grad = torch.ones_like(model.lin.bias)
    before = state(model)
    grad_cam(model, 'features', x)
    assert state(model) == before
    with pytest.raises(RuntimeError):
        grad_cam(model, 'features', x[..., :1])
    assert state(model) == before
    with pytest.raises(ZeroDivisionError):
        grad_cam(model, 'features', x, target=lambda out: 1 / 0)
    assert state(model) == before
    assert model.features.weight.grad is None
    assert model.lin.bias.grad.eq(1).all()
    assert not model.lin.weight.requires_grad


def test_dropout_is_off_and_statistics_stay():
    class Noisy(Toy):
        def __init__(self):
            super().__init__()
            self.norm, self.dropout = BatchNorm1d(C), Dropout(0.5)

        def forward(self, x):
            return self.lin(self.dropout(self.norm(graph_mean(self.features(x), V))))

    model, x = Noisy(), torch.randn(B * V, T, 2)
    first = grad_cam(model, 'features', x)
    assert torch.equal(grad_cam(model, 'features', x), first)
    assert model.norm.num_batches_tracked == 0
    assert not model.norm.running_mean.any()


def test_frozen_models_without_grad_mode_and_layers_changed_in_place():
    class InPlace(Toy):
        def __init__(self):
            super().__init__()
            self.relu = ReLU(inplace=True)

        def forward(self, x):
            return self.lin(graph_mean(self.relu(self.features(x)), V))

    model, x = InPlace().double(), toy()[1]
    features = model.features(x).detach()
    wanted = grad_cam(model, 'features', x, target=class_logit(0))
    slope = model.lin.weight[0].detach() * (features > 0) / (V * T)
    slope = slope.view(B, V, T, C).mean(dim=(1, 2), keepdim=True)
    by_hand = (features.view(B, V, T, C) * slope).sum(dim=-1).relu()
    torch.testing.assert_close(wanted, by_hand)
    model.requires_grad_(False)
    with torch.no_grad():
        torch.testing.assert_close(grad_cam(model, 'features', x, target=class_logit(0)), wanted)
        assert not torch.is_grad_enabled()


# Bad input ####################################################################


class Odd(Module):
    """Layers whose results are no motion tensors."""

    def __init__(self):
        super().__init__()
        self.tuple, self.first, self.frames = Pair(), Identity(), Identity()
        self.rows, self.twice, self.never = Identity(), Identity(), Identity()
        self.lin = Linear(2, K)

    def forward(self, x):
        x, _ = self.tuple(x)
        self.frames(x.transpose(0, 1))
        x = self.twice(self.twice(self.first(x)))
        return self.rows(self.lin(graph_mean(x, V)))


class Pair(Module):
    def forward(self, x):
        return x, x


@pytest.mark.parametrize(
    ('layer', 'error', 'message'),
    [
        ('tuple', TypeError, "layer 'tuple' gives tuple, expected a tensor"),
        ('frames', ValueError, r"'frames' gives the shape \[7, 10, 2\], whose first dimension"),
        ('rows', ValueError, r"'rows' gives the shape \[2, 3\], expected \[num_nodes, T, C\]"),
        ('twice', ValueError, "layer 'twice' ran 2 times"),
        ('never', ValueError, "layer 'never' ran 0 times"),
        ('tupel', ValueError, r"no layer 'tupel', but \['tuple'"),
        (Identity(), ValueError, 'the layer Identity is not a part of the model'),
    ],
)
def test_layers_that_do_not_fit_are_refused(layer, error, message):
    model = Odd()
    before = state(model)
    with pytest.raises(error, match=message):
        grad_cam(model, layer, torch.randn(B * V, 7, 2))
    assert state(model) == before


@pytest.mark.parametrize(
    ('target', 'error', 'message'),
    [
        (class_logit(3), ValueError, r'classes are in 0\.\.2, got 3'),
        (class_logit(torch.tensor([0, -1])), ValueError, r'0\.\.2, got \[0, -1\]'),
        (class_logit(torch.zeros(5).long()), ValueError, r'classes of \[5\], expected \[2\]'),
        (class_logit(torch.zeros(2)), TypeError, 'classes are integers, got torch.float32'),
        (cosine_to(torch.zeros(4)), ValueError, r'\[4\], expected \[2, 3\] or \[3\]'),
        (lambda out: out, ValueError, r'one number for each sample, got the shape \[2, 3\]'),
        (lambda out: out.sum(), ValueError, r'got the shape \[\]'),
        (lambda out: 1.0, TypeError, 'the target is a tensor, got float'),
        (lambda out: out[:, 0].detach(), ValueError, "no gradient for the layer 'features'"),
        (lambda out: out.mean().expand(3), ValueError, 'no multiple of 3 samples'),
    ],
)
def test_targets_that_do_not_fit_are_refused(target, error, message):
    model, x = toy()
    with pytest.raises(error, match=message):
        grad_cam(model, 'features', x, target=target)


def test_other_models_and_no_input():
    model, x = toy()
    with pytest.raises(ValueError, match='no input'):
        grad_cam(model, 'features')

    class Tuple(Toy):
        def forward(self, x):
            return super().forward(x), x

    with pytest.raises(TypeError, match='gives tuple, not logits: give a target'):
        grad_cam(Tuple().double(), 'features', x)
    with pytest.raises(ValueError, match=r'the shape \[10, 6, 3\], not logits in two'):
        grad_cam(Sequential(Linear(2, K).double()), '0', x)


# Figures ######################################################################


def parts_of(ax):
    return [label.get_text() for label in ax.child_axes[0].get_yticklabels()]


def test_heat_maps_are_shares_sorted_by_part():
    skeleton = get_skeleton('emotion_gait16')
    maps = {'one': torch.rand(16, 9), 'none': np.zeros((16, 12))}
    figure = plot_grad_cam(maps, skeleton, title='maps')
    left, right, bar = figure.axes
    assert [left.get_title(), right.get_title()] == ['one', 'none']
    assert left.get_xlabel() == 'frame'
    assert bar.get_ylabel() == 'share of the largest'
    order = [v for members in skeleton.hierarchy().members(2) for v in members]
    assert [t.get_text() for t in left.get_yticklabels()] == [skeleton.joints[v] for v in order]
    shown = np.asarray(left.images[0].get_array())
    np.testing.assert_allclose(shown, (maps['one'] / maps['one'].max())[order])
    assert not np.asarray(right.images[0].get_array()).any()
    assert left.images[0].get_clim() == (0, 1)
    parts = [name.replace('\n', ' ') for name in parts_of(left)]
    assert parts == [name.replace('_', ' ') for name in skeleton.hierarchy().names(2)]
    lines = [line.get_ydata()[0] for line in left.lines]
    sizes = np.cumsum([len(members) for members in skeleton.hierarchy().members(2)])
    np.testing.assert_allclose(lines, sizes[:-1] - 0.5)
    assert figure.get_suptitle() == 'maps'
    check_nothing_is_cut_off(figure)


def test_names_numbers_and_several_bodies(tmp_path):
    path = tmp_path / 'new' / 'map.png'
    ax = plot_grad_cam(torch.rand(3, 4), ['head', 'hand', 'foot'], path=path).axes[0]
    assert [t.get_text() for t in ax.get_yticklabels()] == ['head', 'hand', 'foot']
    assert path.stat().st_size > 0
    ax = plot_grad_cam(torch.rand(3, 4)).axes[0]
    assert [t.get_text() for t in ax.get_yticklabels()] == ['0', '1', '2']
    figure = plot_grad_cam(torch.rand(34, 4), 'coco17')
    names = [t.get_text() for t in figure.axes[0].get_yticklabels()]
    assert (names[0], names[17]) == ('nose 1', 'nose 2')
    check_nothing_is_cut_off(figure)
    plain = get_skeleton('coco17').subset(range(17))
    figure = plot_grad_cam(torch.rand(17, 4), plain)
    assert len(figure.axes[0].lines) == 0
    figure = plot_grad_cam(torch.rand(100, 4))
    assert figure.axes[0].get_ylabel() == 'node'
    check_nothing_is_cut_off(figure)


def test_dots_on_the_body_grow_with_the_map():
    pos, name = walk(num_frames=9), 'emotion_gait16'
    maps = {'one': torch.rand(16, 9), 'two': torch.zeros(16, 9)}
    maps['one'][3] = 0
    maps['two'][5, 4] = 7.0
    figure = plot_grad_cam_on_body(maps, pos, name, frames=[0, 4], title='maps')
    upper, lower, bar = figure.axes
    assert [upper.get_ylabel(), lower.get_ylabel()] == ['one', 'two']
    assert [t.get_text() for t in lower.get_xticklabels()] == ['0', '4']
    for i, t in enumerate((0, 4)):
        joints, dots = upper.collections[3 * i + 1 : 3 * i + 3]
        share = (maps['one'][:, t] / maps['one'].max()).numpy()
        rank = [v for v in share.argsort() if share[v] > 0]
        assert 3 not in rank
        np.testing.assert_allclose(dots.get_offsets(), joints.get_offsets()[rank])
        np.testing.assert_allclose(dots.get_sizes(), 6 + 70 * share[rank])
    joints, dots = lower.collections[4:]
    np.testing.assert_allclose(dots.get_offsets(), joints.get_offsets()[[5]])
    assert len(lower.collections[2].get_offsets()) == 0
    assert bar.get_ylabel() == 'share of the largest'
    check_nothing_is_cut_off(figure)


@pytest.mark.parametrize(
    ('maps', 'nodes', 'message'),
    [
        (torch.rand(3, 4), ['a', 'b'], '2 names for maps of 3 nodes'),
        (torch.rand(18, 4), 'coco17', 'of 18 nodes, expected the 17 joints'),
        (-torch.rand(3, 4), None, 'the map has negative numbers'),
        ({'a': torch.rand(3, 4, 1)}, None, "the map 'a' has the shape"),
        ({'a': torch.rand(3, 4), 'b': torch.rand(4, 4)}, None, r'same nodes, got the shapes'),
        ({}, None, 'no map'),
        (torch.full((3, 4), torch.nan), None, 'not finite'),
    ],
)
def test_maps_that_do_not_fit_are_refused(maps, nodes, message):
    with pytest.raises(ValueError, match=message):
        plot_grad_cam(maps, nodes)


def test_maps_of_another_sequence_are_not_drawn_on_it():
    with pytest.raises(ValueError, match=r"map 'a' has the shape \[16, 8\], expected \[16, 9\]"):
        plot_grad_cam_on_body({'a': torch.rand(16, 8)}, walk(num_frames=9), 'emotion_gait16')
    with pytest.raises(ValueError, match=r'0\.\.8, got \[9\]'):
        plot_grad_cam_on_body(torch.rand(16, 9), walk(num_frames=9), 'emotion_gait16', frames=[9])
