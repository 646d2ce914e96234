import json
from dataclasses import replace

import gait_recognition as example
import pytest
import torch
from PIL import Image
from shared import recognition

from graphmotion.datasets import SyntheticGait
from graphmotion.inference import Recognizer
from graphmotion.metrics import CASIA_B_LT, GalleryProbeScores, gallery_probe

TINY = ['--subjects', '4', '--views', '0', '90', '--frames', '31', '--epochs', '1', '--quiet']
REAL = ['--dataset', 'casia_b', '--root', 'x']

# As they may after a few steps of training.
pytestmark = pytest.mark.filterwarnings('ignore:.*embeddings of the gallery have collapsed')


@pytest.mark.slow
def test_network_is_trained_and_evaluated_again(tmp_path, capsys, monkeypatch):
    options = [*TINY, '--out', str(tmp_path)]
    first = example.main(options)
    printed = capsys.readouterr().out
    assert 'CASIA-B LT, 2 of 4 subjects to train' in printed
    for row in ('| NM ', '| BG ', '| CL ', '| mean ', 'GaitMixer'):
        assert row in printed
    stored = json.loads((tmp_path / 'results.json').read_text())
    assert stored == first
    assert stored['runs']['GaitMixer']['recipe']['subjects_per_batch'] == 2
    # The table shows the embeddings that were saved.
    dataset = SyntheticGait.casia_b(num_subjects=4, num_frames=31, views=[0, 90])
    protocol = replace(CASIA_B_LT, train_subjects=2)
    _, test = protocol.split(dataset)
    saved = torch.load(tmp_path / 'gaitmixer' / 'embedding.pt', weights_only=True)['embedding']
    recognizer = Recognizer.load(tmp_path / 'gaitmixer' / 'recognizer.safetensors')
    torch.testing.assert_close(recognizer.embeddings(test), saved)
    expected = gallery_probe(saved, test, protocol)
    found = GalleryProbeScores.from_dict(stored['scores']['GaitMixer'])
    assert torch.equal(found.hits, expected.hits)
    hits = [hit == '1' for hit in stored['outcomes']['GaitMixer']]
    assert sum(hits) / len(hits) == pytest.approx(
        float(expected.cmc[:, 0] @ expected.num_scored.double() / len(hits))
    )
    for name in ('cmc', 'retrieval', 'views', 'walks', 'gaitmixer/curves'):
        with Image.open(tmp_path / f'{name}.png') as image:
            assert min(image.size) > 100
    monkeypatch.setattr(example, 'draw_data', lambda *args: None)
    monkeypatch.setattr(recognition.vis, 'plot_retrieval', lambda *args, **options: None)
    again = example.main([*options, '--evaluate'])
    assert again['scores'] == first['scores']


@pytest.mark.slow
def test_open_set(check_open_set):
    check_open_set(example, TINY, 'GaitMixer')


@pytest.mark.parametrize(
    ('options', 'reason'),
    [
        (['--dataset', 'casia_b'], '--dataset casia_b needs --root'),
        (['--root', 'x'], '--dataset synthetic is generated and takes no --root'),
        (['--crops', '3'], '--crops 3 is only valid for walks longer than --frames'),
        (['--frames', '30'], 'need --frames 31 or more, got 30'),
        (['--subjects', '2', '--protocol', 'ST'], '--subjects 2 is too few for --protocol ST'),
        ([*REAL, '--subjects', '9'], '--subjects is only valid for generated walks'),
        ([*REAL, '--views', '0'], '--views is only valid for generated walks'),
        (['--open-set', '0'], '--open-set must be between 0 and 1, got 0.0'),
        (['--open-set', '--subjects', '4'], '--open-set needs 3 test subjects, got 2'),
        (['--evaluate', '--fresh'], 'not allowed with argument --evaluate'),
    ],
)
def test_options_that_do_not_go_together(refused, options, reason):
    assert reason in refused(example, options)


def test_presets():
    paper = example.parse([*REAL, '--preset', 'paper', '--protocol', 'ST'])
    assert (paper.frames, paper.crops, paper.joint_pooling) == (60, 3, 'mean')
    recipe = example.make_recipe(paper, example.get_preset(paper))
    assert (recipe.samples_per_subject, recipe.optimization.max_epochs) == (8, 300)
    args = example.parse(['--lr', '0.1', '--model', 'st_gcn', '--frames', '20'])
    assert (args.frames, args.crops, args.joint_pooling) == (20, 1, 'concat')
    recipe = example.make_recipe(args, example.get_preset(args))
    assert (recipe.optimization.lr, recipe.optimization.max_epochs) == (0.1, 20)
    assert example.parse(['--joint-pooling', 'mean']).joint_pooling == 'mean'
