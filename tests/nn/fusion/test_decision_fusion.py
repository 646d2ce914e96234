import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar

from graphmotion.nn import DecisionFusion


def probabilities(mode, *logits):
    fusion = DecisionFusion(len(logits), mode)
    out = fusion([torch.tensor(part).log() for part in logits])
    torch.testing.assert_close(out.exp().sum(dim=-1), torch.ones(len(out)))
    return out.exp()


def test_fusion_against_hand_computed_probabilities():
    a, b = [[0.7, 0.2, 0.1]], [[0.1, 0.3, 0.6]]
    expected = {
        'max': [0.7 / 1.6, 0.3 / 1.6, 0.6 / 1.6],
        'mean': [0.4, 0.25, 0.35],
        'product': [0.07 / 0.19, 0.06 / 0.19, 0.06 / 0.19],
        'learned': [0.4, 0.25, 0.35],  # equal weights at first
    }
    for mode, value in expected.items():
        torch.testing.assert_close(probabilities(mode, a, b), torch.tensor([value]))


@pytest.mark.parametrize('mode', DecisionFusion.modes)
def test_fusion_of_equal_and_of_undecided_parts(mode):
    a, undecided = [[0.6, 0.3, 0.1]], [[1 / 3] * 3]
    # The product of equal decisions is surer than each.
    same = probabilities(mode, a, a)
    expected = torch.tensor(a).square() if mode == 'product' else torch.tensor(a)
    torch.testing.assert_close(same, expected / expected.sum())
    assert probabilities(mode, a, undecided).argmax() == 0
    assert probabilities(mode, undecided, a).argmax() == 0


def test_learned_fusion():
    fusion = DecisionFusion(2, 'learned')
    with torch.no_grad():
        fusion.weight.copy_(torch.tensor([3.0, 1.0]).log())
    a, b = torch.tensor([[0.7, 0.3]]), torch.tensor([[0.1, 0.9]])
    torch.testing.assert_close(fusion([a.log(), b.log()]).exp(), 0.75 * a + 0.25 * b)
    fusion([a.log(), b.log()])[0, 0].backward()
    assert fusion.weight.grad.abs().min() > 0


def test_fitted_weights_have_the_highest_likelihood():
    y = torch.randint(3, (200,))
    good = torch.randn(200, 3) + 2 * torch.nn.functional.one_hot(y, 3)
    poor = torch.randn(200, 3) + torch.nn.functional.one_hot(y, 3)
    fusion = DecisionFusion(2, 'learned')
    fusion.fit([good, poor], y)
    p, q = (logits.double().softmax(1)[range(200), y].numpy() for logits in (good, poor))
    best = minimize_scalar(
        lambda a: -np.log(a * p + (1 - a) * q).sum(), bounds=(0, 1), method='bounded'
    )
    found = fusion.weight.softmax(0)[0].item()
    assert 0.5 < found < 1
    assert found == pytest.approx(best.x, abs=1e-3)
    fusion.fit([good, poor.fill_(0).index_fill_(1, y[:1], -99)], y)
    assert fusion.weight.isfinite().all()
    with pytest.raises(ValueError, match="mode must be 'learned' to fit weights"):
        DecisionFusion(2, 'mean').fit([good, poor], y)


def test_extreme_logits_stay_finite():
    logits = [torch.tensor([[1e4, -1e4]]), torch.tensor([[-1e4, 1e4]])]
    for mode in DecisionFusion.modes:
        assert DecisionFusion(2, mode)(logits).isfinite().all()


def test_unknown_modes():
    with pytest.raises(ValueError, match=r"mode must be one of \['max', .*, got 'vote'"):
        DecisionFusion(2, 'vote')
