import importlib.util
import json
from pathlib import Path

import pytest
import torch
from PIL import Image

SCRIPT = Path(__file__).parents[2] / 'examples' / 'facial_expression.py'
SMALL = ['--size', '16', '--epochs', '1', '--quiet']
TINY = ['--subjects', '5', '--takes', '1', *SMALL]


@pytest.fixture(scope='module')
def example():
    spec = importlib.util.spec_from_file_location('facial_expression', SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def undrawn(example, monkeypatch):
    monkeypatch.setattr(example, 'draw', lambda *_: None)


@pytest.mark.slow
def test_both_domains_are_trained_fused_and_drawn(example, tmp_path, capsys):
    out = ['--svm', '--repeats', '2', '--out', str(tmp_path)]
    first = example.main([*TINY, *out])
    printed = capsys.readouterr().out
    assert '28 faces to train, 7 to test' in printed
    assert json.loads((tmp_path / 'results.json').read_text()) == json.loads(json.dumps(first))
    assert list(first['results']) == ['SPAGNN', 'SPEGNN', 'SSGNN', example.SVM]
    assert first['results']['SSGNN']['num_folds'] == 2
    sizes = first['parameters']
    assert sizes['SSGNN'] == sizes['SPAGNN'] + sizes['SPEGNN']
    names = ['graph', 'eigenvectors', 'weights', 'confusion_ssgnn', 'confusion_pixels']
    for name in [*names, 'curves_spagnn', 'curves_spegnn']:
        with Image.open(tmp_path / f'{name}.png') as picture:
            assert min(picture.size) > 100
    again = example.main([*TINY, *out])  # continues: nothing is left to train
    assert again['results'] == first['results']


@pytest.mark.slow
def test_fused_predictions_are_the_maximum_of_both_parts(example, tmp_path):
    args = example.parse([*TINY, '--out', str(tmp_path)])
    train, test = example.make_parts(args, example.make_dataset(args, 'synthetic', None))
    assert not set(train.labels('subject').tolist()) & set(test.labels('subject').tolist())
    run = example.run(args, train, test, tmp_path, 0)
    views = torch.zeros(len(test), 7)
    for view in run.transforms:
        x = view(test.get_batch(range(len(test)))).x
        with torch.no_grad():
            parts = [run.models[name](x).softmax(dim=1) for name in ('SPAGNN', 'SPEGNN')]
        fused = torch.maximum(*parts)
        views += fused / fused.sum(dim=1, keepdim=True)
    expected = (views.argmax(dim=1) == test.labels()).float().mean()
    assert run.scores['SSGNN'].accuracy == pytest.approx(float(expected))
    image = test.get_batch(range(len(test)))
    as_is, mirrored = (view(image.clone()).x.view(len(test), -1) for view in run.transforms)
    assert not torch.equal(as_is, mirrored)


@pytest.mark.slow
def test_folds_by_subject_and_at_random(example, undrawn, tmp_path, capsys):
    options = ['--folds', '2', '--domain', 'spatial', '--out', str(tmp_path)]
    found = example.main([*TINY, *options])['results']
    printed = capsys.readouterr().out
    assert printed.index('subject-disjoint') < printed.index('LEAK')
    assert list(found) == ['by_subject', 'random']
    for rows in found.values():
        assert rows['SPAGNN']['num_folds'] == 2
        assert sum(map(sum, rows['SPAGNN']['pooled']['confusion'])) == 35


@pytest.mark.slow
def test_leave_one_subject_out_on_landmarks(example, tmp_path):
    options = ['--subjects', '2', '--landmarks', '--leave-one-subject-out', '--fusion', 'learned']
    results = example.main([*TINY, *options, '--out', str(tmp_path)])
    assert results['results']['SSGNN']['num_folds'] == 2
    assert results['parameters']['SSGNN'] == sum(results['parameters'].values()) / 2 + 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ('options', 'name', 'values'),
    [
        (['--ratios', '0.5', '1'], 'ratio', ['0.5', '1']),
        (['--sweep-neighbours', '4', '6'], 'neighbours', ['4', '6']),
        (['--sweep-nodes', '0.3', '80'], 'nodes', ['0.3', '80']),
    ],
)
def test_sweeps(example, undrawn, tmp_path, capsys, options, name, values):
    results = example.main([*TINY, *options, '--domain', 'spectral', '--out', str(tmp_path)])
    assert results['protocol'] == name
    assert list(results['results']) == values
    assert 'points apart' in capsys.readouterr().out
    assert (tmp_path / f'{name}.png').exists()


@pytest.mark.slow
def test_across_datasets_and_mixed(example, undrawn, tmp_path, capsys):
    cross = ['--cross', 'synthetic_varied', '--out', str(tmp_path)]
    results = example.main([*TINY, *cross])
    found = results['results']
    assert found['names'] == ['synthetic', 'synthetic_varied']
    for title in ('SPAGNN', 'SPEGNN', 'SSGNN'):
        values = torch.tensor(found['accuracy'][title])
        assert values.shape == (2, 2)
        assert (tmp_path / f'cross_{title.lower()}.png').exists()
    mixed = ['--mixed', '--domain', 'spatial', '--fresh']
    example.main([*TINY, *cross, *mixed])
    assert '56 faces to train, 14 to test' in capsys.readouterr().out


def test_mixed_sets_are_split_by_their_own_protocols(example, tmp_path):
    write_faces(tmp_path, [f'{p}/{c}' for p in ('train', 'test') for c in ('fear', 'surprise')])
    folder = ['--root', str(tmp_path), '--parts', 'train', 'test', '--subject', r'(\d)\.']
    args = example.parse([*TINY, '--dataset', 'folder', *folder, '--cross', 'synthetic', '--mixed'])
    parts = [
        example.make_dataset(args, 'folder', args.root),
        example.make_dataset(args, 'synthetic', None),
    ]
    train, test = example.make_mixed_parts(args, parts)
    given = parts[0].official_split()
    for mixed, own in zip((train, test), given):
        assert mixed.class_names == ('fear', 'surprise')
        first = mixed.index_select(mixed.labels('source') == 0)
        images = [dataset.get_batch(range(len(dataset))).image for dataset in (first, own)]
        assert torch.equal(*images)
    assert given[0].labels('subject').tolist() == [0, 1, 2, 3, 4, 5] * 2


@pytest.mark.slow
def test_folds_of_a_mix_whose_people_are_partly_known(example, undrawn, tmp_path, capsys):
    write_faces(tmp_path / 'data', ['fear', 'surprise'])
    folder = ['--cross', 'folder', '--cross-root', str(tmp_path / 'data'), '--mixed']
    options = ['--folds', '2', '--domain', 'spatial', '--out', str(tmp_path / 'out')]
    with pytest.warns(UserWarning, match='12 of 47 faces are of sets without subjects'):
        example.main([*TINY, *folder, *options])
    printed = capsys.readouterr().out
    assert 'nobody who is known is in training and in test' in printed
    assert 'these folds may share people' in printed


def test_leaving_out_subjects_that_are_not_known(example, tmp_path):
    write_faces(tmp_path / 'data', ['happy', 'sad'])
    folder = ['--dataset', 'folder', '--root', str(tmp_path / 'data'), '--leave-one-subject-out']
    with pytest.raises(ValueError, match='who is on which image is not known'):
        example.main([*SMALL, *folder, '--out', str(tmp_path / 'out')])


def test_the_machine_has_no_more_components_than_pixels(example):
    args = example.parse(['--subjects', '6', '--takes', '2', '--size', '8'])
    train, test = example.make_parts(args, example.make_dataset(args, 'synthetic', None))
    assert len(train) > 64
    assert len(example.score_svm(train, test).confusion) == 7


def write_faces(folder, names):
    for name in names:
        (folder / name).mkdir(parents=True)
        for number in range(6):
            grey = torch.randint(256, (20, 20), dtype=torch.uint8).numpy()
            Image.fromarray(grey).save(folder / name / f'{number}.png')


@pytest.mark.slow
def test_folders_of_images(example, undrawn, tmp_path, capsys):
    write_faces(tmp_path / 'data', ['happy', 'sad'])
    folder = ['--dataset', 'folder', '--root', str(tmp_path / 'data'), '--folds', '2']
    results = example.main([*SMALL, *folder, '--domain', 'spatial', '--out', str(tmp_path / 'out')])
    assert list(results['results']) == ['random']
    assert 'these folds may share people' in capsys.readouterr().out


def test_the_preset_of_the_paper(example):
    args = example.parse(['--preset', 'paper', '--size', '20'])
    graph = example.make_graph(args, example.make_dataset(
        example.parse(['--subjects', '1', '--takes', '1', '--size', '20']), 'synthetic', None
    ))  # fmt: skip
    assert graph.num_nodes == 160
    assert graph.eigenvectors.shape == (160, 160)
    assert example.make_options(args, 'spectral') == example.make_options(args, 'spatial') == {}
    recipe = example.make_recipe(args, 'spatial')
    optimization = recipe.optimization
    assert (optimization.lr, optimization.max_epochs, recipe.batch_size) == (1e-3, 100, 32)
    _, views, channels = example.make_transforms(args, graph)
    assert (len(views), channels) == (1, 1)


@pytest.mark.parametrize(
    ('options', 'reason'),
    [
        (['--dataset', 'jaffe'], 'jaffe needs a --root'),
        (['--root', 'x'], 'synthetic takes no --root'),
        (['--cross', 'ck_plus'], 'ck_plus needs a --cross-root'),
        (['--cross-root', 'x'], '--cross-root goes with --cross'),
        (['--mixed'], '--mixed goes with --cross'),
        (['--cross', 'synthetic', '--folds', '3'], 'a protocol of its own'),
        (['--landmarks', '--sweep-nodes', '0.2'], '--sweep-nodes goes with pixels'),
        (['--landmarks', '--dataset', 'jaffe', '--root', 'x'], '--landmarks goes with'),
        (['--folds', '3', '--leave-one-subject-out'], 'not allowed with'),
        (['--folds', '3', '--repeats', '2'], '--repeats goes with a split'),
        (['--leave-one-subject-out', '--repeats', '2'], '--repeats goes with a split'),
        (['--cross', 'synthetic', '--svm'], '--svm goes with one dataset'),
        (['--parts', 'train', 'test'], '--parts goes with --dataset folder'),
        (['--subject', r'(\w+)_'], '--subject goes with --dataset folder'),
        (['--dataset', 'jaffe', '--root', 'x', '--subjects', '9'], '--subjects goes with gen'),
        (['--dataset', 'jaffe', '--root', 'x', '--takes', '6'], '--takes goes with generated'),
        (['--landmarks', '--nodes', '0.4'], '--nodes goes with pixels, without --landmarks'),
        (['--sweep-nodes', '0.1', '--nodes', '0.4'], '--nodes goes with pixels, without'),
        (['--sweep-neighbours', '4', '--neighbours', '8'], '--neighbours goes with one number'),
        (['--domain', 'spatial', '--fusion', 'mean'], '--fusion goes with --domain both'),
    ],
)
def test_options_that_do_not_go_together(example, capsys, options, reason):
    with pytest.raises(SystemExit):
        example.parse(options)
    assert reason in capsys.readouterr().err
