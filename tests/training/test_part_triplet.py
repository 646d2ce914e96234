import pytest
import torch
from pytorch_metric_learning.distances import LpDistance
from pytorch_metric_learning.losses import TripletMarginLoss
from pytorch_metric_learning.reducers import AvgNonZeroReducer

from graphmotion.training.part_triplet import part_triplet_loss

LABELS = torch.tensor([7, 2, 7, 2, 2, 9, 7])


@pytest.fixture
def parts():
    return 0.3 * torch.randn(7, 3, 4, dtype=torch.float64)


def loops(parts, labels, margin, self_positives=False):
    """The loss triplet by triplet, and the fraction of triplets with a nonzero loss."""
    losses, active, total = [], 0, 0
    for part in range(parts.size(1)):
        x, costs = parts[:, part], []
        for a in range(len(x)):
            for p in range(len(x)):
                for n in range(len(x)):
                    valid = a != p or self_positives
                    if valid and labels[a] == labels[p] != labels[n]:
                        near, far = (x[a] - x[p]).norm(), (x[a] - x[n]).norm()
                        total += 1
                        if near - far + margin > 0:
                            costs.append(near - far + margin)
        active += len(costs)
        losses.append(sum(costs) / len(costs) if costs else x.sum() * 0)
    return sum(losses) / len(losses), active / total


@pytest.mark.parametrize('margin', [0.01, 0.2, 5.0])
@pytest.mark.parametrize('self_positives', [False, True])
def test_against_loops(parts, margin, self_positives):
    loss, active = part_triplet_loss(parts, LABELS, margin, self_positives)
    expected, fraction = loops(parts, LABELS, margin, self_positives)
    torch.testing.assert_close(loss, expected)
    assert float(active) == pytest.approx(fraction)
    assert (fraction == 1) == (margin == 5.0)


def test_against_the_library(parts):
    """Compares complete embeddings, hence one part at a time."""
    library = TripletMarginLoss(
        0.2, distance=LpDistance(normalize_embeddings=False), reducer=AvgNonZeroReducer()
    )
    expected = torch.stack([library(part, LABELS) for part in parts.unbind(1)]).mean()
    torch.testing.assert_close(part_triplet_loss(parts, LABELS, 0.2)[0], expected)


def test_values_in_closed_form():
    same = torch.ones(7, 3, 4)
    loss, active = part_triplet_loss(same, LABELS, 0.2)
    assert (float(loss), float(active)) == (pytest.approx(0.2), 1)
    apart = same * LABELS.view(-1, 1, 1)
    loss, active = part_triplet_loss(apart, LABELS, 0.2)
    assert (float(loss), float(active)) == (0, 0)
    one_subject = torch.randn(4, 3, 2, requires_grad=True)
    loss, active = part_triplet_loss(one_subject, torch.zeros(4, dtype=torch.long), 0.2)
    loss.backward()
    assert (float(loss.detach()), float(active)) == (0, 0)
    assert not one_subject.grad.any()


def test_self_positives_push_others_to_the_margin():
    x = torch.tensor([[0.0], [0.0], [0.15], [0.9]]).unsqueeze(1).requires_grad_()
    labels = torch.tensor([0, 1, 2, 3])  # all distinct
    assert part_triplet_loss(x, labels, 0.2)[0] == 0
    loss, active = part_triplet_loss(x, labels, 0.2, self_positives=True)
    costs = [0.2, 0.05, 0.05] * 2  # of each pair, in both directions
    assert float(loss.detach()) == pytest.approx(sum(costs) / 6)
    assert float(active) == pytest.approx(6 / 12)
    loss.backward()
    assert x.grad[2] < 0  # away from those at zero
    assert x.grad.isfinite().all()


def test_samples_of_a_subject_approach():
    """Fails with the sign that the paper prints."""
    x = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]).unsqueeze(1).requires_grad_()
    part_triplet_loss(x, torch.tensor([0, 0, 1]), 0.2)[0].backward()
    with torch.no_grad():
        step = x - 0.1 * x.grad
    before, after = (torch.cdist(v[:, 0], v[:, 0]) for v in (x.detach(), step))
    assert after[0, 1] < before[0, 1]
    assert after[0, 2] > before[0, 2]
    assert after[1, 2] > before[1, 2]


def test_gradients(parts):
    assert torch.autograd.gradcheck(
        lambda x: part_triplet_loss(x, LABELS, 0.2)[0], parts.requires_grad_()
    )


def test_equal_samples_have_a_finite_gradient():
    x = torch.zeros(4, 2, 3, requires_grad=True)
    part_triplet_loss(x, torch.tensor([0, 0, 1, 1]), 0.2)[0].backward()
    assert x.grad.isfinite().all()


def test_parts_are_independent(parts):
    moved = parts.clone()
    moved[:, 1] += torch.randn(7, 4)
    alone = [part_triplet_loss(parts[:, i : i + 1], LABELS, 0.2)[0] for i in (0, 2)]
    alone.append(part_triplet_loss(moved[:, 1:2], LABELS, 0.2)[0])
    torch.testing.assert_close(part_triplet_loss(moved, LABELS, 0.2)[0], torch.stack(alone).mean())


def test_wrong_shapes_raise(parts):
    with pytest.raises(ValueError, match=r'shapes \[B, P, D\] and \[B\], got \[7, 3\] and \[7\]'):
        part_triplet_loss(parts[..., 0], LABELS, 0.2)
    with pytest.raises(ValueError, match=r'got \[7, 3, 4\] and \[6\]'):
        part_triplet_loss(parts, LABELS[1:], 0.2)
