"""Recognition of sequences of which there are several samples."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from graphmotion.metrics.recognition.protocols import GalleryProbeProtocol, Labels
from graphmotion.metrics.recognition.similarity import Similarity, check_embedding


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
    is left out. There is one gallery of all views. A sample that is both gallery and probe is not
    compared with itself.

    .. code-block:: python

        rates = match_sequences(embed(model, dataset), dataset, USF)
        print(sum(rates.values()) / len(rates))

    Args:
        embedding (Tensor): The embeddings of all samples.
        labels (dict or dataset): The labels of the same samples by name, or the dataset.
        protocol (GalleryProbeProtocol): What is gallery and what are probes.
        distance (str, optional): Of two samples, :obj:`"cosine"` or :obj:`"euclidean"`; for
            embeddings in parts the mean over the parts. (default: :obj:`"cosine"`)
        sequence (str, optional): The label, numbers or words, that tells the sequences of a subject
            apart; by default the gallery and each set of probes have one of each subject.
            (default: :obj:`None`)

    Shapes:
        - **embedding:** :math:`(N, D)`, or :math:`(N, P, D)` in :math:`P` parts

    Returns:
        dict: The accuracy of each set of probes; NaN if no subject is in the gallery.

    Raises:
        ValueError: If the embedding has another shape, is not finite or not one for each label, a
            label is missing or not one for each sample, the gallery or a set of probes is empty, or
            the protocol leaves out a probe's own view.
        TypeError: If the embedding does not hold real numbers.
    """
    if protocol.exclude_identical_view:
        raise ValueError(
            f'the protocol {protocol.name!r} leaves out the view of a probe, but sequences are '
            f'matched with all views: give dataclasses.replace(protocol, '
            f'exclude_identical_view=False)'
        )
    subject = protocol.read(labels)[protocol.subject]
    if len(subject) != len(embedding):
        raise ValueError(
            f'embedding and labels are of the same samples, got {len(embedding)} embeddings and '
            f'{len(subject)} labels'
        )
    name = subject.unique(return_inverse=True)[1]
    if sequence is not None:
        pairs = torch.stack([name, _sequence_numbers(labels, sequence, len(name))], dim=1)
        name = pairs.unique(dim=0, return_inverse=True)[1]
    owner = subject.new_zeros(int(name.max()) + 1).scatter_(0, name, subject)
    gallery, probes = protocol.select(labels)
    check_embedding(embedding, gallery, distance, stacklevel=3)
    similarity = Similarity(embedding, gallery, distance)
    out = {}
    for title, positions in probes.items():
        pairwise = similarity.distance_matrix(positions)
        itself = positions.unsqueeze(1) == gallery
        pairwise = pairwise.masked_fill(itself.to(pairwise.device), torch.inf)
        own, known = name[positions], name[gallery]
        between = sequence_distances(pairwise, own, known).cpu()
        match = owner[own.unique()].unsqueeze(1) == owner[known.unique()]
        right = between.masked_fill(~match, torch.inf).amin(dim=1)
        wrong = between.masked_fill(match, torch.inf).amin(dim=1)
        there = right.isfinite()
        out[title] = float((right < wrong)[there].double().mean())
    return out


def sequence_distances(distance: Tensor, probes: Tensor, gallery: Tensor) -> Tensor:
    r"""The distances between sequences, from those between their samples: the mean of what each
    sample of one has to the nearest sample of the other, taken in both directions. Samples at
    an infinite distance are not compared; sequences of no others are infinitely far apart.

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
    row, column = (number.unique(return_inverse=True)[1] for number in (rows, columns))
    num_rows, num_columns = int(row.max()) + 1, int(column.max()) + 1
    least = distance.new_full((len(distance), num_columns), torch.inf)
    least.scatter_reduce_(1, column.expand_as(distance), distance, 'amin')
    there = least.isfinite()
    zeros = distance.new_zeros(num_rows, num_columns)
    total = zeros.index_add(0, row, least.masked_fill(~there, 0))
    counts = zeros.index_add(0, row, there.to(zeros.dtype))
    return (total / counts).masked_fill(counts == 0, torch.inf)


def _sequence_numbers(labels: Labels, sequence: str, size: int) -> Tensor:
    """The label of sequences, counted from 0."""
    if isinstance(labels, Mapping) and sequence not in labels:
        raise ValueError(f'there is no label {sequence!r}; there are {sorted(labels)}')
    given = labels[sequence] if isinstance(labels, Mapping) else labels.labels(sequence)
    values = np.asarray(given.detach().cpu() if isinstance(given, Tensor) else given)
    if values.shape != (size,) or values.dtype.kind not in 'biufUS':
        raise ValueError(
            f'the label {sequence!r} is one number or word for each of {size} samples, got '
            f'{values.dtype} of shape {list(values.shape)}'
        )
    return torch.from_numpy(np.unique(values, return_inverse=True)[1])
