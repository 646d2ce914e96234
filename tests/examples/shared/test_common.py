import argparse
import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from shared import common
from torch_geometric.data import Data

from graphmotion.datasets import FaceFolder, SyntheticActions
from graphmotion.training import ClassificationRecipe


@pytest.fixture
def parser():
    parser = argparse.ArgumentParser()
    parser.add_argument('--num-steps', type=int, default=3)
    parser.add_argument('--fast', action='store_true')
    return parser


def test_unused_option_is_refused_even_with_its_default_value(parser, capsys):
    for argv in (['--num-steps', '3'], ['--num-steps=3'], ['--num', '3']):
        with pytest.raises(SystemExit):
            common.refuse_unused(parser, argv, [('--num-steps', False, 'with stairs')])
        assert '--num-steps is only valid with stairs' in capsys.readouterr().err


def test_options_that_are_used_or_not_given_pass(parser):
    rules = [('--num-steps', False, 'with stairs'), ('--fast', True, 'x')]
    common.refuse_unused(parser, ['--fast'], rules)
    common.refuse_unused(parser, [], [('--fast', False, 'with stairs')])


def test_parser_may_have_required_options(parser, capsys):
    parser.add_argument('--root', required=True)
    common.refuse_unused(parser, ['--root', 'x'], [('--fast', False, 'with stairs')])
    with pytest.raises(SystemExit):
        common.refuse_unused(parser, ['--root', 'x', '--fast'], [('--fast', False, 'for stairs')])
    assert '--fast is only valid for stairs' in capsys.readouterr().err


def test_root_is_for_datasets_with_files(parser, capsys):
    common.check_root(parser, 'synthetic', None, generated=True)
    common.check_root(parser, 'jaffe', 'x', generated=False)
    for root, generated, reason in (
        ('x', True, '--cross jaffe is generated and takes no --cross-root'),
        (None, False, '--cross jaffe needs --cross-root'),
    ):
        with pytest.raises(SystemExit):
            common.check_root(parser, 'jaffe', root, generated, ('--cross', '--cross-root'))
        assert reason in capsys.readouterr().err


def test_training_options():
    parser = common.make_parser('text')
    common.add_training_options(parser, 'results/x')
    args = parser.parse_args(['--fresh', '--quiet'])
    assert args.out == Path('results/x')
    assert common.fit_options(args) == {
        'resume': False, 'enable_progress_bar': False, 'precision': '32-true', 'devices': 'auto'
    }  # fmt: skip
    with pytest.raises(SystemExit):
        parser.parse_args(['--evaluate'])


def test_given_options_override_the_preset():
    args = argparse.Namespace(frames=None, skip=0)
    common.fill_from_preset(args, argparse.Namespace(frames=8, skip=3), ('frames', 'skip'))
    assert vars(args) == {'frames': 8, 'skip': 0}


def test_results_hold_command_arguments_and_recipes(tmp_path, monkeypatch):
    monkeypatch.setattr('sys.argv', ['examples/x.py', '--title', 'two words'])
    args = argparse.Namespace(out=tmp_path, seed=3)
    results = common.save_results(args, {'recipe': ClassificationRecipe(), 'shape': (1, 2)})
    assert results == json.loads((tmp_path / 'results.json').read_text())
    assert results['command'] == "python examples/x.py --title 'two words'"
    assert results['arguments'] == {'out': str(tmp_path), 'seed': 3}
    assert results['recipe']['batch_size'] == 16
    assert results['recipe']['optimization']['max_epochs'] > 0
    assert results['shape'] == [1, 2]
    assert results['environment']['threads'] == torch.get_num_threads()


def test_results_hold_the_environment_of_the_start(tmp_path, monkeypatch):
    args = argparse.Namespace(out=tmp_path, seed=3)
    monkeypatch.setattr(common, 'describe_environment', lambda: {'commit': 'first'})
    common.start(args)
    monkeypatch.setattr(common, 'describe_environment', lambda: {'commit': 'second'})
    results = common.save_results(args, {})
    assert results['environment'] == {'commit': 'first'}
    assert results['arguments'] == {'out': str(tmp_path), 'seed': 3}


def test_first_sample_of_each_class():
    dataset = SyntheticActions(num_subjects=2, num_takes=1, actions=('wave', 'clap'), views=None)
    shown = common.one_per_class(dataset)
    assert list(shown) == ['wave', 'clap']
    for number, data in enumerate(shown.values()):
        assert isinstance(data, Data)
        first = int((dataset.labels() == number).nonzero()[0])
        assert torch.equal(data.pos, dataset[first].pos)
    assert common.describe(dataset) == 'SyntheticActions(4): wave 2, clap 2'
    assert common.one_per_class(dataset.index_select([3])).keys() == {'clap'}


def test_titles_as_file_names():
    assert common.slug('MSA-GCN, one scale') == 'msa_gcn_one_scale'


def test_outcomes_of_folds():
    dataset = SyntheticActions(num_subjects=4, num_frames=8)
    tests = [test for _, test in dataset.folds(2, by='subject')]
    predicted = [torch.randint(dataset.num_classes, (len(test),)) for test in tests]
    found = common.fold_outcomes(tests, {'net': predicted}, 'two folds')
    expected = [
        str(int(c == data.y)) for test, p in zip(tests, predicted) for c, data in zip(p, test)
    ]
    assert found['outcomes'] == {'net': ''.join(expected)}
    assert found['data']['groups'] == [int(data.subject) for test in tests for data in test]
    other = common.fold_outcomes(tests[::-1], {'net': predicted[::-1]}, 'two folds')
    assert other['data']['fingerprint'] != found['data']['fingerprint']
    one = common.class_outcomes(tests[0], {'net': predicted[0]}, 'one')
    assert one['data']['fingerprint'] == tests[0].fingerprint()


def test_groups_of_unknown_subjects(tmp_path):
    (tmp_path / 'raw' / 'happy').mkdir(parents=True)
    for number in range(3):
        Image.new('L', (8, 8), number).save(tmp_path / 'raw' / 'happy' / f'{number}.png')
    dataset = FaceFolder(tmp_path, size=8)
    predicted = dataset.labels()
    one = common.class_outcomes(dataset, {'net': predicted}, 'one run')
    assert one['data']['groups'] is None
    # The predictions of two seeds for a sample are not independent.
    two = common.fold_outcomes([dataset] * 2, {'net': [predicted] * 2}, 'two seeds')
    assert two['data']['groups'] == [0, 1, 2, 0, 1, 2]
