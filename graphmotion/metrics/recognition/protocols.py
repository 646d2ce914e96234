"""Selection of training, gallery and probe samples for recognition."""

from __future__ import annotations

import typing
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

# A condition on a label: one value, a collection of values, or a function that returns a mask.
Condition = int | Collection[int] | Callable[[Tensor], Tensor]


class LabelledDataset(typing.Protocol):
    """A dataset with labels, such as :class:`~graphmotion.data.GraphDataset`."""

    def labels(self, field: str) -> Tensor:
        """Returns a label of all samples."""

    def index_select(self, idx: Any) -> Any:
        """Returns a subset of the samples."""


Labels = Mapping[str, Tensor | np.ndarray | Sequence[int]] | LabelledDataset
Dataset = TypeVar('Dataset', bound=LabelledDataset)


@dataclass(frozen=True)
class GalleryProbeProtocol:
    r"""Selects training samples, the gallery of known subjects and the probes to recognise.

    Samples are selected by their labels. A condition on a label is one value, a collection of
    values, or a function that maps the values of all samples to a mask. A sample must satisfy all
    conditions.

    .. code-block:: python

        GalleryProbeProtocol(
            'first run to later runs',
            gallery={'take': 1},
            probes={'normal': {'take': range(2, 9), 'condition': 0}, 'bag': {'condition': 1}},
            train_subjects=range(60),
            view=None,
        )

    Published protocols are :obj:`CASIA_B_ST`, :obj:`CASIA_B_MT`, :obj:`CASIA_B_LT`, :obj:`OU_MVLP`,
    :obj:`GAIT3D`, :obj:`GREW`, :obj:`USF` and :obj:`ODD_TO_EVEN_TAKES`. To use one for a smaller
    dataset, replace a field: :obj:`dataclasses.replace(CASIA_B_LT, train_subjects=20)`.

    Args:
        name (str): Name of the protocol.
        gallery (dict): Condition on each label that selects the gallery.
        probes (dict): Conditions on labels for each probe set, by the name of the probe set.
        train_subjects (int, sequence of int or callable, optional): Subjects for training, which
            are excluded from gallery and probes: all subjects below a number, a sequence of
            subjects, or a function that maps subjects to a mask. If :obj:`None`, identification is
            closed-set: all subjects are known from their gallery samples, which are also the
            training data. (default: :obj:`None`)
        view (str, optional): Label of the camera view. Each view has a separate gallery, and tables
            are by view. If :obj:`None`, there is a single gallery. (default: :obj:`"view"`)
        exclude_identical_view (bool, optional): If set to :obj:`False`, means over gallery views
            include the probe's own view, and the gallery of all views is complete. Always
            :obj:`False` without views. (default: :obj:`True`)
        same_view_impostors (bool, optional): If :obj:`True`, :obj:`exclude_identical_view` removes
            the samples of the probe's subject in the probe's view from the gallery of all views
            and keeps other subjects, as for published mAP and mINP; see :func:`gallery_probe`. If
            set to :obj:`False`, it removes all samples in the probe's view. (default: :obj:`True`)
        subject (str, optional): Label to recognise. (default: :obj:`"subject"`)

    Raises:
        ValueError: If there are no probe sets, or the gallery or a probe set has no condition.
    """

    name: str
    gallery: Mapping[str, Condition]
    probes: Mapping[str, Mapping[str, Condition]]
    train_subjects: Condition | None = None
    view: str | None = 'view'
    exclude_identical_view: bool = True
    same_view_impostors: bool = True
    subject: str = 'subject'

    def __post_init__(self) -> None:
        if not self.probes:
            raise ValueError(f'probes must not be empty, got none for protocol {self.name!r}')
        parts = {'gallery': self.gallery, **{f'probes {k!r}': v for k, v in self.probes.items()}}
        for part, conditions in parts.items():
            if not isinstance(conditions, Mapping) or not conditions:
                raise ValueError(
                    f'{part} of protocol {self.name!r} must be a non-empty dict of conditions, got '
                    f'{conditions!r}'
                )
        if self.view is None:
            object.__setattr__(self, 'exclude_identical_view', False)

    @property
    def fields(self) -> tuple[str, ...]:
        r"""Names of the labels that the protocol reads."""
        named = [self.gallery, *self.probes.values()]
        found = [self.subject, *([self.view] if self.view else []), *(f for c in named for f in c)]
        return tuple(dict.fromkeys(found))

    def read(self, labels: Labels) -> dict[str, Tensor]:
        r"""Returns the labels that the protocol reads, each :math:`(N)`.

        Args:
            labels (dict or dataset): Labels by name, or a dataset with labels.

        Raises:
            ValueError: If a label is missing or is not one integer per sample.
        """
        out = {}
        for field in self.fields:
            try:
                values = labels[field] if isinstance(labels, Mapping) else labels.labels(field)
            except (KeyError, ValueError) as error:
                found = f'got {sorted(labels)}' if isinstance(labels, Mapping) else f'{error}'
                raise ValueError(
                    f'labels must include {field!r} for protocol {self.name!r}, {found}'
                ) from None
            if not isinstance(values, Tensor):
                array = np.array(values)
                if array.dtype.kind not in 'iub':
                    raise ValueError(
                        f'label {field!r} must be one integer per sample, got {array.dtype}'
                    )
                values = torch.from_numpy(array)
            out[field] = values.detach().cpu()
        sizes = {field: list(values.shape) for field, values in out.items()}
        size = len(out[self.subject])
        if any(shape != [size] for shape in sizes.values()):
            raise ValueError(f'labels must all have shape [{size}], got {sizes}')
        return out

    def is_train(self, labels: Labels) -> Tensor:
        r"""Returns whether each sample has a training subject.

        Shapes:
            - **output:** :math:`(N)`, bool
        """
        return self._is_train(self.read(labels))

    def _is_train(self, labels: dict[str, Tensor]) -> Tensor:
        subject = labels[self.subject]
        if self.train_subjects is None:
            return torch.zeros(len(subject), dtype=torch.bool)
        if isinstance(self.train_subjects, (int, np.integer)):
            return subject < int(self.train_subjects)
        return self._satisfies(subject, self.train_subjects, self.subject)

    def select(self, labels: Labels) -> tuple[Tensor, dict[str, Tensor]]:
        r"""Returns the row indices of the gallery and of each probe set.

        Args:
            labels (dict or dataset): Labels by name, or a dataset with labels.

        Returns:
            tuple: Row indices of the gallery, and a dict with the row indices of each probe set.

        Raises:
            ValueError: If a label is missing, or the gallery or a probe set is empty.
        """
        values = self.read(labels)
        candidates = ~self._is_train(values)
        gallery = self._select(values, candidates, self.gallery, 'gallery')
        probes = {
            name: self._select(values, candidates, conditions, f'probe set {name!r}')
            for name, conditions in self.probes.items()
        }
        return gallery, probes

    def split(self, dataset: Dataset) -> tuple[Dataset, Dataset]:
        r"""Returns the training samples and the test samples, which share no subject.

        Without :attr:`train_subjects` (closed-set identification), the training samples are the
        gallery, and the test samples are all samples.

        .. code-block:: python

            dataset = SyntheticGait.casia_b(num_subjects=5, num_frames=2, views=[90])
            train, test = replace(CASIA_B_LT, train_subjects=3).split(dataset)

        Args:
            dataset (GraphDataset): A dataset, or another object with the methods :obj:`labels` and
                :obj:`index_select`.

        Raises:
            ValueError: If a label is missing, or the training set, the gallery or a probe set is
                empty.
        """
        gallery, _ = self.select(dataset)
        if self.train_subjects is None:
            return dataset.index_select(gallery), dataset
        train = self.is_train(dataset)
        expected = _describe(self.train_subjects)
        if isinstance(self.train_subjects, (int, np.integer)):
            expected = f'below {expected}'
            first = int(dataset.labels(self.subject).min())
            if first == 1:
                warnings.warn(
                    f'protocol {self.name!r} trains on subjects {expected}, '
                    f'numbered from 0, but the subjects of the dataset are numbered from 1; pass '
                    f'train_subjects=range(1, {int(self.train_subjects) + 1})',
                    stacklevel=2,
                )
        if not train.any():
            raise ValueError(
                f'protocol {self.name!r} must select at least one training sample, got none of '
                f'{len(train)} samples for subjects {expected}'
            )
        return dataset.index_select(train), dataset.index_select(~train)

    def _select(
        self,
        labels: dict[str, Tensor],
        candidates: Tensor,
        conditions: Mapping[str, Condition],
        part: str,
    ) -> Tensor:
        selected = candidates.clone()
        for field, condition in conditions.items():
            selected &= self._satisfies(labels[field], condition, field)
        if not selected.any():
            expected = ', '.join(f'{f} {_describe(c)}' for f, c in conditions.items())
            found = {f: labels[f][candidates].unique().tolist()[:12] for f in conditions}
            raise ValueError(
                f'{part} of protocol {self.name!r} must not be empty: expected samples with '
                f'{expected}, got {int(candidates.sum())} samples of test subjects with {found}'
            )
        return selected.nonzero().view(-1)

    def _satisfies(self, values: Tensor, condition: Condition, field: str) -> Tensor:
        if isinstance(condition, (int, np.integer)):
            return values == int(condition)
        if not callable(condition):
            return torch.isin(values, torch.tensor(sorted(condition), dtype=values.dtype))
        mask = torch.as_tensor(condition(values))
        if mask.dtype != torch.bool or mask.shape != values.shape:
            raise ValueError(
                f'the condition of protocol {self.name!r} on {field!r} must return a boolean mask '
                f'of shape {list(values.shape)}, got {mask.dtype} of {list(mask.shape)}'
            )
        return mask


def _describe(condition: Condition) -> str:
    if callable(condition):
        return f'selected by {getattr(condition, "__name__", repr(condition))}'
    return str(condition)
