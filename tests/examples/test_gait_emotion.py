import importlib.util
import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

SCRIPT = Path(__file__).parents[2] / 'examples' / 'gait_emotion.py'
TINY = ['--epochs', '1', '--num-augmentations', '1', '--quiet', '--width', '4', '--frames', '16']


@pytest.fixture(scope='module')
def example():
    spec = importlib.util.spec_from_file_location('gait_emotion', SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_generated_gaits(example, tmp_path, capsys):
    out = tmp_path / 'out'
    options = ['--subjects', '10', '--scales', '16', '5', '--csfm-layers', '1', '--kernels', '3']
    example.main([*TINY, *options, '--repeats', '2', '--out', str(out)])
    printed = capsys.readouterr().out
    assert 'SyntheticGait(120): happy 30, angry 30, sad 30, neutral 30' in printed
    assert 'macro-F1' in printed
    results = json.loads((out / 'results.json').read_text())
    (row,) = results['models'].values()
    assert row['options']['scales'] == [16, 5]
    assert row['options']['cross_scale_layers'] == 1
    assert row['options']['kernel_sizes'] == [3]
    assert [run['num_samples'] for run in row['runs']] == [12, 12]
    assert row['scores']['num_folds'] == 2
    assert row['ensemble']['num_samples'] == 12
    assert 'MSA-GCN, 2 runs together' in printed
    names = {p.name for p in (out / 'msa-gcn').iterdir()}
    assert names >= {
        'confusion.png', 'curves.png', 'gallery.png', 'cross_scale_5_to_16.png', 'run0', 'run1',
    }  # fmt: skip
    for picture in [*out.glob('*.png'), *out.glob('*/*.png'), out / 'gaits.gif']:
        with Image.open(picture) as image:
            assert min(image.size) > 100


@pytest.mark.slow
def test_emotion_gait_files_folds_and_comparison(example, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(example, 'draw_data', lambda *args: None)
    (tmp_path / 'raw').mkdir()
    random = np.random.default_rng(0)
    with (
        h5py.File(tmp_path / 'raw' / 'features.h5', 'w') as features,
        h5py.File(tmp_path / 'raw' / 'labels.h5', 'w') as labels,
    ):
        for i in range(24):
            features[f'walk{i}'] = random.normal(size=(int(random.integers(8, 30)), 48))
            labels[f'walk{i}'] = i % 4
    options = ['--root', str(tmp_path), '--folds', '2', '--compare', '--out', str(tmp_path / 'out')]
    results = example.main([*TINY, *options])
    assert list(results['models']) == [
        'ST-GCN',
        'MSA-GCN, one scale',
        'MSA-GCN, no cross-scale fusion',
        'MSA-GCN',
    ]
    for row in results['models'].values():
        assert row['scores']['num_folds'] == 2
        assert row['scores']['pooled']['num_samples'] == 24
    assert capsys.readouterr().out.count('±') >= 4 * 6


def test_the_presets(example):
    paper = example.parse(['--preset', 'paper'])
    (options,) = example.make_models(paper).values()
    assert options['channels'] == [32, 64, 128, 256]
    assert 'strides' not in options
    assert example.make_recipe(paper).optimization.max_epochs == 400


@pytest.mark.parametrize(
    ('options', 'reason'),
    [
        (['--model', 'st_gcn', '--scales', '16', '10'], '--scales goes with --model msa_gcn'),
        (['--compare', '--csfm-layers', '2'], '--csfm-layers goes with --model msa_gcn alone'),
        (['--compare', '--kernels', '5'], '--kernels goes with --model msa_gcn alone'),
        (['--compare', '--model', 'msa_gcn'], '--model goes with one model, without --compare'),
        (['--root', 'x', '--subjects', '9'], '--subjects goes with generated gaits'),
    ],
)
def test_options_that_do_not_go_together_are_refused(example, capsys, options, reason):
    with pytest.raises(SystemExit):
        example.parse(options)
    assert reason in capsys.readouterr().err
