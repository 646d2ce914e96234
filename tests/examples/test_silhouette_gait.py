import importlib.util
import json
import math
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch_geometric.data import Data

from graphmotion.metrics import USF, gallery_probe, match_sequences

SCRIPT = Path(__file__).parents[2] / 'examples' / 'silhouette_gait.py'
BUDGET = ['--epochs', '1', '--batches', '2', '--quiet']
LOCAL = ['--subjects', '4', '--views', '0', '90', '--frames', '4', '--shrink', '4', *BUDGET]
TINY = [*LOCAL, '--global-epochs', '1']
REAL = ['--root', 'x', '--dataset']

# As they may after a few steps of training.
pytestmark = pytest.mark.filterwarnings('ignore:.*embeddings of the gallery have collapsed')


@pytest.fixture(scope='module')
def example():
    spec = importlib.util.spec_from_file_location('silhouette_gait', SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def undrawn(example, monkeypatch):
    """Without the figures that another test looks at."""
    for name in ('draw', 'plot_training_curves'):
        monkeypatch.setattr(example, name, lambda *args, **options: None)


def pictures(folder, *names):
    for name in names:
        with Image.open(folder / f'{name}.png') as image:
            assert min(image.size) > 100


@pytest.mark.slow
def test_a_network_is_trained_in_two_stages_and_evaluated_again(
    example, tmp_path, capsys, monkeypatch
):
    first = example.main([*TINY, '--windows', '1', '3', '--out', str(tmp_path)])
    printed = capsys.readouterr().out
    for line in ('silhouettes', 'PCA + LDA', 'LMGCS', '| CL '):
        assert line in printed
    written = json.loads((tmp_path / 'results.json').read_text())
    assert written == json.loads(json.dumps(first | {'arguments': written['arguments']}))
    assert first['runs']['LMGCS']['recipe']['subjects_per_batch'] == 2
    assert list(first['scores']) == ['silhouettes', 'PCA + LDA', 'LMGCS']
    assert first['scores']['LMGCS']['probe_views'] == [0, 90]
    pictures(tmp_path, 'embedding', 'views', 'cmc', 'retrieval')
    pictures(tmp_path / 'LMGCS', 'local_curves', 'global_curves')
    saved = torch.load(tmp_path / 'LMGCS' / 'embedding.pt', weights_only=True)['embedding']
    assert saved.shape[1:] == (2 * 4, 32)
    monkeypatch.setattr(example, 'draw', lambda *args: None)
    again = example.main([*TINY, '--windows', '1', '3', '--out', str(tmp_path), '--evaluate'])
    assert again['scores'] == first['scores']


@pytest.mark.slow
@pytest.mark.usefixtures('undrawn')
def test_ablation_has_the_rows_of_the_paper(example, tmp_path, capsys):
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
    assert [row.split(' | ')[-1] for row in rows] == [f'{100 * m:.1f} |' for m in means[1:]]


@pytest.mark.slow
@pytest.mark.usefixtures('undrawn')
def test_sizes_and_losses_are_compared(example, tmp_path):
    options = [*LOCAL, '--baseline', '--out', str(tmp_path)]
    results = example.main([*options, '--sweep-dimension', '4', '8', '--joint'])
    small, large = (run['parameters'] for run in results['runs'].values())
    assert large - small == 4 * 64 * 4  # 4 strips with 64 features each
    pictures(tmp_path, 'dimension')
    results = example.main([*options, '--compare-losses'])
    assert list(results['runs']) == ['cross-entropy', 'triplet', 'both']
    history = {
        title: json.loads((tmp_path / title / 'local' / 'history.json').read_text())[-1]
        for title in results['runs']
    }
    terms = {
        t: {k for k in h if k.startswith(('train_tri', 'train_cr'))} for t, h in history.items()
    }
    assert terms['cross-entropy'] == {'train_cross_entropy'}
    assert terms['triplet'] == {'train_triplet_local'}
    assert terms['both'] == terms['cross-entropy'] | terms['triplet']


def test_usf_table_has_samples_and_walks(example, capsys):
    generator = torch.Generator().manual_seed(0)
    probe = torch.arange(8).repeat_interleave(12)
    subject = torch.arange(4).repeat(24)
    # Surface, shoe and camera of the gallery and of A to G.
    differences = torch.tensor(
        [[0, 0, 0], [0, 0, 1], [0, 1, 0], [0, 1, 1], [1, 0, 0], [1, 1, 0], [1, 0, 1], [1, 1, 1]]
    )[probe]
    labels = {'subject': subject, 'probe': probe}
    labels |= dict(zip(('surface', 'shoe', 'camera'), differences.unbind(1)))
    embedding = torch.randn(96, 3, 5, generator=generator) + subject.view(-1, 1, 1)
    scores = {'a': gallery_probe(embedding, labels, USF)}
    text, figures = example.usf_table(scores, {'a': embedding}, labels, 'cosine')
    assert text.splitlines()[0] == '|  | level | A | B | C | D | E | F | G | mean |'
    assert figures['a']['sequence'] == match_sequences(embedding, labels, USF)
    rates = scores['a'].accuracy().tolist()
    cells = ' | '.join(f'{100 * r:.1f}' for r in [*rates, math.fsum(rates) / 7])
    assert f'| a | sample | {cells} |' in text


@pytest.mark.slow
def test_usf_gait_challenge(example, tmp_path, real_data):
    (tmp_path / 'root').mkdir()
    (tmp_path / 'root' / 'raw').symlink_to(real_data / 'usf_gait')
    args = example.parse(['--dataset', 'usf', '--root', str(tmp_path / 'root')])
    with pytest.warns(UserWarning, match='not in the gallery'):
        dataset, protocol = example.make_dataset(args)
    embeddings = example.pixel_embeddings(args, protocol.split(dataset), copies=0)
    scores = {title: gallery_probe(e, dataset, USF) for title, e in embeddings.items()}
    rates = example.usf_table(scores, embeddings, dataset, 'cosine')[1]
    means = {t: {k: sum(v.values()) / 7 for k, v in r.items()} for t, r in rates.items()}
    assert means['silhouettes']['sample'] == pytest.approx(0.248, abs=0.002)
    assert means['PCA + LDA']['sample'] == pytest.approx(0.376, abs=0.003)
    assert means['PCA + LDA']['sequence'] == pytest.approx(0.512, abs=0.006)


@pytest.mark.parametrize(
    ('options', 'reason'),
    [
        (['--dataset', 'usf'], 'usf needs a --root'),
        (['--root', 'x'], 'synthetic takes no --root'),
        (['--validation'], '--validation is for --dataset casia_b'),
        (['--ablation', '--compare-losses'], 'not allowed with argument'),
        (['--ablation', '--baseline'], '--ablation and --baseline do not go together'),
        (['--ablation', '--no-decoder'], '--ablation and --no-decoder do not'),
        (['--ablation', '--fusion', 'none'], '--ablation and --fusion none do not'),
        (['--ablation', '--windows'], '--ablation and --windows without numbers do not'),
        (['--blocks', '1', '1', '--no-decoder'], '--blocks and --no-decoder do not'),
        (['--baseline', '--windows', '1'], '--windows and --baseline do not'),
        (['--baseline', '--fusion', 'sum'], '--fusion and --baseline do not'),
        (['--sweep-dimension', '4', '--feature-dim', '8'], '--feature-dim and --sweep-dim'),
        ([*REAL, 'usf', '--protocol', 'ST'], '--protocol goes with CASIA-B or generated walks'),
        ([*REAL, 'ou_mvlp', '--protocol', 'LT'], '--protocol goes with CASIA-B'),
        ([*REAL, 'casia_b', '--subjects', '24'], '--subjects goes with generated walks'),
        ([*REAL, 'casia_b', '--views', '0', '90'], '--views goes with generated walks'),
        ([*REAL, 'usf', '--frames', '10'], '--frames goes with whole walks'),
        (['--fusion', 'none', '--reverse'], '--reverse goes with --fusion sum of several'),
        (['--fusion', 'attention', '--reverse'], '--reverse goes with --fusion sum of several'),
        (['--windows', '3', '--reverse'], '--reverse goes with --fusion sum of several'),
        (['--baseline', '--reverse'], '--reverse goes with --fusion sum of several'),
        (['--windows', '3', '--fusion', 'sum'], '--fusion goes with several --windows'),
        (['--windows', '--fusion', 'attention'], '--fusion goes with several --windows'),
        (['--baseline', '--no-decoder'], '--no-decoder goes with attention'),
        (['--joint', '--global-epochs', '3'], '--global-epochs goes with two stages'),
        (['--baseline', '--global-epochs', '3'], '--global-epochs goes with attention'),
        (['--no-decoder', '--global-epochs', '3'], '--global-epochs goes with attention'),
        (['--evaluate', '--fresh'], '--fresh goes with training'),
    ],
)
def test_options_that_do_not_go_together(example, capsys, options, reason):
    with pytest.raises(SystemExit):
        example.parse(options)
    assert reason in capsys.readouterr().err


@pytest.mark.parametrize(
    'options',
    [
        ['--reverse'],
        ['--ablation', '--reverse', '--windows', '1', '3'],
        ['--no-decoder', '--fusion', 'attention'],
        ['--baseline', '--joint'],
        [*REAL, 'casia_b', '--protocol', 'ST', '--frames', '30'],
        [*REAL, 'usf', '--global-epochs', '3'],
        ['--evaluate', '--epochs', '3', '--batches', '2'],
    ],
)
def test_options_that_go_together(example, options):
    example.parse(options)


def test_presets(example):
    args = example.parse(['--preset', 'paper', '--dataset', 'ou_mvlp', '--root', 'x'])
    recipe = example.make_recipe(args)
    optimization = recipe.optimization
    assert (optimization.lr, recipe.batch_size, optimization.max_epochs) == (1e-4, 256, 100)
    assert (recipe.global_epochs, recipe.batches_per_epoch) == (40, 1000)
    assert optimization.milestones == (80,)
    assert (args.frames, args.shrink) == (30, 1)
    model = example.create_model(args.model, **example.make_options(args, 64))
    assert sum(p.numel() for p in model.parameters()) == 19_107_712  # as its docstring tells
    assert example.parse([]).model == 'lmgcs'
    wide = example.make_options(example.parse(['--model', 'lmgcs_ou_mvlp']), 32)
    assert wide['channels'] == (16, 32, 64, 64)
    assert example.make_recipe(args, 5).subjects_per_batch == 5
    off = ['--windows', '--no-decoder', '--preset', 'paper']
    options = example.make_options(example.parse(off), 64)
    assert {k: options[k] for k in example.OFF} == example.OFF


def test_validation_leaves_the_test_subjects_out(example, monkeypatch):
    class Walks:
        def __init__(self, subjects):
            self.subjects = subjects

        def labels(self, name):
            return self.subjects

        def index_select(self, chosen):
            return Walks(self.subjects[chosen])

    monkeypatch.setattr(example, 'CASIABSilhouettes', lambda root: Walks(torch.arange(124)))
    options = ['--dataset', 'casia_b', '--root', 'x']
    whole, protocol = example.make_dataset(example.parse(options))
    assert (len(whole.subjects), protocol.train_subjects) == (124, 74)
    part, protocol = example.make_dataset(example.parse([*options, '--validation']))
    assert (part.subjects.tolist(), protocol.train_subjects) == (list(range(74)), 50)


def test_preset_of_casia_b(example):
    args = example.parse(['--dataset', 'casia_b', '--root', 'x'])
    assert (args.joint, args.distance, args.frames, args.skip) == (True, 'euclidean', 8, 3)
    model = example.create_model(args.model, **example.make_options(args, 32))
    assert sum(p.numel() for p in model.parameters()) < 500_000
    recipe = example.make_recipe(args)
    assert recipe.optimization.max_epochs * recipe.batches_per_epoch == 4000
    clip = Data(silhouettes=torch.ones(1, 50, 64, 44).byte(), num_frames=torch.tensor([50]))
    for transform, frames in zip(example.make_transforms(args), (17, 8), strict=True):
        out = transform(clip.clone()).silhouettes
        assert (list(out.shape), out.dtype) == ([1, frames, 32, 22], torch.float32)


def test_planes_of_two_dimensions(example, monkeypatch):
    points = torch.randn(20, 3, 4)
    assert example.to_plane(points, 0).shape == (20, 2)
    monkeypatch.setitem(__import__('sys').modules, 'sklearn.manifold', None)
    out = example.to_plane(points, 0).double()
    flat = torch.nn.functional.normalize(points, dim=-1).flatten(1).double()
    centered = flat - flat.mean(dim=0)
    values = torch.linalg.eigvalsh(centered.t() @ centered)
    torch.testing.assert_close(out.square().sum(dim=0), values.flip(0)[:2], atol=1e-4, rtol=1e-4)
