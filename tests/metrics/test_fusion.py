import pytest
import torch

from graphmotion.metrics import fuse_streams


def streams(num=3, samples=5, classes=4):
    return [torch.randn(samples, classes) for _ in range(num)]


def test_probabilities_are_averaged():
    logits = streams()
    parts = [x.softmax(dim=-1) for x in logits]
    out = fuse_streams(parts, [0.6, 0.6, 0.4])
    for n in range(5):
        for c in range(4):
            expected = sum(w * float(p[n, c]) for w, p in zip((0.6, 0.6, 0.4), parts)) / 1.6
            assert float(out[n, c]) == pytest.approx(expected, rel=1e-6)
    torch.testing.assert_close(out.sum(dim=-1), torch.ones(5))
    torch.testing.assert_close(fuse_streams(parts), sum(parts) / 3)


def test_logits_are_added():
    """A constant in the logits of a sample, which a softmax takes off, does not matter."""
    logits = streams()
    out = fuse_streams([x.softmax(dim=-1) for x in logits], [2.0, 1.0, 0.5], kind='logits')
    expected = (2 * logits[0] + logits[1] + 0.5 * logits[2]).softmax(dim=-1)
    torch.testing.assert_close(out, expected, atol=1e-6, rtol=1e-5)


def test_the_two_differ_where_one_stream_is_sure():
    parts = [torch.tensor([[0.989, 0.001, 0.01]]), torch.tensor([[0.0005, 0.5, 0.4995]])]
    assert fuse_streams(parts).argmax() == 0
    assert fuse_streams(parts, kind='logits').argmax() == 2


def test_a_class_that_is_ruled_out_stays_finite():
    parts = [torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])]
    out = fuse_streams(parts, kind='logits')
    torch.testing.assert_close(out, torch.tensor([[0.5, 0.5]]))


def test_one_stream_is_itself():
    (part,) = parts = [torch.randn(5, 4).softmax(dim=-1)]
    for kind in ('probabilities', 'logits'):
        torch.testing.assert_close(fuse_streams(parts, kind=kind), part, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(
    ('parts', 'options', 'reason'),
    [
        ([], {}, 'no stream'),
        ([torch.ones(2, 1), torch.ones(3, 1)], {}, r'got \[\[2, 1\], \[3, 1\]\]'),
        ([torch.ones(1)], {}, 'one shape'),
        ([torch.ones(2, 1)], {'weights': [1, 2]}, '2 weights for 1 streams'),
        ([torch.ones(2, 1)], {'weights': [0]}, 'not all zero'),
        ([torch.ones(2, 1)], {'weights': [-1]}, 'not negative'),
        ([torch.ones(2, 2)], {}, 'of sum one'),
        ([torch.tensor([[2.0, -1.0]])], {}, 'not negative'),
        ([torch.ones(2, 1)], {'kind': 'votes'}, "got 'votes'"),
    ],
)
def test_wrong_input_is_refused(parts, options, reason):
    with pytest.raises(ValueError, match=reason):
        fuse_streams(parts, **options)
