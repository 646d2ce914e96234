import json

import gait_emotion as example
import pytest
from PIL import Image

from graphmotion.datasets import SyntheticGait
from graphmotion.inference import Recognizer

TINY = ['--epochs', '1', '--num-augmentations', '1', '--quiet', '--width', '4', '--frames', '16']


@pytest.mark.slow
def test_generated_gaits(tmp_path, capsys):
    example.main([*TINY, '--subjects', '10', '--out', str(tmp_path)])
    printed = capsys.readouterr().out
    assert 'SyntheticGait(120): happy 30, angry 30, sad 30, neutral 30' in printed
    assert 'macro-F1' in printed
    results = json.loads((tmp_path / 'results.json').read_text())
    assert results['scores']['MSA-GCN']['num_samples'] == 12
    assert results['recipe']['optimization']['max_epochs'] == 1
    names = {p.name for p in (tmp_path / 'msa_gcn').iterdir()}
    assert names >= {'confusion.png', 'curves.png', 'gallery.png', 'last.ckpt'}
    assert len(list((tmp_path / 'msa_gcn').glob('cross_scale_*.png'))) > 0
    path = tmp_path / 'msa_gcn' / 'recognizer.safetensors'
    assert 'from graphmotion.inference import Recognizer\n' in printed
    assert f"recognizer = Recognizer.load('{path}')\n    print(recognizer('walk.json'))" in printed
    test = SyntheticGait(num_subjects=10).split((8, 1, 1), by='subject')[2]
    correct = Recognizer.load(path).probabilities(test).argmax(dim=1) == test.labels()
    accuracy = results['scores']['MSA-GCN']['accuracy']
    assert float(correct.float().mean()) == pytest.approx(accuracy)
    assert results['outcomes']['MSA-GCN'] == ''.join(str(int(hit)) for hit in correct)
    assert results['data']['groups'] == test.labels('subject').tolist()
    assert results['seeds'] == [0]
    for picture in [*tmp_path.glob('*.png'), *tmp_path.glob('*/*.png'), tmp_path / 'gaits.gif']:
        with Image.open(picture) as image:
            assert min(image.size) > 100


def test_presets():
    paper = example.parse(['--preset', 'paper'])
    options = example.make_options(paper, 'msa_gcn')
    assert options['channels'] == [32, 64, 128, 256]
    assert 'strides' not in options
    assert example.make_recipe(paper).optimization.max_epochs == 400
    assert example.make_recipe(example.parse([])).optimization.max_epochs == 15
    assert example.make_recipe(example.parse(['--root', 'x'])).optimization.max_epochs == 30
    assert example.make_options(example.parse([]), 'st_gcn') == {
        'name': 'st_gcn', 'channels': [8, 16, 32, 64], 'dropout': 0.1
    }  # fmt: skip


def test_options_that_do_not_go_together_raise(refused):
    reason = '--subjects is only valid without --root'
    assert reason in refused(example, ['--root', 'x', '--subjects', '9'])
