import json
import math
import statistics
from dataclasses import replace

import pytest
import torch

from graphmotion.metrics import (
    CASIA_B_LT,
    ODD_TO_EVEN_TAKES,
    GalleryProbeScores,
    fold_summary,
    format_recognition_table,
    gallery_probe,
)

from .gait_labels import casia_b_labels

VIEWS = tuple(range(0, 181, 18))
# GaitMixer's rank-1 accuracies in Table 1 of its paper, by probe view, and their printed means.
PAPER = {
    'NM': ([94.4, 94.9, 94.6, 96.3, 95.3, 96.3, 95.3, 94.7, 95.3, 94.7, 92.2], 94.9),
    'BG': ([83.5, 85.6, 88.1, 89.7, 85.2, 87.4, 84.0, 84.7, 84.6, 87.0, 81.4], 85.6),
    'CL': ([81.2, 83.6, 82.3, 83.5, 84.5, 84.8, 86.9, 88.9, 87.0, 85.7, 81.6], 84.5),
}


def scores_of(rates, total=1000):
    """Returns scores with given accuracies in percent for each probe set and view."""
    hits = (torch.tensor(rates, dtype=torch.float64) * total / 100).round().long()
    hits = hits.unsqueeze(-1).repeat(1, 1, 11)
    hits[:, range(11), range(11)] = total  # identical views are recognised, and have to be left out
    scored = torch.full_like(hits, total)
    some = torch.tensor([0.5] * len(hits), dtype=torch.float64)
    return GalleryProbeScores(
        protocol='CASIA-B LT',
        distance='cosine',
        probe_sets=tuple(PAPER)[: len(hits)],
        probe_views=VIEWS,
        gallery_views=VIEWS,
        exclude_identical_view=True,
        same_view_impostors=True,
        ranks=(1,),
        hits=hits.unsqueeze(0),
        scored=scored,
        left_out=torch.zeros_like(hits),
        cmc=some.unsqueeze(1),
        mean_average_precision=some,
        mean_inverse_negative_penalty=some / 2,
        num_scored=torch.full((len(hits),), total),
        num_left_out=torch.zeros(len(hits), dtype=torch.long),
    )


def test_a_row_is_the_mean_of_eleven_views():
    scores = scores_of([row for row, _ in PAPER.values()])
    for s, (row, printed) in enumerate(PAPER.values()):
        assert 100 * scores.view_accuracy()[s] == pytest.approx(torch.tensor(row).double())
        assert 100 * float(scores.accuracy()[s]) == pytest.approx(statistics.fmean(row))
        assert round(100 * float(scores.accuracy()[s]), 1) == printed
    means = [statistics.fmean(row) for row, _ in PAPER.values()]
    assert 100 * scores.mean_accuracy() == pytest.approx(statistics.fmean(means))
    assert round(100 * scores.mean_accuracy(), 1) == 88.3


def test_table_in_the_layout_of_papers():
    table = scores_of([row for row, _ in PAPER.values()]).format_table()
    rows = [[cell.strip() for cell in line.strip('|').split('|')] for line in table.splitlines()]
    assert rows[0] == ['probes', *(f'{v}°' for v in VIEWS), 'mean']
    assert rows[2] == ['NM', *(f'{v:.1f}' for v in PAPER['NM'][0]), '94.9']
    assert [row[0] for row in rows[2:]] == ['NM', 'BG', 'CL', 'mean']
    assert rows[5][-1] == '88.3'
    assert len({len(line) for line in table.splitlines()}) == 1
    assert table.splitlines()[1].startswith('| ------ | ---: |')
    assert str(scores_of([PAPER['NM'][0]])) == scores_of([PAPER['NM'][0]]).format_table()


def test_table_of_several_models():
    a, b = scores_of([PAPER['NM'][0], PAPER['BG'][0]]), scores_of([[50.0] * 11, [0.0] * 11])
    lines = format_recognition_table({'GaitMixer': a, 'other': b}).splitlines()
    rows = [[cell.strip() for cell in line.strip('|').split('|')] for line in lines]
    assert rows[0][:2] == ['probes', 'model']
    assert [row[:2] for row in rows[2:]] == [
        [name, model] for name in ('NM', 'BG', 'mean') for model in ('GaitMixer', 'other')
    ]
    assert rows[3][2:] == ['50.0'] * 12
    assert rows[7][2:] == ['25.0'] * 12


def test_table_without_views_shows_ranks():
    labels = casia_b_labels(6, num_views=2)
    embedding = torch.randn(len(labels['subject']), 4, generator=torch.Generator().manual_seed(0))
    scores = gallery_probe(embedding, labels, ODD_TO_EVEN_TAKES, ranks=(1, 5))
    lines = scores.format_table().splitlines()
    assert lines[0].replace(' ', '') == '|probes|rank-1|rank-5|mAP|mINP|'
    assert len(lines) == 3  # one set of probes: no row of means
    found = [float(cell) for cell in lines[2].strip('|').split('|')[1:]]
    figures = scores.figures()
    expected = [100 * figures[name] for name in ('rank-1', 'rank-5', 'mAP', 'mINP')]
    assert found == pytest.approx(expected, abs=0.051)
    other = gallery_probe(embedding, labels, ODD_TO_EVEN_TAKES, ranks=(1,))
    with pytest.raises(ValueError, match=r"row 'b' must have ranks \(1, 5\), got \(1,\)"):
        format_recognition_table({'a': scores, 'b': other})


def test_undefined_values_are_dashes():
    scores = scores_of([PAPER['NM'][0]])
    scored = scores.scored.clone()
    scored[:, 0] = 0
    hits = scores.hits.clone()
    hits[:, :, 0] = 0
    scores = replace(scores, scored=scored, hits=hits)
    cells = scores.format_table().splitlines()[2].strip('|').split('|')
    assert cells[1].strip() == '–'
    assert float(cells[-1]) == pytest.approx(statistics.fmean(PAPER['NM'][0][1:]), abs=0.051)
    assert math.isnan(scores.view_accuracy()[0, 0])
    out = json.loads(json.dumps(scores.as_dict(), allow_nan=False))
    again = GalleryProbeScores.from_dict(out)
    assert again.format_table() == scores.format_table()


def test_probes_without_a_match_can_count_as_errors():
    scores = scores_of([[80.0] * 11])
    scores = replace(scores, left_out=torch.full_like(scores.scored, 250))
    assert scores.mean_accuracy() == pytest.approx(0.8)
    assert scores.mean_accuracy(left_out_are_wrong=True) == pytest.approx(0.8 * 1000 / 1250)
    assert ' 64.0 ' in scores.format_table(left_out_are_wrong=True)


def test_dict_is_restored_from_json():
    labels = casia_b_labels(6, num_views=3, keep=0.5)
    embedding = torch.randn(len(labels['subject']), 4, generator=torch.Generator().manual_seed(0))
    scores = gallery_probe(embedding, labels, replace(CASIA_B_LT, train_subjects=1))
    out = json.loads(json.dumps(scores.as_dict(), allow_nan=False))
    assert out['figures'] == {
        name: None if math.isnan(value) else value for name, value in scores.figures().items()
    }
    again = GalleryProbeScores.from_dict(out)
    assert again.as_dict() == scores.as_dict()
    assert again.hits.dtype == torch.long
    with pytest.raises(ValueError, match=r"got none of \['cmc'\]"):
        GalleryProbeScores.from_dict({k: v for k, v in out.items() if k != 'cmc'})


def test_figures_of_runs_are_summarised():
    runs = [scores_of([[rate] * 11] * 3).figures() for rate in (80.0, 90.0)]
    assert runs[0].keys() == {
        f'{name}{probe_set}'
        for name in ('rank-1', 'mAP', 'mINP')
        for probe_set in ('', '/NM', '/BG', '/CL')
    }
    summary = fold_summary(runs)
    assert summary.format('rank-1/CL', percent=True) == '85.0 ± 7.1'
    assert summary.mean['mINP'] == 0.25


def test_bad_input_raises():
    scores = scores_of([PAPER['NM'][0]])
    with pytest.raises(ValueError, match=r'rank must be one of \[1\], got 5'):
        scores.accuracy(5)
    with pytest.raises(ValueError, match='rows must not be empty'):
        format_recognition_table({})
    two = scores_of([PAPER['NM'][0]] * 2)
    with pytest.raises(ValueError, match=r"'b' must have probe_sets .*, got \('NM', 'BG'\)"):
        format_recognition_table({'a': scores, 'b': two})
    with pytest.raises(ValueError, match="'b' must have probe_views"):
        format_recognition_table({'a': scores, 'b': replace(scores, probe_views=(0,))})
