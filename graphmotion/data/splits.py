"""Random splits and cross-validation folds."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor


def random_split(
    num_samples: int,
    ratios: Sequence[float] = (8, 1, 1),
    seed: int = 0,
    groups: Tensor | None = None,
) -> list[Tensor]:
    r"""Splits samples randomly in the given ratios.

    .. code-block:: python

        >>> [len(part) for part in random_split(10, (8, 1, 1))]
        [8, 1, 1]

    Args:
        num_samples (int): Number of samples :math:`N`.
        ratios (sequence of float, optional): Ratio of each part. (default: :obj:`(8, 1, 1)`)
        seed (int, optional): Seed of the split. (default: :obj:`0`)
        groups (Tensor, optional): Group of each sample :math:`(N)`, such as its subject. If given,
            groups are split instead of samples, so that no group is in two parts.
            (default: :obj:`None`)

    Returns:
        list of Tensor: Sorted sample numbers of each part. The parts are disjoint and cover all
        samples.

    Raises:
        ValueError: If a ratio is not positive, a part would be empty or :obj:`groups` does not
            have shape :math:`(N)`.
    """
    if len(ratios) == 0 or min(ratios) <= 0:
        raise ValueError(f'ratios must be positive, got {list(ratios)}')
    num_units, unit = _group_units(num_samples, groups)
    cumulative = torch.tensor([0, *ratios], dtype=torch.float64).cumsum(0) / sum(ratios)
    bounds = (cumulative * num_units).round().long().tolist()
    order = torch.randperm(num_units, generator=torch.Generator().manual_seed(seed))
    parts = [torch.isin(unit, order[a:b]).nonzero().view(-1) for a, b in pairwise(bounds)]
    if min(part.numel() for part in parts) == 0:
        what = 'samples' if groups is None else 'groups'
        raise ValueError(
            f'ratios must give non-empty parts for {num_units} {what}, got {list(ratios)}'
        )
    return parts


def stratified_folds(
    y: Tensor, num_folds: int = 5, seed: int = 0, groups: Tensor | None = None
) -> list[tuple[Tensor, Tensor]]:
    r"""Creates stratified cross-validation folds.

    Each sample is in the test part of exactly one fold. The numbers of samples of a class in any
    two folds differ by at most one, and so do the sizes of any two folds.

    .. code-block:: python

        y = torch.arange(20) % 2
        for train, test in stratified_folds(y, num_folds=5):
            print(len(train), y[test].sum())  # 16, 2

    Args:
        y (Tensor): Class of each sample :math:`(N)`.
        num_folds (int, optional): Number of folds. (default: :obj:`5`)
        seed (int, optional): Seed of the folds. (default: :obj:`0`)
        groups (Tensor, optional): Group of each sample :math:`(N)`, such as its subject. If given,
            groups are assigned to folds instead of samples, stratified by the most frequent class
            of each group. (default: :obj:`None`)

    Returns:
        list of tuple: Sorted sample numbers for training and for test of each fold.

    Raises:
        ValueError: If there are fewer than two folds, fewer samples or groups than folds, or
            :obj:`groups` does not have shape :math:`(N)`.
    """
    y = torch.as_tensor(y).view(-1)
    num_units, unit = _group_units(y.numel(), groups)
    if not 2 <= num_folds <= num_units:
        what = 'samples' if groups is None else 'groups'
        raise ValueError(
            f'num_folds must be in [2, {num_units}] for {num_units} {what}, got {num_folds}'
        )
    y = y.unique(return_inverse=True)[1]  # classes may have any numbers
    votes = torch.zeros(num_units, int(y.max()) + 1, dtype=torch.long)
    votes.index_put_((unit, y), torch.ones_like(y), accumulate=True)
    stratum = votes.argmax(dim=1)
    order = torch.randperm(num_units, generator=torch.Generator().manual_seed(seed))
    # After shuffling and sorting by class, assign to the folds cyclically: consecutive members of
    # a class, and the remainders of consecutive classes, are in different folds.
    order = order[stratum[order].sort(stable=True).indices]
    fold = torch.empty_like(order)
    fold[order] = torch.arange(num_units) % num_folds
    fold = fold[unit]
    return [
        ((fold != k).nonzero().view(-1), (fold == k).nonzero().view(-1)) for k in range(num_folds)
    ]


def stratified_subset(y: Tensor, ratio: float, seed: int = 0) -> Tensor:
    r"""Selects a random fraction of the samples of each class.

    With the same seed, a smaller subset is contained in a larger one.

    .. code-block:: python

        >>> y = torch.arange(20) % 2
        >>> y[stratified_subset(y, 0.5)].bincount()
        tensor([5, 5])

    Args:
        y (Tensor): Class of each sample :math:`(N)`.
        ratio (float): Fraction of each class to select, at least one sample.
        seed (int, optional): Seed of the selection. (default: :obj:`0`)

    Returns:
        Tensor: Sorted sample numbers.

    Raises:
        ValueError: If the ratio is not in :math:`(0, 1]`.
    """
    if not 0 < ratio <= 1:
        raise ValueError(f'ratio must be in (0, 1], got {ratio!r}')
    y = torch.as_tensor(y).view(-1)
    order = torch.randperm(y.numel(), generator=torch.Generator().manual_seed(seed))
    classes = y[order]
    selected = []
    for c in classes.unique():
        members = order[classes == c]
        selected.append(members[: max(1, round(ratio * len(members)))])
    return torch.cat(selected).sort().values


def _group_units(num_samples: int, groups: Tensor | None) -> tuple[int, Tensor]:
    """Returns the number of samples or groups to split, and the unit of each sample."""
    if groups is None:
        return num_samples, torch.arange(num_samples)
    groups = torch.as_tensor(groups).view(-1)
    if groups.numel() != num_samples:
        raise ValueError(f'groups must have shape [{num_samples}], got {groups.numel()} entries')
    unique, unit = groups.unique(return_inverse=True)
    return unique.numel(), unit
