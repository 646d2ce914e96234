"""Requirements of all operators."""

import copy
import inspect

import pytest
import torch

from graphmotion.nn import (
    AdaptiveSpatialConv,
    BranchFusion,
    ChannelGate,
    ChannelTopologyConv,
    ClusterPooling,
    ConvValueTemporalAttention,
    CrossAttention,
    CrossScaleConv,
    JointAttention,
    LargeKernelTemporalConv,
    LocalGlobalTemporal,
    LocallyConnectedConv,
    MotionBatchNorm,
    MultiResolutionTemporalConv,
    MultiScaleTemporalConv,
    PartPooling,
    ScaleFusion,
    SelectiveTemporalConv,
    SeparateLinear,
    SpatialConv,
    SpatialGate,
    SpectralConv,
    TemporalConv,
    TemporalDecoder,
    TopKJointPooling,
)
from graphmotion.skeletons import get_skeleton

B, V, T, C = 3, 16, 12, 8
SKELETON = get_skeleton('emotion_gait16')
ADJ = SKELETON.adjacency('spatial')
EIGENVECTORS = torch.linalg.eigh(torch.eye(V) - ADJ.sum(dim=0)).eigenvectors[:, :6]


class Fused(ScaleFusion):
    """Accepts its scales as one tensor, as the other operators do."""

    def forward(self, x, num_nodes=None, batch=None, mask=None):
        return super().forward([x, 2 * x], num_nodes, batch, mask=mask)


class Branches(BranchFusion):
    """Accepts and returns two branches as one tensor."""

    def forward(self, x):
        return torch.cat(super().forward([x, 2 * x]), dim=-1)


class Crossed(CrossAttention):
    """Accepts target and source as one tensor."""

    def forward(self, x, num_nodes, mask=None):
        return super().forward((x, x.square()), (num_nodes, num_nodes), mask=mask)


class Kept(TopKJointPooling):
    """Returns only the features of the kept joints."""

    def forward(self, x, num_nodes):
        return super().forward(x, num_nodes).x


class Resolutions(MultiResolutionTemporalConv):
    """Returns its branches as one tensor."""

    def forward(self, x):
        return torch.cat(super().forward(x), dim=-1)


class Sequences(LocalGlobalTemporal):
    """Returns both outputs of all branches as one tensor."""

    def forward(self, x, mask=None):
        return torch.cat(super().forward(x, mask), dim=-1).movedim(0, 1)


class SeparateNodes(SeparateLinear):
    """Maps each node of a graph by its own weights."""

    def forward(self, x, num_nodes):
        graphs = x.view(x.size(0) // num_nodes, num_nodes, *x.shape[1:]).transpose(1, 2)
        out = super().forward(graphs.flatten(0, 1))
        out = out.view(graphs.size(0), x.size(1), num_nodes, out.size(-1))
        return out.transpose(1, 2).flatten(0, 1)


OPERATORS = {
    'spatial': (SpatialConv(C, 10, 3), (ADJ,)),
    'spatial_narrowing': (SpatialConv(C, 4, 3), (ADJ,)),
    'spatial_learned': (SpatialConv(C, 10, 3, V, True, True), (ADJ,)),
    'adaptive': (AdaptiveSpatialConv(C, 12, ADJ), ()),
    'channel_topology': (ChannelTopologyConv(C, 10, ADJ, alpha_init=0.5), ()),
    'channel_topology_mlp': (
        ChannelTopologyConv(C, 10, ADJ, correlation='mlp', alpha_init=0.5),
        (),
    ),
    'channel_topology_static': (ChannelTopologyConv(C, 10, ADJ, refine=False), ()),
    'spectral': (SpectralConv(C, 10, 6), (EIGENVECTORS, V)),
    'spectral_smooth': (SpectralConv(C, 10, 6, num_knots=4), (EIGENVECTORS, V)),
    'locally_connected': (LocallyConnectedConv(C, 10, SKELETON.edge_index, V), ()),
    'locally_connected_shared': (
        LocallyConnectedConv(C, 10, SKELETON.edge_index, V, shared=True, pos=torch.randn(V, 2)),
        (),
    ),
    'temporal': (TemporalConv(C, 10, 5, stride=2), ()),
    'multi_scale': (MultiScaleTemporalConv(C, 12), ()),
    'multi_scale_strided': (MultiScaleTemporalConv(C, 12, 3, 2, (1, 2, 3, 4)), ()),
    'selective': (SelectiveTemporalConv(C, 10), (V,)),
    'resolutions': (Resolutions(C, 10), ()),
    'resolutions_shared': (Resolutions(C, 10, share_weights=True), ()),
    'temporal_sequences': (
        Sequences(C, C, heads=2, num_blocks=(1, 1), feedforward_channels=12),
        (),
    ),
    'separate_linear': (SeparateNodes(V, C, 10), (V,)),
    'large_kernel': (LargeKernelTemporalConv(C, 10, 3), ()),
    'large_kernel_zeros': (LargeKernelTemporalConv(C, 10, 5, 'zeros'), ()),
    'large_kernel_reflected': (LargeKernelTemporalConv(C, 10, 5, 'reflect'), ()),
    'attended_frames': (ConvValueTemporalAttention(C), ()),
    'attended_frames_strided': (ConvValueTemporalAttention(C, stride=2), ()),
    'joint_attention': (JointAttention(C, 2), (V,)),
    'joint_attention_of_clip': (
        JointAttention(C, 3, 10, 4, False, V, True, False, 'tanh'),
        (V,),
    ),
    'joint_attention_of_frames': (JointAttention(C, 2, per_frame=False), (V,)),
    'cross_attention': (Crossed(C, 2), (V,)),
    'cross_attention_of_frames': (Crossed(C, 2, per_frame=False), (V,)),
    'temporal_decoder': (TemporalDecoder(C, 2, 1, 1, 12), ()),
    'spatial_gate': (SpatialGate(C), ()),
    'channel_gate': (ChannelGate(C), (V,)),
    'norm': (MotionBatchNorm(C), ()),
    'norm_by_node': (MotionBatchNorm(C, V), ()),
    'mean_pooling': (PartPooling(SKELETON.assignment(1)), ()),
    'max_pooling': (PartPooling(SKELETON.assignment(1), 'max'), ()),
    'concat_pooling': (PartPooling(SKELETON.assignment(1), 'concat'), ()),
    'mean_of_clusters': (ClusterPooling(torch.arange(V) % 5), ()),
    'max_of_clusters': (ClusterPooling(torch.arange(V) % 5, 'max'), ()),
    'top_k': (Kept(C, 5), (V,)),
    'fusion': (Fused(C, 2), (V,)),
    'branch_sums': (Branches(C, 2), ()),
    'branch_attention': (Branches(C, 2, 'attention'), ()),
}
TEMPORAL = (
    'temporal',
    'multi_scale',
    'selective',
    'resolutions',
    'large_kernel',
    'attended_frames',
)
FRAMEWISE = [name for name in OPERATORS if not name.startswith(TEMPORAL)]


@pytest.fixture(params=OPERATORS)
def operator(request):
    module, args = OPERATORS[request.param]
    module = copy.deepcopy(module)
    torch.manual_seed(0)
    module.reset_parameters() if hasattr(module, 'reset_parameters') else None
    return module, args


@pytest.fixture
def x():
    return torch.randn(B * V, T, C)


def test_a_batch_equals_separate_samples(operator, x):
    module, args = operator
    module.eval()
    alone = [module(part, *args) for part in x.split(V)]
    torch.testing.assert_close(module(x, *args), torch.cat(alone), atol=1e-5, rtol=1e-5)


def takes_mask(name):
    return 'mask' in inspect.signature(OPERATORS[name][0].forward).parameters


@pytest.mark.parametrize('name', list(filter(takes_mask, OPERATORS)))
def test_padded_frames_have_no_effect(name, x):
    module, args = OPERATORS[name]
    module = copy.deepcopy(module).eval()
    counts = torch.tensor([5, T, 8])
    mask = (torch.arange(T) < counts.unsqueeze(1)).repeat_interleave(V, dim=0)
    alone = [module(part[:, :n], *args) for part, n in zip(x.split(V), counts)]
    out = module(x.masked_fill(~mask.unsqueeze(2), 100.0), *args, mask=mask)
    for found, expected in zip(out.chunk(B), alone):
        torch.testing.assert_close(found[:, : expected.size(1)], expected, atol=1e-5, rtol=1e-5)


def test_empty_batches(operator, x):
    module, args = operator
    module.eval()
    none = x[:0].requires_grad_()
    out = module(none, *args)
    assert out.shape == (0, *module(x, *args).shape[1:])
    out.sum().backward()
    assert none.grad.shape == none.shape


def test_reset_parameters_changes_all_parameters(operator, x):
    module, args = operator
    if not hasattr(module, 'reset_parameters'):
        pytest.skip('no parameters')
    module.train()
    torch.manual_seed(3)
    module.reset_parameters()
    first = copy.deepcopy(module.state_dict())
    module(x.requires_grad_(), *args).sum().backward()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(1.0)
    torch.manual_seed(3)
    module.reset_parameters()
    for name, value in module.state_dict().items():
        assert torch.equal(value, first[name]), name


def test_repr_names_the_sizes(operator):
    module, _ = operator
    text = repr(module)
    assert type(module).__name__ in text
    assert any(str(size) in text for size in (C, V))
    assert '\n' not in text


def test_double_precision_and_gradients(operator, x):
    module, args = operator
    module = module.double().eval()
    wide = x[: 2 * V, :3].double().requires_grad_()
    out = module(wide, *args)
    assert out.dtype == torch.float64
    assert torch.autograd.gradcheck(lambda v: module(v, *args), (wide,), fast_mode=True)


def test_every_parameter_receives_a_gradient(operator, x):
    module, args = operator
    if not list(module.parameters()):
        pytest.skip('no parameters')
    module.train()
    out = module(x + torch.randn(B, 1, 1).repeat_interleave(V, dim=0), *args)
    (out * torch.randn_like(out)).sum().backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        # A bias before a normalisation is taken off again.
        if name != 'squeeze.bias':
            assert parameter.grad.abs().max() > 0, name


def test_autocast(operator, x):
    module, args = operator
    module.eval()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        out = module(x, *args)
    torch.testing.assert_close(out.float(), module(x, *args), atol=0.1, rtol=0.1)


@pytest.mark.parametrize('training', [False, True])
def test_autocast_keeps_reduced_precision(operator, x, training):
    module, args = operator
    module.train(training)
    with torch.autocast('cpu', dtype=torch.bfloat16), torch.set_grad_enabled(training):
        out = module(x.bfloat16(), *args)
    assert out.dtype == torch.bfloat16


@pytest.mark.cuda
def test_cuda_gives_the_same(operator, x):
    if not torch.cuda.is_available():
        pytest.skip('no CUDA device')
    module, args = operator
    module.eval()
    expected = module(x, *args)
    args = [a.cuda() if isinstance(a, torch.Tensor) else a for a in args]
    out = module.cuda()(x.cuda(), *args).cpu()
    torch.testing.assert_close(out, expected, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize('name', FRAMEWISE)
def test_frames_do_not_mix(name, x):
    """For operators over nodes, permuting frames permutes the output."""
    module, args = OPERATORS[name]
    module = copy.deepcopy(module).eval()
    order = torch.randperm(T)
    torch.testing.assert_close(
        module(x[:, order], *args), module(x, *args)[:, order], atol=1e-5, rtol=1e-5
    )


def test_gates_and_selection_with_a_batch_vector(x):
    """Graphs of different sizes in one batch equal separate graphs."""
    sizes = [16, 10, 22]
    batch = torch.arange(3).repeat_interleave(torch.tensor(sizes))
    for module in (ChannelGate(C), SelectiveTemporalConv(C, C), Fused(C, 2)):
        module.eval()
        together = module(x, batch=batch)
        alone = [module(part) for part in x.split(sizes)]
        torch.testing.assert_close(together, torch.cat(alone), atol=1e-5, rtol=1e-5)


def test_padded_frames_with_a_batch_vector(x):
    sizes, counts = torch.tensor([16, 10, 22]), torch.tensor([5, T, 8])
    batch = torch.arange(3).repeat_interleave(sizes)
    mask = torch.arange(T) < counts[batch].unsqueeze(1)
    modules = (
        ChannelGate(C),
        SelectiveTemporalConv(C, C),
        Fused(C, 2),
        JointAttention(C, 2),
        JointAttention(C, 2, per_frame=False),
    )
    for module in modules:
        module.eval()
        out = module(x, batch=batch, mask=mask)
        for i, n in enumerate(counts):
            part = batch == i
            expected = module(x[part, :n])
            torch.testing.assert_close(out[part, :n], expected, atol=1e-5, rtol=1e-5)


def test_wrong_number_of_nodes_raises(x):
    wrong = x[:-1]
    pairs = (
        (SpatialConv(C, 4, 3), (ADJ,)),
        (ChannelGate(C), (V,)),
        (PartPooling(SKELETON.assignment(1)), ()),
        (MotionBatchNorm(C, V), ()),
        (CrossScaleConv(C, C), None),
    )
    for module, args in pairs:
        with pytest.raises(ValueError, match='multiple of 16 nodes'):
            module((wrong, wrong), (V, V)) if args is None else module(wrong, *args)
