import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SCRIPT = Path(__file__).parents[2] / 'examples' / 'custom_skeleton.py'
TINY = ['--epochs', '1', '--quiet', '--width', '4', '--frames', '8']
REAL = ['--root', 'x', '--skeleton', 'coco17']


@pytest.fixture(scope='module')
def example():
    spec = importlib.util.spec_from_file_location('custom_skeleton', SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.parametrize('model', ['st_gcn', 'msa_gcn', 'fg_stformer'])
def test_generated_files(example, tmp_path, capsys, model):
    out, keep = tmp_path / 'out', tmp_path / 'keep'
    options = ['--subjects', '3', '--model', model, '--out', str(out), '--keep', str(keep)]
    scores = example.main([*TINY, *options])
    printed = capsys.readouterr().out
    assert 'PoseFolder(36): clap 6, lower arms 6,' in printed
    assert 'Skeleton(stick_figure15, joints=15, center=neck, pairs=6' in printed
    assert '24 recordings in training, 12 in the test, by subject' in printed
    assert scores['num_samples'] == 12
    assert json.loads((out / 'results.json').read_text()) == json.loads(json.dumps(scores))
    for name in ('poses.png', 'confusion.png'):
        with Image.open(out / name) as image:
            assert min(image.size) > 100
    # What was generated is a user's folder: the same command line that a user gives reads it.
    if model == 'st_gcn':
        again = ['--root', str(keep), '--skeleton', str(keep / 'skeleton.json')]
        assert example.main([*TINY, *again, '--out', str(out)]) == scores


@pytest.mark.slow
def test_files_of_ones_own(example, tmp_path, capsys):
    random = np.random.default_rng(0)
    for name in ('kick', 'jump'):
        (tmp_path / 'in' / name).mkdir(parents=True)
        for take in range(5):
            pos = random.uniform(size=(int(random.integers(3, 9)), 20, 3))
            np.save(tmp_path / 'in' / name / f'{take}.npy', pos)
    layout = tmp_path / 'leg.json'
    layout.write_text('{"joints": ["hip", "knee", "ankle"], "bones": [[0, 1], [1, 2]]}')
    options = ['--root', str(tmp_path / 'in'), '--format', 'numpy', '--skeleton', str(layout)]
    example.main([*TINY, *options, '--columns', '12', '13', '14', '--out', str(tmp_path / 'out')])
    printed = capsys.readouterr().out
    assert 'PoseFolder(10): jump 5, kick 5' in printed
    assert '7 recordings in training, 3 in the test\n' in printed


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['--root', 'x'], '--root goes with --skeleton'),
        (['--format', 'numpy'], '--format goes with --root'),
        (['--skeleton', 'coco17'], '--skeleton goes with --root'),
        (['--columns', '0', '1'], '--columns goes with --root'),
        (['--subject', r'(\w+)_'], '--subject goes with --root'),
        ([*REAL, '--subjects', '9'], '--subjects goes with generated files'),
        ([*REAL, '--keep', 'new'], '--keep goes with generated files'),
        (['--keep', '.'], '--keep takes a folder that is not there yet'),
        (['--people', '2', '--model', 'msa_gcn'], 'msa_gcn looks at one person'),
    ],
)
def test_options_that_do_not_go_together_are_refused(example, capsys, options, message):
    with pytest.raises(SystemExit):
        example.parse(options)
    assert message in capsys.readouterr().err
