"""Gallery of enrolled people, in which samples are identified and verified by embeddings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from graphmotion.checks import check_choice, check_int
from graphmotion.inference.identification import UNKNOWN, Identification, Verification
from graphmotion.metrics.recognition.embeddings import Embeddings
from graphmotion.metrics.recognition.error_rates import threshold_at_rate
from graphmotion.metrics.recognition.similarity import (
    DISTANCES,
    Similarity,
    to_comparable,
)
from graphmotion.metrics.recognition.topk import stable_topk

TEMPLATES = ('mean', 'all')
_CHUNK = 2**22  # pairs compared at a time
_BLOCK = 2**24  # values of people who are compared at a time


class Gallery:
    r"""Enrolled people, in which samples are identified and verified by their embeddings.

    .. code-block:: python

        gallery = Gallery()
        anna, ben, others = torch.randn(3, 16), torch.randn(3, 16), torch.randn(200, 16)
        gallery.enroll('anna', anna)  # three samples of one person
        gallery.enroll('ben', ben)
        gallery.calibrate(others, labels=range(200), false_accept_rate=0.01)
        print(gallery.identify(anna[:1]))  # anna, with the distances of both
        if gallery.verify(anna[:1], 'anna'):
            print('welcome')

    A sample is accepted if its distance to a person is below a threshold. :meth:`calibrate` chooses
    the threshold from samples of other people, the *cohort*, so that a given fraction of strangers
    is accepted. Since a stranger is more likely to resemble one of many people than a particular
    person, :meth:`identify` and :meth:`verify` have different thresholds. The gallery keeps the
    cohort and adjusts both thresholds when people are enrolled or removed.

    Args:
        distance (str, optional): :obj:`"cosine"` or :obj:`"euclidean"`; for embeddings in parts,
            the mean of the distances of the parts. (default: :obj:`"cosine"`)
        templates (str, optional): Compares samples with the mean of a person's samples
            (:obj:`"mean"`), each scaled to unit length for the cosine distance, or with all of them
            (:obj:`"all"`), of which the nearest counts. (default: :obj:`"mean"`)

    Raises:
        ValueError: If an option is unknown.
    """

    def __init__(self, distance: str = 'cosine', templates: str = 'mean') -> None:
        self.distance = check_choice('distance', distance, DISTANCES)
        self.templates = check_choice('templates', templates, TEMPLATES)
        self.false_accept_rate: float | None = None
        self._samples: dict[str, Tensor] = {}  # [n, P, D] of each person
        self._cohort: Tensor | None = None  # [N, P, D]
        self._cohort_names: list[str] = []
        self._thresholds: tuple[float, float] | None = None

    # People ###################################################################

    @property
    def names(self) -> list[str]:
        r"""Names of the enrolled people, in the order of their enrolment."""
        return list(self._samples)

    def __len__(self) -> int:
        return len(self._samples)

    def __contains__(self, name: str) -> bool:
        return name in self._samples

    def __getitem__(self, name: str) -> Tensor:
        r"""Returns the samples of a person, :math:`(n, P, D)`.

        Raises:
            ValueError: If no person has this name.
        """
        return self._samples[self._check_enrolled(name)]

    def enroll(self, name: str, embeddings: Tensor) -> None:
        r"""Adds samples of a person, who is enrolled if necessary.

        Args:
            name (str): Name of the person.
            embeddings (Tensor): One or more samples.

        Shapes:
            - **embeddings:** :math:`(D)`, :math:`(N, D)`, or :math:`(N, P, D)` in :math:`P` parts

        Raises:
            ValueError: If the name is empty or :obj:`"unknown"`, or the embeddings differ in size
                from those in the gallery or are not finite.
            TypeError: If the embeddings are not a floating-point tensor.
        """
        if not isinstance(name, str) or name in ('', UNKNOWN):
            raise ValueError(f'name must be a string other than {UNKNOWN!r}, got {name!r}')
        earlier = [self._samples[name]] if name in self else []
        # A copy in any case, since the caller may write to the tensor again.
        self._samples[name] = torch.cat([*earlier, self._read(embeddings)])
        self._thresholds = None

    def remove(self, name: str) -> None:
        r"""Removes a person.

        Raises:
            ValueError: If no person has this name.
        """
        del self._samples[self._check_enrolled(name)]
        self._thresholds = None

    def merge(self, other: Gallery) -> None:
        r"""Adds all samples of another gallery; a person in both has the samples of both.

        The options and the calibration of this gallery stay. Without a calibration, the other
        gallery's is used.

        Raises:
            ValueError: If the galleries differ in the distance or in the size of embeddings.
        """
        if other.distance != self.distance:
            raise ValueError(f'other must use distance {self.distance!r}, got {other.distance!r}')
        cohort = None if other._cohort is None else self._read(other._cohort)
        for name in other.names:
            self.enroll(name, other[name].clone())
        if self._cohort is None and cohort is not None:
            self.calibrate(cohort, other._cohort_names, other.false_accept_rate or 0)

    # Answers ##################################################################

    def distances(self, embeddings: Tensor) -> Tensor:
        r"""Computes the distance of each sample to each person, in the order of :attr:`names`.

        Shapes:
            - **embeddings:** :math:`(D)`, :math:`(N, D)`, or :math:`(N, P, D)` in :math:`P` parts
            - **output:** :math:`(N, \text{people})`

        Raises:
            ValueError: If nobody is enrolled, or the embeddings differ in size from those in the
                gallery or are not finite.
            TypeError: If the embeddings are not a floating-point tensor.
        """
        if not self._samples:
            raise ValueError('gallery must have at least one enrolled person, got none')
        embeddings = self._read(embeddings).double()
        people = list(self._samples.values())
        out = embeddings.new_empty(len(embeddings), len(people))
        block = max(1, _BLOCK // embeddings[0].numel())
        for start in range(0, len(people), block):
            part = slice(start, start + block)
            self._compare(embeddings, people[part], out[:, part])
        return out

    def _compare(self, embeddings: Tensor, people: Sequence[Tensor], out: Tensor) -> None:
        """Writes the distance of each sample to each of the people."""
        # In double precision, also the means.
        templates = torch.cat(list(people)).double()
        owner = torch.arange(len(people)).repeat_interleave(torch.tensor([*map(len, people)]))
        if self.templates == 'mean':
            sums = templates.new_zeros(len(people), *templates.shape[1:])
            sums.index_add_(0, owner, to_comparable(templates, self.distance))
            templates = sums / owner.bincount().view(-1, 1, 1)
            owner = torch.arange(len(people))
        # Templates and samples share one tensor.
        rows = torch.cat([templates, embeddings])
        similarity = Similarity(rows, torch.arange(len(owner)), self.distance)
        out.fill_(torch.inf)
        samples = torch.arange(len(owner), len(rows))
        chunk = max(1, _CHUNK // len(owner))
        for part, nearest in zip(samples.split(chunk), out.split(chunk)):
            pairwise = similarity.distance_matrix(part)
            nearest.scatter_reduce_(1, owner.expand_as(pairwise), pairwise, 'amin')

    def identify(
        self, embeddings: Tensor, k: int = 5, threshold: float | None = None
    ) -> Identification:
        r"""Ranks the enrolled people by their distance to each sample.

        Args:
            embeddings (Tensor): One or more samples.
            k (int, optional): Maximum number of people for each sample. (default: :obj:`5`)
            threshold (float, optional): Distance from which on a sample is unknown. By default,
                :attr:`identification_threshold`; if the gallery is not calibrated, all samples are
                known. (default: :obj:`None`)

        Shapes:
            - **embeddings:** :math:`(D)`, :math:`(N, D)`, or :math:`(N, P, D)` in :math:`P` parts

        Raises:
            ValueError: If :obj:`k` is below 1, or for the reasons given in :meth:`distances`.
        """
        check_int('k', k, 1)
        distance, people = stable_topk(self.distances(embeddings), k, largest=False)
        if threshold is None:
            threshold = self.identification_threshold
        names = self.names
        ranked = [tuple(names[i] for i in row) for row in people.tolist()]
        return Identification(ranked, distance, threshold)

    def verify(self, embeddings: Tensor, name: str, threshold: float | None = None) -> Verification:
        r"""Decides whether samples belong to a person.

        Args:
            embeddings (Tensor): One or more samples.
            name (str): Name of the person.
            threshold (float, optional): Distance below which samples are accepted. By default,
                :attr:`verification_threshold`. (default: :obj:`None`)

        Shapes:
            - **embeddings:** :math:`(D)`, :math:`(N, D)`, or :math:`(N, P, D)` in :math:`P` parts

        Raises:
            ValueError: If no person has this name, no threshold is given and the gallery is not
                calibrated, or for the reasons given in :meth:`distances`.
        """
        column = self.names.index(self._check_enrolled(name))
        if threshold is None:
            threshold = self.verification_threshold
        if threshold is None:
            raise ValueError('threshold must be given for a gallery that is not calibrated')
        return Verification(name, self.distances(embeddings)[:, column], threshold)

    # Calibration ##############################################################

    def calibrate(
        self, embeddings: Tensor, labels: Sequence[Any] | Tensor, false_accept_rate: float = 0.01
    ) -> None:
        r"""Sets the rate at which strangers are accepted, given samples of people to measure it.

        :attr:`identification_threshold` and :attr:`verification_threshold` are the largest
        thresholds at which at most this fraction of the samples is accepted. The people should be
        neither enrolled nor in the training data of the network. How well the rate holds for other
        strangers depends more on the number of people than on the number of samples. Samples whose
        label is the name of an enrolled person are compared only with the others. In the terms of
        ISO/IEC 19795-1, the rate is the false positive identification rate of :meth:`identify` and
        the false match rate of :meth:`verify`.

        Args:
            embeddings (Tensor): Samples of other people.
            labels (sequence or Tensor): Name or number of the person of each sample.
            false_accept_rate (float, optional): Fraction of strangers to accept.
                (default: :obj:`0.01`)

        Shapes:
            - **embeddings:** :math:`(N, D)`, or :math:`(N, P, D)` in :math:`P` parts
            - **labels:** :math:`(N)`

        Raises:
            ValueError: If there is not one label for each sample, the rate is not in
                :math:`[1 / N, 1]`, or the embeddings differ in size from those in the gallery or
                are not finite.
            TypeError: If the embeddings are not a floating-point tensor.
        """
        cohort = self._read(embeddings).clone()
        names = [str(name) for name in (labels.tolist() if isinstance(labels, Tensor) else labels)]
        if len(names) != len(cohort):
            raise ValueError(f'labels must have length {len(cohort)}, got {len(names)}')
        if not 1 / len(cohort) <= false_accept_rate <= 1:
            raise ValueError(
                f'false_accept_rate must be in [{1 / len(cohort):.2g}, 1] for {len(cohort)} '
                f'samples, got {false_accept_rate!r}'
            )
        self._cohort, self._cohort_names = cohort, names
        self.false_accept_rate = float(false_accept_rate)
        self._thresholds = None

    @property
    def identification_threshold(self) -> float | None:
        r"""Distance below which the nearest person is accepted; :obj:`None` if not calibrated."""
        return self._calibrated_thresholds()[0]

    @property
    def verification_threshold(self) -> float | None:
        r"""Distance below which a given person is accepted; :obj:`None` if not calibrated."""
        return self._calibrated_thresholds()[1]

    def _calibrated_thresholds(self) -> tuple[float, float] | tuple[None, None]:
        if self._cohort is None or self.false_accept_rate is None or not self._samples:
            return None, None
        if self._thresholds is None:
            distance = self.distances(self._cohort)
            column = {name: i for i, name in enumerate(self._samples)}
            own = torch.tensor([column.get(name, -1) for name in self._cohort_names])
            distance[own >= 0, own[own >= 0]] = torch.inf
            compared = distance[distance.isfinite().any(dim=1)]
            searches, pairs = compared.amin(dim=1), compared[compared.isfinite()]
            if not len(pairs):
                raise ValueError(
                    'gallery must be calibrated on other people than the enrolled person'
                )
            rate = self.false_accept_rate
            self._thresholds = (
                threshold_at_rate(searches.sort().values, rate),
                threshold_at_rate(pairs.sort().values, rate),
            )
        return self._thresholds

    # Serialisation ############################################################

    def to_state(self) -> dict[str, Any]:
        r"""Returns the options, names and samples in plain containers and tensors."""
        return {
            'distance': self.distance,
            'templates': self.templates,
            'false_accept_rate': self.false_accept_rate,
            'names': self.names,
            'num_samples': [len(samples) for samples in self._samples.values()],
            'samples': torch.cat(list(self._samples.values())) if self._samples else None,
            'cohort_names': list(self._cohort_names),
            'cohort': self._cohort,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Gallery:
        r"""Restores a gallery from the output of :meth:`to_state`.

        Raises:
            ValueError: If a value is missing or the values do not fit together.
        """
        out = cls()
        expected = set(out.to_state())
        if set(state) != expected:
            raise ValueError(f'state must have the keys {sorted(expected)}, got {sorted(state)}')
        out = cls(state['distance'], state['templates'])
        names, counts, samples = state['names'], state['num_samples'], state['samples']
        total = 0 if samples is None else len(samples)
        if len({*names}) != len(counts) or sum(counts) != total or min(counts, default=1) < 1:
            raise ValueError(
                f'num_samples must divide {total} samples between {len(names)} names, got {counts}'
            )
        if samples is not None:
            for name, part in zip(names, samples.split(counts)):
                out.enroll(name, part)
        if state['cohort'] is not None:
            out.calibrate(state['cohort'], state['cohort_names'], state['false_accept_rate'])
        return out

    def __repr__(self) -> str:
        num_samples = sum(len(samples) for samples in self._samples.values())
        options = f'distance={self.distance!r}, templates={self.templates!r}'
        if self.false_accept_rate is not None:
            options += f', false_accept_rate={self.false_accept_rate:g}'
        return f'{type(self).__name__}({len(self)} people, {num_samples} samples, {options})'

    # Input ####################################################################

    def _read(self, embeddings: Tensor) -> Tensor:
        """Returns embeddings in parts, [N, P, D], of the size of those in the gallery."""
        if isinstance(embeddings, Tensor) and embeddings.dim() == 1:
            embeddings = embeddings.unsqueeze(0)
        parts = Embeddings(embeddings)[:].cpu()
        kept = [*self._samples.values(), *([] if self._cohort is None else [self._cohort])]
        if kept and parts.shape[1:] != kept[0].shape[1:]:
            raise ValueError(
                f'embeddings must have the size {_describe_size(kept[0])} of those in the gallery, '
                f'got {_describe_size(parts)}'
            )
        num_wrong = int((~parts.flatten(1).isfinite().all(dim=1)).sum())
        if num_wrong:
            raise ValueError(f'embeddings must be finite, got {num_wrong} samples that are not')
        return parts

    def _check_enrolled(self, name: str) -> str:
        if name not in self._samples:
            known = ', '.join(self.names[:9]) + (', ...' if len(self) > 9 else '')
            raise ValueError(f'name must be one of {len(self)} people ({known}), got {name!r}')
        return name


def _describe_size(parts: Tensor) -> str:
    _, num_parts, size = parts.shape
    return f'{size}' if num_parts == 1 else f'{num_parts} x {size}'
