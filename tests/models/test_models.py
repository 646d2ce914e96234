"""Requirements of all skeleton models."""

import inspect
import re

import pytest
import torch

from graphmotion import models
from graphmotion.models import create_model, list_models
from graphmotion.skeletons import Skeleton, get_skeleton, list_skeletons

ARM = Skeleton(
    ['shoulder', 'elbow', 'wrist', 'thumb', 'finger'],
    [(0, 1), (1, 2), (2, 3), (2, 4)],
    name='arm',
    hierarchies={
        'segments': [{'upper': ['shoulder', 'elbow'], 'wrist': ['wrist'], 'hand': [3, 4]}]
    },
)


SKELETON_MODELS = [
    name
    for name in list_models()
    if 'skeleton' in inspect.signature(getattr(models, name)).parameters
]


@pytest.fixture(params=SKELETON_MODELS)
def name(request):
    return request.param


MIXER = {'embedding_dim': 4, 'in_channels': 3, 'channels': 8, 'depth': 1, 'heads': 2}
# Of the models that embed; all others classify, and have layers of several sizes.
EMBEDDING = {
    'gaitformer': MIXER | {'num_frames': 12},
    'gaitmixer': MIXER | {'temporal_channels': (8, 12), 'kernel_size': 3},
}

# Options of networks to compile and export, whose time grows with the number of operations. Others
# have one layer. One network with layers of several sizes has strided layers.
TRACED = {
    'fg_stformer': {'dilations': (1,)},
    'msa_gcn': {'cross_scale_layers': 1},
    'st_gcn': {'channels': (4, 8)},
}


def small(name, skeleton='emotion_gait16', channels=(8, 8, 12, 12), **options):
    usual = EMBEDDING.get(name, {'num_classes': 4, 'channels': channels})
    return create_model(name, skeleton=skeleton, **usual | options)


def test_a_batch_equals_its_separate_samples(name):
    model = small(name).eval()
    x = torch.randn(3 * 16, 12, 3)
    alone = torch.cat([model(part) for part in x.split(16)])
    torch.testing.assert_close(model(x), alone, atol=1e-5, rtol=1e-5)


def test_empty_batch(name):
    model = small(name).eval()
    none = torch.empty(0, dtype=torch.long)
    for args in ((), (none,)):
        assert model(torch.randn(0, 12, 3), *args).shape == (0, 4)


def people_of(counts):
    """Returns features and batch vector of graphs with the given numbers of people."""
    sizes = 16 * torch.tensor(counts)
    return torch.randn(int(sizes.sum()), 12, 3), torch.repeat_interleave(sizes)


def for_two(name):
    """A model of two people if it has the option, otherwise of one, and the number of people."""
    takes = 'num_people' in inspect.signature(getattr(models, name)).parameters
    return (small(name, num_people=2).eval(), 2) if takes else (small(name).eval(), 1)


def test_rows_belong_to_graphs(name):
    model, num_people = for_two(name)
    x, batch = people_of([num_people] * 3)
    alone = torch.cat([model(part) for part in x.split(16 * num_people)])
    torch.testing.assert_close(model(x, batch), alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize('counts', [[1, 2, 3], [2, 3], [3, 3]])
def test_graphs_with_another_number_of_people_raise(name, counts):
    """Even if the number of rows happens to equal the number of graphs."""
    model, num_people = for_two(name)
    sizes = re.escape(str(sorted({16 * n for n in counts})))
    with pytest.raises(ValueError, match=rf'num_people={num_people} of 16 joints\), got .*{sizes}'):
        model(*people_of(counts))


def test_batch_belongs_to_x(name):
    x, batch = people_of([1, 1])
    with pytest.raises(ValueError, match='num_people=1'):
        small(name)(x, batch.flip(0))
    with pytest.raises(ValueError, match=r'batch must have shape \[32\], .* got \[16\]'):
        small(name)(x, batch[:16])


@pytest.mark.parametrize('skeleton', list_skeletons())
def test_accepts_every_built_in_skeleton(name, skeleton):
    model = small(name, skeleton, (4, 8), in_channels=2)
    out = model(torch.randn(2 * get_skeleton(skeleton).num_joints, 8, 2))
    assert out.shape == (2, 4)


def test_accepts_a_custom_skeleton(name):
    assert small(name, ARM)(torch.randn(3 * 5, 8, 3)).shape == (3, 4)


def test_every_parameter_receives_a_gradient(name):
    model = small(name)
    for key, parameter in model.named_parameters():
        if key.endswith('alpha'):  # without which nothing reaches the refinement
            torch.nn.init.ones_(parameter)
    out = model(torch.randn(4 * 16, 12, 3))
    torch.nn.functional.cross_entropy(out, torch.arange(4)).backward()
    without = [
        n
        for n, p in model.named_parameters()
        if p.grad is None or not p.grad.isfinite().all() or p.grad.abs().max() == 0
    ]
    # Constant over what a softmax runs over: shifting all source scores alike changes nothing.
    assert [n for n in without if 'target_embedding.3.bias' not in n] == []


@pytest.mark.slow
def test_compiled_and_exported_code_reads_num_frames_and_checks_graphs(name):
    model = small(name, **{'channels': (4,)} | TRACED.get(name, {})).eval()
    x, batch = people_of([1, 1, 1])
    num_frames = torch.tensor([7, 12, 4])
    expected = model(x, None, num_frames)
    torch._dynamo.reset()
    compiled = torch.compile(model, backend='eager', fullgraph=True)
    exported = torch.export.export(model, (x, batch, num_frames)).module()
    for call in (compiled, exported):
        torch.testing.assert_close(call(x, batch, num_frames), expected)
        with pytest.raises(RuntimeError, match=r'num_people=1 of 16 joints\); pad samples'):
            call(x, people_of([1, 2])[1], num_frames)


def test_trains_under_autocast(name):
    model = small(name)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        out = model(torch.randn(2 * 16, 12, 3))
    out.float().sum().backward()
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)


def test_state_only_holds_learned_values(name):
    """Buffers derived from the skeleton are not saved, which keeps checkpoints small and stable."""
    model = small(name)
    derived = model.state_dict().keys() - {key for key, _ in model.named_parameters()}
    assert not [key for key in derived if 'adj' in key.split('.')[-1] or 'assignment' in key]


def test_reset_parameters(name):
    model = small(name)
    torch.manual_seed(1)
    model.reset_parameters()
    first = {k: v.clone() for k, v in model.state_dict().items()}
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(3.0)
    torch.manual_seed(1)
    model.reset_parameters()
    for key, value in model.state_dict().items():
        assert torch.equal(value, first[key]), key


def test_invalid_number_of_nodes_raises(name):
    with pytest.raises(ValueError, match='a multiple of 16 nodes'):
        small(name)(torch.randn(17, 12, 3))


def test_inputs_name_the_fields(name):
    assert small(name).inputs[0] == 'x'


def test_unknown_model_raises():
    with pytest.raises(ValueError, match=r"model 'stgcn'; there are \['agcn', 'ctr_gcn', 'fg"):
        create_model('stgcn')
