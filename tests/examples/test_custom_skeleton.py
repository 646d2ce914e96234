import json

import custom_skeleton as example
import numpy as np
import pytest
from PIL import Image

from graphmotion.datasets import PoseFolder
from graphmotion.inference import Recognizer

TINY = ['--epochs', '1', '--quiet', '--width', '4', '--frames', '8']
REAL = ['--root', 'x', '--skeleton', 'coco17']


@pytest.mark.slow
@pytest.mark.parametrize('model', ['st_gcn', 'msa_gcn', 'fg_stformer'])
def test_generated_files(tmp_path, capsys, model):
    out, keep = tmp_path / 'out', tmp_path / 'keep'
    options = ['--subjects', '3', '--model', model, '--out', str(out), '--keep', str(keep)]
    results = example.main([*TINY, *options])
    printed = capsys.readouterr().out
    assert 'PoseFolder(36): clap 6, lower arms 6,' in printed
    assert 'Skeleton(stick_figure15, joints=15, center=neck, pairs=6' in printed
    assert '24 training, 12 test recordings, by subject' in printed
    assert results['scores']['num_samples'] == 12
    assert json.loads((out / 'results.json').read_text()) == results
    for name in ('poses.png', 'confusion.png'):
        with Image.open(out / name) as image:
            assert min(image.size) > 100
    recognizer = Recognizer.load(out / 'run' / 'recognizer.safetensors')
    assert recognizer.skeleton.name == 'stick_figure15'
    assert recognizer.info['scores']['accuracy'] == results['scores']['accuracy']
    dataset = PoseFolder(keep, recognizer.skeleton, 'alphapose')
    _, test = dataset.split((7, 3), seed=0, by='subject')
    correct = recognizer.probabilities(test).argmax(dim=1) == test.labels()
    assert float(correct.float().mean()) == pytest.approx(results['scores']['accuracy'])
    assert results['outcomes'] == {model: ''.join(str(int(hit)) for hit in correct)}
    path = keep / 'raw' / f'{test.names()[0]}.json'
    (answer,), (expected,) = recognizer(path), recognizer(test[:1])
    assert answer.probabilities == pytest.approx(expected.probabilities, abs=1e-5)
    assert answer.source == str(path)
    # The generated folder is read by the command line of a user.
    if model == 'st_gcn':
        again = ['--root', str(keep), '--skeleton', str(keep / 'skeleton.json')]
        found = example.main([*TINY, *again, '--out', str(out)])
        assert found['scores'] == results['scores']


@pytest.mark.slow
def test_files_of_a_user(tmp_path, capsys):
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
    assert '7 training, 3 test recordings\n' in printed


@pytest.mark.parametrize(
    ('options', 'reason'),
    [
        (['--root', 'x'], '--root needs --skeleton'),
        (['--format', 'numpy'], '--format is only valid with --root'),
        (['--skeleton', 'coco17'], '--skeleton is only valid with --root'),
        (['--columns', '0', '1'], '--columns is only valid with --root'),
        (['--subject', r'(\w+)_'], '--subject is only valid with --root'),
        ([*REAL, '--subjects', '9'], '--subjects is only valid without --root'),
        ([*REAL, '--keep', 'new'], '--keep is only valid without --root'),
        (['--keep', '.'], '--keep must be a new folder, . exists'),
        (['--people', '2', '--model', 'msa_gcn'], 'msa_gcn reads one person'),
    ],
)
def test_options_that_do_not_go_together_raise(refused, options, reason):
    assert reason in refused(example, options)
