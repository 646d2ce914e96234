"""Known samples, ordered by view, and which of them each probe should find."""

from __future__ import annotations

import torch
from torch import Tensor

from graphmotion.metrics.recognition.protocols import GalleryProbeProtocol, Labels
from graphmotion.metrics.recognition.similarity import Similarity, check_embedding


class Gallery:
    r"""The gallery of a protocol as columns sorted by view, ready to be compared with probes.

    Args:
        embedding (Tensor): The embeddings of all samples.
        labels (dict or dataset): Their labels.
        protocol (GalleryProbeProtocol): What is gallery and what are probes.
        distance (str): See :class:`~graphmotion.metrics.recognition.similarity.Similarity`.

    Raises:
        ValueError: If embeddings and labels are not of the same number of samples, or what their
            classes refuse.
    """

    def __init__(
        self, embedding: Tensor, labels: Labels, protocol: GalleryProbeProtocol, distance: str
    ) -> None:
        values = protocol.read(labels)
        subject = values[protocol.subject]
        if len(subject) != len(embedding):
            raise ValueError(
                f'embedding and labels are of the same samples, got {len(embedding)} embeddings '
                f'and {len(subject)} labels'
            )
        view = values[protocol.view] if protocol.view else torch.zeros(len(subject)).long()
        positions, probes = protocol.select(labels)
        positions = positions[view[positions].argsort(stable=True)]
        check_embedding(embedding, positions, distance, stacklevel=4)
        self.similarity = Similarity(embedding, positions, distance)
        device = self.similarity.device
        self.protocol = protocol
        self.probes = {name: p.to(device) for name, p in probes.items()}
        self.view = view.to(device)  # of each sample
        self.positions = positions.to(device)  # of each column
        self.column_view = self.view[self.positions]
        self.views, sizes = self.column_view.unique_consecutive(return_counts=True)
        ends = sizes.cumsum(0).tolist()
        self.slices = [slice(a, b) for a, b in zip([0, *ends], ends)]  # of columns, by view

        self.subject = subject.to(device).unique(return_inverse=True)[1]
        owner = self.subject[self.positions]
        counts = owner.bincount(minlength=int(self.subject.max()) + 1)
        # A row for each subject: its columns, then -1.
        order = owner.argsort(stable=True)
        first = counts.cumsum(0) - counts
        slot = torch.arange(len(order), device=device) - first[owner[order]]
        self._columns = order.new_full((len(counts), int(counts.max())), -1)
        self._columns[owner[order], slot] = order

    def own(self, samples: Tensor) -> Tensor:
        r"""The columns of each sample's subject, itself included, :math:`(C, M)`; then -1."""
        return self._columns[self.subject[samples]]

    def is_match(self, samples: Tensor, columns: Tensor) -> Tensor:
        r"""Which of :meth:`own` are true matches: none is the sample itself."""
        return (columns >= 0) & (self.positions[columns] != samples.unsqueeze(1))
