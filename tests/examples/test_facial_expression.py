import json
from types import SimpleNamespace

import facial_expression as example
import pytest
import torch
from PIL import Image

from graphmotion.inference import Recognizer

SMALL = ['--size', '16', '--epochs', '1', '--quiet']
TINY = ['--subjects', '5', '--takes', '1', *SMALL]
JAFFE = ['--dataset', 'jaffe', '--root', 'x']


@pytest.mark.slow
def test_both_domains_are_trained_fused_and_drawn(tmp_path, capsys):
    first = example.main([*TINY, '--out', str(tmp_path)])
    printed = capsys.readouterr().out
    assert '28 training, 7 test faces' in printed
    assert json.loads((tmp_path / 'results.json').read_text()) == first
    assert list(first['scores']) == ['SPAGNN', 'SPEGNN', 'SSGNN']
    sizes = first['parameters']
    assert sizes['SSGNN'] == sizes['SPAGNN'] + sizes['SPEGNN']
    args = example.parse([*TINY, '--out', str(tmp_path)])
    _, test = example.make_parts(args, example.make_dataset(args, 'synthetic', None))
    for title, scores in first['scores'].items():
        path = tmp_path / title.lower() / 'recognizer.safetensors'
        recognizer = Recognizer.load(path)
        correct = recognizer.probabilities(test).argmax(dim=1) == test.labels()
        assert float(correct.float().mean()) == pytest.approx(scores['accuracy'])
        assert first['outcomes'][title] == ''.join(str(int(hit)) for hit in correct)
    assert f"Recognizer.load('{path}')" in printed
    (answer,) = recognizer(test[0].image[0].numpy())
    assert answer.probabilities == recognizer(test[:1])[0].probabilities
    names = ['graph', 'eigenvectors', 'weights', 'confusion_ssgnn']
    for name in [*names, 'curves_spagnn', 'curves_spegnn']:
        with Image.open(tmp_path / f'{name}.png') as picture:
            assert min(picture.size) > 100
    again = example.main([*TINY, '--out', str(tmp_path)])  # resumes: nothing is left to train
    assert again['scores'] == first['scores']


@pytest.mark.slow
def test_fused_predictions_are_the_maximum_of_both_parts(tmp_path):
    args = example.parse([*TINY, '--fusion', 'maximum', '--out', str(tmp_path)])
    train, test = example.make_parts(args, example.make_dataset(args, 'synthetic', None))
    assert not set(train.labels('subject').tolist()) & set(test.labels('subject').tolist())
    run = example.run(args, train, test, tmp_path, 0)
    views = torch.zeros(len(test), 7)
    for view in run.views:
        x = view(test.get_batch(range(len(test)))).x
        with torch.no_grad():
            parts = [run.models[name](x).softmax(dim=1) for name in ('SPAGNN', 'SPEGNN')]
        fused = torch.maximum(*parts)
        views += fused / fused.sum(dim=1, keepdim=True)
    expected = (views.argmax(dim=1) == test.labels()).float().mean()
    assert run.scores['SSGNN'].accuracy == pytest.approx(float(expected))
    image = test.get_batch(range(len(test)))
    as_is, mirrored = (view(image.clone()).x.view(len(test), -1) for view in run.views)
    assert not torch.equal(as_is, mirrored)


@pytest.mark.slow
def test_landmarks_and_learned_fusion(tmp_path, monkeypatch):
    monkeypatch.setattr(example, 'draw', lambda *_: None)
    options = ['--landmarks', '--fusion', 'learned', '--out', str(tmp_path)]
    results = example.main([*TINY, *options])
    sizes = results['parameters']
    assert sizes['SSGNN'] == sizes['SPAGNN'] + sizes['SPEGNN'] + 2  # a weight for each part
    assert 'num_directions' not in results['options']['SPAGNN']


def test_preset_of_the_paper():
    args = example.parse(['--preset', 'paper', '--size', '20'])
    graph = example.make_graph(args, example.make_dataset(
        example.parse(['--subjects', '1', '--takes', '1', '--size', '20']), 'synthetic', None
    ))  # fmt: skip
    assert graph.num_nodes == 160
    assert graph.eigenvectors.shape == (160, 160)
    assert example.make_options(args, 'spectral') == example.make_options(args, 'spatial') == {}
    recipe = example.make_recipe(args, 'spatial', range(64))
    optimization = recipe.optimization
    assert (optimization.lr, optimization.max_epochs, recipe.batch_size) == (1e-3, 100, 32)
    assert (args.fusion, args.nodes) == ('maximum', 0.4)
    _, views, channels = example.make_transforms(args, graph)
    assert (len(views), channels) == (1, 1)


def test_colour_and_landmarks_from_files(tmp_path):
    points = '\n'.join(f'{column} 7' for column in range(68))
    for name in ('happy/1', 'happy/2', 'sad/1', 'sad/2'):
        path = tmp_path / f'{name}.png'
        path.parent.mkdir(exist_ok=True)
        pixels = torch.randint(256, (72, 72, 3), dtype=torch.uint8).numpy()
        Image.fromarray(pixels).save(path)
        path.with_suffix('.txt').write_text(points)
    folder = ['--dataset', 'folder', '--root', str(tmp_path), '--size', '72']
    for options, num_nodes, num_channels in (
        (['--color', '--nodes', '100'], 100, 3),
        (['--landmarks'], 68, 10),
        (['--color', '--landmarks'], 68, 10),
    ):
        args = example.parse([*folder, *options])
        dataset = example.make_dataset(args, 'folder', str(tmp_path))
        graph = example.make_graph(args, dataset)
        transform, views, channels = example.make_transforms(args, graph)
        assert channels == num_channels
        for each in (transform, *views):
            batch = each(dataset.get_batch([0, 3]))
            assert batch.x.shape == (2 * num_nodes, num_channels)
        model = example.spagnn(graph, 2, channels, **example.make_options(args, 'spatial'))
        assert model(batch.x).shape == (2, 2)


def test_network_of_fer2013():
    """The preset fits a graph of 48 x 48 pixels."""
    args = example.parse(['--dataset', 'fer2013', '--root', 'x', '--nodes', '150'])
    assert example.parse(['--dataset', 'fer2013', '--root', 'x']).nodes == 1.0
    faces = SimpleNamespace(size=(48, 48))
    graph = example.make_graph(args, faces)
    for domain, build in example.BUILDERS.items():
        channels = example.make_transforms(args, graph)[2]
        model = build(graph, 7, channels, **example.make_options(args, domain))
        assert model(torch.rand(300, 25)).shape == (2, 7)


def test_cpu_presets():
    for options, num_samples, epochs in (
        ([], 1600, (24, 20)),
        ([], 170, (167, 167)),  # 1,000 steps of six batches an epoch
        (['--dataset', 'fer2013', '--root', 'x'], 170, (30, 30)),
        (['--epochs', '3'], 170, (3, 3)),
    ):
        args = example.parse(options)
        faces = range(num_samples)
        recipes = [example.make_recipe(args, domain, faces) for domain in ('spatial', 'spectral')]
        assert tuple(r.optimization.max_epochs for r in recipes) == epochs
        assert args.fusion == 'mean'


@pytest.mark.parametrize(
    ('options', 'reason'),
    [
        (['--dataset', 'jaffe'], 'jaffe needs --root'),
        (['--root', 'x'], 'synthetic is generated and takes no --root'),
        ([*JAFFE, '--landmarks'], '--landmarks is only valid for generated faces and --dataset'),
        ([*JAFFE, '--color'], '--color is only valid for --dataset folder or ck_plus'),
        ([*JAFFE, '--subjects', '9'], '--subjects is only valid for generated faces'),
        ([*JAFFE, '--takes', '6'], '--takes is only valid for generated faces'),
        (['--parts', 'train', 'test'], '--parts is only valid for --dataset folder'),
        (['--subject', r'(\w+)_'], '--subject is only valid for --dataset folder'),
        (['--landmarks', '--nodes', '0.4'], '--nodes is only valid without --landmarks'),
        (['--domain', 'spatial', '--fusion', 'mean'], '--fusion is only valid for --domain both'),
    ],
)
def test_options_that_do_not_go_together(refused, options, reason):
    assert reason in refused(example, options)
