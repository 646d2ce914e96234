"""Class weights of a loss."""

from __future__ import annotations

import torch
from torch import Tensor

from graphmotion.metrics.confusion import check_labels


def class_weights(y: Tensor, num_classes: int, exponent: float) -> Tensor:
    r"""Computes class weights from inverse class frequencies.

    The weight of a class is its inverse frequency to the power of :obj:`exponent`, scaled such that
    the mean weight over all samples is one. A class without samples has weight zero.

    Args:
        y (Tensor): Class of each sample :math:`(N)`.
        num_classes (int): Number of classes.
        exponent (float): 0 weights all samples equally, 1 all classes.

    Returns:
        Tensor: The weights :math:`(\text{num\_classes})`.

    Raises:
        ValueError: If a label is outside the classes.

    .. code-block:: python

        class_weights(torch.tensor([0, 0, 0, 1]), num_classes=2, exponent=1.0)
        # tensor([0.6667, 2.0000])
    """
    check_labels(y, 'y', num_classes)
    counts = torch.bincount(y, minlength=num_classes).float()
    weights = torch.where(counts > 0, counts.clamp(min=1) ** -exponent, 0.0)
    return weights * counts.sum() / (weights * counts).sum()
