"""Retrieval of the gallery samples nearest to a probe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from graphmotion.checks import check_int
from graphmotion.metrics.recognition.candidates import Candidates
from graphmotion.metrics.recognition.gallery import Gallery
from graphmotion.metrics.recognition.protocols import GalleryProbeProtocol, Labels
from graphmotion.metrics.recognition.topk import stable_topk

_CHUNK = 2**22  # pairs compared at a time
_PROBES = 1024  # at least, for which the gallery, perhaps on a disk, is read once
_CANDIDATES = 256  # probes searched for in an index at a time


@dataclass(frozen=True, eq=False)
class Retrieval:
    r"""The gallery samples nearest to each probe, returned by :func:`retrieve`.

    Samples are given as row indices of the embedding.

    .. code-block:: python

        dataset = SyntheticGait.casia_b(num_subjects=4, num_frames=8, views=[0, 90])
        protocol = replace(CASIA_B_LT, train_subjects=0)
        found = retrieve(torch.randn(len(dataset), 16), dataset, protocol, k=3)
        print(found.nearest.shape, found.correct.shape)  # [probes, 3] of both

    Args:
        probes (Tensor): Probes.
        nearest (Tensor): Gallery samples of each probe, nearest first, padded with -1 if the
            gallery has fewer samples.
        distance (Tensor): Distances of the gallery samples, padded with NaN.
        correct (Tensor): Whether each gallery sample has the subject of the probe.

    Shapes:
        - **probes:** :math:`(N)`, integers
        - **nearest:** :math:`(N, k)`, integers
        - **distance:** :math:`(N, k)`
        - **correct:** :math:`(N, k)`, bool
    """

    probes: Tensor
    nearest: Tensor
    distance: Tensor
    correct: Tensor


def retrieve(
    embedding: Tensor | np.memmap,
    labels: Labels,
    protocol: GalleryProbeProtocol,
    probes: Tensor | Sequence[int] | None = None,
    k: int = 5,
    distance: str = 'cosine',
    index: str | None = None,
) -> Retrieval:
    r"""Finds the gallery samples nearest to each probe among all views.

    These are the samples that :func:`gallery_probe` ranks for CMC and mAP. If the protocol excludes
    identical views, samples of the probe's subject in the probe's view are excluded; with
    :obj:`same_view_impostors=False`, all samples in that view are. A probe never finds itself.
    Samples at the same distance are ordered by view, then by row index.

    The search is exact unless an index of `faiss <https://github.com/facebookresearch/faiss>`_
    selects candidates, such as :obj:`index="IVF1024,Flat"`. Their distances are exact, but some of
    the nearest samples may be missing.

    .. code-block:: python

        dataset = SyntheticGait.casia_b(num_subjects=4, num_frames=8, views=[0, 90])
        protocol = replace(CASIA_B_LT, train_subjects=0)
        found = retrieve(torch.randn(len(dataset), 16), dataset, protocol, k=3)
        print(found.distance[0])  # of the three nearest gallery samples, ascending

    Args:
        embedding (Tensor or memmap): Embeddings, as in :func:`gallery_probe`.
        labels (dict or dataset): Labels of the same samples by name, or the dataset.
        protocol (GalleryProbeProtocol): Protocol that selects gallery and probes.
        probes (Tensor or sequence of int, optional): Row indices of the probes; by default all
            probes, one probe set after another. (default: :obj:`None`)
        k (int, optional): Number of gallery samples for each probe. (default: :obj:`5`)
        distance (str, optional): :obj:`"cosine"` or :obj:`"euclidean"`. (default:
            :obj:`"cosine"`)
        index (str, optional): Index of faiss as described to its function :obj:`index_factory`,
            such as :obj:`"HNSW32"`; it is held in memory. An index of inverted lists visits a
            sixteenth of them. Needs the package :obj:`faiss-cpu` (extra :obj:`search`). If
            :obj:`None`, all pairs are compared. (default: :obj:`None`)

    Shapes:
        - **embedding:** :math:`(N, D)`, or :math:`(N, P, D)` in :math:`P` parts

    Raises:
        ImportError: If :obj:`index` is given and faiss is not installed.
        ValueError: If a row index is not that of a probe, :obj:`k` is below 1, an index is given
            that has a count of zero, that faiss cannot train on the gallery, or for the Euclidean
            distance of several parts, or with :obj:`same_view_impostors=False`, or for the reasons
            given in :func:`gallery_probe`.
    """
    check_int('k', k, 1)
    gallery = Gallery(embedding, labels, protocol, distance)
    all_probes = torch.cat(list(gallery.probes.values()))
    rows = all_probes if probes is None else torch.as_tensor(probes).to(all_probes).view(-1)
    wrong = rows[~torch.isin(rows, all_probes)].tolist()
    if wrong:
        raise ValueError(
            f'probes must be row indices of probes of {protocol.name!r}, got {wrong[:9]}'
        )
    if index is None:
        chunks = rows.split(max(_PROBES, _CHUNK // len(gallery.positions)))
        parts = [_describe(gallery, part, *_search(gallery, part, k), k) for part in chunks]
    else:
        search = partial(_search_candidates, gallery, Candidates(gallery, index))
        chunks = rows.split(_CANDIDATES)
        parts = [_describe(gallery, part, *search(part, k), k) for part in chunks]
    nearest, distances, correct = (torch.cat(part).cpu() for part in zip(*parts))
    return Retrieval(rows.cpu(), nearest, distances, correct)


def _search(gallery: Gallery, samples: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Returns the similarity of the nearest samples and their columns."""
    similarity = gallery.similarity.empty(len(samples), slice(0))
    columns = samples.new_empty(len(samples), 0)
    num_columns = len(gallery.positions)
    num_blocks = -(-num_columns // max(1, _CHUNK // max(1, len(samples))))
    size = -(-num_columns // num_blocks)
    for start in range(0, num_columns, size):
        block = slice(start, start + size)
        found = gallery.similarity(samples, block=block)
        found.masked_fill_(gallery.is_excluded(samples, block), -torch.inf)
        found, nearest = stable_topk(found, k)
        # In the order of columns, as required if there are ties.
        similarity, order = stable_topk(torch.cat([similarity, found], dim=1), k)
        columns = torch.cat([columns, nearest + start], dim=1).gather(1, order)
    return similarity, columns


def _search_candidates(
    gallery: Gallery, candidates: Candidates, samples: Tensor, k: int
) -> tuple[Tensor, Tensor]:
    """Returns the similarity of the nearest of the candidates and their columns."""
    columns = candidates(samples, k)
    similarity = -gallery.similarity.distances(samples, columns)
    similarity.masked_fill_(gallery.is_excluded(samples, columns) | (columns < 0), -torch.inf)
    similarity, order = stable_topk(similarity, k)
    return similarity, columns.gather(1, order)


def _describe(
    gallery: Gallery, samples: Tensor, similarity: Tensor, columns: Tensor, k: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Returns the rows, distances and matches of the nearest samples, padded to ``k``."""
    valid = similarity > -torch.inf
    correct = valid & gallery.is_same_subject(samples, columns)
    nearest = gallery.positions[columns].masked_fill(~valid, -1)
    distances = gallery.similarity.distances(samples, columns).masked_fill(~valid, torch.nan)
    missing = k - nearest.size(1)  # positive if the gallery has fewer than k samples
    pad = torch.nn.functional.pad
    return (
        pad(nearest, (0, missing), value=-1),
        pad(distances, (0, missing), value=torch.nan),
        pad(correct, (0, missing), value=False),
    )
