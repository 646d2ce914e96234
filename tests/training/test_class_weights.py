import pytest
import torch

from graphmotion.training import class_weights


def test_class_weights():
    y = torch.tensor([0] * 6 + [1] * 3 + [2])
    assert torch.equal(class_weights(y, 3, 0.0), torch.ones(3))
    balanced = class_weights(y, 3, 1.0)
    torch.testing.assert_close(balanced * torch.tensor([6.0, 3, 1]), torch.full((3,), 10 / 3))
    half = class_weights(y, 4, 0.5)
    assert half[y].mean() == pytest.approx(1.0)
    assert half[2] / half[0] == pytest.approx(6**0.5)
    assert half[3] == 0


@pytest.mark.parametrize('label', [-1, 3])
def test_labels_outside_the_classes_raise(label):
    with pytest.raises(ValueError, match=rf'y must be labels in 0\.\.2.* first is {label}'):
        class_weights(torch.tensor([0, 1, label]), 3, 1.0)
