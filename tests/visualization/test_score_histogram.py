import numpy as np
import pytest
import torch
from PIL import Image

from graphmotion.metrics import VerificationScores
from graphmotion.visualization import plot_scores

from .conftest import check_nothing_is_clipped

GENERATOR = torch.Generator().manual_seed(0)
SCORES = VerificationScores(
    torch.rand(500, generator=GENERATOR), torch.rand(2000, generator=GENERATOR) + 0.8
)


def test_histograms_are_in_percent_of_their_pairs():
    (ax,) = plot_scores(SCORES, bins=18).axes
    lines = [patch for patch in ax.patches if patch.get_label()]
    labels = ['genuine (500 pairs)', 'impostor (2,000 pairs)']
    assert [patch.get_label() for patch in lines] == labels
    for patch, distance in zip(lines, (SCORES.genuine, SCORES.impostor)):
        data = patch.get_data()
        assert len(data.values) == 18
        assert data.values.sum() == pytest.approx(100)
        middle = int(((distance >= data.edges[9]) & (distance < data.edges[10])).sum())
        assert data.values[9] == pytest.approx(100 * middle / len(distance))
        np.testing.assert_allclose(data.edges[[0, -1]], [SCORES.genuine[0], SCORES.impostor[-1]])


@pytest.mark.parametrize('threshold', [None, 0.7])
def test_threshold(threshold):
    (ax,) = plot_scores(SCORES, threshold).axes
    (line,) = ax.lines
    expected = SCORES.equal_error_threshold if threshold is None else threshold
    assert line.get_xdata() == [expected, expected]
    accept, reject = SCORES.false_accept_rate(expected), SCORES.false_reject_rate(expected)
    rates = f'(FAR {100 * accept:.1f}%, FRR {100 * reject:.1f}%)'
    assert line.get_label() == f'threshold {expected:.3g} {rates}'


def test_very_large_distances_are_outside():
    far = VerificationScores(SCORES.genuine, torch.cat([SCORES.impostor, torch.tensor([500.0])]))
    patch = plot_scores(far).axes[0].patches[-1]
    low = float(far.genuine[0])
    assert patch.get_data().edges[-1] == pytest.approx(low + 2 * (far.impostor[1000] - low))
    assert patch.get_data().values.sum() == pytest.approx(100 * 2000 / 2001)


def test_nothing_is_clipped(tmp_path):
    check_nothing_is_clipped(plot_scores(SCORES, title='a title'))
    path = tmp_path / 'new' / 'scores.png'
    plot_scores(VerificationScores(torch.ones(2), torch.ones(2)), path=path)  # all are equal
    with Image.open(path) as image:
        assert len(set(image.convert('L').tobytes())) > 10


def test_bad_input_raises():
    with pytest.raises(ValueError, match='bins must be an integer >= 1, got 0'):
        plot_scores(SCORES, bins=0)
