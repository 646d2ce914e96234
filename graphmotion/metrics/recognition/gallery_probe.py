"""Recognition of probes by their nearest gallery samples."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from graphmotion.checks import check_int
from graphmotion.metrics.recognition.gallery import Gallery
from graphmotion.metrics.recognition.protocols import GalleryProbeProtocol, Labels
from graphmotion.metrics.recognition.scores import GalleryProbeScores

_MAX_RANK = 50  # of the CMC curve, at least
_CHUNK = 2**24  # entries of the matrix of similarities held at a time
_BLOCK = 2**19  # entries compared at a time: they and the result stay in the cache


def gallery_probe(
    embedding: Tensor,
    labels: Labels,
    protocol: GalleryProbeProtocol,
    distance: str = 'cosine',
    ranks: Sequence[int] = (1, 5, 10, 20),
    chunk_size: int | None = None,
) -> GalleryProbeScores:
    r"""Rank each probe's gallery by distance, and score where its true matches are.

    For a probe with :math:`M` true matches in a gallery, the :math:`i`-th nearest of them at rank
    :math:`r_i`, rank-:math:`k` asks whether :math:`r_1 \le k`; average precision and inverse
    negative penalty (of the `"Deep Learning for Person Re-identification: A Survey and Outlook"
    <https://arxiv.org/abs/2001.04193>`_ paper) are

    .. math::
        \mathrm{AP} = \frac{1}{M} \sum_{i=1}^{M} \frac{i}{r_i}
        \qquad
        \mathrm{INP} = \frac{M}{r_M}

    Accuracy by view ranks the gallery of one view at a time, as the tables of CASIA-B and OU-MVLP
    do. CMC, mAP and mINP rank the gallery of all views. If the protocol excludes identical views,
    that gallery lacks the samples of the *same subject* in the probe's view, while other subjects
    in that view, often the nearest impostors, remain. This is the convention

    - of person re-identification since the `"Scalable Person Re-identification: A Benchmark"
      <https://doi.org/10.1109/ICCV.2015.133>`_ paper (Market-1501);
    - of OpenGait for CCPG, and for CASIA-B and OU-MVLP with a gallery of all views, as in the `"A
      Comprehensive Study on the Evaluation of Silhouette-based Gait Recognition"
      <https://ieeexplore.ieee.org/document/9928336>`_ paper. For Gait3D OpenGait drops nothing:
      :obj:`exclude_identical_view=False`.

    With :obj:`same_view_impostors=False`, a protocol drops the whole view instead, so that probes
    meet the same gallery samples as in accuracy by view. These figures are higher than published
    ones and not comparable with them.

    Ranks are exact. Of a wrong sample and a true match at the same distance the wrong one is taken
    for the nearer, so that ties never help and the order of the samples never matters; an
    embedding that is the same for all has rank-1 accuracy 0. A sample that is both probe and
    gallery is not compared with itself.

    .. code-block:: python

        _, test = CASIA_B_LT.split(dataset)
        scores = gallery_probe(embed(model, test), test, CASIA_B_LT)
        print(scores.format_table())

    Probes are compared in chunks, so that memory does not grow with the number of pairs, and ranks
    are counted without sorting: time is that of the matrix product and of as many comparisons for
    each pair of samples as a probe has true matches.

    Args:
        embedding (Tensor): The embeddings, of all samples or of the test part. Distances are
            computed in their precision, at least single, see
            :class:`~graphmotion.metrics.recognition.similarity.Similarity`. There is a warning if
            the gallery has collapsed: if its :func:`relative_spread` is below 0.01.
        labels (dict or dataset): The labels of the same samples by name, or the dataset.
        protocol (GalleryProbeProtocol): What is gallery and what are probes. Samples of its
            training subjects take no part.
        distance (str, optional): :obj:`"cosine"` or :obj:`"euclidean"`; for embeddings in parts
            the mean over the parts of the distance of each. (default: :obj:`"cosine"`)
        ranks (sequence of int, optional): The ranks :math:`k`. (default: :obj:`(1, 5, 10, 20)`)
        chunk_size (int, optional): The number of probes compared at a time. By default so many
            that a chunk has 16 million pairs. (default: :obj:`None`)

    Shapes:
        - **embedding:** :math:`(N, D)`, or :math:`(N, P, D)` in :math:`P` parts

    Raises:
        ValueError: If the embedding has another shape, is not finite or not one for each label, a
            label is missing, the gallery or a set of probes is empty, or an option is invalid.
        TypeError: If the embedding does not hold real numbers.
    """
    ranks = tuple(sorted({int(k) for k in ranks}))
    if not ranks or ranks[0] < 1:
        raise ValueError(f'ranks are numbers from 1, got {list(ranks)}')
    if chunk_size is not None:
        check_int('chunk_size', chunk_size, 1)
    gallery = Gallery(embedding, labels, protocol, distance)
    probe_views = torch.cat([gallery.view[p] for p in gallery.probes.values()]).unique()
    chunk_size = chunk_size or max(1, _CHUNK // len(gallery.positions))
    counts = [_Counts(gallery, probe_views, ranks) for _ in gallery.probes]
    for count, samples in zip(counts, gallery.probes.values()):
        buffer = gallery.similarity.empty(min(chunk_size, len(samples)))
        for chunk in samples.split(chunk_size):
            count.add(chunk, gallery.similarity(chunk, out=buffer[: len(chunk)]))

    def gathered(name: str, dim: int = 0) -> Tensor:
        return torch.stack([getattr(count, name) for count in counts], dim).cpu()

    has_views = protocol.view is not None
    return GalleryProbeScores(
        protocol=protocol.name,
        distance=distance,
        probe_sets=tuple(gallery.probes),
        probe_views=tuple(probe_views.tolist()) if has_views else (),
        gallery_views=tuple(gallery.views.tolist()) if has_views else (),
        exclude_identical_view=protocol.exclude_identical_view,
        same_view_impostors=protocol.same_view_impostors,
        ranks=ranks,
        hits=gathered('hits', dim=1),
        scored=gathered('scored'),
        left_out=gathered('left_out'),
        cmc=gathered('first').cumsum(1) / gathered('num_scored').double().unsqueeze(1),
        mean_average_precision=gathered('precision') / gathered('num_scored'),
        mean_inverse_negative_penalty=gathered('penalty') / gathered('num_scored'),
        num_scored=gathered('num_scored'),
        num_left_out=gathered('num_left_out'),
    )


class _Counts:
    """What is summed over the probes of one set."""

    def __init__(self, gallery: Gallery, probe_views: Tensor, ranks: tuple[int, ...]) -> None:
        self.gallery, self.probe_views, self.ranks = gallery, probe_views, ranks
        pairs = len(probe_views), len(gallery.views)
        zeros = gallery.positions.new_zeros
        self.hits = zeros(len(ranks), *pairs)
        self.scored, self.left_out = zeros(pairs), zeros(pairs)
        self.first = zeros(max(_MAX_RANK, *ranks))  # how many probes have their first match there
        self.num_scored, self.num_left_out = zeros(()), zeros(())
        self.precision = self.penalty = self.first.new_zeros((), dtype=torch.float64)

    def add(self, samples: Tensor, similarity: Tensor) -> None:
        """Count these probes, given their similarity to each column; overwrites that."""
        columns = self.gallery.own(samples)
        is_match = self.gallery.is_match(samples, columns)
        matches = similarity.gather(1, columns.clamp(min=0)).masked_fill(~is_match, -torch.inf)
        # From here on there are only wrong samples, and whatever takes no part is infinitely far.
        rows, slots = (columns >= 0).nonzero(as_tuple=True)
        similarity[rows, columns[rows, slots]] = -torch.inf
        view_of_match = self.gallery.column_view[columns]
        self._add_by_view(samples, similarity, matches, view_of_match)
        protocol, own_view = self.gallery.protocol, self.gallery.view[samples]
        if protocol.exclude_identical_view:
            matches.masked_fill_(view_of_match == own_view.unsqueeze(1), -torch.inf)
        if protocol.exclude_identical_view and not protocol.same_view_impostors:
            for view, block in zip(self.gallery.views, self.gallery.slices):
                similarity[own_view == view, block] = -torch.inf
        self._add_all_at_once(similarity, matches)

    def _add_by_view(
        self, samples: Tensor, similarity: Tensor, matches: Tensor, view_of_match: Tensor
    ) -> None:
        place = torch.searchsorted(self.gallery.views, view_of_match)
        best = matches.new_full((len(samples), len(self.gallery.views)), -torch.inf)
        best.scatter_reduce_(1, place, matches, 'amax')
        there = best > -torch.inf
        wrong = [
            count_closer(similarity[:, block], best[:, v : v + 1])
            for v, block in enumerate(self.gallery.slices)
        ]
        rank = 1 + torch.cat(wrong, dim=1)
        row = torch.searchsorted(self.probe_views, self.gallery.view[samples])
        self.scored.index_add_(0, row, there.long())
        self.left_out.index_add_(0, row, (~there).long())
        for hits, k in zip(self.hits, self.ranks):
            hits.index_add_(0, row, (there & (rank <= k)).long())

    def _add_all_at_once(self, similarity: Tensor, matches: Tensor) -> None:
        matches = matches.sort(dim=1, descending=True).values
        number = (matches > -torch.inf).sum(dim=1)
        self.num_scored += (number > 0).sum()
        self.num_left_out += (number == 0).sum()
        matches = matches[:, : int(number.max())]
        order = torch.arange(1, matches.size(1) + 1, device=matches.device)
        rank = order + count_closer(similarity, matches)
        there = order <= number.unsqueeze(1)
        scored = number > 0
        rank, there, number = rank[scored], there[scored], number[scored]
        if len(number) == 0:
            return
        found = torch.where(there, order / rank.double(), 0)
        self.precision = self.precision + (found.sum(dim=1) / number).sum()
        last = rank.gather(1, number.unsqueeze(1) - 1).view(-1)
        self.penalty = self.penalty + (number / last.double()).sum()
        first = rank[:, 0]
        self.first += (first[first <= len(self.first)] - 1).bincount(minlength=len(self.first))


def count_closer(similarity: Tensor, thresholds: Tensor) -> Tensor:
    """For each row, how many of its entries are not below each of its thresholds.

    Args:
        similarity (Tensor): The entries, [C, n].
        thresholds (Tensor): The thresholds, [C, M].

    Returns:
        Tensor: The counts, [C, M], integers.
    """
    # A comparison written as ones and zeros in single precision, and their sum (exact up to 2^24),
    # are vectorised; masks of bytes and their sum are not. In blocks, both stay in the cache.
    num_rows = max(1, _BLOCK // max(1, similarity.size(1)))
    counts = torch.empty_like(thresholds, dtype=torch.float32)
    above = torch.empty(num_rows, similarity.size(1), device=similarity.device)
    for start in range(0, len(similarity), num_rows):
        block = similarity[start : start + num_rows]
        rows = slice(start, start + len(block))
        for m in range(thresholds.size(1)):
            torch.ge(block, thresholds[rows, m : m + 1], out=above[: len(block)])
            torch.sum(above[: len(block)], dim=1, out=counts[rows, m])
    return counts.long()
