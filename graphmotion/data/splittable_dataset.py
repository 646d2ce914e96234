"""Splitting a dataset by its labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch_geometric.data import InMemoryDataset

from graphmotion.checks import check_choice
from graphmotion.data.splits import random_split, stratified_folds, stratified_subset

_Self = TypeVar('_Self', bound='SplittableDataset')


class SplittableDataset(InMemoryDataset):
    r"""The base class of datasets that can be split by the labels of their samples.

    A subclass implements :meth:`labels` and names its official protocols in :obj:`protocols`. Parts
    share the storage of the dataset.
    """

    #: For each official protocol, the field that separates training from test samples and its
    #: values in training. The first protocol is the default.
    protocols: Mapping[str, Any] = {}

    def labels(self, field: str = 'y') -> Tensor:
        r"""Returns a field with one number per sample, such as :obj:`y`, for all samples."""
        raise NotImplementedError

    def split(
        self: _Self, ratios: Sequence[float] = (8, 1, 1), seed: int = 0, by: str | None = None
    ) -> list[_Self]:
        r"""Splits the dataset at random; see :func:`~graphmotion.data.random_split`.

        .. code-block:: python

            dataset = SyntheticGait(num_subjects=10)
            train, val, test = dataset.split((8, 1, 1), seed=0, by='subject')

        Args:
            ratios (sequence of float, optional): Ratio of each part. (default: :obj:`(8, 1, 1)`)
            seed (int, optional): The same seed gives the same parts. (default: :obj:`0`)
            by (str, optional): A field, such as :obj:`"subject"`, whose values must not occur in
                more than one part. (default: :obj:`None`)
        """
        parts = random_split(len(self), ratios, seed, None if by is None else self.labels(by))
        return [self.index_select(part) for part in parts]

    def folds(
        self: _Self, num_folds: int = 5, seed: int = 0, by: str | None = None
    ) -> list[tuple[_Self, _Self]]:
        r"""Returns the training and the test samples of each fold of a stratified
        cross-validation; see :func:`~graphmotion.data.stratified_folds`.

        .. code-block:: python

            dataset = SyntheticGait(num_subjects=10)
            for train, test in dataset.folds(5, seed=0):
                ...

        Args:
            num_folds (int, optional): Number of folds. (default: :obj:`5`)
            seed (int, optional): The same seed gives the same folds. (default: :obj:`0`)
            by (str, optional): A field, such as :obj:`"subject"`, whose values must not occur in
                more than one fold. (default: :obj:`None`)
        """
        groups = None if by is None else self.labels(by)
        folds = stratified_folds(self.labels('y'), num_folds, seed, groups)
        return [(self.index_select(train), self.index_select(test)) for train, test in folds]

    def leave_one_out(self: _Self, by: str = 'subject') -> list[tuple[_Self, _Self]]:
        r"""Returns a training and a test part for each value of a field, in ascending order. The
        test part consists of the samples with this value.

        .. code-block:: python

            dataset = SyntheticGait(num_subjects=10)
            for train, test in dataset.leave_one_out('subject'):
                ...

        Args:
            by (str, optional): The field. (default: :obj:`"subject"`)

        Raises:
            ValueError: If the field is missing or has only one value.
        """
        labels = self.labels(by)
        values = labels.unique()
        if len(values) < 2:
            raise ValueError(f'field {by!r} must have at least two values, got one')
        return [
            (self.index_select(labels != value), self.index_select(labels == value))
            for value in values
        ]

    def subset(self: _Self, ratio: float, seed: int = 0) -> _Self:
        r"""Returns a random fraction of the samples of each class; see
        :func:`~graphmotion.data.stratified_subset`.

        .. code-block:: python

            dataset = SyntheticGait(num_subjects=10)
            for ratio in (0.1, 0.2, 0.5, 1.0):
                part = dataset.subset(ratio)

        Args:
            ratio (float): The fraction, in :math:`(0, 1]`; at least one sample of each class.
            seed (int, optional): The same seed gives the same samples. (default: :obj:`0`)
        """
        return self.index_select(stratified_subset(self.labels('y').cpu(), ratio, seed))

    def official_split(self: _Self, protocol: str | None = None) -> tuple[_Self, _Self]:
        r"""Returns the training and the test samples of an official protocol.

        .. code-block:: python

            dataset = SyntheticActions(num_subjects=2)
            train, test = dataset.official_split()
            print(list(dataset.protocols))  # the first one is the default

        Args:
            protocol (str, optional): A name in :obj:`protocols`; by default the first.
                (default: :obj:`None`)

        Raises:
            ValueError: If the protocol does not exist, or one of its parts has no samples.
        """
        name: Any = next(iter(self.protocols), None) if protocol is None else protocol
        parts = self._parts(self.protocols[check_choice('protocol', name, self.protocols)])
        for part, kind in zip(parts, ('training', 'test')):
            if not len(part):
                raise ValueError(
                    f'{type(self).__name__}: none of the {len(self)} samples is a {kind} sample of '
                    f'protocol {name!r}'
                )
        return parts

    def _parts(self: _Self, protocol: Any) -> tuple[_Self, _Self]:
        """Returns the training and the test samples of a value of :obj:`protocols`."""
        field, values = protocol
        labels = self.labels(field)
        train = torch.isin(labels, torch.tensor(sorted(values), device=labels.device))
        return self.index_select(train), self.index_select(~train)
