import json

import gait_emotion
import h5py
import msa_gcn as example
import numpy as np
import pytest
import torch

from graphmotion.datasets import SyntheticGait

TINY = ['--epochs', '1', '--num-augmentations', '1', '--quiet', '--width', '4', '--frames', '16']


@pytest.fixture
def undrawn(monkeypatch):
    """Disables the figures, which another test checks."""
    for name in ('draw_data', 'draw_results'):
        monkeypatch.setattr(gait_emotion, name, lambda *args: None)


@pytest.mark.slow
@pytest.mark.usefixtures('undrawn')
def test_generated_gaits(tmp_path, capsys):
    options = ['--subjects', '10', '--scales', '16', '5', '--csfm-layers', '1', '--kernels', '3']
    example.main([*TINY, *options, '--repeats', '2', '--out', str(tmp_path)])
    printed = capsys.readouterr().out
    results = json.loads((tmp_path / 'results.json').read_text())
    (row,) = results['models'].values()
    assert row['options']['scales'] == [16, 5]
    assert row['options']['cross_scale_layers'] == 1
    assert row['options']['kernel_sizes'] == [3]
    assert [run['num_samples'] for run in row['runs']] == [12, 12]
    assert row['scores']['num_folds'] == 2
    assert row['ensemble']['num_samples'] == 12
    hits = results['outcomes']['MSA-GCN']
    accuracy = [hits[:12].count('1') / 12, hits[12:].count('1') / 12]
    assert accuracy == pytest.approx([run['accuracy'] for run in row['runs']])
    assert 'MSA-GCN, ensemble of 2 runs' in printed
    assert {p.name for p in (tmp_path / 'msa_gcn').iterdir()} == {'run0', 'run1'}


@pytest.mark.slow
@pytest.mark.usefixtures('undrawn')
def test_emotion_gait_files_folds_and_comparison(tmp_path, capsys):
    (tmp_path / 'raw').mkdir()
    random = np.random.default_rng(0)
    with (
        h5py.File(tmp_path / 'raw' / 'features.h5', 'w') as features,
        h5py.File(tmp_path / 'raw' / 'labels.h5', 'w') as labels,
    ):
        for i in range(24):
            features[f'walk{i}'] = random.normal(size=(int(random.integers(8, 30)), 48))
            labels[f'walk{i}'] = i % 4
    options = ['--root', str(tmp_path), '--folds', '2', '--compare', '--out', str(tmp_path / 'out')]
    results = example.main([*TINY, *options, '--svm'])
    networks = ['ST-GCN', 'MSA-GCN, one scale', 'MSA-GCN, no cross-scale fusion', 'MSA-GCN']
    rows = [row for name in networks for row in (name, f'{name} and SVM')]
    assert list(results['models']) == ['SVM on gait features', *rows]
    assert results['protocol'] == '2 folds by sample'
    for name, row in results['models'].items():
        hits = results['outcomes'][name]
        assert hits.count('1') / 24 == pytest.approx(row['scores']['pooled']['accuracy'])
        assert row['scores']['num_folds'] == 2
        assert row['scores']['pooled']['num_samples'] == 24
    assert capsys.readouterr().out.count('±') >= 5 * 6


def test_a_support_vector_machine_knows_the_emotions_of_other_subjects():
    dataset = SyntheticGait(num_subjects=16, skeleton='emotion_gait16')
    train, test = next(iter(dataset.folds(4, by='subject')))
    found = example.classify_by_svm(train, test)
    assert (found.argmax(dim=1) == test.labels()).double().mean() > 0.45  # chance: 0.25


@pytest.mark.slow
@pytest.mark.usefixtures('undrawn')
def test_the_mean_of_a_network_and_the_support_vector_machine(tmp_path):
    options = ['--subjects', '10', '--folds', '2', '--repeats', '2', '--svm']
    options += ['--out', str(tmp_path)]
    results = example.main([*TINY, *options])
    models = results['models']
    assert list(models) == ['SVM on gait features', 'MSA-GCN', 'MSA-GCN and SVM']
    assert models['MSA-GCN']['ensemble']['num_folds'] == 2
    assert models['MSA-GCN']['ensemble_and_svm']['num_folds'] == 2
    assert models['MSA-GCN and SVM']['scores']['num_folds'] == 4
    first, second = torch.rand(5, 4), torch.rand(5, 4)
    torch.testing.assert_close(example.fuse([first, second]), (first + second) / 2)


@pytest.mark.parametrize(
    ('options', 'reason'),
    [
        (['--model', 'st_gcn', '--scales', '16', '10'], '--scales is only valid for --model msa_g'),
        (['--compare', '--csfm-layers', '2'], '--csfm-layers is only valid for --model msa_gcn'),
        (['--compare', '--kernels', '5'], '--kernels is only valid for --model msa_gcn without'),
        (['--compare', '--model', 'msa_gcn'], '--model is only valid without --compare'),
        (['--root', 'x', '--subjects', '9'], '--subjects is only valid without --root'),
    ],
)
def test_options_that_do_not_go_together_raise(refused, options, reason):
    assert reason in refused(example, options)
