import numpy as np
import pytest
import torch
from shared.svm import classify_by_svm
from sklearn.preprocessing import StandardScaler


def separate(labels):
    target = torch.tensor(labels)
    x = np.eye(5)[labels] + 0.01 * np.random.default_rng(0).normal(size=(len(labels), 5))
    return x, target


def test_classes_without_training_samples_have_no_probability():
    x, target = separate([0, 2, 3] * 8)
    found = classify_by_svm(StandardScaler(), x, target, x, num_classes=5, c=10)
    assert torch.equal(found.argmax(dim=1), target)
    torch.testing.assert_close(found.sum(dim=1), torch.ones(24, dtype=torch.float64))
    assert (found[:, [1, 4]] == 1e-12).all()


def test_few_samples():
    x, target = separate([0, 1, 1, 0, 1])
    found = classify_by_svm(StandardScaler(), x, target, x, num_classes=2, c=10)
    assert found.shape == (5, 2)
    with pytest.raises(SystemExit, match='at least two training samples of each class'):
        classify_by_svm(StandardScaler(), x[:4][1:], target[1:4], x, num_classes=2, c=10)
