import pytest
import torch

from graphmotion.inference.sliding_model import SlidingModel
from graphmotion.models import create_model, list_models

pytestmark = pytest.mark.slow

GAIT, ACTION = {'skeleton': 'coco17'}, {'skeleton': 'kinect20', 'num_classes': 5}
SMALL = {'channels': (8, 8, 16)}
# Options of small models, and whether features of previous windows are reused.
MODELS = {
    'st_gcn': (ACTION | SMALL, True),
    'st_gcn of two people': (ACTION | SMALL | {'num_people': 2, 'edge_importance': False}, True),
    'st_gcn without input norm': (ACTION | SMALL | {'input_norm': False, 'kernel_size': 3}, True),
    'agcn': (ACTION | SMALL, True),
    'agcn, fixed': (ACTION | SMALL | {'similarity': False, 'num_people': 2}, True),
    'ctr_gcn': (ACTION | SMALL, True),
    'ctr_gcn, shared': (ACTION | SMALL | {'refine': False}, True),
    'ctr_gcn, partly': (ACTION | SMALL | {'refine': (False, True, False)}, True),
    'msa_gcn': ({'skeleton': 'emotion_gait16', 'channels': (8, 8, 8), 'strides': (1, 2, 1)}, False),
    'fg_stformer': (ACTION | SMALL | {'num_joint_layers': 2}, True),
    'fg_stformer, one map': (ACTION | SMALL | {'per_frame': False, 'focal_joints': False}, True),
    'gaitmixer': (GAIT | {'kernel_size': 7, 'depth': 1, 'temporal_channels': (8, 16)}, True),
    'gaitmixer, reflect': (GAIT | {'kernel_size': 5, 'padding': 'reflect', 'num_people': 2}, True),
    'gaitmixer, joints side by side': (GAIT | {'kernel_size': 5, 'joint_pooling': 'concat'}, True),
    'gaitmixer, zeros': (GAIT | {'kernel_size': 5, 'padding': 'zeros', 'depth': 1}, True),
    'gaitformer': (GAIT | {'depth': 1}, True),
}
SKELETON_MODELS = ('st_gcn', 'msa_gcn', 'ctr_gcn', 'agcn', 'fg_stformer', 'gaitmixer', 'gaitformer')


def make(name):
    """Returns a model with random statistics of its normalisations and its input channels."""
    torch.manual_seed(0)
    options, reused = MODELS[name]
    model = create_model(name.split()[0].rstrip(','), **options).eval()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 1.5)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
    return model, 2 if name.startswith('gait') else 3, reused


def nodes(model):
    return model.skeleton.num_joints * getattr(model, 'num_people', 1)


def tolerance(expected):
    """Rounding of single precision, relative to the largest output, which may be hundreds."""
    return 1e-5 + 2e-6 * float(expected.abs().max())


def assert_same(found, expected):
    torch.testing.assert_close(found, expected, rtol=0, atol=tolerance(expected))


def test_every_skeleton_model_has_a_case():
    skeleton = {n for n in list_models() if hasattr(create_class(n), 'skeleton')}
    assert skeleton <= {name.split()[0].rstrip(',') for name in MODELS}


def create_class(name):
    required = {'num_classes': 4} if name not in ('gaitmixer', 'gaitformer', 'lmgcs') else {}
    try:
        return create_model(name, skeleton='ntu25', **required)
    except (TypeError, ValueError):  # faces and silhouettes
        return None


@pytest.mark.parametrize('name', MODELS)
@pytest.mark.parametrize(('length', 'hop'), [(40, 1), (45, 2), (33, 5), (20, 30)])
def test_outputs_equal_those_of_the_model_on_each_window(name, length, hop):
    model, channels, reused = make(name)
    sliding = SlidingModel(model, min_flops=0)
    x = torch.randn(2 * nodes(model), 20 * hop + length, channels).cumsum(dim=1) / 4
    outputs = []
    for first in range(0, 14 * hop, hop):
        window = x[:, first : first + length]
        with torch.no_grad():
            expected = model(window)
        outputs.append(sliding(window, first))
        assert_same(outputs[-1], expected)
    stacked = torch.stack(outputs)
    change = stacked.diff(dim=0).abs().amax(dim=(1, 2))
    assert change.min() > 10 * tolerance(stacked)
    assert sliding.cache.is_used == reused


@pytest.mark.parametrize('name', MODELS)
def test_windows_that_grow(name):
    model, channels, _ = make(name)
    sliding = SlidingModel(model, min_flops=0)
    x = torch.randn(nodes(model), 80, channels)
    windows = [(0, n) for n in range(8, 50)] + [(n, n + 49) for n in range(1, 8)]
    for first, last in windows:
        window = x[:, first:last]
        with torch.no_grad():
            expected = model(window)
        assert_same(sliding(window, first), expected)


@pytest.mark.parametrize('name', ['st_gcn', 'gaitmixer', 'msa_gcn'])
def test_another_sequence_after_a_reset(name):
    model, channels, _ = make(name)
    sliding = SlidingModel(model, min_flops=0)
    for _ in range(2):
        x = torch.randn(nodes(model), 50, channels)
        for first in range(5):
            window = x[:, first : first + 40]
            with torch.no_grad():
                expected = model(window)
            assert_same(sliding(window, first), expected)
        sliding.reset()


def test_a_small_model_is_called_without_a_cache():
    model, channels, _ = make('st_gcn')
    sliding = SlidingModel(model)
    x = torch.randn(nodes(model), 50, channels)
    calls = []
    model.register_forward_hook(lambda *_: calls.append(1))
    for first in range(5):
        sliding(x[:, first : first + 40], first)
    assert len(calls) == 3  # after two windows of the same length


def test_fewer_frames_are_evaluated():
    model, channels, _ = make('gaitformer')
    sliding = SlidingModel(model, min_flops=0)
    frames = []
    model.spatial.register_forward_hook(lambda _, args, out: frames.append(args[0].size(1)))
    x = torch.randn(nodes(model), 60, channels)
    for first in range(0, 12, 3):
        sliding(x[:, first : first + 40], first)
    assert frames == [40, 3, 3, 3]


def test_training_mode_is_an_error():
    model, _, _ = make('st_gcn')
    with pytest.raises(ValueError, match='model must be in evaluation mode'):
        SlidingModel(model.train())
