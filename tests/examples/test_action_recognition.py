import json
from argparse import Namespace

import action_recognition as example
import pytest
import torch
from PIL import Image

from graphmotion.data import from_array
from graphmotion.data.list_dataset import ListDataset
from graphmotion.datasets import NWUCLA, SyntheticActions
from graphmotion.inference import Recognizer
from graphmotion.models import create_model
from graphmotion.models.residual_gcn import CHANNELS
from graphmotion.training import agcn_recipe, ctr_gcn_recipe
from graphmotion.transforms import ctr_gcn_test_transform, ctr_gcn_train_transform

TINY = ['--subjects', '2', '--epochs', '1', '--frames', '16', '--width', '8', '--quiet']


@pytest.mark.slow
def test_stream_is_trained_and_evaluated_again(tmp_path, capsys, monkeypatch):
    out = ['--out', str(tmp_path)]
    first = example.main([*TINY, '--focal-joints', '5', *out])
    assert 'FG-STFormer, joint' in capsys.readouterr().out
    folder = tmp_path / 'fg_stformer'
    assert json.loads((folder / 'results.json').read_text()) == first
    assert first['options']['num_focal_joints'] == 5
    saved = torch.load(folder / 'joint' / 'predictions.pt', weights_only=True)
    expected = (saved['logits'].argmax(dim=1) == saved['target']).float().mean()
    assert first['scores']['accuracy'] == pytest.approx(float(expected))
    correct = saved['logits'].argmax(dim=1) == saved['target']
    hits = ''.join(str(int(hit)) for hit in correct)
    assert first['outcomes'] == {'FG-STFormer, joint': hits}
    recognizer = Recognizer.load(folder / 'joint' / 'recognizer.safetensors')
    _, test = SyntheticActions(num_subjects=2).official_split()
    torch.testing.assert_close(recognizer.probabilities(test), saved['logits'].softmax(dim=1))
    assert recognizer.class_names == tuple(test.class_names)
    for picture in (
        tmp_path / 'actions.png',
        tmp_path / 'actions.gif',
        *(folder / 'joint' / f'{name}.png' for name in ('confusion', 'curves')),
    ):
        with Image.open(picture) as image:
            assert min(image.size) > 100
    monkeypatch.setattr(example, 'draw_data', lambda *args: None)
    again = ['--out', str(tmp_path), '--evaluate', '--protocol', 'cross_subject']
    again = example.main([*TINY, '--focal-joints', '5', *again])
    assert again['scores'] == first['scores']
    # The default protocol is the same as its name.
    assert again['protocol'] == first['protocol'] == 'official split cross_subject'
    assert again['arguments']['protocol'] == first['arguments']['protocol']


def test_evaluation_needs_a_trained_network(tmp_path, monkeypatch):
    monkeypatch.setattr(example, 'draw_data', lambda *args: None)
    with pytest.raises(ValueError, match=r'last\.ckpt'):
        example.main([*TINY, '--out', str(tmp_path), '--evaluate'])


@pytest.mark.parametrize(
    ('options', 'reason'),
    [
        (['--dataset', 'nw_ucla'], 'nw_ucla needs --root'),
        (['--dataset', 'synthetic', '--root', 'x'], 'synthetic is generated and takes no --root'),
        (['--root', 'x', '--subjects', '9'], '--subjects is only valid for generated actions'),
        (['--evaluate', '--fresh'], 'not allowed with argument --evaluate'),
        (['--model', 'st_gcn', '--focal-joints', '3'], 'only valid for --model fg_stformer'),
    ],
)
def test_options_that_do_not_go_together(refused, options, reason):
    assert reason in refused(example, options)


def test_presets():
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
    for options, epochs in (([], 15), (['--root', 'x'], 60), (['--epochs', '3'], 3)):
        recipe = example.make_recipe(example.parse(options))
        assert recipe.optimization.max_epochs == epochs
    st_gcn = example.make_options(example.parse(['--model', 'st_gcn', '--width', '8']))
    assert st_gcn == {'name': 'st_gcn', 'channels': [8, 8, 16, 16, 32, 32], 'dropout': 0.1}


@pytest.mark.parametrize(
    ('name', 'recipe', 'parameters'),
    [('ctr_gcn', ctr_gcn_recipe('nw_ucla'), 1_426_892), ('agcn', agcn_recipe(), None)],
)
def test_presets_of_other_papers(name, recipe, parameters):
    args = example.parse(['--model', name, '--preset', 'paper', '--root', 'x'])
    assert example.make_recipe(args) == recipe
    model = create_model(skeleton='kinect20', num_classes=10, **example.make_options(args))
    if parameters:
        assert sum(p.numel() for p in model.parameters()) == parameters
    assert example.make_options(args)['channels'] == list(CHANNELS)


def test_published_preprocessing():
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
            assert 'RandomMirror' in repr(train)
            assert 'RandomMirror' not in repr(test)


def test_accuracy_without_copies_of_training_samples(capsys):
    """Test samples whose joints equal those of a training sample are not counted."""

    def sample(value, y, subject):
        data = from_array(torch.full((4, 16, 3), float(value)), 'emotion_gait16', axes='TVC', y=y)
        data.subject = torch.tensor([subject])
        return data

    class Actions(ListDataset):
        num_classes, class_names = 2, ('walk', 'run')

        def official_split(self, protocol):
            return self.index_select([0, 1]), self.index_select([2, 3, 4])

    train = [sample(1, 0, 1), sample(2, 1, 1)]
    test = [sample(2, 1, 2), sample(3, 1, 2), sample(4, 0, 2)]
    logits = torch.tensor([[0.0, 1.0], [0.0, 1.0], [0.0, 1.0]])
    args = Namespace(protocol='subject')
    content = example.outcomes(args, Actions([*train, *test]), {'A': logits})
    assert content['without_copies'] == {'samples': 2, 'accuracy': {'A': 0.5}}
    printed = capsys.readouterr().out
    assert '1 of 3 test samples are copies of training samples' in printed
    assert 'A: 50.0 %' in printed
    other = Actions([*train, sample(5, 1, 2), *test[1:]])
    assert 'without_copies' not in example.outcomes(args, other, {'A': logits})
