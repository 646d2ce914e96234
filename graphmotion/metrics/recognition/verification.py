"""Verification: whether two samples belong to one person, decided by their distance."""

from __future__ import annotations

from bisect import bisect_left
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

_ALL_PAIRS = GalleryProbeProtocol(
    'all pairs',
    gallery={'subject': lambda subject: torch.ones_like(subject, dtype=torch.bool)},
    probes={'all': {'subject': lambda subject: torch.ones_like(subject, dtype=torch.bool)}},
    view=None,
)


@dataclass(frozen=True, eq=False)
class VerificationScores:
    r"""Distances of genuine and impostor pairs, and the error rates of a decision by a threshold.

    A pair is *genuine* if both samples belong to one person, otherwise it is an *impostor* pair. A
    pair is accepted if its distance :math:`d` is below the threshold :math:`t`:

    .. math::
        \mathrm{FAR}(t) = \frac{| \{ i : d^{\text{impostor}}_i < t \} |}{N_{\text{impostor}}} \qquad
        \mathrm{FRR}(t) = \frac{| \{ i : d^{\text{genuine}}_i \ge t \} |}{N_{\text{genuine}}}

    The false accept rate (FAR) and the false reject rate (FRR) are those of ISO/IEC 19795-1 for
    transactions of one attempt without failures to acquire, where they equal the false match rate
    (FMR) and the false non-match rate (FNMR). The true accept rate is
    :math:`\mathrm{TAR} = 1 - \mathrm{FRR}`. A false accept rate below
    :math:`1 / N_{\text{impostor}}` cannot be measured.

    .. code-block:: python

        scores = VerificationScores(genuine=torch.tensor([0.1, 0.3]), impostor=torch.tensor([0.5]))
        print(scores.equal_error_rate, scores.equal_error_threshold)  # 0.0 0.4

    Args:
        genuine (Tensor): Distances of genuine pairs. Use negative similarities if larger scores
            mean more similar samples.
        impostor (Tensor): Distances of impostor pairs.

    Shapes:
        - **genuine:** :math:`(N_{\text{genuine}})`, kept in ascending order
        - **impostor:** :math:`(N_{\text{impostor}})`, kept in ascending order

    Raises:
        ValueError: If there are no genuine or no impostor pairs, or a distance is not finite.
        TypeError: If the distances are not a floating-point tensor.
    """

    genuine: Tensor
    impostor: Tensor

    def __post_init__(self) -> None:
        for name in ('genuine', 'impostor'):
            object.__setattr__(self, name, sorted_distances(name, getattr(self, name)))

    def false_accept_rate(self, threshold: float | Tensor) -> Tensor:
        r"""Returns the fraction of impostor pairs below each threshold."""
        return count_below(self.impostor, threshold).double() / len(self.impostor)

    def false_reject_rate(self, threshold: float | Tensor) -> Tensor:
        r"""Returns the fraction of genuine pairs that are not below each threshold."""
        rejected = len(self.genuine) - count_below(self.genuine, threshold)
        return rejected.double() / len(self.genuine)

    def threshold_at(self, false_accept_rate: float) -> float:
        r"""Returns the largest threshold whose false accept rate does not exceed a rate.

        Raises:
            ValueError: If the rate is not in :math:`[0, 1]`.
        """
        check_probability('false_accept_rate', false_accept_rate)
        return threshold_at_rate(self.impostor, false_accept_rate)

    def true_accept_rate(self, false_accept_rate: float) -> float:
        r"""Returns the largest true accept rate whose false accept rate does not exceed a rate.

        Raises:
            ValueError: If the rate is not in :math:`[0, 1]`.
        """
        return 1 - float(self.false_reject_rate(self.threshold_at(false_accept_rate)))

    def det_curve(self) -> tuple[Tensor, Tensor, Tensor]:
        r"""Returns the detection error tradeoff (DET) curve.

        Returns:
            tuple: The false accept rate, the false reject rate and the threshold of each point, in
            ascending order of the threshold, from (0, 1) to (1, 0). Points on the straight lines
            between others are omitted.
        """
        threshold = threshold_steps(self.genuine, self.impostor)
        return self.false_accept_rate(threshold), self.false_reject_rate(threshold), threshold

    @property
    def equal_error_rate(self) -> float:
        r"""Error rate where the false accept rate equals the false reject rate (EER).

        Between two points of :meth:`det_curve`, rates are interpolated linearly.
        """
        return self._equal_error()[0]

    @property
    def equal_error_threshold(self) -> float:
        r"""Threshold of the equal error rate.

        If a range of thresholds has equal rates, it is the centre of the range.
        """
        return self._equal_error()[1]

    def _equal_error(self) -> tuple[float, float]:
        # The excess grows with the threshold: `above` is the first distance where it is not
        # negative, and `below` is the previous distance.
        pairs = self.genuine, self.impostor
        above = min(self._first_excess(distance) for distance in pairs)
        below = max(float(d[i - 1]) for d in pairs if (i := int(count_below(d, above))) > 0)
        accept = self.false_accept_rate
        if self._excess(above) == 0:  # as for all thresholds between both distances
            return float(accept(above)), (below + above) / 2
        step = self._excess(below) / (self._excess(below) - self._excess(above))
        return float(torch.lerp(accept(below), accept(above), step)), below

    def _excess(self, threshold: float | Tensor) -> float:
        """Returns by how much the false accept rate exceeds the false reject rate."""
        return float(self.false_accept_rate(threshold) - self.false_reject_rate(threshold))

    def _first_excess(self, distance: Tensor) -> float:
        """Returns the first of the sorted distances with a non-negative excess, or infinity."""
        index = bisect_left(
            range(len(distance)), True, key=lambda i: self._excess(distance[i]) >= 0
        )
        return float(distance[index]) if index < len(distance) else torch.inf

    def figures(self, false_accept_rates: Sequence[float] = (0.1, 0.01, 0.001)) -> dict[str, float]:
        r"""Returns the equal error rate and the true accept rate at each false accept rate.

        Their names are :obj:`"EER"` and, for a rate of 0.01, :obj:`"TAR@FAR=1%"`.
        """
        rates = {f'TAR@FAR={100 * x:g}%': self.true_accept_rate(x) for x in false_accept_rates}
        return {'EER': self.equal_error_rate, **rates}

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(genuine={len(self.genuine)}, impostor={len(self.impostor)}, '
            f'EER={100 * self.equal_error_rate:.2f}%)'
        )


def verification_scores(
    embedding: Tensor | np.memmap,
    labels: Labels,
    protocol: GalleryProbeProtocol | None = None,
    distance: str = 'cosine',
    max_impostors: int = 2**24,
    seed: int = 0,
) -> VerificationScores:
    r"""Compares pairs of samples and collects the distances of genuine and impostor pairs.

    Without a protocol, all pairs of samples are compared. A protocol compares each probe of all
    probe sets with each gallery sample, except for the pairs that :func:`retrieve` excludes.

    .. code-block:: python

        dataset = SyntheticGait.casia_b(num_subjects=4, num_frames=8, views=[0, 90])
        protocol = replace(CASIA_B_LT, train_subjects=0)
        scores = verification_scores(torch.randn(len(dataset), 16), dataset, protocol)
        print(f'EER {scores.equal_error_rate:.1%}')

    Samples are compared in chunks. Impostor pairs beyond :obj:`max_impostors` are subsampled, so
    that memory does not grow with the number of impostor pairs; all genuine pairs are kept.

    Args:
        embedding (Tensor): Embeddings, as in :func:`gallery_probe`.
        labels (dict or dataset): Labels of the same samples by name, or the dataset.
        protocol (GalleryProbeProtocol, optional): Protocol that selects gallery and probes. If
            :obj:`None`, the label :obj:`"subject"` of all samples is used. (default: :obj:`None`)
        distance (str, optional): :obj:`"cosine"` or :obj:`"euclidean"`. (default:
            :obj:`"cosine"`)
        max_impostors (int, optional): Expected number of impostor pairs to keep, drawn at random,
            if there are more pairs. (default: :obj:`16777216`)
        seed (int, optional): Seed of the random choice. (default: :obj:`0`)

    Shapes:
        - **embedding:** :math:`(N, D)`, or :math:`(N, P, D)` in :math:`P` parts

    Raises:
        ValueError: If there are no genuine or no impostor pairs, or for the reasons given in
            :func:`gallery_probe`.
    """
    check_int('max_impostors', max_impostors, 1)
    gallery = Gallery(embedding, labels, protocol or _ALL_PAIRS, distance)
    probes = torch.cat(list(gallery.probes.values()))
    num_columns = len(gallery.positions)
    fraction = max_impostors / (len(probes) * num_columns / (1 if protocol else 2))
    generator = torch.Generator().manual_seed(seed)
    genuine, impostor = [], []
    for samples in probes.split(max(1, _CHUNK // num_columns)):
        pairwise = gallery.similarity.distance_matrix(samples)
        compared = ~gallery.is_excluded(samples)
        if protocol is None:  # each pair once
            compared &= gallery.positions > samples.unsqueeze(1)
        same_subject = gallery.is_same_subject(samples)
        genuine.append(pairwise[compared & same_subject].cpu())
        wrong = pairwise[compared & ~same_subject].cpu()
        if fraction < 1:
            wrong = wrong[torch.rand(len(wrong), generator=generator) < fraction]
        impostor.append(wrong)
    pairs = {'genuine': torch.cat(genuine), 'impostor': torch.cat(impostor)}
    for kind, found in pairs.items():
        if not len(found):
            raise ValueError(f'labels must give at least one {kind} pair of samples, got none')
    return VerificationScores(**pairs)
