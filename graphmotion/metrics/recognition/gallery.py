"""The gallery of a protocol, ordered by view, and the true matches of each probe."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from graphmotion.metrics.recognition.protocols import GalleryProbeProtocol, Labels
from graphmotion.metrics.recognition.similarity import Similarity, check_embedding


class Gallery:
    r"""The gallery of a protocol as columns sorted by view, to be compared with probes.

    Args:
        embedding (Tensor or memmap): Embeddings of all samples.
        labels (dict or dataset): Labels of all samples.
        protocol (GalleryProbeProtocol): Protocol that selects gallery and probes.
        distance (str): Distance of
            :class:`~graphmotion.metrics.recognition.similarity.Similarity`.

    Raises:
        ValueError: If the numbers of embeddings and labels differ, an embedding is not finite, or
            the protocol cannot be applied to the labels.
    """

    def __init__(
        self,
        embedding: Tensor | np.memmap,
        labels: Labels,
        protocol: GalleryProbeProtocol,
        distance: str,
    ) -> None:
        values = protocol.read(labels)
        subject = values[protocol.subject]
        view = values[protocol.view] if protocol.view else torch.zeros(len(subject)).long()
        positions, probes = protocol.select(labels)
        positions = positions[view[positions].argsort(stable=True)]
        check_embedding(embedding, len(subject))
        self.similarity = Similarity(embedding, positions, distance)
        self.similarity.warn_if_collapsed(stacklevel=4)
        device = self.similarity.device
        self.protocol = protocol
        self.probes = {name: p.to(device) for name, p in probes.items()}
        self.view = view.to(device)  # of each sample
        self.positions = positions.to(device)  # of each column
        self.column_view = self.view[self.positions]
        self.views, sizes = self.column_view.unique_consecutive(return_counts=True)
        ends = sizes.cumsum(0).tolist()
        self.view_slices = [slice(a, b) for a, b in zip([0, *ends], ends)]  # columns of each view

        self.subject = subject.to(device).unique(return_inverse=True)[1]
        owner = self.subject[self.positions]
        counts = owner.bincount(minlength=int(self.subject.max()) + 1)
        # One row for each subject: its columns, padded with -1.
        order = owner.argsort(stable=True)
        first = counts.cumsum(0) - counts
        slot = torch.arange(len(order), device=device) - first[owner[order]]
        self._columns = order.new_full((len(counts), int(counts.max())), -1)
        self._columns[owner[order], slot] = order

    def own_columns(self, samples: Tensor) -> Tensor:
        r"""Returns the columns of each sample's subject, :math:`(C, M)`, padded with -1.

        They include the sample itself.
        """
        return self._columns[self.subject[samples]]

    def is_match(self, samples: Tensor, columns: Tensor) -> Tensor:
        r"""Returns which columns of :meth:`own_columns` are true matches: all but the sample."""
        return (columns >= 0) & (self.positions[columns] != samples.unsqueeze(1))

    def is_excluded(self, samples: Tensor, columns: Tensor | slice = slice(None)) -> Tensor:
        r"""Returns which columns are not compared with each sample, :math:`(C, G)`, or which of the
        given ones, :math:`(C, n)`.

        These are the sample itself and, if the protocol excludes identical views, samples in its
        view: those of its subject, and those of other subjects without same-view impostors.
        """
        excluded = self.positions[columns] == samples.unsqueeze(1)
        if self.protocol.exclude_identical_view:
            same_view = self.column_view[columns] == self.view[samples].unsqueeze(1)
            if self.protocol.same_view_impostors:
                same_view &= self.is_same_subject(samples, columns)
            excluded |= same_view
        return excluded

    def is_same_subject(self, samples: Tensor, columns: Tensor | slice = slice(None)) -> Tensor:
        r"""Returns which columns have the subject of each sample, :math:`(C, G)`, or which of the
        given ones, :math:`(C, n)`.
        """
        return self.subject[self.positions[columns]] == self.subject[samples].unsqueeze(1)
