import pytest
import ucalgary as example

from tests.datasets.test_ucalgary_gait import name, write

ROOT = ['--root', 'x']
CONDITION = [*ROOT, '--task', 'condition']

# As they may after a few steps of training.
pytestmark = pytest.mark.filterwarnings('ignore:.*embeddings of the gallery have collapsed')


@pytest.mark.slow
def test_identity_and_condition(tmp_path, capsys):
    runs = [(subject, run) for subject in (1, 2, 3, 4) for run in range(1, 7)]
    write(tmp_path / 'data', runs)
    raw = tmp_path / 'data' / 'raw'
    copied = raw / 'sub1' / 'Run2' / name(1, 2)
    (raw / name(5, 2)).write_text(copied.read_text())
    options = ['--root', str(tmp_path / 'data'), '--epochs', '1', '--quiet']
    results = example.main(
        [*options, '--models', 'st_gcn', '--one-height', '--out', str(tmp_path / 'a')]
    )
    printed = capsys.readouterr().out
    assert '1 of 25 walks are copies of others and are not used' in printed
    assert 'UCalgaryGait(24), odd to even takes: 12 training, 24 test walks' in printed
    assert results['scores']['ST-GCN']['ranks'] == [1, 5, 10, 20]
    accuracy = results['scores']['SVM on bone lengths']['figures']['rank-1']
    assert 0 <= accuracy <= 1
    assert f'SVM on bone lengths: {100 * accuracy:.1f} rank-1' in printed
    results = example.main(
        [*options, '--task', 'condition', '--folds', '2', '--out', str(tmp_path / 'b')]
    )
    assert 0 <= results['condition']['mean']['accuracy'] <= 1
    hits = results['outcomes']['ST-GCN']
    expected = results['condition']['pooled']['accuracy']
    assert hits.count('1') / len(hits) == pytest.approx(expected)
    assert (tmp_path / 'b' / 'condition' / 'confusion.png').exists()


@pytest.mark.parametrize(
    ('options', 'reason'),
    [
        ([], 'the following arguments are required: --root'),
        ([*CONDITION, '--models', 'st_gcn'], '--models is only valid for --task identity'),
        ([*CONDITION, '--embedding', '64'], '--embedding is only valid for --task identity'),
        ([*CONDITION, '--distance', 'cosine'], '--distance is only valid for --task identity'),
        ([*CONDITION, '--crops', '3'], '--crops is only valid for --task identity'),
        (
            [*CONDITION, '--joint-pooling', 'mean'],
            '--joint-pooling is only valid for --task identity',
        ),
        ([*CONDITION, '--lr', '0.1'], '--lr is only valid for --task identity'),
        ([*CONDITION, '--evaluate'], '--evaluate is only valid for --task identity'),
        ([*CONDITION, '--one-height'], '--one-height is only valid for --task identity'),
        ([*ROOT, '--folds', '5'], '--folds is only valid for --task condition'),
        ([*ROOT, '--frames', '30'], 'need --frames 31 or more, got 30'),
    ],
)
def test_options_that_do_not_go_together(refused, options, reason):
    assert reason in refused(example, options)


def test_frames():
    assert example.parse(ROOT).frames == 60
    assert example.parse(CONDITION).frames == 48
