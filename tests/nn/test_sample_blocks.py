import pytest
import torch

from graphmotion.graphs import pixel_graph
from graphmotion.inference import fuse_for_inference
from graphmotion.models import create_model
from graphmotion.nn import sample_blocks
from graphmotion.nn.sample_blocks import apply_to_samples

MODELS = {
    'st_gcn': {'num_classes': 3, 'channels': (8, 16)},
    'agcn': {'num_classes': 3, 'channels': (8, 16)},
    'ctr_gcn': {'num_classes': 3, 'channels': (8, 16)},
    'msa_gcn': {'num_classes': 3, 'channels': (8, 16, 16)},
    'fg_stformer': {'num_classes': 3, 'channels': (8, 16), 'heads': 2},
    'gaitmixer': {'channels': 8, 'heads': 2, 'temporal_channels': (8, 16), 'kernel_size': 5},
    'gaitformer': {'channels': 8, 'heads': 2, 'num_frames': 12},
}


@pytest.fixture(params=MODELS)
def model(request):
    torch.manual_seed(0)
    options = {'skeleton': 'coco17', 'in_channels': 2} | MODELS[request.param]
    model = create_model(request.param, **options)
    for part in model.modules():  # statistics that depend on the features
        if isinstance(part, torch.nn.BatchNorm1d):
            torch.nn.init.uniform_(part.running_mean, -0.1, 0.1)
    return model.double().eval()


@pytest.mark.parametrize('num_frames', [None, [12, 7, 9, 12, 6]])
def test_models_in_blocks_of_samples(model, num_frames, monkeypatch):
    x = torch.randn(5 * 17, 12, 2, dtype=torch.double)
    num_frames = num_frames and torch.tensor(num_frames)
    expected = model(x, num_frames=num_frames).detach()  # all samples at once
    sizes = []
    inner = model._classify if hasattr(model, '_classify') else model._embed_samples
    name = inner.__name__
    monkeypatch.setattr(model, name, lambda x, *rest: sizes.append(len(x) // 17) or inner(x, *rest))
    # Features of two samples.
    monkeypatch.setattr(torch, 'get_num_threads', lambda: 1)
    monkeypatch.setattr(sample_blocks, '_BLOCK_BYTES', 2 * 17 * 12 * model._width * 8)
    with torch.no_grad():
        found = model(x, num_frames=num_frames)
    torch.testing.assert_close(found, expected)
    assert sizes == [2, 2, 1]


@pytest.mark.parametrize('num_frames', [None, [6, 4, 5]])
def test_silhouettes_in_blocks_of_samples(num_frames, monkeypatch):
    torch.manual_seed(0)
    model = (
        create_model('lmgcs', channels=(4, 8), width=8, feature_dim=8, bins=(4,)).double().eval()
    )
    x = torch.rand(3, 6, 16, 12) > 0.5  # converted to the precision of the weights
    num_frames = num_frames and torch.tensor(num_frames)
    expected = model(x, num_frames).detach()
    inner, sizes = model._embed_samples, []
    monkeypatch.setattr(
        model, '_embed_samples', lambda x, mask: sizes.append(len(x)) or inner(x, mask)
    )
    monkeypatch.setattr(torch, 'get_num_threads', lambda: 1)
    monkeypatch.setattr(sample_blocks, '_BLOCK_BYTES', 2 * 6 * 16 * 12 * 4 * 8)
    with torch.no_grad():
        torch.testing.assert_close(model(x, num_frames), expected)
    assert sizes == [2, 1]


@pytest.mark.parametrize('shared', [True, False])
def test_faces_in_blocks_of_samples(shared, monkeypatch):
    torch.manual_seed(0)
    graph = pixel_graph((12, 12), 1.0, levels=2, ratio=0.25, seed=0)
    model = create_model('spagnn', graph=graph, num_classes=3, shared=shared).double().eval()
    x = torch.randn(3 * 144, 1, dtype=torch.double)
    expected = model(x).detach()
    inner, sizes = model._classify, []
    monkeypatch.setattr(
        model, '_classify', lambda x, *rest: sizes.append(len(x) // 144) or inner(x)
    )
    monkeypatch.setattr(torch, 'get_num_threads', lambda: 1)
    monkeypatch.setattr(sample_blocks, '_BLOCK_BYTES', 2 * 144 * model._width * 8)
    with torch.no_grad():
        torch.testing.assert_close(model(x), expected)
        assert sizes == ([2, 1] if shared else [3])
        with pytest.raises(ValueError, match='multiple of 144 nodes, got 431'):
            model(x[:-1])


@pytest.fixture
def counted(monkeypatch):
    """A module, a function that records the sizes of blocks, and features of three samples."""
    monkeypatch.setattr(sample_blocks, '_BLOCK_BYTES', 1)
    module = torch.nn.Sequential(torch.nn.BatchNorm1d(4), torch.nn.ReLU()).eval()
    x, mask = torch.randn(6, 5, 4), torch.arange(30).view(6, 5) % 7 > 0
    calls = []

    def function(x, mask):
        calls.append(len(x))
        valid = x if mask is None else x * mask.unsqueeze(-1)
        return valid.view(-1, 2, 5, 4).sum(dim=(1, 2))

    return module, function, x, mask, calls


@pytest.mark.parametrize('masked', [True, False])
def test_blocks_in_inference(counted, masked):
    module, function, x, mask, calls = counted
    mask = mask if masked else None
    with torch.no_grad():
        found = apply_to_samples(module, function, x, mask, num_nodes=2, channels=4)
    assert calls == [2, 2, 2]
    assert found.equal(function(x, mask))


@pytest.mark.parametrize(
    'reason', ['gradient', 'training', 'training norm', 'hook', 'global hook', 'compiler']
)
def test_all_samples_at_once(counted, reason, monkeypatch):
    module, function, x, mask, calls = counted
    handle = None
    if reason == 'training':
        module.train()
        module[0].eval()
    elif reason == 'training norm':
        module[0].train()
    elif reason == 'hook':
        module[1].register_forward_hook(lambda *_: None)
    elif reason == 'global hook':
        handle = torch.nn.modules.module.register_module_forward_hook(lambda *_: None)
    try:
        monkeypatch.setattr(torch.compiler, 'is_compiling', lambda: reason == 'compiler')
        with torch.set_grad_enabled(reason == 'gradient'):
            apply_to_samples(module, function, x, mask, num_nodes=2, channels=4)
    finally:
        if handle:
            handle.remove()
    assert calls == [6]


def test_fused_models_run_in_blocks(monkeypatch):
    """Their new modules are in evaluation mode as well."""
    torch.manual_seed(0)
    model = create_model('gaitmixer', in_channels=2, **MODELS['gaitmixer']).eval()
    fused = fuse_for_inference(model)
    assert not any(part.training for part in fused.modules())
    x, sizes = torch.randn(3 * 17, 12, 2), []
    expected = model(x).detach()
    inner = fused._embed_samples
    monkeypatch.setattr(
        fused, '_embed_samples', lambda x, mask: sizes.append(len(x)) or inner(x, mask)
    )
    monkeypatch.setattr(sample_blocks, '_BLOCK_BYTES', 1)
    with torch.no_grad():
        torch.testing.assert_close(fused(x), expected)
    assert sizes == [17, 17, 17]


def test_more_threads_have_larger_blocks(counted, monkeypatch):
    module, function, x, mask, calls = counted
    monkeypatch.setattr(sample_blocks, '_BLOCK_BYTES', 2 * 5 * 4 * 4)
    monkeypatch.setattr(torch, 'get_num_threads', lambda: 2)
    with torch.no_grad():
        apply_to_samples(module, function, x, mask, num_nodes=2, channels=4)
    assert calls == [4, 2]
