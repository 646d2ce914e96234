"""The gallery samples nearest to a probe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from graphmotion.checks import check_int
from graphmotion.metrics.recognition.gallery import Gallery
from graphmotion.metrics.recognition.protocols import GalleryProbeProtocol, Labels

_CHUNK = 2**22  # pairs sorted at a time


@dataclass(frozen=True, eq=False)
class Retrieval:
    r"""The gallery samples nearest to some probes, in order; made by :func:`retrieve`.

    Samples are named by their positions in the embedding.

    Args:
        probes (Tensor): The probes.
        nearest (Tensor): The nearest gallery samples, the nearest first; -1 where the gallery has
            no more.
        distance (Tensor): Their distances, NaN where there is no sample.
        correct (Tensor): Whether they are of the probe's subject.

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
    embedding: Tensor,
    labels: Labels,
    protocol: GalleryProbeProtocol,
    probes: Tensor | Sequence[int] | None = None,
    k: int = 5,
    distance: str = 'cosine',
) -> Retrieval:
    r"""Find the gallery samples nearest to each probe, of all views at once: those that
    :func:`gallery_probe` ranks for CMC and mAP.

    If the protocol excludes identical views, samples of the probe's subject in its own view are
    left out, and with :obj:`same_view_impostors=False` all samples of that view. A probe never
    finds itself.

    Of samples at the same distance that of the lower view, then of the lower position is first.

    Args:
        embedding (Tensor): The embeddings, see :func:`gallery_probe`.
        labels (dict or dataset): The labels of the same samples by name, or the dataset.
        protocol (GalleryProbeProtocol): What is gallery and what are probes.
        probes (Tensor or sequence of int, optional): The positions of the probes; by default all,
            one set after another. (default: :obj:`None`)
        k (int, optional): How many to find for each. (default: :obj:`5`)
        distance (str, optional): :obj:`"cosine"` or :obj:`"euclidean"`. (default:
            :obj:`"cosine"`)

    Shapes:
        - **embedding:** :math:`(N, D)`, or :math:`(N, P, D)` in :math:`P` parts

    Raises:
        ValueError: If a position is not that of a probe, :obj:`k` is below 1, or as in
            :func:`gallery_probe`.
    """
    check_int('k', k, 1)
    gallery = Gallery(embedding, labels, protocol, distance)
    every = torch.cat(list(gallery.probes.values()))
    chosen = every if probes is None else torch.as_tensor(probes).to(every).view(-1)
    wrong = chosen[~torch.isin(chosen, every)].tolist()
    if wrong:
        raise ValueError(f'the positions {wrong[:9]} are not those of probes of {protocol.name!r}')
    chunks = chosen.split(max(1, _CHUNK // len(gallery.positions)))
    parts = [_retrieve(gallery, samples, k) for samples in chunks]
    nearest, far, correct = (torch.cat(part).cpu() for part in zip(*parts))
    return Retrieval(chosen.cpu(), nearest, far, correct)


def _retrieve(gallery: Gallery, samples: Tensor, k: int) -> tuple[Tensor, Tensor, Tensor]:
    similarity = gallery.similarity(samples)
    itself = gallery.positions == samples.unsqueeze(1)
    similarity.masked_fill_(itself, -torch.inf)
    same_subject = gallery.subject[gallery.positions] == gallery.subject[samples].unsqueeze(1)
    if gallery.protocol.exclude_identical_view:
        dropped = gallery.column_view == gallery.view[samples].unsqueeze(1)
        if gallery.protocol.same_view_impostors:
            dropped &= same_subject
        similarity.masked_fill_(dropped, -torch.inf)
    similarity, columns = (t[:, :k] for t in similarity.sort(dim=1, descending=True, stable=True))
    there = similarity > -torch.inf
    nearest = gallery.positions[columns]
    correct = there & same_subject.gather(1, columns)
    far = gallery.similarity.distances(samples, columns).masked_fill(~there, torch.nan)
    nearest = nearest.masked_fill(~there, -1)
    missing = k - nearest.size(1)  # a gallery smaller than k
    pad = torch.nn.functional.pad
    return (
        pad(nearest, (0, missing), value=-1),
        pad(far, (0, missing), value=torch.nan),
        pad(correct, (0, missing), value=False),
    )
