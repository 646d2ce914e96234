"""Which samples of a recognition set are training data, gallery and probes."""

from __future__ import annotations

import typing
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

# What the values of a label have to be: one value, one of several, or what a function says.
Condition = int | Collection[int] | Callable[[Tensor], Tensor]


class LabelledDataset(typing.Protocol):
    """A dataset whose samples have labels, as :class:`~graphmotion.data.GraphDataset`."""

    def labels(self, field: str) -> Tensor:
        """A label of all samples."""

    def index_select(self, idx: Any) -> Any:
        """A part of the samples."""


Labels = Mapping[str, Tensor | np.ndarray | Sequence[int]] | LabelledDataset
Dataset = TypeVar('Dataset', bound=LabelledDataset)


@dataclass(frozen=True)
class GalleryProbeProtocol:
    r"""Which samples are training data, which are the gallery of known subjects, and which are the
    probes that are to be recognised.

    Samples are chosen by their labels. A condition on a label is one value, several, or a function
    of the values of all samples that returns a mask; a sample has to fulfil all conditions.

    .. code-block:: python

        GalleryProbeProtocol(
            'first run to later runs',
            gallery={'take': 1},
            probes={'normal': {'take': range(2, 9), 'condition': 0}, 'bag': {'condition': 1}},
            train_subjects=range(60),
            view=None,
        )

    :obj:`CASIA_B_ST`, :obj:`CASIA_B_MT`, :obj:`CASIA_B_LT`, :obj:`OU_MVLP`, :obj:`USF` and
    :obj:`ODD_TO_EVEN_TAKES` are those of the field. For a smaller set of the same shape change one
    field: :obj:`dataclasses.replace(CASIA_B_LT, train_subjects=20)`.

    Args:
        name (str): The name.
        gallery (dict): For each label that decides, the condition on it.
        probes (dict): For each set of probes its name and its conditions.
        train_subjects (int, sequence of int or callable, optional): The subjects to train with,
            who are neither gallery nor probes: those below this number, these, or those for whom a
            function of the subjects is true. By default there are none: the set is closed, its
            subjects are known from their gallery samples, which are the training data.
            (default: :obj:`None`)
        view (str, optional): The label of the views. The galleries of different views are apart,
            and there are tables by view; if :obj:`None`, there is one gallery.
            (default: :obj:`"view"`)
        exclude_identical_view (bool, optional): If set to :obj:`False`, a probe's own view counts
            in the means over gallery views, and the gallery of all views is complete. Without views
            always :obj:`False`. (default: :obj:`True`)
        same_view_impostors (bool, optional): Which samples of a probe's own view
            :obj:`exclude_identical_view` drops from the gallery of all views. By default those of
            the probe's subject; other subjects remain, as in the published mAP and mINP, see
            :func:`gallery_probe`. If set to :obj:`False`, all samples of that view.
            (default: :obj:`True`)
        subject (str, optional): The label to recognise. (default: :obj:`"subject"`)

    Raises:
        ValueError: If the gallery or a set of probes has no condition, or there are no probes.
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
            raise ValueError(f'the protocol {self.name!r} has no set of probes')
        parts = {'gallery': self.gallery, **{f'probes {k!r}': v for k, v in self.probes.items()}}
        for part, conditions in parts.items():
            if not isinstance(conditions, Mapping) or not conditions:
                raise ValueError(
                    f'the protocol {self.name!r} has no condition for its {part}: expected a dict '
                    f'of labels, got {conditions!r}'
                )
        if self.view is None:
            object.__setattr__(self, 'exclude_identical_view', False)

    @property
    def fields(self) -> tuple[str, ...]:
        r"""The labels that the protocol reads."""
        named = [self.gallery, *self.probes.values()]
        found = [self.subject, *([self.view] if self.view else []), *(f for c in named for f in c)]
        return tuple(dict.fromkeys(found))

    def read(self, labels: Labels) -> dict[str, Tensor]:
        r"""The labels that the protocol needs, each :math:`(N)`.

        Args:
            labels (dict or dataset): The labels by name, or a dataset that has them.

        Raises:
            ValueError: If a label is missing, or they are not one for each sample.
        """
        out = {}
        for field in self.fields:
            try:
                values = labels[field] if isinstance(labels, Mapping) else labels.labels(field)
            except (KeyError, ValueError) as error:
                there = f'; there are {sorted(labels)}' if isinstance(labels, Mapping) else ''
                raise ValueError(
                    f'the protocol {self.name!r} needs the label {field!r}{there or f": {error}"}'
                ) from None
            if not isinstance(values, Tensor):
                array = np.array(values)
                if array.dtype.kind not in 'iub':
                    raise ValueError(
                        f'the label {field!r} is one integer for each sample, got {array.dtype}'
                    )
                values = torch.from_numpy(array)
            out[field] = values.detach().cpu()
        sizes = {field: list(values.shape) for field, values in out.items()}
        size = len(out[self.subject])
        if any(shape != [size] for shape in sizes.values()):
            raise ValueError(f'labels are one for each sample, got the shapes {sizes}')
        return out

    def is_train(self, labels: Labels) -> Tensor:
        r"""For each sample whether its subject is one to train with.

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
        return self._fulfils(subject, self.train_subjects, self.subject)

    def select(self, labels: Labels) -> tuple[Tensor, dict[str, Tensor]]:
        r"""The positions of the gallery and of each set of probes among the samples.

        Args:
            labels (dict or dataset): The labels by name, or a dataset that has them.

        Returns:
            tuple: The positions of the gallery, and a dict of those of the probes.

        Raises:
            ValueError: If a label is missing, or the gallery or a set of probes is empty.
        """
        values = self.read(labels)
        candidates = ~self._is_train(values)
        gallery = self._positions(values, candidates, self.gallery, 'gallery')
        probes = {
            name: self._positions(values, candidates, conditions, f'set of probes {name!r}')
            for name, conditions in self.probes.items()
        }
        return gallery, probes

    def split(self, dataset: Dataset) -> tuple[Dataset, Dataset]:
        r"""The samples to train with and those to test with, which share no subject.

        In a closed set (without :attr:`train_subjects`) the gallery is what is trained with, and
        all samples are the test part, whose gallery is the same.

        .. code-block:: python

            train, test = CASIA_B_LT.split(dataset)

        Args:
            dataset (GraphDataset): A dataset, or anything with :obj:`labels` and
                :obj:`index_select`.

        Raises:
            ValueError: If a label is missing, or there is no sample to train with, in the gallery
                or in a set of probes.
        """
        gallery, _ = self.select(dataset)
        if self.train_subjects is None:
            return dataset.index_select(gallery), dataset
        train = self.is_train(dataset)
        if isinstance(self.train_subjects, (int, np.integer)):
            least = int(dataset.labels(self.subject).min())
            if least == 1:
                warnings.warn(
                    f'the protocol {self.name!r} trains with the subjects below '
                    f'{self.train_subjects}, counted from 0; here they count from 1: pass '
                    f'train_subjects=range(1, {int(self.train_subjects) + 1})',
                    stacklevel=2,
                )
        if not train.any():
            raise ValueError(
                f'the protocol {self.name!r} finds no sample to train with: no subject of the '
                f'{len(train)} samples is one of {_describe(self.train_subjects)}'
            )
        return dataset.index_select(train), dataset.index_select(~train)

    def _positions(
        self,
        labels: dict[str, Tensor],
        candidates: Tensor,
        conditions: Mapping[str, Condition],
        what: str,
    ) -> Tensor:
        chosen = candidates.clone()
        for field, condition in conditions.items():
            chosen &= self._fulfils(labels[field], condition, field)
        if not chosen.any():
            wanted = ', '.join(f'{f} {_describe(c)}' for f, c in conditions.items())
            found = {f: labels[f][candidates].unique().tolist()[:12] for f in conditions}
            raise ValueError(
                f'the {what} of the protocol {self.name!r} is empty: it takes {wanted}; the '
                f'{int(candidates.sum())} samples of test subjects have {found}'
            )
        return chosen.nonzero().view(-1)

    def _fulfils(self, values: Tensor, condition: Condition, field: str) -> Tensor:
        if isinstance(condition, (int, np.integer)):
            return values == int(condition)
        if not callable(condition):
            return torch.isin(values, torch.tensor(sorted(condition), dtype=values.dtype))
        mask = torch.as_tensor(condition(values))
        if mask.dtype != torch.bool or mask.shape != values.shape:
            raise ValueError(
                f'the condition of the protocol {self.name!r} on {field!r} returns a mask of the '
                f'shape {list(values.shape)}, got {mask.dtype} of {list(mask.shape)}'
            )
        return mask


def _describe(condition: Condition) -> str:
    if callable(condition):
        return f'as {getattr(condition, "__name__", repr(condition))} says'
    return str(condition)


def _is_odd(values: Tensor) -> Tensor:
    return values % 2 == 1


def _is_even(values: Tensor) -> Tensor:
    return values % 2 == 0


def _casia_b(name: str, train_subjects: int) -> GalleryProbeProtocol:
    """124 subjects, 11 views; conditions 0, 1 and 2 are normal, with a bag and with a coat."""
    return GalleryProbeProtocol(
        name,
        gallery={'condition': 0, 'take': (1, 2, 3, 4)},
        probes={
            'NM': {'condition': 0, 'take': (5, 6)},
            'BG': {'condition': 1, 'take': (1, 2)},
            'CL': {'condition': 2, 'take': (1, 2)},
        },
        train_subjects=train_subjects,
    )


#: CASIA-B with the first 24 subjects to train (small), the other 100 to test.
CASIA_B_ST = _casia_b('CASIA-B ST', 24)
#: CASIA-B with the first 62 subjects to train (medium), the other 62 to test.
CASIA_B_MT = _casia_b('CASIA-B MT', 62)
#: CASIA-B with the first 74 subjects to train (large), the other 50 to test.
CASIA_B_LT = _casia_b('CASIA-B LT', 74)

#: OU-MVLP, 14 views: the gallery is sequence 01, the probes are sequence 00, which are the takes 1
#: and 0. Of 10,307 subjects the 5,153 numbered 1, 3, ..., 10,305 in the files, 0, 2, ... from 0,
#: are to train with, the other 5,154 to test. Not everyone has both sequences from every view.
OU_MVLP = GalleryProbeProtocol(
    'OU-MVLP',
    gallery={'take': 1},
    probes={'00': {'take': 0}},
    train_subjects=range(0, 10305, 2),
)

#: The gallery and the probes A to G of `"The HumanID Gait Challenge Problem: Data Sets,
#: Performance, and Analysis" <https://doi.org/10.1109/TPAMI.2005.39>`_, for sequences without
#: briefcase: label :obj:`surface` 0 grass or 1 concrete, :obj:`shoe` 0 for type A or 1 for type B,
#: :obj:`camera` 0 right or 1 left. The gallery is all there is to train with.
USF = GalleryProbeProtocol(
    'USF',
    gallery={'surface': 0, 'shoe': 0, 'camera': 0},
    probes={
        'A': {'surface': 0, 'shoe': 0, 'camera': 1},
        'B': {'surface': 0, 'shoe': 1, 'camera': 0},
        'C': {'surface': 0, 'shoe': 1, 'camera': 1},
        'D': {'surface': 1, 'shoe': 0, 'camera': 0},
        'E': {'surface': 1, 'shoe': 1, 'camera': 0},
        'F': {'surface': 1, 'shoe': 0, 'camera': 1},
        'G': {'surface': 1, 'shoe': 1, 'camera': 1},
    },
    view=None,
)

#: Any set with one view: who walked in the odd takes is recognised in the even ones.
ODD_TO_EVEN_TAKES = GalleryProbeProtocol(
    'odd to even takes',
    gallery={'take': _is_odd},
    probes={'even': {'take': _is_even}},
    view=None,
)
