"""Confusion matrices and checks of class labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphmotion.checks import check_int

Labels = Tensor | np.ndarray | Sequence[int]


def confusion_matrix(target: Labels, prediction: Labels, num_classes: int) -> Tensor:
    r"""Counts the predictions of each class; rows are labels, columns are predictions.

    .. math::
        \mathbf{M}_{ij} = |\{ n : y_n = i, \hat{y}_n = j \}|

    .. code-block:: python

        >>> confusion_matrix([0, 0, 1], [0, 1, 1], num_classes=2)
        tensor([[1, 1],
                [0, 1]])

    Args:
        target (Tensor, array or sequence of int): True class of each sample.
        prediction (Tensor, array or sequence of int): Predicted class of each sample.
        num_classes (int): Number of classes :math:`K`.

    Shapes:
        - **target**, **prediction:** :math:`(N)`
        - **output:** :math:`(K, K)`, integers, on the CPU

    Raises:
        ValueError: If there are no samples, the lengths differ or a label is not in
            :math:`[0, K)`.
        TypeError: If the labels are not integers (scores and logits are not labels).
    """
    check_int('num_classes', num_classes, 1)
    y = check_labels(target, 'target', num_classes)
    p = check_labels(prediction, 'prediction', num_classes)
    if y.numel() != p.numel():
        raise ValueError(
            f'target and prediction must have the same length, got {y.numel()} and {p.numel()}'
        )
    if y.numel() == 0:
        raise ValueError('target and prediction must not be empty')
    return torch.bincount(y * num_classes + p, minlength=num_classes**2).view(num_classes, -1)


def check_labels(labels: Labels, name: str, num_classes: int) -> Tensor:
    r"""Returns class labels as integers on the CPU.

    Args:
        labels (Tensor, array or sequence of int): Label of each sample.
        name (str): Name of the argument in error messages.
        num_classes (int): Number of classes :math:`K`.

    Raises:
        ValueError: If a label is not in :math:`[0, K)`.
        TypeError: If the labels are not integers.
    """
    out = check_integers(labels, name, 'integer labels; for scores [N, K] pass scores.argmax(-1)')
    if out.dim() != 1:
        raise ValueError(f'{name} must have shape [N], got shape {list(out.shape)}')
    wrong = ((out < 0) | (out >= num_classes)).nonzero().view(-1)
    if wrong.numel():
        first = int(wrong[0])
        raise ValueError(
            f'{name} must be labels in 0..{num_classes - 1}, got {wrong.numel()} that are not, '
            f'the first is {int(out[first])} at position {first}'
        )
    return out


def check_integers(values: Any, name: str, expected: str) -> Tensor:
    """Returns a tensor of integers on the CPU; ``expected`` completes the error message."""
    if isinstance(values, Tensor):
        found, is_integer = (
            str(values.dtype),
            not (values.is_floating_point() or values.is_complex() or values.dtype == torch.bool),
        )
    else:
        values = np.array(values)  # copied, since torch warns about read-only arrays
        found, is_integer = str(values.dtype), values.dtype.kind in 'iu'
    if values.shape == (0,):  # NumPy makes an empty list an array of floats
        return torch.empty(0, dtype=torch.long)
    if not is_integer:
        raise TypeError(f'{name} must be {expected}, got {found}')
    return torch.as_tensor(values).detach().cpu().long()
