"""Seeded splits of a dataset into training, validation and test samples."""

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
    r"""Split samples at random in the given ratios.

    Args:
        num_samples (int): Number of samples :math:`N`.
        ratios (sequence of float, optional): The ratio of each part. (default: :obj:`(8, 1, 1)`)
        seed (int, optional): The same seed gives the same split. (default: :obj:`0`)
        groups (Tensor, optional): The group of each sample :math:`(N)`, such as its subject.
            Groups are then split instead of samples, and no group is in two parts.
            (default: :obj:`None`)

    Returns:
        list of Tensor: Sorted sample numbers of each part, disjoint, together :math:`0..N-1`.

    Raises:
        ValueError: If a ratio is not positive, a part would be empty or :obj:`groups` does not
            have one entry a sample.
    """
    if len(ratios) == 0 or min(ratios) <= 0:
        raise ValueError(f'ratios are positive numbers, got {list(ratios)}')
    units, unit_of = _units(num_samples, groups)
    cumulative = torch.tensor([0, *ratios], dtype=torch.float64).cumsum(0) / sum(ratios)
    bounds = (cumulative * units).round().long().tolist()
    order = torch.randperm(units, generator=torch.Generator().manual_seed(seed))
    parts = [torch.isin(unit_of, order[a:b]).nonzero().view(-1) for a, b in pairwise(bounds)]
    if min(part.numel() for part in parts) == 0:
        what = 'samples' if groups is None else 'groups'
        raise ValueError(f'{units} {what} are too few for the ratios {list(ratios)}')
    return parts


def stratified_folds(
    y: Tensor, num_folds: int = 5, seed: int = 0, groups: Tensor | None = None
) -> list[tuple[Tensor, Tensor]]:
    r"""Cross-validation folds in which every class is spread as evenly as it can be.

    Each sample is in the test part of one fold. The numbers of a class in two folds differ by at
    most one, and so do the sizes of two folds.

    Args:
        y (Tensor): The class of each sample, :math:`(N)`.
        num_folds (int, optional): Number of folds. (default: :obj:`5`)
        seed (int, optional): The same seed gives the same folds. (default: :obj:`0`)
        groups (Tensor, optional): The group of each sample :math:`(N)`, such as its subject.
            Groups are then dealt to the folds whole, and stratified by the commonest class of
            each. (default: :obj:`None`)

    Returns:
        list of tuple: For each fold the sorted sample numbers for training and for test.

    Raises:
        ValueError: If there are fewer than two folds, fewer samples or groups than folds, or
            :obj:`groups` does not have one entry a sample.
    """
    y = torch.as_tensor(y).view(-1)
    units, unit_of = _units(y.numel(), groups)
    if not 2 <= num_folds <= units:
        what = 'samples' if groups is None else 'groups'
        raise ValueError(f'num_folds is 2..{units} for {units} {what}, got {num_folds}')
    votes = torch.zeros(units, int(y.max()) + 1, dtype=torch.long)
    votes.index_put_((unit_of, y), torch.ones_like(y), accumulate=True)
    stratum = votes.argmax(dim=1)
    order = torch.randperm(units, generator=torch.Generator().manual_seed(seed))
    # Shuffled and sorted by class, then dealt to the folds in turn: consecutive members of a
    # class, and the remainders of consecutive classes, go to different folds.
    dealt = order[stratum[order].sort(stable=True).indices]
    fold = torch.empty_like(order)
    fold[dealt] = torch.arange(units) % num_folds
    fold = fold[unit_of]
    return [
        ((fold != k).nonzero().view(-1), (fold == k).nonzero().view(-1)) for k in range(num_folds)
    ]


def stratified_subset(y: Tensor, ratio: float, seed: int = 0) -> Tensor:
    r"""A random share of the samples of each class.

    With one seed, the samples of a smaller share are among those of a larger one.

    Args:
        y (Tensor): The class of each sample, :math:`(N)`.
        ratio (float): The share :math:`r` of each class: of :math:`n` samples,
            :math:`r n` rounded, and one at least.
        seed (int, optional): The same seed gives the same samples. (default: :obj:`0`)

    Returns:
        Tensor: Sorted sample numbers.

    Raises:
        ValueError: If the ratio is not above 0 and at most 1.
    """
    if not 0 < ratio <= 1:
        raise ValueError(f'ratio is above 0 and at most 1, got {ratio!r}')
    y = torch.as_tensor(y).view(-1)
    order = torch.randperm(y.numel(), generator=torch.Generator().manual_seed(seed))
    classes = y[order]
    taken = []
    for c in classes.unique():
        members = order[classes == c]
        taken.append(members[: max(1, round(ratio * len(members)))])
    return torch.cat(taken).sort().values


def _units(num_samples: int, groups: Tensor | None) -> tuple[int, Tensor]:
    """How many units are split, and the unit of each sample."""
    if groups is None:
        return num_samples, torch.arange(num_samples)
    groups = torch.as_tensor(groups).view(-1)
    if groups.numel() != num_samples:
        raise ValueError(f'groups has {groups.numel()} entries, expected one for {num_samples}')
    unique, unit_of = groups.unique(return_inverse=True)
    return unique.numel(), unit_of
