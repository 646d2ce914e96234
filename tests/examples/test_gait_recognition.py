import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from graphmotion.datasets import SyntheticGait
from graphmotion.metrics import CASIA_B_LT, GalleryProbeScores, gallery_probe
from tests.datasets.test_ucalgary_gait import write

SCRIPT = Path(__file__).parents[2] / 'examples' / 'gait_recognition.py'
TINY = ['--subjects', '4', '--views', '0', '90', '--frames', '31', '--epochs', '1', '--quiet']
CONDITION = ['--dataset', 'ucalgary', '--root', 'x', '--task', 'condition']

# As they may after a few steps of training.
pytestmark = pytest.mark.filterwarnings('ignore:.*embeddings of the gallery have collapsed')


@pytest.fixture(scope='module')
def example():
    spec = importlib.util.spec_from_file_location('gait_recognition', SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_networks_stand_beside_features_and_chance(example, tmp_path, capsys, monkeypatch):
    options = [*TINY, '--models', 'st_gcn', 'gaitformer', 'gaitmixer', '--out', str(tmp_path)]
    first = example.main(options)
    printed = capsys.readouterr().out
    assert 'CASIA-B LT, 2 of 4 subjects to train' in printed
    for row in ('| NM ', '| BG ', '| CL ', '| mean ', '| chance ', 'limb lengths', 'GaitFormer'):
        assert row in printed
    stored = json.loads((tmp_path / 'results.json').read_text())
    assert stored['runs']['GaitMixer']['recipe']['subjects_per_batch'] == 2
    assert stored['scores'] == json.loads(json.dumps(first['scores']))
    # The table is that of the embeddings that were saved.
    dataset = SyntheticGait.casia_b(num_subjects=4, num_frames=31, views=[0, 90])
    protocol = replace(CASIA_B_LT, train_subjects=2)
    _, test = protocol.split(dataset)
    saved = torch.load(tmp_path / 'gaitmixer' / 'embedding.pt', weights_only=True)['embedding']
    expected = gallery_probe(saved, test, protocol)
    found = GalleryProbeScores.from_dict(stored['scores']['GaitMixer'])
    assert torch.equal(found.hits, expected.hits)
    for name in ('cmc', 'grad_cam', 'retrieval', 'spectrum', 'views', 'views_polar', 'walks'):
        with Image.open(tmp_path / f'{name}.png') as image:
            assert min(image.size) > 100
    monkeypatch.setattr(example, 'draw', lambda *args: None)
    again = example.main([*options, '--evaluate'])
    assert json.dumps(again['scores']) == json.dumps(first['scores'])


@pytest.mark.slow
def test_gaits_of_calgary(example, tmp_path, capsys):
    runs = [(subject, run) for subject in (1, 2, 3, 4) for run in range(1, 7)]
    write(tmp_path / 'data', runs)
    options = ['--dataset', 'ucalgary', '--root', str(tmp_path / 'data'), '--epochs', '1']
    results = example.main(
        [*options, '--models', 'st_gcn', '--one-height', '--quiet', '--out', str(tmp_path / 'a')]
    )
    assert 'odd to even takes' in capsys.readouterr().out
    assert results['scores']['ST-GCN']['ranks'] == [1, 5, 10, 20]
    results = example.main(
        [*options, '--task', 'condition', '--folds', '2', '--quiet', '--out', str(tmp_path / 'b')]
    )
    assert 0 <= results['condition']['mean']['accuracy'] <= 1
    assert (tmp_path / 'b' / 'condition' / 'confusion.png').exists()


def test_options_that_do_not_go_together(example, tmp_path, capsys):
    for options, message in (
        (['--dataset', 'casia_b'], '--dataset casia_b needs a --root'),
        (['--root', 'x'], '--dataset synthetic takes no --root'),
        (['--task', 'condition'], '--task condition goes with --dataset ucalgary'),
        (['--one-height'], '--one-height goes with --dataset ucalgary'),
        ([*CONDITION, '--models', 'gaitmixer'], '--task condition has the classifier st_gcn'),
        (['--crops', '3'], 'as long as --frames, which leaves one window'),
        (['--subjects', '2', '--protocol', 'ST'], '--subjects 2 are too few for --protocol ST'),
        (['--dataset', 'casia_b', '--root', 'x', '--subjects', '9'], '--subjects goes with gen'),
        (['--dataset', 'casia_b', '--root', 'x', '--views', '0'], '--views goes with generated'),
        (
            ['--dataset', 'ucalgary', '--root', 'x', '--protocol', 'ST'],
            '--protocol goes with CASIA',
        ),
        ([*CONDITION, '--embedding', '64'], '--embedding goes with --task identity'),
        ([*CONDITION, '--distance', 'cosine'], '--distance goes with --task identity'),
        ([*CONDITION, '--crops', '3'], '--crops goes with --task identity'),
        ([*CONDITION, '--lr', '0.1'], '--lr goes with --task identity'),
        ([*CONDITION, '--one-height'], '--one-height goes with --task identity'),
        (['--folds', '5'], '--folds goes with --task condition'),
        (['--evaluate', '--fresh'], '--fresh goes with training'),
    ):
        with pytest.raises(SystemExit):
            example.parse(options)
        assert message in capsys.readouterr().err
