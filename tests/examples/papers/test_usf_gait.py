import math

import pytest
import torch
import usf_gait as example

from graphmotion.datasets import USFGait
from graphmotion.metrics import USF, gallery_probe, match_sequences

ROOT = ['--root', 'x']


def test_table_has_samples_and_walks():
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
    text, figures = example.make_table(scores, {'a': embedding}, labels, 'cosine')
    head, _, sample, _ = ([c.strip() for c in line.split('|')[1:-1]] for line in text.splitlines())
    assert head == ['', 'level', *'ABCDEFG', 'mean']
    assert figures['a']['sequence'] == match_sequences(embedding, labels, USF)
    rates = scores['a'].accuracy().tolist()
    assert sample == ['a', 'sample', *(f'{100 * r:.1f}' for r in [*rates, math.fsum(rates) / 7])]


@pytest.mark.slow
def test_usf_gait_challenge(tmp_path, real_data):
    (tmp_path / 'raw').symlink_to(real_data / 'usf_gait')
    with pytest.warns(UserWarning, match='not in the gallery'):
        dataset = USFGait(tmp_path)
    parts = USF.split(dataset)
    embeddings = example.embed_pixels(*parts, example.make_transforms(), seed=0, copies=0)
    for title in ('PCA + LDA', 'PCA + LDA, augmented'):
        norms = embeddings[title].norm(dim=1)
        torch.testing.assert_close(norms, torch.ones_like(norms))
    scores = {title: gallery_probe(e, dataset, USF) for title, e in embeddings.items()}
    rates = example.make_table(scores, embeddings, dataset, 'cosine')[1]
    means = {t: {k: sum(v.values()) / 7 for k, v in r.items()} for t, r in rates.items()}
    assert means['silhouettes']['sample'] == pytest.approx(0.248, abs=0.002)
    assert means['PCA + LDA']['sample'] == pytest.approx(0.376, abs=0.003)
    assert means['PCA + LDA']['sequence'] == pytest.approx(0.512, abs=0.006)


@pytest.mark.parametrize(
    ('options', 'reason'),
    [
        ([], 'the following arguments are required: --root'),
        ([*ROOT, '--baseline', '--fusion', 'sum'], '--fusion is only valid with several'),
        ([*ROOT, '--global-epochs', '3'], '--global-epochs is only valid for training in two'),
    ],
)
def test_options_that_do_not_go_together(refused, options, reason):
    assert reason in refused(example, options)


def test_presets():
    options = [*ROOT, '--preset', 'paper', '--global-epochs', '3']
    assert example.parse(options).distance == 'cosine'
    args = example.parse(ROOT)
    assert (args.distance, args.joint) == ('euclidean', True)
    cpu, paper = example.PRESETS['cpu'].recipe, example.PRESETS['paper'].recipe
    assert (cpu.optimization.max_epochs, cpu.batches_per_epoch, cpu.batch_size) == (20, 50, 64)
    assert paper.batches_per_epoch == 1000
