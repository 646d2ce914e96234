import json

import lmgcs as example
import pytest
import silhouette_gait
import torch
from PIL import Image
from shared import recognition
from shared.lmgcs_presets import PRESETS

BUDGET = ['--epochs', '1', '--batches', '2', '--quiet']
LOCAL = ['--subjects', '4', '--views', '0', '90', '--frames', '4', '--shrink', '4', *BUDGET]
TINY = [*LOCAL, '--global-epochs', '1']

# As they may after a few steps of training.
pytestmark = pytest.mark.filterwarnings('ignore:.*embeddings of the gallery have collapsed')


@pytest.fixture
def undrawn(monkeypatch):
    """Disables the figures, which another test checks."""
    monkeypatch.setattr(recognition, 'draw_embeddings', lambda *args: None)
    for name in ('plot_training_curves', 'plot_retrieval', 'plot_cmc', 'plot_rank_by_view'):
        monkeypatch.setattr(recognition.vis, name, lambda *args, **options: None)


@pytest.mark.slow
@pytest.mark.usefixtures('undrawn')
def test_single_network_has_the_given_modules(tmp_path):
    options = ['--windows', '1', '3', '--feature-dim', '16', '--out', str(tmp_path)]
    results = example.main([*TINY, *options])
    assert list(results['scores']) == ['silhouettes', 'PCA + LDA', 'LMGCS']
    saved = torch.load(tmp_path / 'lmgcs' / 'embedding.pt', weights_only=True)['embedding']
    assert saved.shape[1:] == (2 * 4, 16)


@pytest.mark.slow
@pytest.mark.usefixtures('undrawn')
def test_ablation_has_the_rows_of_the_paper(tmp_path, capsys):
    results = example.main([*TINY, '--ablation', '--out', str(tmp_path)])
    sizes = {title: run['parameters'] for title, run in results['runs'].items()}
    assert list(sizes) == [
        'baseline', 'local', 'local, fusion', 'local, attention', 'local, fusion, attention',
    ]  # fmt: skip
    assert sizes['baseline'] < sizes['local'] == sizes['local, fusion'] < sizes['local, attention']
    assert sizes['local, attention'] == sizes['local, fusion, attention']
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith('| local')]
    assert len(rows) == 4
    means = [s['figures']['rank-1'] for s in results['scores'].values()]
    assert [row.split()[-2] for row in rows] == [f'{100 * m:.1f}' for m in means[1:]]


@pytest.mark.slow
@pytest.mark.usefixtures('undrawn')
def test_sizes_and_losses_are_compared(tmp_path):
    options = [*LOCAL, '--baseline', '--out', str(tmp_path)]
    results = example.main([*options, '--sweep-dimension', '4', '8', '--joint'])
    small, large = (run['parameters'] for run in results['runs'].values())
    assert large - small == 4 * 64 * 4  # 4 strips with 64 features each
    with Image.open(tmp_path / 'dimension.png') as image:
        assert min(image.size) > 100
    results = example.main([*options, '--compare-losses'])
    assert list(results['runs']) == ['cross-entropy', 'triplet', 'both']
    history = {
        title: json.loads((tmp_path / folder / 'local' / 'history.json').read_text())[-1]
        for title, folder in zip(results['runs'], ('cross_entropy', 'triplet', 'both'))
    }
    terms = {
        t: {k for k in h if k.startswith(('train_tri', 'train_cr'))} for t, h in history.items()
    }
    assert terms['cross-entropy'] == {'train_cross_entropy'}
    assert terms['triplet'] == {'train_triplet_local'}
    assert terms['both'] == terms['cross-entropy'] | terms['triplet']


@pytest.mark.parametrize(
    ('options', 'reason'),
    [
        (['--ablation', '--compare-losses'], 'not allowed with argument'),
        (['--ablation', '--baseline'], '--baseline is only valid without --ablation'),
        (['--ablation', '--no-decoder'], '--no-decoder is only valid without --ablation'),
        (['--ablation', '--fusion', 'none'], '--fusion none is only valid without --ablation'),
        (['--ablation', '--windows'], '--windows without a number is only valid without --abl'),
        (['--blocks', '1', '1', '--no-decoder'], '--blocks is only valid without --no-decoder'),
        (['--baseline', '--windows', '1'], '--windows is only valid without --baseline'),
        (['--baseline', '--fusion', 'sum'], '--fusion is only valid with several --windows'),
        (['--sweep-dimension', '4', '--feature-dim', '8'], '--feature-dim is only valid without'),
        (['--fusion', 'none', '--reverse'], '--reverse is only valid with --fusion sum of several'),
        (['--fusion', 'attention', '--reverse'], '--reverse is only valid with --fusion sum'),
        (['--windows', '3', '--reverse'], '--reverse is only valid with --fusion sum of several'),
        (['--baseline', '--reverse'], '--reverse is only valid with --fusion sum of several'),
        (['--windows', '3', '--fusion', 'sum'], '--fusion is only valid with several --windows'),
        (['--windows', '--fusion', 'attention'], '--fusion is only valid with several --windows'),
        (['--baseline', '--no-decoder'], '--no-decoder is only valid without --baseline'),
        (['--baseline', '--global-epochs', '3'], '--global-epochs is only valid without'),
        (['--no-decoder', '--global-epochs', '3'], '--global-epochs is only valid without'),
    ],
)
def test_options_that_do_not_go_together(refused, options, reason):
    assert reason in refused(example, options)


@pytest.mark.parametrize(
    'options',
    [
        ['--reverse'],
        ['--ablation', '--reverse', '--windows', '1', '3'],
        ['--no-decoder', '--fusion', 'attention'],
        ['--baseline', '--joint'],
        ['--root', 'x', '--dataset', 'casia_b', '--protocol', 'ST', '--frames', '30'],
        ['--evaluate', '--epochs', '3', '--batches', '2'],
    ],
)
def test_options_that_go_together(options):
    example.parse(options)


def test_module_options():
    assert example.module_options(example.parse([])) == {'reverse': False}
    off = example.module_options(example.parse(['--windows', '--no-decoder']))
    assert off == {'reverse': False} | example.OFF
    assert example.module_options(example.parse(['--baseline'])) == off
    given = ['--windows', '1', '3', '--fusion', 'none', '--blocks', '2', '1', '--feature-dim', '8']
    assert example.module_options(example.parse([*given, '--frame-kernel', '3'])) == {
        'reverse': False,
        'window_sizes': (1, 3),
        'fusion': None,
        'num_blocks': (2, 1),
        'feature_dim': 8,
        'frame_kernel': 3,
    }


def test_modules_can_be_changed_in_every_preset():
    for (_, name), preset in PRESETS.items():
        if name == 'cpu':
            options = preset.options | {'bins': (8,)} | example.OFF
            assert not silhouette_gait.create_model(**options).global_modules
