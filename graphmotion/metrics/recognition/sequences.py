"""Recognition of sequences that consist of several samples."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from graphmotion.metrics.recognition.protocols import GalleryProbeProtocol, Labels
from graphmotion.metrics.recognition.similarity import Similarity, check_embedding


def match_sequences(
    embedding: Tensor | np.memmap,
    labels: Labels,
    protocol: GalleryProbeProtocol,
    distance: str = 'cosine',
    sequence: str | None = None,
) -> dict[str, float]:
    r"""Computes the rank-1 accuracy of sequences, each recognised by all of its samples.

    The samples of a sequence are, for instance, the half cycles of a walk. The distance of two
    sequences is that of :func:`sequence_distances`, as in the `"MPCA: Multilinear Principal
    Component Analysis of Tensor Objects" <https://doi.org/10.1109/TNN.2007.901277>`_ paper. A probe
    sequence is recognised if it is nearer to a gallery sequence of its subject than to any sequence
    of another subject; a probe sequence whose subject is not in the gallery is ignored. One gallery
    holds all views. A sample that is both gallery and probe is not compared with itself.

    .. code-block:: python

        dataset = SyntheticGait.casia_b(num_subjects=4, num_frames=8, views=[0, 90])
        protocol = replace(CASIA_B_LT, train_subjects=2, exclude_identical_view=False)
        _, test = protocol.split(dataset)
        rates = match_sequences(torch.randn(len(test), 16), test, protocol)

    Args:
        embedding (Tensor): Embeddings of all samples.
        labels (dict or dataset): Labels of the same samples by name, or the dataset.
        protocol (GalleryProbeProtocol): Protocol that selects gallery and probes.
        distance (str, optional): Distance of two samples, :obj:`"cosine"` or :obj:`"euclidean"`;
            for embeddings in parts, the mean of the distances of the parts.
            (default: :obj:`"cosine"`)
        sequence (str, optional): Label, numbers or strings, that distinguishes the sequences of a
            subject; by default, all samples of a subject in the gallery, or in one probe set, are
            one sequence. (default: :obj:`None`)

    Shapes:
        - **embedding:** :math:`(N, D)`, or :math:`(N, P, D)` in :math:`P` parts

    Returns:
        dict: Accuracy of each probe set; NaN if none of its subjects is in the gallery.

    Raises:
        ValueError: If the embedding has another shape, is not finite or differs from the labels in
            the number of samples, a label is missing or invalid, the gallery or a probe set is
            empty, or the protocol excludes identical views.
        TypeError: If the embedding is not a floating-point tensor.
    """
    if protocol.exclude_identical_view:
        raise ValueError(
            f'protocol must not exclude identical views, since sequences are matched with all '
            f'views, got {protocol.name!r}; pass dataclasses.replace(protocol, '
            f'exclude_identical_view=False)'
        )
    subject = protocol.read(labels)[protocol.subject]
    name = subject.unique(return_inverse=True)[1]
    if sequence is not None:
        pairs = torch.stack([name, _sequence_numbers(labels, sequence, len(name))], dim=1)
        name = pairs.unique(dim=0, return_inverse=True)[1]
    owner = subject.new_zeros(int(name.max()) + 1).scatter_(0, name, subject)
    gallery, probes = protocol.select(labels)
    check_embedding(embedding, len(subject))
    similarity = Similarity(embedding, gallery, distance)
    similarity.warn_if_collapsed(stacklevel=3)
    out = {}
    for probe_set, positions in probes.items():
        pairwise = similarity.distance_matrix(positions)
        itself = positions.unsqueeze(1) == gallery
        pairwise = pairwise.masked_fill(itself.to(pairwise.device), torch.inf)
        own, known = name[positions], name[gallery]
        between = sequence_distances(pairwise, own, known).cpu()
        match = owner[own.unique()].unsqueeze(1) == owner[known.unique()]
        correct = between.masked_fill(~match, torch.inf).amin(dim=1)
        wrong = between.masked_fill(match, torch.inf).amin(dim=1)
        has_match = correct.isfinite()
        out[probe_set] = float((correct < wrong)[has_match].double().mean())
    return out


def sequence_distances(distance: Tensor, probes: Tensor, gallery: Tensor) -> Tensor:
    r"""Computes distances between sequences from the distances between their samples.

    The distance of two sequences is the mean distance of a sample to the nearest sample of the
    other sequence, averaged over both directions. Pairs of samples at an infinite distance are
    ignored; two sequences without any other pair have an infinite distance.

    .. math::
        D(P, G) = \frac{1}{2} \left( \frac{1}{|P|} \sum_{i \in P} \min_{j \in G} d_{ij} +
        \frac{1}{|G|} \sum_{j \in G} \min_{i \in P} d_{ij} \right)

    .. code-block:: python

        distance = torch.tensor([[0.1, 0.9], [0.3, 0.7], [0.8, 0.2]])  # 3 samples of 2 probes
        print(sequence_distances(distance, torch.tensor([0, 0, 1]), torch.tensor([0, 1])))

    Args:
        distance (Tensor): Distances of the samples.
        probes (Tensor): Sequence of each sample in the rows.
        gallery (Tensor): Sequence of each sample in the columns.

    Shapes:
        - **distance:** :math:`(N, M)`
        - **probes:** :math:`(N)`, integers
        - **gallery:** :math:`(M)`, integers
        - **output:** :math:`(P, G)` with one row and one column for each sequence, in ascending
          order of their numbers

    Raises:
        ValueError: If the shapes do not match or there are no samples.
    """
    if distance.dim() != 2 or distance.shape != (*probes.shape, *gallery.shape):
        raise ValueError(
            f'distance must be [N, M], probes [N] and gallery [M], got {list(distance.shape)}, '
            f'{list(probes.shape)} and {list(gallery.shape)}'
        )
    if not distance.numel():
        raise ValueError(f'distance must not be empty, got shape {list(distance.shape)}')
    rows, columns = probes.to(distance.device), gallery.to(distance.device)
    forward = _mean_of_nearest(distance, rows, columns)
    backward = _mean_of_nearest(distance.t(), columns, rows)
    return (forward + backward.t()) / 2


def _mean_of_nearest(distance: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Averages over the rows of a sequence the minimum over the columns of another sequence."""
    row, column = (number.unique(return_inverse=True)[1] for number in (rows, columns))
    num_rows, num_columns = int(row.max()) + 1, int(column.max()) + 1
    nearest = distance.new_full((len(distance), num_columns), torch.inf)
    nearest.scatter_reduce_(1, column.expand_as(distance), distance, 'amin')
    valid = nearest.isfinite()
    zeros = distance.new_zeros(num_rows, num_columns)
    total = zeros.index_add(0, row, nearest.masked_fill(~valid, 0))
    counts = zeros.index_add(0, row, valid.to(zeros.dtype))
    return (total / counts).masked_fill(counts == 0, torch.inf)


def _sequence_numbers(labels: Labels, sequence: str, size: int) -> Tensor:
    """Returns the sequence of each sample as a number from 0."""
    if isinstance(labels, Mapping) and sequence not in labels:
        raise ValueError(f'sequence must be one of the labels {sorted(labels)}, got {sequence!r}')
    given = labels[sequence] if isinstance(labels, Mapping) else labels.labels(sequence)
    values = np.asarray(given.detach().cpu() if isinstance(given, Tensor) else given)
    if values.shape != (size,) or values.dtype.kind not in 'biufUS':
        raise ValueError(
            f'label {sequence!r} must be one number or string for each of {size} samples, got '
            f'{values.dtype} of shape {list(values.shape)}'
        )
    return torch.from_numpy(np.unique(values, return_inverse=True)[1])
