import numpy as np
import pytest
import torch
from torch.nn import BatchNorm1d, Dropout, Identity, Linear, Module, ReLU, Sequential

from graphmotion.models import gaitformer, gaitmixer, st_gcn
from graphmotion.nn import PartPooling
from graphmotion.nn.graphs import graph_mean
from graphmotion.skeletons import get_skeleton
from graphmotion.visualization import class_logit, cosine_to, grad_cam

B, V, T, C, K = 2, 5, 6, 4, 3


class Toy(Module):
    """A linear model: features, mean over nodes and frames, logits."""

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


def test_linear_model_by_hand():
    model, x = toy()
    maps = grad_cam(model, 'features', x, target=class_logit(1))
    features = model.features(x)
    for b in range(B):
        for v in range(V):
            for t in range(T):
                # The gradient of the logit is the same everywhere: its weight divided by the size.
                value = sum(
                    features[b * V + v, t, c] * model.lin.weight[1, c] / (V * T) for c in range(C)
                )
                torch.testing.assert_close(maps[b, v, t], value.clamp_min(0))
    assert (maps > 0).any()
    assert (maps == 0).any()
    assert not maps.requires_grad


def test_maps_without_negative_contributions_sum_to_the_logit():
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


def test_cosine_similarity_by_finite_differences():
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
        # Moving all V T entries together sums their gradients.
        weight[:, c] = (moved[0] - moved[1]).detach() / (2 * step) / (V * T)
    wanted = (features * weight.view(B, 1, 1, C)).sum(dim=-1).clamp_min(0)
    torch.testing.assert_close(maps, wanted, rtol=1e-6, atol=1e-8)
    shared = grad_cam(model, 'features', x, target=cosine_to(reference[0]))
    torch.testing.assert_close(shared[0], maps[0])


def test_samples_are_independent():
    model, x = toy()
    maps = grad_cam(model, 'features', x)
    for b in range(B):
        torch.testing.assert_close(grad_cam(model, 'features', x[b * V : b * V + V])[0], maps[b])


def test_map_without_gradient_is_zero():
    model, x = toy()
    assert not grad_cam(model, 'unused', x).any()  # the output is not used
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


def test_joints_receive_the_value_of_their_part():
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
    with pytest.raises(ValueError, match=r'assignment must have shape \[5, V\], .* got \[17, 5\]'):
        grad_cam(model, 'pool', x, assignment=assignment.t())


def test_static_graphs():
    model = Toy().double()
    x = torch.randn(B * V, 2, dtype=torch.float64)
    maps = grad_cam(model, 'features', x, target=class_logit(2))
    wanted = (model.features(x) @ model.lin.weight[2] / V).relu().view(B, V)
    torch.testing.assert_close(maps, wanted.detach())


def test_silhouettes_with_strips_as_nodes():
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
def test_models_with_named_layers(make, layer, frames):
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

    # The same with plain autograd, in evaluation mode.
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


def test_layout():
    """The temporal blocks of GaitFormer take the frames of a joint and a token as nodes."""
    model, x = gaitformer(), torch.randn(2 * 17, 20, 2)
    with pytest.raises(ValueError, match=r'at most 34 nodes and 20 frames, got \[714, 1, 32\]'):
        grad_cam(model, 'blocks.0', x)
    target = cosine_to(torch.randn(128))
    maps = grad_cam(
        model, 'blocks.0', x, target=target, layout=lambda out: out.view(34, 21, 32)[:, 1:]
    )
    assert maps.shape == (2, 17, 20)
    assert maps.amax() > 0


# Side effects #################################################################


def test_mode_gradients_and_hooks_are_restored():
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


def test_no_dropout_and_no_update_of_statistics():
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


def test_frozen_models_no_grad_mode_and_in_place_layers():
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


# Invalid input ################################################################


class Odd(Module):
    """Layers that do not return motion tensors."""

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
        ('tuple', TypeError, "layer must return a tensor, got tuple from 'tuple'"),
        ('frames', ValueError, r"with a multiple of 2 nodes, .* got \[7, 10, 2\] from 'frames'"),
        ('rows', ValueError, r"must have shape \[num_nodes, T, C\], got \[2, 3\] from 'rows'"),
        ('twice', ValueError, "must run once in the model, got 2 runs of 'twice'"),
        ('never', ValueError, "must run once in the model, got 0 runs of 'never'"),
        ('tupel', ValueError, r"layer must be one of \['tuple'.*, got 'tupel'"),
        (Identity(), ValueError, 'layer must be a submodule of the model, got another Identity'),
    ],
)
def test_invalid_layers(layer, error, message):
    model = Odd()
    before = state(model)
    with pytest.raises(error, match=message):
        grad_cam(model, layer, torch.randn(B * V, 7, 2))
    assert state(model) == before


@pytest.mark.parametrize(
    ('target', 'error', 'message'),
    [
        (class_logit(3), ValueError, r'classes must be in \[0, 2\], got 3'),
        (class_logit(torch.tensor([0, -1])), ValueError, r'\[0, 2\], got \[0, -1\]'),
        (
            class_logit(torch.zeros(5).long()),
            ValueError,
            r'classes must have shape \[2\], got \[5\]',
        ),
        (class_logit(torch.zeros(2)), TypeError, 'classes must be integers, got torch.float32'),
        (
            cosine_to(torch.zeros(4)),
            ValueError,
            r'reference must have shape \[2, 3\] or \[3\], got \[4\]',
        ),
        (lambda out: out, ValueError, r'one number for each sample, got shape \[2, 3\]'),
        (lambda out: out.sum(), ValueError, r'got shape \[\]'),
        (lambda out: 1.0, TypeError, 'target must return a tensor, got float'),
        (
            lambda out: out[:, 0].detach(),
            ValueError,
            "must depend on the layer 'features', got no gradient",
        ),
        (lambda out: out.mean().expand(3), ValueError, 'a multiple of 3 nodes'),
    ],
)
def test_invalid_targets(target, error, message):
    model, x = toy()
    with pytest.raises(error, match=message):
        grad_cam(model, 'features', x, target=target)


def test_invalid_model_outputs_and_missing_input():
    model, x = toy()
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'x'"):
        grad_cam(model, 'features')

    class Tuple(Toy):
        def forward(self, x):
            return super().forward(x), x

    with pytest.raises(TypeError, match='model must return logits, got tuple; pass another target'):
        grad_cam(Tuple().double(), 'features', x)
    with pytest.raises(ValueError, match=r'logits with 2 dimensions, got shape \[10, 6, 3\]'):
        grad_cam(Sequential(Linear(2, K).double()), '0', x)
