import importlib.util
import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from graphmotion.datasets import NWUCLA
from graphmotion.transforms import ctr_gcn_test_transform, ctr_gcn_train_transform

SCRIPT = Path(__file__).parents[2] / 'examples' / 'action_recognition.py'
TINY = ['--subjects', '2', '--epochs', '1', '--frames', '16', '--width', '8', '--quiet']


@pytest.fixture(scope='module')
def example():
    spec = importlib.util.spec_from_file_location('action_recognition', SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def undrawn(example, monkeypatch):
    """Without the figures of the data, which another test looks at."""
    monkeypatch.setattr(example, 'draw_data', lambda *args: None)


@pytest.mark.slow
def test_streams_are_trained_fused_and_evaluated_again(example, tmp_path, capsys, monkeypatch):
    streams = ['--streams', 'joint', 'bone_motion', '--weights', '2', '1']
    out = ['--out', str(tmp_path)]
    first = example.main([*TINY, *streams, *out])
    printed = capsys.readouterr().out
    assert 'FG-STFormer, fused' in printed
    folder = tmp_path / 'fg_stformer'
    assert json.loads((folder / 'results.json').read_text()) == json.loads(json.dumps(first))
    saved = [
        torch.load(folder / name / 'predictions.pt', weights_only=True)
        for name in ('joint', 'bone_motion')
    ]
    fused = (2 * saved[0]['logits'] + saved[1]['logits']).argmax(dim=1)
    expected = (fused == saved[0]['target']).float().mean()
    assert first['streams']['fused']['scores']['accuracy'] == pytest.approx(float(expected))
    for picture in (
        tmp_path / 'actions.png',
        tmp_path / 'actions.gif',
        folder / 'confusion.png',
        *(folder / 'joint' / f'{name}.png' for name in ('confusion', 'curves', 'focal_joints')),
    ):
        with Image.open(picture) as image:
            assert min(image.size) > 100
    for name in ('draw_data', 'draw_stream'):
        monkeypatch.setattr(example, name, lambda *args: None)
    again = example.main([*TINY, *streams, *out, '--evaluate'])
    for name in ('joint', 'bone_motion', 'fused'):
        assert again['streams'][name]['scores'] == first['streams'][name]['scores']


@pytest.mark.slow
@pytest.mark.usefixtures('undrawn')
def test_another_model_is_compared_class_by_class(example, tmp_path):
    options = [*TINY, '--out', str(tmp_path)]
    example.main([*options, '--model', 'st_gcn', '--protocol', 'cross_view'])
    other = tmp_path / 'st_gcn' / 'results.json'
    results = example.main([*options, '--focal-joints', '5', '--compare', str(other)])
    assert results['options']['num_focal_joints'] == 5
    assert (tmp_path / 'classes.png').exists()


@pytest.mark.usefixtures('undrawn')
def test_evaluation_needs_what_was_trained(example, tmp_path):
    with pytest.raises(ValueError, match=r'last\.ckpt'):
        example.main([*TINY, '--out', str(tmp_path), '--evaluate'])


@pytest.mark.parametrize(
    ('options', 'reason'),
    [
        (['--dataset', 'nw_ucla'], 'nw_ucla needs a --root'),
        (['--dataset', 'synthetic', '--root', 'x'], 'synthetic takes no --root'),
        (['--streams', 'joint', 'bone', '--weights', '1'], '1 --weights for 2 --streams'),
        (['--weights', '1'], '--weights goes with several --streams'),
        (['--fusion', 'logits'], '--fusion goes with several --streams'),
        (['--root', 'x', '--subjects', '9'], '--subjects goes with generated actions'),
        (['--evaluate', '--fresh'], '--fresh goes with training'),
        (['--model', 'st_gcn', '--focal-joints', '3'], 'goes with --model fg_stformer'),
    ],
)
def test_options_that_do_not_go_together(example, capsys, options, reason):
    with pytest.raises(SystemExit):
        example.parse(options)
    assert reason in capsys.readouterr().err


def test_presets(example):
    args = example.parse(['--preset', 'paper', '--dataset', 'ntu60', '--root', 'x'])
    assert example.make_options(args) == {
        'name': 'fg_stformer',
        'num_people': 2,
        'channels': [64, 64, 128, 128, 256, 256, 256, 256],
    }
    recipe = example.make_recipe(args)
    optimization = recipe.optimization
    assert (optimization.lr, optimization.max_epochs, recipe.batch_size) == (0.01, 80, 32)
    assert args.frames == 128


def test_published_preprocessing(example):
    for dataset, preset, published in (
        ('ntu120', 'cpu', 'ntu'), ('nw_ucla', 'paper', 'nw_ucla'), ('nw_ucla', 'cpu', None),
    ):  # fmt: skip
        args = example.parse(['--preset', preset, '--dataset', dataset, '--root', 'x'])
        train, test, channels = example.make_transforms(args, NWUCLA, 'bone_motion')
        assert channels == 3
        if published:
            chain = (published, 'bone_motion', args.frames)
            assert repr(train) == repr(ctr_gcn_train_transform(*chain))
            assert repr(test) == repr(ctr_gcn_test_transform(*chain))
        else:
            assert 'ResampleFrames' in repr(test)
