"""Ranking of a gallery for each probe, and the scores of the ranking."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from graphmotion.checks import check_int
from graphmotion.metrics.recognition.gallery import Gallery
from graphmotion.metrics.recognition.protocols import GalleryProbeProtocol, Labels
from graphmotion.metrics.recognition.scores import GalleryProbeScores

_MAX_RANK = 50  # minimum length of the CMC curve
_CHUNK = 2**24  # entries of the similarity matrix held at a time
_BLOCK = 2**19  # entries compared at a time, so that they and the result stay in the cache


def gallery_probe(
    embedding: Tensor | np.memmap,
    labels: Labels,
    protocol: GalleryProbeProtocol,
    distance: str = 'cosine',
    ranks: Sequence[int] = (1, 5, 10, 20),
    chunk_size: int | None = None,
) -> GalleryProbeScores:
    r"""Ranks the gallery by distance for each probe and scores the ranks of the true matches.

    Let a probe have :math:`M` true matches in a gallery, the :math:`i`-th nearest of them at rank
    :math:`r_i`. The probe is recognised at rank :math:`k` if :math:`r_1 \le k`. Average precision
    and inverse negative penalty (from the `"Deep Learning for Person Re-identification: A Survey
    and Outlook" <https://arxiv.org/abs/2001.04193>`_ paper) are

    .. math::
        \mathrm{AP} = \frac{1}{M} \sum_{i=1}^{M} \frac{i}{r_i}
        \qquad
        \mathrm{INP} = \frac{M}{r_M}

    Accuracy by view ranks the gallery of one view at a time, as in the tables of CASIA-B and
    OU-MVLP. CMC, mAP and mINP rank the gallery of all views. If the protocol excludes identical
    views, samples of the *same subject* in the probe's view are removed from this gallery, while
    other subjects in that view, often the nearest impostors, remain. This is the convention of

    - person re-identification since the `"Scalable Person Re-identification: A Benchmark"
      <https://doi.org/10.1109/ICCV.2015.133>`_ paper (Market-1501);
    - OpenGait for CCPG, and for CASIA-B and OU-MVLP with a gallery of all views, as in the `"A
      Comprehensive Study on the Evaluation of Silhouette-based Gait Recognition"
      <https://ieeexplore.ieee.org/document/9928336>`_ paper. For Gait3D, OpenGait removes nothing:
      :obj:`exclude_identical_view=False`.

    With :obj:`same_view_impostors=False`, all samples in the probe's view are removed, so that
    probes are compared with the same gallery samples as in accuracy by view. The resulting scores
    are higher than published ones and not comparable with them.

    Ranks are exact. If a wrong sample and a true match have the same distance, the wrong sample
    ranks first, so that ties never help and the order of samples does not matter; a constant
    embedding has rank-1 accuracy 0. A sample that is both probe and gallery is not compared with
    itself.

    .. code-block:: python

        dataset = SyntheticGait.casia_b(num_subjects=4, num_frames=8, views=[0, 90])
        protocol = replace(CASIA_B_LT, train_subjects=2)
        _, test = protocol.split(dataset)
        scores = gallery_probe(torch.randn(len(test), 16), test, protocol)
        print(scores.format_table())

    Probes are compared in chunks, so that memory does not grow with the number of pairs. Embeddings
    that are larger than the memory can be mapped from a file, by :obj:`numpy.load("embeddings.npy",
    mmap_mode="r")` or :func:`torch.from_file`. They are read in blocks, and the gallery is prepared
    in a temporary file of about its size, in the folder of :func:`tempfile.gettempdir`. Ranks are
    counted without sorting: the time is that of the matrix product and of one comparison for each
    pair of samples and true match.

    Args:
        embedding (Tensor or memmap): Embeddings of all samples or of the test samples. Distances
            are computed in their precision, at least single; see
            :class:`~graphmotion.metrics.recognition.similarity.Similarity`. A warning is raised if
            the :func:`relative_spread` of the gallery is below 0.01, since training has then
            probably collapsed.
        labels (dict or dataset): Labels of the same samples by name, or the dataset.
        protocol (GalleryProbeProtocol): Protocol that selects gallery and probes. Samples of its
            training subjects are ignored.
        distance (str, optional): :obj:`"cosine"` or :obj:`"euclidean"`; for embeddings in parts,
            the mean of the distances of the parts. (default: :obj:`"cosine"`)
        ranks (sequence of int, optional): Ranks :math:`k`. (default: :obj:`(1, 5, 10, 20)`)
        chunk_size (int, optional): Number of probes compared at a time; by default, a chunk has at
            most 16 million pairs. (default: :obj:`None`)

    Shapes:
        - **embedding:** :math:`(N, D)`, or :math:`(N, P, D)` in :math:`P` parts

    Raises:
        ValueError: If the embedding has another shape, is not finite or differs from the labels in
            the number of samples, a label is missing, the gallery or a probe set is empty, all
            samples have the same view although identical views are excluded, or an option is
            invalid.
        TypeError: If the embedding is not a floating-point tensor.
    """
    ranks = tuple(sorted({check_int('ranks', k, 1) for k in ranks}))
    if not ranks:
        raise ValueError('ranks must not be empty')
    if chunk_size is not None:
        check_int('chunk_size', chunk_size, 1)
    gallery = Gallery(embedding, labels, protocol, distance)
    probe_views = torch.cat([gallery.view[p] for p in gallery.probes.values()]).unique()
    one_view = torch.equal(probe_views, gallery.views) and len(probe_views) == 1
    if one_view and protocol.view and protocol.exclude_identical_view:
        raise ValueError(
            f'protocol must have exclude_identical_view=False for samples of a single view, '
            f'{int(probe_views)}: all pairs would be excluded'
        )
    chunk_size = chunk_size or max(1, _CHUNK // len(gallery.positions))
    counts = [_Counts(gallery, probe_views, ranks) for _ in gallery.probes]
    for count, samples in zip(counts, gallery.probes.values()):
        buffer = gallery.similarity.empty(min(chunk_size, len(samples)))
        for chunk in samples.split(chunk_size):
            count.add(chunk, gallery.similarity(chunk, out=buffer[: len(chunk)]))

    def stack(name: str, dim: int = 0) -> Tensor:
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
        hits=stack('hits', dim=1),
        scored=stack('scored'),
        left_out=stack('left_out'),
        cmc=stack('first').cumsum(1) / stack('num_scored').double().unsqueeze(1),
        mean_average_precision=stack('precision') / stack('num_scored'),
        mean_inverse_negative_penalty=stack('penalty') / stack('num_scored'),
        num_scored=stack('num_scored'),
        num_left_out=stack('num_left_out'),
    )


class _Counts:
    """Sums over the probes of one probe set."""

    def __init__(self, gallery: Gallery, probe_views: Tensor, ranks: tuple[int, ...]) -> None:
        self.gallery, self.probe_views, self.ranks = gallery, probe_views, ranks
        pairs = len(probe_views), len(gallery.views)
        zeros = gallery.positions.new_zeros
        self.hits = zeros(len(ranks), *pairs)
        self.scored, self.left_out = zeros(pairs), zeros(pairs)
        self.first = zeros(
            max(_MAX_RANK, *ranks)
        )  # number of probes by the rank of their first match
        self.num_scored, self.num_left_out = zeros(()), zeros(())
        self.precision = self.penalty = self.first.new_zeros((), dtype=torch.float64)

    def add(self, samples: Tensor, similarity: Tensor) -> None:
        """Adds probes, given their similarity to each column, which is overwritten."""
        columns = self.gallery.own_columns(samples)
        is_match = self.gallery.is_match(samples, columns)
        matches = similarity.gather(1, columns.clamp(min=0)).masked_fill(~is_match, -torch.inf)
        # Only wrong samples remain in `similarity`; all excluded entries are infinitely far.
        rows, slots = (columns >= 0).nonzero(as_tuple=True)
        similarity[rows, columns[rows, slots]] = -torch.inf
        view_of_match = self.gallery.column_view[columns]
        self._add_by_view(samples, similarity, matches, view_of_match)
        protocol, own_view = self.gallery.protocol, self.gallery.view[samples]
        if protocol.exclude_identical_view:
            matches.masked_fill_(view_of_match == own_view.unsqueeze(1), -torch.inf)
        if protocol.exclude_identical_view and not protocol.same_view_impostors:
            for view, block in zip(self.gallery.views, self.gallery.view_slices):
                similarity[own_view == view, block] = -torch.inf
        self._add_all_views(similarity, matches)

    def _add_by_view(
        self, samples: Tensor, similarity: Tensor, matches: Tensor, view_of_match: Tensor
    ) -> None:
        place = torch.searchsorted(self.gallery.views, view_of_match)
        best = matches.new_full((len(samples), len(self.gallery.views)), -torch.inf)
        best.scatter_reduce_(1, place, matches, 'amax')
        has_match = best > -torch.inf
        wrong = [
            count_closer(similarity[:, block], best[:, v : v + 1])
            for v, block in enumerate(self.gallery.view_slices)
        ]
        rank = 1 + torch.cat(wrong, dim=1)
        row = torch.searchsorted(self.probe_views, self.gallery.view[samples])
        self.scored.index_add_(0, row, has_match.long())
        self.left_out.index_add_(0, row, (~has_match).long())
        for hits, k in zip(self.hits, self.ranks):
            hits.index_add_(0, row, (has_match & (rank <= k)).long())

    def _add_all_views(self, similarity: Tensor, matches: Tensor) -> None:
        matches = matches.sort(dim=1, descending=True).values
        number = (matches > -torch.inf).sum(dim=1)
        self.num_scored += (number > 0).sum()
        self.num_left_out += (number == 0).sum()
        matches = matches[:, : int(number.max())]
        order = torch.arange(1, matches.size(1) + 1, device=matches.device)
        rank = order + count_closer(similarity, matches)
        is_match = order <= number.unsqueeze(1)
        scored = number > 0
        rank, is_match, number = rank[scored], is_match[scored], number[scored]
        if len(number) == 0:
            return
        found = torch.where(is_match, order / rank.double(), 0)
        self.precision = self.precision + (found.sum(dim=1) / number).sum()
        last = rank.gather(1, number.unsqueeze(1) - 1).view(-1)
        self.penalty = self.penalty + (number / last.double()).sum()
        first = rank[:, 0]
        self.first += (first[first <= len(self.first)] - 1).bincount(minlength=len(self.first))


def count_closer(similarity: Tensor, thresholds: Tensor) -> Tensor:
    """Counts the entries of each row that are at least as large as each threshold of the row.

    Args:
        similarity (Tensor): Entries, [C, n].
        thresholds (Tensor): Thresholds, [C, M].

    Returns:
        Tensor: Counts, [C, M], integers.
    """
    # Comparisons that write ones and zeros in single precision, and their sum (exact up to 2^24),
    # are vectorised; boolean masks and their sum are not. In blocks, both stay in the cache.
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
