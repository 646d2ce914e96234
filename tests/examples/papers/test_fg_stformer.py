import json

import action_recognition
import fg_stformer as example
import pytest
import torch
from PIL import Image

from graphmotion.datasets import SyntheticActions
from graphmotion.inference import Recognizer
from graphmotion.metrics import fuse_streams
from graphmotion.models import create_model

TINY = ['--subjects', '2', '--epochs', '1', '--frames', '16', '--width', '8', '--quiet']


def count_parameters(num_classes, off):
    """Returns the number of parameters of the network without some of its parts."""
    args = example.parse(TINY)
    skeleton = action_recognition.make_dataset(args).skeleton
    options = action_recognition.make_options(args) | dict.fromkeys(off, False)
    model = create_model(skeleton=skeleton, num_classes=num_classes, **options)
    return sum(weight.numel() for weight in model.parameters())


@pytest.fixture(autouse=True)
def undrawn(monkeypatch):
    """Disables the figures, which another test checks."""
    monkeypatch.setattr(action_recognition, 'draw_data', lambda *args: None)


@pytest.fixture(scope='module')
def actions():
    return SyntheticActions(num_subjects=2)


@pytest.mark.slow
def test_streams_are_trained_fused_and_evaluated_again(tmp_path, capsys):
    streams = ['--streams', 'joint', 'bone_motion', '--weights', '2', '1']
    out = ['--out', str(tmp_path)]
    first = example.main([*TINY, *streams, *out])
    assert 'FG-STFormer, fused' in capsys.readouterr().out
    folder = tmp_path / 'fg_stformer'
    saved = [
        torch.load(folder / name / 'predictions.pt', weights_only=True)
        for name in ('joint', 'bone_motion')
    ]
    fused = (2 * saved[0]['logits'] + saved[1]['logits']).argmax(dim=1)
    expected = (fused == saved[0]['target']).float().mean()
    assert first['streams']['fused']['scores']['accuracy'] == pytest.approx(float(expected))
    hits = ''.join(str(int(hit)) for hit in fused == saved[0]['target'])
    assert first['outcomes']['FG-STFormer, fused'] == hits
    assert len(first['outcomes']) == 3
    recognizer = Recognizer.load(folder / 'recognizer.safetensors')
    _, test = SyntheticActions(num_subjects=2).official_split()
    logits = [part['logits'] for part in saved]
    torch.testing.assert_close(recognizer.probabilities(test), fuse_streams(logits, [2, 1]))
    for name in ('confusion', 'joint/focal_joints', 'bone_motion/focal_joints'):
        with Image.open(folder / f'{name}.png') as image:
            assert min(image.size) > 100
    again = example.main([*TINY, *streams, *out, '--evaluate'])
    for name in ('joint', 'bone_motion', 'fused'):
        assert again['streams'][name]['scores'] == first['streams'][name]['scores']


@pytest.mark.slow
def test_models_are_compared_class_by_class(tmp_path):
    options = [*TINY, '--streams', 'joint', '--out', str(tmp_path)]
    example.main([*options, '--model', 'st_gcn', '--protocol', 'cross_view'])
    other = tmp_path / 'st_gcn' / 'results.json'
    results = example.main([*options, '--compare', str(other)])
    assert results['name'] == 'FG-STFormer'
    assert (tmp_path / 'classes.png').exists()


@pytest.mark.parametrize(
    'content',
    ['{', '[1]', '{"name": "a"}', '{"name": "a", "recall": {"wave": 1}}', None],
)
def test_a_malformed_run_to_compare_with_ends_the_run_before_training(
    tmp_path, monkeypatch, actions, content
):
    monkeypatch.setattr(action_recognition, 'make_dataset', lambda args: actions)
    path = tmp_path / 'other.json'
    if content:
        path.write_text(content)
    with pytest.raises(SystemExit, match=r'--compare .*other\.json: must be the results\.json'):
        example.main([*TINY, '--out', str(tmp_path), '--compare', str(path)])


def test_the_recall_is_in_the_order_of_the_classes(tmp_path):
    path = tmp_path / 'other.json'
    path.write_text(json.dumps({'name': 'a', 'recall': {'clap': 0.5, 'wave': 1}}))
    assert example.read_recall(path, ['wave', 'clap']) == ('a', [1.0, 0.5])


@pytest.mark.parametrize(
    ('options', 'reason'),
    [
        (['--streams', 'joint', 'bone', '--weights', '1'], 'got 1 --weights for 2 --streams'),
        (['--streams', 'bone', '--weights', '1'], '--weights is only valid with several --streams'),
        (['--streams', 'bone', '--fusion', 'logits'], '--fusion is only valid with several'),
        (['--ablation'], '--ablation is only valid with one of the --streams'),
        (['--ablation', '--streams', 'bone', '--svm'], '--svm is only valid without --ablation'),
        (
            ['--ablation', '--streams', 'bone', '--model', 'st_gcn'],
            '--ablation is only valid for --model fg_stformer',
        ),
        (['--dataset', 'ntu60', '--root', 'x', '--svm'], '--svm is only valid for one person'),
        (['--root', 'x', '--subjects', '9'], '--subjects is only valid for generated actions'),
    ],
)
def test_options_that_do_not_go_together(refused, options, reason):
    assert reason in refused(example, options)


def test_a_support_vector_machine_knows_the_actions_of_other_subjects():
    train, test = SyntheticActions(num_subjects=4).official_split()
    found = example.classify_by_svm(train, test)
    torch.testing.assert_close(found.exp().sum(dim=1), torch.ones(len(test)).double())
    assert (found.argmax(dim=1) == test.labels()).double().mean() > 0.8


@pytest.mark.slow
def test_the_support_vector_machine_is_fused_with_the_networks(tmp_path):
    options = [*TINY, '--model', 'st_gcn', '--out', str(tmp_path), '--svm']
    results = example.main([*options, '--streams', 'joint'])
    name = 'ST-GCN and SVM on distances'
    assert list(results['outcomes']) == ['ST-GCN, joint', 'SVM on distances', name]
    train, test = SyntheticActions(num_subjects=2).official_split()
    logits = torch.load(tmp_path / 'st_gcn/joint/predictions.pt', weights_only=True)['logits']
    mean = logits.softmax(dim=1) + example.classify_by_svm(train, test).exp()
    hits = mean.argmax(dim=1) == test.labels()
    assert results['outcomes'][name] == ''.join(str(int(hit)) for hit in hits)
    accuracy = results['streams']['with_svm']['scores']['accuracy']
    assert accuracy == pytest.approx(float(hits.double().mean()))


@pytest.mark.slow
def test_the_network_is_compared_with_networks_without_some_of_its_parts(tmp_path, monkeypatch):
    rows = {name: example.ABLATION[name] for name in ('no temporal attention', 'complete')}
    monkeypatch.setattr(example, 'ABLATION', rows)
    options = [*TINY, '--streams', 'bone', '--ablation', '--out', str(tmp_path)]
    results = example.main(options)
    assert list(results['runs']) == list(results['outcomes']) == list(rows)
    for name, off in rows.items():
        path = tmp_path / 'fg_stformer' / name.replace(' ', '_') / 'recognizer.safetensors'
        sizes = count_parameters(13, off), count_parameters(13, ())
        weights = Recognizer.load(path).model.parameters()
        assert sum(weight.numel() for weight in weights) == sizes[0]
        assert (sizes[0] < sizes[1]) == (name != 'complete')
        hits = results['outcomes'][name]
        accuracy = results['runs'][name]['scores']['accuracy']
        assert accuracy == pytest.approx(hits.count('1') / len(hits))


@pytest.mark.slow
def test_the_networks_of_the_ablation_grow_with_their_parts():
    sizes = {name: count_parameters(10, off) for name, off in example.ABLATION.items()}
    assert sizes['all joints'] < sizes['focal joints']  # which have scores
    assert sizes['focal joints'] < sizes['no cross attention'] < sizes['complete']
    assert sizes['no temporal convolution'] < sizes['complete'] > sizes['no temporal attention']


def test_default_weights():
    assert example.parse([]).weights == [0.6, 0.6, 0.4, 0.4]
    assert example.parse(['--streams', 'bone_motion', 'bone']).weights == [0.4, 0.6]
