import math

import pytest
import torch

from graphmotion.metrics import fuse_streams, fusion_contributions


def streams(num=3, samples=5, classes=4):
    return [3 * torch.randn(samples, classes) for _ in range(num)]


def slow_softmax(row):
    total = sum(math.exp(float(z)) for z in row)
    return [math.exp(float(z)) / total for z in row]


def test_logits_are_added_by_default():
    logits, weights = streams(4), [0.6, 0.6, 0.4, 0.4]
    out = fuse_streams(logits, weights)
    for n in range(5):
        total = [sum(w * float(z[n, c]) for w, z in zip(weights, logits)) for c in range(4)]
        assert out[n].tolist() == pytest.approx(slow_softmax(total), rel=1e-5)
    assert torch.equal(out, fuse_streams(logits, weights, kind='logits'))
    torch.testing.assert_close(fuse_streams(logits), sum(logits).softmax(dim=-1))


def test_probabilities_are_averaged():
    logits, weights = streams(), [0.6, 0.6, 0.4]
    out = fuse_streams(logits, weights, kind='probabilities')
    for n in range(5):
        parts = [slow_softmax(z[n]) for z in logits]
        expected = [sum(w * p[c] for w, p in zip(weights, parts)) / 1.6 for c in range(4)]
        assert out[n].tolist() == pytest.approx(expected, rel=1e-5)
    torch.testing.assert_close(out.sum(dim=-1), torch.ones(5))


def test_logarithms_of_probabilities_are_logits():
    logits = streams()
    for kind in ('logits', 'probabilities'):
        logarithms = [z.log_softmax(dim=-1) for z in logits]
        torch.testing.assert_close(
            fuse_streams(logarithms, kind=kind), fuse_streams(logits, kind=kind)
        )


def test_kinds_differ_if_one_stream_is_confident():
    logits = [torch.tensor([[9.0, 0.0, 1.0]]), torch.tensor([[0.0, 6.0, 6.1]])]
    assert fuse_streams(logits).argmax() == 0
    logits = [torch.tensor([[0.989, 0.001, 0.01]]).log(), torch.tensor([[5e-4, 0.5, 0.4995]]).log()]
    assert fuse_streams(logits).argmax() == 2
    assert fuse_streams(logits, kind='probabilities').argmax() == 0


def test_large_logits_in_half_precision_stay_finite():
    logits = [torch.tensor([[6e4, -6e4]]).half()] * 3
    out = fuse_streams(logits)
    assert out.dtype == torch.half
    assert out.tolist() == [[1, 0]]


def test_no_sample():
    assert fuse_streams([torch.zeros(0, 3)] * 2).shape == (0, 3)


def test_one_stream_is_unchanged():
    (logits,) = streams(1)
    for kind in ('logits', 'probabilities'):
        torch.testing.assert_close(fuse_streams([logits], kind=kind), logits.softmax(dim=-1))


@pytest.mark.parametrize(
    ('logits', 'options', 'reason'),
    [
        ([], {}, 'logits must not be empty'),
        ([torch.ones(2, 1), torch.ones(3, 1)], {}, r'got \[\[2, 1\], \[3, 1\]\]'),
        ([torch.ones(1)], {}, 'the same shape'),
        ([torch.ones(2, 2)], {'weights': [1, 2]}, r'one per stream \(1\), got \[1, 2\]'),
        ([torch.ones(2, 2)], {'weights': [0]}, 'with a positive sum'),
        ([torch.ones(2, 2)], {'weights': [-1]}, 'non-negative'),
        ([torch.tensor([[0.0, -torch.inf]])], {}, 'must be finite'),
        ([torch.tensor([[0.3, 0.7], [1.0, 0.0]])], {}, 'must not be probabilities'),
        ([torch.ones(2, 2)], {'kind': 'votes'}, "got 'votes'"),
    ],
)
def test_wrong_input_raises(logits, options, reason):
    with pytest.raises(ValueError, match=reason):
        fuse_streams(logits, **options)


@pytest.mark.parametrize(
    ('spatial', 'spectral', 'fused', 'expected'),
    [
        (76.9, 57.1, 77.9, (20.8, 1.0)),
        (95.0, 72.3, 96.2, (23.9, 1.2)),
        (91.9, 99.6, 99.8, (0.2, 7.9)),
    ],
)
def test_contributions_of_the_paper(spatial, spectral, fused, expected):
    """Cells of its Tables III and IV."""
    out = fusion_contributions(fused, {'SPAGNN': spatial, 'SPEGNN': spectral})
    assert out == {
        'SPAGNN': pytest.approx(expected[0], abs=0.05),
        'SPEGNN': pytest.approx(expected[1], abs=0.05),
    }
    with pytest.raises(ValueError, match=r"parts must have two entries, got \['a'\]"):
        fusion_contributions(0.5, {'a': 0.4})
