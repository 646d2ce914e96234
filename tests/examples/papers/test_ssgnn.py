import facial_expression
import pytest
import ssgnn as example
import torch
from PIL import Image

from graphmotion.metrics import classification_scores, fold_summary

SMALL = ['--size', '16', '--epochs', '1', '--quiet']
TINY = ['--subjects', '5', '--takes', '1', *SMALL]
JAFFE = ['--dataset', 'jaffe', '--root', 'x']


@pytest.fixture
def undrawn(monkeypatch):
    """Disables the figures, which another test checks."""
    monkeypatch.setattr(facial_expression, 'draw', lambda *_: None)


def test_contributions(capsys):
    y = torch.zeros(1000, dtype=torch.long)
    rows = {}
    for title, errors in (('SPAGNN', 231), ('SPEGNN', 429), ('SSGNN', 221)):
        scores = classification_scores(y, (torch.arange(1000) < errors).long(), 2)
        rows[title] = fold_summary([scores])
    example.print_rows(rows, 'one run')
    assert 'Contributions: SPAGNN 20.8, SPEGNN 1.0' in capsys.readouterr().out


def write_faces(folder, names):
    for name in names:
        (folder / name).mkdir(parents=True)
        for number in range(6):
            grey = torch.randint(256, (20, 20), dtype=torch.uint8).numpy()
            Image.fromarray(grey).save(folder / name / f'{number}.png')


@pytest.mark.slow
def test_repeats_and_baselines(tmp_path):
    options = ['--svm', '--cnn', '--repeats', '2', '--domain', 'spatial', '--out', str(tmp_path)]
    first = example.main([*TINY, *options])
    assert first['protocol'] == 'split'
    assert list(first['results']) == ['SPAGNN', example.SVM, example.CNN]
    assert first['results']['SPAGNN']['num_folds'] == 2
    for name, row in first['results'].items():
        hits = first['outcomes'][name]
        assert len(hits) == 14  # seven faces with two seeds
        assert hits.count('1') / 14 == pytest.approx(row['pooled']['accuracy'])
    for name in ('confusion_spagnn', 'confusion_pixels'):
        with Image.open(tmp_path / f'{name}.png') as picture:
            assert min(picture.size) > 100


@pytest.mark.slow
@pytest.mark.usefixtures('undrawn')
def test_folds_by_subject_and_at_random(tmp_path, capsys):
    options = ['--folds', '2', '--domain', 'spatial', '--out', str(tmp_path)]
    results = example.main([*TINY, *options])
    found = results['results']
    printed = capsys.readouterr().out
    assert printed.index('folds by subject') < printed.index('LEAK')
    assert list(found) == ['by_subject', 'random']
    for rows in found.values():
        assert rows['SPAGNN']['num_folds'] == 2
        assert sum(map(sum, rows['SPAGNN']['pooled']['confusion'])) == 35
    hits = results['outcomes']['SPAGNN']
    expected = found['by_subject']['SPAGNN']['pooled']['accuracy']
    assert hits.count('1') / 35 == pytest.approx(expected)


@pytest.mark.slow
def test_leave_one_subject_out_on_landmarks(tmp_path):
    options = ['--subjects', '2', '--landmarks', '--leave-one-subject-out', '--fusion', 'learned']
    results = example.main([*TINY, *options, '--out', str(tmp_path)])
    assert results['results']['SSGNN']['num_folds'] == 2
    assert results['parameters']['SSGNN'] == sum(results['parameters'].values()) / 2 + 1


@pytest.mark.slow
@pytest.mark.usefixtures('undrawn')
@pytest.mark.parametrize(
    ('options', 'name', 'values'),
    [
        (['--ratios', '0.5', '1'], 'ratio', ['0.5', '1']),
        (['--sweep-neighbours', '4', '6'], 'neighbours', ['4', '6']),
        (['--sweep-nodes', '0.3', '80'], 'nodes', ['0.3', '80']),
    ],
)
def test_sweeps(tmp_path, capsys, options, name, values):
    results = example.main([*TINY, *options, '--domain', 'spectral', '--out', str(tmp_path)])
    assert results['protocol'] == name
    assert list(results['results']) == values
    for value, rows in results['results'].items():
        hits = results['outcomes'][f'SPEGNN, {name} {value}']
        expected = rows['SPEGNN']['pooled']['accuracy']
        assert hits.count('1') / len(hits) == pytest.approx(expected)
    assert 'a range of' in capsys.readouterr().out
    assert (tmp_path / f'{name}.png').exists()
    assert (tmp_path / f'{name}_loss.png').exists()


@pytest.mark.slow
@pytest.mark.usefixtures('undrawn')
def test_across_datasets_and_mixed(tmp_path, capsys):
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
    assert '56 training, 14 test faces' in capsys.readouterr().out


def test_mixed_datasets_are_split_by_their_own_protocols(tmp_path):
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
@pytest.mark.usefixtures('undrawn')
def test_folds_of_a_mix_whose_subjects_are_partly_known(tmp_path, capsys):
    write_faces(tmp_path / 'data', ['fear', 'surprise'])
    folder = ['--cross', 'folder', '--cross-root', str(tmp_path / 'data'), '--mixed']
    options = ['--folds', '2', '--domain', 'spatial', '--out', str(tmp_path / 'out')]
    with pytest.warns(UserWarning, match='12 of 47 faces are from datasets without subjects'):
        example.main([*TINY, *folder, *options])
    printed = capsys.readouterr().out
    assert 'no known subject is in both training and test' in printed
    assert 'folds may share subjects' in printed


def test_leave_one_out_of_unknown_subjects(tmp_path):
    write_faces(tmp_path / 'data', ['happy', 'sad'])
    folder = ['--dataset', 'folder', '--root', str(tmp_path / 'data'), '--leave-one-subject-out']
    with pytest.raises(ValueError, match='needs a dataset with subjects'):
        example.main([*SMALL, *folder, '--out', str(tmp_path / 'out')])


def test_support_vector_machine_has_no_more_components_than_pixels():
    args = example.parse(['--subjects', '6', '--takes', '2', '--size', '8'])
    train, test = example.make_parts(args, example.make_dataset(args, 'synthetic', None))
    assert len(train) > 64
    assert len(example.classify_by_svm(train, test)) == len(test)


@pytest.mark.slow
@pytest.mark.usefixtures('undrawn')
def test_folders_of_images(tmp_path, capsys):
    write_faces(tmp_path / 'data', ['happy', 'sad'])
    folder = ['--dataset', 'folder', '--root', str(tmp_path / 'data'), '--folds', '2']
    results = example.main([*SMALL, *folder, '--domain', 'spatial', '--out', str(tmp_path / 'out')])
    assert list(results['results']) == ['random']
    assert 'folds may share subjects' in capsys.readouterr().out


@pytest.mark.parametrize(
    ('options', 'reason'),
    [
        (['--cross', 'ck_plus'], '--cross ck_plus needs --cross-root'),
        (['--cross', 'synthetic', '--cross-root', 'x'], 'is generated and takes no --cross-root'),
        (['--cross-root', 'x'], '--cross-root is only valid with --cross'),
        (['--mixed'], '--mixed is only valid with --cross'),
        (['--cross', 'synthetic', '--folds', '3'], 'a protocol of its own'),
        (['--cross', 'synthetic', '--landmarks'], '--landmarks is only valid without --cross'),
        (['--landmarks', '--sweep-nodes', '0.2'], '--sweep-nodes is only valid without --landm'),
        (['--folds', '3', '--leave-one-subject-out'], 'not allowed with'),
        (['--folds', '3', '--repeats', '2'], '--repeats is only valid for a split'),
        (['--leave-one-subject-out', '--repeats', '2'], '--repeats is only valid for a split'),
        (['--cross', 'synthetic', '--svm'], '--svm is only valid for one dataset or with --mixed'),
        ([*JAFFE, '--takes', '6'], '--takes is only valid for generated faces'),
        (['--sweep-nodes', '0.1', '--nodes', '0.4'], '--nodes is only valid without --sweep-nod'),
        (['--sweep-neighbours', '4', '--neighbours', '8'], '--neighbours is only valid without'),
    ],
)
def test_options_that_do_not_go_together(refused, options, reason):
    assert reason in refused(example, options)
