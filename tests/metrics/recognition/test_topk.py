import pytest
import torch

from graphmotion.metrics.recognition.topk import stable_topk


def rows(num_values):
    """Returns rows of few different values, some of them infinite, and rows of a single value."""
    values = torch.randint(num_values, (30, 200), generator=torch.Generator().manual_seed(0))
    values = values.float() - 3
    values[values == 2] = -torch.inf
    values[3], values[4] = 1.0, -torch.inf
    return values


@pytest.mark.parametrize('largest', [True, False])
@pytest.mark.parametrize('k', [1, 2, 10, 199, 200, 300])
@pytest.mark.parametrize('num_values', [2, 20, 10**6])
def test_the_selection_equals_a_stable_sort(num_values, k, largest):
    values = rows(num_values)
    expected = values.sort(dim=1, descending=largest, stable=True)
    found = stable_topk(values, k, largest)
    assert torch.equal(found[0], expected.values[:, :k])
    assert torch.equal(found[1], expected.indices[:, :k])


def test_zeros_of_either_sign_are_equal():
    values = torch.tensor([[-0.0, 0.0, -0.0, 0.0]])
    assert stable_topk(values, 2)[1].tolist() == [[0, 1]]
    assert stable_topk(values, 3, largest=False)[1].tolist() == [[0, 1, 2]]


def test_no_rows():
    values, columns = stable_topk(torch.empty(0, 5), 2)
    assert values.shape == columns.shape == (0, 2)
