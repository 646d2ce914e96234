"""Recognition of sequences of which there are several samples."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from graphmotion.metrics.closeness import Closeness
from graphmotion.metrics.gait_protocols import GalleryProbeProtocol, Labels


def match_sequences(
    embedding: Tensor,
    labels: Labels,
    protocol: GalleryProbeProtocol,
    distance: str = 'cosine',
    sequence: str | None = None,
) -> dict[str, float]:
    r"""Rank-1 accuracy of whole sequences, each recognised by all of its samples, such as the half
    cycles of a walk.

    The distance of two sequences is the symmetric mean of :func:`sequence_distances`, as in the
    `"MPCA: Multilinear Principal Component Analysis of Tensor Objects"
    <https://doi.org/10.1109/TNN.2007.901277>`_ paper. A probe is recognised if it is nearer to a
    gallery sequence of its subject than to any of another; one whose subject is not in the gallery
    is left out. There is one gallery of all views.

    .. code-block:: python

        rates = match_sequences(embed(model, dataset), dataset, USF)
        print(sum(rates.values()) / len(rates))

    Args:
        embedding (Tensor): The embeddings of all samples.
        labels (dict or dataset): The labels of the same samples by name, or the dataset.
        protocol (GalleryProbeProtocol): What is gallery and what are probes.
        distance (str, optional): Of two samples, :obj:`"cosine"` or :obj:`"euclidean"`; for
            embeddings in parts the mean over the parts. (default: :obj:`"cosine"`)
        sequence (str, optional): The label that tells the sequences of a subject apart; by default
            the gallery and each set of probes have one of each subject. (default: :obj:`None`)

    Shapes:
        - **embedding:** :math:`(N, D)`, or :math:`(N, P, D)` in :math:`P` parts

    Returns:
        dict: The accuracy of each set of probes; NaN if no subject is in the gallery.

    Raises:
        ValueError: If the embedding has another shape, is not finite or not one for each label, a
            label is missing, or the gallery or a set of probes is empty.
        TypeError: If the embedding does not hold real numbers.
    """
    subject = protocol.read(labels)[protocol.subject]
    if len(subject) != len(embedding):
        raise ValueError(
            f'embedding and labels are of the same samples, got {len(embedding)} embeddings and '
            f'{len(subject)} labels'
        )
    name = subject.unique(return_inverse=True)[1]
    if sequence is not None:
        if isinstance(labels, Mapping) and sequence not in labels:
            raise ValueError(f'there is no label {sequence!r}; there are {sorted(labels)}')
        other = labels[sequence] if isinstance(labels, Mapping) else labels.labels(sequence)
        pairs = torch.stack([name, torch.as_tensor(other).cpu().long()], dim=1)
        name = pairs.unique(dim=0, return_inverse=True)[1]
    owner = subject.new_zeros(int(name.max()) + 1).scatter_(0, name, subject)
    gallery, probes = protocol.select(labels)
    parts = Closeness(embedding, gallery, distance).parts
    out = {}
    for title, positions in probes.items():
        pairwise = _distances(parts[positions], parts[gallery], distance)
        own, known = name[positions], name[gallery]
        between = sequence_distances(pairwise, own, known).cpu()
        match = owner[own.unique()].unsqueeze(1) == owner[known.unique()]
        right = between.masked_fill(~match, torch.inf).amin(dim=1)
        wrong = between.masked_fill(match, torch.inf).amin(dim=1)
        there = match.any(dim=1)
        out[title] = float((right < wrong)[there].double().mean())
    return out


def sequence_distances(distance: Tensor, probes: Tensor, gallery: Tensor) -> Tensor:
    r"""The distances between sequences, from those between their samples: the mean of what each
    sample of one has to the nearest sample of the other, taken in both directions.

    .. math::
        D(P, G) = \frac{1}{2} \left( \frac{1}{|P|} \sum_{i \in P} \min_{j \in G} d_{ij} +
        \frac{1}{|G|} \sum_{j \in G} \min_{i \in P} d_{ij} \right)

    Args:
        distance (Tensor): The distances of the samples.
        probes (Tensor): The sequence of each sample in the rows.
        gallery (Tensor): The sequence of each sample in the columns.

    Shapes:
        - **distance:** :math:`(N, M)`
        - **probes:** :math:`(N)`, integers
        - **gallery:** :math:`(M)`, integers
        - **output:** one row and one column for each sequence, in the order of their numbers

    Raises:
        ValueError: If shapes do not go together or there is no sample.
    """
    if distance.dim() != 2 or distance.shape != (*probes.shape, *gallery.shape):
        raise ValueError(
            f'distance is [N, M], probes [N] and gallery [M], got {list(distance.shape)}, '
            f'{list(probes.shape)} and {list(gallery.shape)}'
        )
    if not distance.numel():
        raise ValueError(f'there is no sample: distance is {list(distance.shape)}')
    rows, columns = probes.to(distance.device), gallery.to(distance.device)
    there = _nearest_mean(distance, rows, columns)
    back = _nearest_mean(distance.t(), columns, rows)
    return (there + back.t()) / 2


def _nearest_mean(distance: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """The mean, over the rows of a sequence, of the least in the columns of another."""
    row, row_counts = rows.unique(return_inverse=True, return_counts=True)[1:]
    column, column_counts = columns.unique(return_inverse=True, return_counts=True)[1:]
    least = distance.new_full((len(distance), len(column_counts)), torch.inf)
    least.scatter_reduce_(1, column.expand_as(distance), distance, 'amin')
    total = distance.new_zeros(len(row_counts), len(column_counts)).index_add_(0, row, least)
    return total / row_counts.unsqueeze(1)


def _distances(one: Tensor, other: Tensor, distance: str) -> Tensor:
    """Between samples [N, P, D] and [M, P, D] as :class:`Closeness` keeps them."""
    if distance == 'cosine':
        return 1 - one.flatten(1) @ other.flatten(1).t()
    parts = zip(one.unbind(1), other.unbind(1))
    return torch.stack([torch.cdist(a, b) for a, b in parts]).mean(dim=0)
