import numpy as np
import pytest
import torch

from graphmotion.metrics import classification_scores, confusion_matrix


def draw():
    generator = torch.Generator().manual_seed(0)
    return torch.randint(4, (2, 97), generator=generator)


def test_confusion_matrix_counts_labels_by_row():
    matrix = confusion_matrix([0, 0, 0, 1, 2], [0, 1, 1, 1, 0], num_classes=3)
    assert matrix.tolist() == [[1, 2, 0], [0, 1, 0], [1, 0, 0]]
    assert matrix.dtype == torch.long


@pytest.mark.parametrize('make', [list, tuple, np.array, torch.tensor])
def test_confusion_matrix_takes_sequences_arrays_and_tensors(make):
    target, prediction = draw()
    expected = np.zeros((4, 4), dtype=int)
    for y, p in zip(target.tolist(), prediction.tolist()):
        expected[y, p] += 1
    out = confusion_matrix(make(target.tolist()), make(prediction.tolist()), 4)
    assert out.tolist() == expected.tolist()


def test_confusion_matrix_takes_read_only_and_narrow_integers():
    target = np.array([0, 1, 1], dtype=np.uint8)
    target.flags.writeable = False
    out = confusion_matrix(target, torch.tensor([0, 1, 0], dtype=torch.int32), 2)
    assert out.tolist() == [[1, 0], [1, 1]]
    # Counts beyond the range of the labels' own type.
    many = np.zeros(300, dtype=np.uint8)
    assert confusion_matrix(many, many, 20)[0, 0] == 300


def test_confusion_matrix_does_not_modify_its_input():
    target, prediction = draw()
    before = target.clone(), prediction.clone()
    confusion_matrix(target, prediction, 4)
    assert torch.equal(target, before[0])
    assert torch.equal(prediction, before[1])


@pytest.mark.parametrize(
    ('target', 'prediction', 'error', 'message'),
    [
        ([0, 1], [0], ValueError, 'got 2 and 1'),
        ([], [], ValueError, 'empty'),
        (
            [0, 4],
            [0, 1],
            ValueError,
            r'target must be labels in 0\.\.3, got 1 .* is 4 at pos',
        ),
        (
            [0, 1],
            [-1, 1],
            ValueError,
            r'prediction must be labels in 0\.\.3.*-1 at position 0',
        ),
        ([0.0, 1.0], [0, 1], TypeError, 'target must be integer labels.*got float'),
        ([0, 1], torch.rand(2, 4), TypeError, 'argmax'),
        ([0, 1], torch.rand(2).bfloat16(), TypeError, 'prediction must be .*got torch.bfloat16'),
        ([True, False], [0, 1], TypeError, 'target must be .*got bool'),
        (['a', 'b'], [0, 1], TypeError, 'target must be .*got <U1'),
        ([[0], [1]], [0, 1], ValueError, r'shape \[2, 1\]'),
        (3, [0], ValueError, r'shape \[\]'),
    ],
)
def test_bad_labels_raise(target, prediction, error, message):
    with pytest.raises(error, match=message):
        confusion_matrix(target, prediction, 4)
    with pytest.raises(error, match=message):
        classification_scores(target, prediction, 4)


@pytest.mark.parametrize('num_classes', [0, -1, 2.0, True, None])
def test_bad_number_of_classes_raises(num_classes):
    with pytest.raises(ValueError, match='num_classes must be an integer >= 1'):
        confusion_matrix([0], [0], num_classes)
