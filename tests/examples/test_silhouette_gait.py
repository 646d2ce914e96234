import json

import pytest
import silhouette_gait as example
import torch
from PIL import Image
from shared import recognition
from torch_geometric.data import Data

from graphmotion.inference import Recognizer

BUDGET = ['--epochs', '1', '--batches', '2', '--global-epochs', '1', '--quiet']
TINY = ['--subjects', '4', '--views', '0', '90', '--frames', '4', '--shrink', '4', *BUDGET]
CASIA_B = ['--root', 'x', '--dataset', 'casia_b']
OU_MVLP = ['--root', 'x', '--dataset', 'ou_mvlp']

# As they may after a few steps of training.
pytestmark = pytest.mark.filterwarnings('ignore:.*embeddings of the gallery have collapsed')


@pytest.mark.slow
def test_network_is_trained_in_two_stages_and_evaluated_again(tmp_path, capsys, monkeypatch):
    first = example.main([*TINY, '--out', str(tmp_path)])
    printed = capsys.readouterr().out
    for line in ('silhouettes', 'PCA + LDA', 'LMGCS', '| CL '):
        assert line in printed
    assert json.loads((tmp_path / 'results.json').read_text()) == first
    assert first['runs']['LMGCS']['recipe']['subjects_per_batch'] == 2
    assert list(first['scores']) == ['silhouettes', 'PCA + LDA', 'LMGCS']
    assert first['scores']['LMGCS']['probe_views'] == [0, 90]
    pictures = ('embedding', 'views', 'cmc', 'retrieval', 'lmgcs/local_curves')
    for name in (*pictures, 'lmgcs/global_curves'):
        with Image.open(tmp_path / f'{name}.png') as image:
            assert min(image.size) > 100
    saved = torch.load(tmp_path / 'lmgcs' / 'embedding.pt', weights_only=True)['embedding']
    assert saved.shape[1:] == (3 * 4, 32)
    args = example.parse(TINY)
    dataset, protocol = example.make_dataset(args)
    _, test = protocol.split(dataset)
    recognizer = Recognizer.load(tmp_path / 'lmgcs' / 'recognizer.safetensors')
    assert torch.equal(recognizer.embeddings(test), saved.flatten(1))
    monkeypatch.setattr(recognition, 'draw_embeddings', lambda *args: None)
    again = example.main([*TINY, '--out', str(tmp_path), '--evaluate'])
    assert again['scores'] == first['scores']


@pytest.mark.slow
def test_open_set(check_open_set):
    check_open_set(example, TINY, 'LMGCS')


@pytest.mark.parametrize(
    ('options', 'reason'),
    [
        (['--dataset', 'ou_mvlp'], 'ou_mvlp needs --root'),
        (['--root', 'x'], 'synthetic is generated and takes no --root'),
        (['--validation'], '--validation is only valid for --dataset casia_b'),
        ([*OU_MVLP, '--protocol', 'LT'], '--protocol is only valid for CASIA-B and generated'),
        ([*CASIA_B, '--subjects', '24'], '--subjects is only valid for generated walks'),
        ([*CASIA_B, '--views', '0', '90'], '--views is only valid for generated walks'),
        (['--joint', '--global-epochs', '3'], '--global-epochs is only valid for training in two'),
        ([*CASIA_B, '--global-epochs', '3'], '--global-epochs is only valid for training in two'),
        (['--open-set', '--subjects', '4'], '--open-set needs 3 test subjects, got 2'),
        (['--evaluate', '--fresh'], 'not allowed with argument --evaluate'),
    ],
)
def test_options_that_do_not_go_together(refused, options, reason):
    assert reason in refused(example, options)


def make_network(args, rows):
    dataset = [Data(silhouettes=torch.zeros(1, 30, rows, rows), num_frames=torch.tensor([30]))]

    class Walks:
        def get_batch(self, samples):
            return dataset[0]

    preset = example.PRESETS[args.dataset, args.preset]
    options = example.make_options(preset, example.make_transforms(args), Walks())
    return example.create_model(**options), options


def test_presets():
    args = example.parse(['--preset', 'paper', *OU_MVLP])
    recipe = example.make_recipe(args, example.PRESETS['ou_mvlp', 'paper'])
    optimization = recipe.optimization
    assert (optimization.lr, recipe.batch_size, optimization.max_epochs) == (1e-4, 256, 100)
    assert (recipe.global_epochs, recipe.batches_per_epoch) == (40, 1000)
    assert optimization.milestones == (80,)
    assert (args.frames, args.shrink) == (30, 1)
    model, _ = make_network(args, 64)
    assert sum(p.numel() for p in model.parameters()) == 19_107_712  # as in its docstring
    _, options = make_network(example.parse(OU_MVLP), 64)
    assert (options['name'], options['channels']) == ('lmgcs_ou_mvlp', (16, 32, 64, 64))
    _, options = make_network(example.parse([]), 64)
    assert (options['name'], options['bins']) == ('lmgcs', (8,))


def test_milestone_follows_the_number_of_epochs():
    args = example.parse(['--epochs', '10', '--batches', '3', '--global-epochs', '2'])
    recipe = example.make_recipe(args, example.PRESETS['synthetic', 'cpu'])
    assert (recipe.optimization.max_epochs, recipe.optimization.milestones) == (10, (8,))
    assert (recipe.batches_per_epoch, recipe.global_epochs) == (3, 2)


def test_validation_excludes_the_test_subjects(monkeypatch):
    class Walks:
        def __init__(self, subjects):
            self.subjects = subjects

        def labels(self, name):
            return self.subjects

        def index_select(self, chosen):
            return Walks(self.subjects[chosen])

    monkeypatch.setattr(example, 'CASIABSilhouettes', lambda root: Walks(torch.arange(124)))
    whole, protocol = example.make_dataset(example.parse(CASIA_B))
    assert (len(whole.subjects), protocol.train_subjects) == (124, 74)
    part, protocol = example.make_dataset(example.parse([*CASIA_B, '--validation']))
    assert (part.subjects.tolist(), protocol.train_subjects) == (list(range(74)), 50)


def test_preset_of_casia_b():
    args = example.parse(CASIA_B)
    assert (args.joint, args.distance, args.frames, args.skip) == (True, 'euclidean', 8, 3)
    model, _ = make_network(args, 64)
    assert sum(p.numel() for p in model.parameters()) < 500_000
    recipe = example.make_recipe(args, example.PRESETS['casia_b', 'cpu'])
    assert recipe.optimization.max_epochs * recipe.batches_per_epoch == 4000
    clip = Data(silhouettes=torch.ones(1, 50, 64, 44).byte(), num_frames=torch.tensor([50]))
    transforms = example.make_transforms(args)
    for transform, frames in ((transforms.test, 17), (transforms.train, 8)):
        out = transform(clip.clone()).silhouettes
        assert (list(out.shape), out.dtype) == ([1, frames, 32, 22], torch.float32)


def test_skip_applies_to_every_dataset():
    args = example.parse(['--frames', '4', '--skip', '2'])
    transforms = example.make_transforms(args)
    clip = Data(silhouettes=torch.ones(1, 20, 64, 44).byte(), num_frames=torch.tensor([20]))
    assert transforms.train(clip.clone()).silhouettes.size(1) == 4
    assert transforms.test(clip.clone()).silhouettes.size(1) == 10
