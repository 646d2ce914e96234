"""Open-set identification: which enrolled person a sample belongs to, if any."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from graphmotion.checks import check_int, check_probability
from graphmotion.metrics.recognition.error_rates import (
    count_below,
    sorted_distances,
    threshold_at_rate,
    threshold_steps,
)
from graphmotion.metrics.recognition.gallery import Gallery
from graphmotion.metrics.recognition.protocols import GalleryProbeProtocol, Labels

_CHUNK = 2**22  # pairs compared at a time


@dataclass(frozen=True, eq=False)
class OpenSetScores:
    r"""Scores of the identification of probes whose person may not be enrolled.

    A probe is searched for among the enrolled people. It is *mated* if its person is enrolled, and
    *non-mated* otherwise. An enrolled person is a candidate if the distance :math:`d` to the probe
    is below the threshold :math:`t`. The detection and identification rate (DIR) is the fraction of
    mated probes whose person is a candidate among the :math:`k` nearest people. The false alarm
    rate is the fraction of non-mated probes with any candidate:

    .. math::
        \mathrm{DIR}(t, k) = \frac{| \{ i : r_i \le k, d_i < t \} |}{N_{\text{mated}}} \qquad
        \mathrm{FPIR}(t) = \frac{| \{ j : \min_p d_{jp} < t \} |}{N_{\text{non-mated}}}

    Here :math:`d_i` is the distance of the probe to its own person and :math:`r_i` is the rank of
    this person; a wrong person at the same distance ranks first. In the terms of ISO/IEC 19795-1,
    the false alarm rate is the false positive identification rate (FPIR), and
    :math:`1 - \mathrm{DIR}` is the false negative identification rate (FNIR). With an infinite
    threshold, DIR is the rank-:math:`k` accuracy.

    .. code-block:: python

        distance = torch.tensor([[0.1, 0.8], [0.9, 0.2], [0.7, 0.6]])  # to two enrolled people
        person = torch.tensor([0, 1, -1])  # the third probe is a stranger
        scores = OpenSetScores.from_distances(distance, person)
        print(scores.detection_rate(0.5))  # both enrolled people are found: 1

    Args:
        mated (Tensor): Distance of each mated probe to its own person.
        rank (Tensor): Rank of the person of each mated probe, from 1.
        non_mated (Tensor): Distance of each non-mated probe to the nearest enrolled person.
        num_left_out (int, optional): Number of probes that could not be compared, because the
            protocol excludes all samples of their person. (default: :obj:`0`)

    Shapes:
        - **mated**, **rank:** :math:`(N_{\text{mated}})`
        - **non_mated:** :math:`(N_{\text{non-mated}})`

    Raises:
        ValueError: If there are no mated or no non-mated probes, a distance is not finite, or a
            rank is below 1.
        TypeError: If the distances are not a floating-point tensor.
    """

    mated: Tensor
    rank: Tensor
    non_mated: Tensor
    num_left_out: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, 'non_mated', sorted_distances('non_mated', self.non_mated))
        order = self.mated.argsort() if isinstance(self.mated, Tensor) else None
        object.__setattr__(self, 'mated', sorted_distances('mated', self.mated))
        if self.rank.shape != self.mated.shape or self.rank.is_floating_point():
            raise ValueError(
                f'rank must be one integer for each of {len(self.mated)} mated probes, got '
                f'{self.rank.dtype} of shape {list(self.rank.shape)}'
            )
        check_int('rank', int(self.rank.min()), 1)
        object.__setattr__(self, 'rank', self.rank[order].cpu())

    @classmethod
    def from_distances(cls, distance: Tensor, person: Tensor) -> OpenSetScores:
        r"""Computes scores from the distances of probes to enrolled people.

        .. code-block:: python

            distance = torch.tensor([[0.1, 0.9], [0.8, 0.2], [0.7, 0.6]])
            scores = OpenSetScores.from_distances(distance, person=torch.tensor([0, 1, -1]))
            print(scores.detection_rate(threshold=0.5))  # tensor(1., dtype=torch.float64)

        Args:
            distance (Tensor): Distance of each probe to each enrolled person; infinite if they are
                not compared.
            person (Tensor): Column of the person of each probe, or -1 if not enrolled.

        Shapes:
            - **distance:** :math:`(N, P)`
            - **person:** :math:`(N)`, integers

        Raises:
            ValueError: If the shapes do not match, a column is out of range, a distance is NaN, or
                there are no mated or no non-mated probes.
        """
        if distance.dim() != 2 or not distance.numel() or person.shape != distance.shape[:1]:
            raise ValueError(
                f'distance must be [N, P] and person [N], got {list(distance.shape)} and '
                f'{list(person.shape)}'
            )
        low, high = int(person.min()), int(person.max())
        if low < -1 or high >= distance.size(1):
            raise ValueError(
                f'person must be in [-1, {distance.size(1) - 1}], got values in [{low}, {high}]'
            )
        if distance.isnan().any():
            raise ValueError(f'distance must not be NaN, got {int(distance.isnan().sum())}')
        return _join([_search(distance, person.to(distance.device))])

    def false_alarm_rate(self, threshold: float | Tensor) -> Tensor:
        r"""Returns the fraction of non-mated probes with a candidate, for each threshold."""
        return count_below(self.non_mated, threshold).double() / len(self.non_mated)

    def detection_rate(self, threshold: float | Tensor, rank: int = 1) -> Tensor:
        r"""Returns the detection and identification rate for each threshold.

        Raises:
            ValueError: If the rank is below 1.
        """
        return count_below(self._detected(rank), threshold).double() / len(self.mated)

    def threshold_at(self, false_alarm_rate: float) -> float:
        r"""Returns the largest threshold whose false alarm rate does not exceed a rate.

        Raises:
            ValueError: If the rate is not in :math:`[0, 1]`.
        """
        check_probability('false_alarm_rate', false_alarm_rate)
        return threshold_at_rate(self.non_mated, false_alarm_rate)

    def detection_rate_at(self, false_alarm_rate: float, rank: int = 1) -> float:
        r"""Returns the largest detection and identification rate at a false alarm rate.

        Raises:
            ValueError: If the rate is not in :math:`[0, 1]` or the rank is below 1.
        """
        return float(self.detection_rate(self.threshold_at(false_alarm_rate), rank))

    def curve(self, rank: int = 1) -> tuple[Tensor, Tensor, Tensor]:
        r"""Returns the curve of the detection and identification rate over false alarms.

        Returns:
            tuple: The false alarm rate, the detection and identification rate and the threshold of
            each point, in ascending order of the threshold. Points on the straight lines between
            others are omitted.

        Raises:
            ValueError: If the rank is below 1.
        """
        threshold = threshold_steps(self._detected(rank), self.non_mated)
        return self.false_alarm_rate(threshold), self.detection_rate(threshold, rank), threshold

    def figures(self, false_alarm_rates: Sequence[float] = (0.1, 0.01)) -> dict[str, float]:
        r"""Returns the rank-1 accuracy and the rank-1 DIR at each false alarm rate.

        Their names are :obj:`"rank-1"` and, for a rate of 0.01, :obj:`"DIR@FAR=1%"`.
        """
        rates = {f'DIR@FAR={100 * x:g}%': self.detection_rate_at(x) for x in false_alarm_rates}
        return {'rank-1': float(self.detection_rate(torch.inf)), **rates}

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(mated={len(self.mated)}, non_mated={len(self.non_mated)}, '
            f'rank-1={100 * float(self.detection_rate(torch.inf)):.2f}%)'
        )

    def _detected(self, rank: int) -> Tensor:
        """Returns the distances of the mated probes whose person is among the nearest."""
        return self.mated[self.rank <= check_int('rank', rank, 1)]


def open_set_scores(
    embedding: Tensor | np.memmap,
    labels: Labels,
    protocol: GalleryProbeProtocol,
    distance: str = 'cosine',
) -> OpenSetScores:
    r"""Searches for each probe among the people in the gallery, of whom it may not be one.

    The distance of a probe to a person is the distance to the person's nearest gallery sample,
    without the samples that :func:`retrieve` excludes. A condition on the subject in the gallery of
    a protocol leaves people out:

    .. code-block:: python

        dataset = SyntheticGait.casia_b(num_subjects=6, num_frames=8, views=[0, 90])
        gallery = {**CASIA_B_LT.gallery, 'subject': range(4)}  # two people are not enrolled
        protocol = replace(CASIA_B_LT, gallery=gallery, train_subjects=0)
        scores = open_set_scores(torch.randn(len(dataset), 16), dataset, protocol)
        print(f'DIR {scores.detection_rate_at(false_alarm_rate=0.01):.1%}')

    Probes are compared in chunks, so that memory does not grow with the number of pairs.

    Args:
        embedding (Tensor): Embeddings, as in :func:`gallery_probe`.
        labels (dict or dataset): Labels of the same samples by name, or the dataset.
        protocol (GalleryProbeProtocol): Protocol that selects gallery and probes.
        distance (str, optional): :obj:`"cosine"` or :obj:`"euclidean"`. (default:
            :obj:`"cosine"`)

    Shapes:
        - **embedding:** :math:`(N, D)`, or :math:`(N, P, D)` in :math:`P` parts

    Raises:
        ValueError: If there are no mated or no non-mated probes, or for the reasons given in
            :func:`gallery_probe`.
    """
    gallery = Gallery(embedding, labels, protocol, distance)
    people, owner = gallery.subject[gallery.positions].unique(return_inverse=True)
    column = gallery.subject.new_full((int(gallery.subject.max()) + 1,), -1)
    column[people] = torch.arange(len(people), device=people.device)
    probes = torch.cat(list(gallery.probes.values()))
    found = []
    for samples in probes.split(max(1, _CHUNK // len(gallery.positions))):
        pairwise = gallery.similarity.distance_matrix(samples)
        pairwise = pairwise.masked_fill(gallery.is_excluded(samples), torch.inf)
        nearest = pairwise.new_full((len(samples), len(people)), torch.inf)
        nearest.scatter_reduce_(1, owner.expand_as(pairwise), pairwise, 'amin')
        found.append(_search(nearest, column[gallery.subject[samples]]))
    return _join(found)


def _search(distance: Tensor, person: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Returns distance and rank of the person of mated probes, and the nearest of the others."""
    mated = person >= 0
    own = distance[mated].gather(1, person[mated].unsqueeze(1))
    rank = (distance[mated] <= own).sum(dim=1)  # includes the person
    return own.squeeze(1).cpu(), rank.cpu(), distance[~mated].amin(dim=1).cpu()


def _join(found: Sequence[tuple[Tensor, Tensor, Tensor]]) -> OpenSetScores:
    mated, rank, non_mated = (torch.cat(parts) for parts in zip(*found))
    for kind, part in (('mated', mated), ('non-mated', non_mated)):
        if not part.isfinite().any():
            raise ValueError(f'there must be at least one {kind} probe, got none')
    compared, others = mated.isfinite(), non_mated.isfinite()
    left_out = int((~compared).sum()) + int((~others).sum())
    return OpenSetScores(mated[compared], rank[compared], non_mated[others], left_out)
