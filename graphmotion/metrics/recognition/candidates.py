"""Candidates of an approximate search by faiss."""

from __future__ import annotations

import re

import numpy as np
import torch
from torch import Tensor

from graphmotion.extras import requires_extra
from graphmotion.metrics.recognition.gallery import Gallery

_TRAINING_ROWS = 100_000
_VISITED = 16  # one in this number of inverted lists is searched


class Candidates:
    r"""An index of faiss that proposes the gallery samples to compare with a probe.

    Args:
        gallery (Gallery): The gallery.
        index (str): Description of the index for faiss.

    Raises:
        ImportError: If faiss is not installed.
        ValueError: If the description or the distance is invalid, the description has a count of
            zero, faiss cannot train the index on the gallery, or the protocol excludes other
            subjects in the view of a probe.
    """

    def __init__(self, gallery: Gallery, index: str) -> None:
        if re.search(r'(?<!\d)0+(?!\d)', index):
            raise ValueError(f'index must have counts of at least 1, got {index!r}')
        with requires_extra('search'):
            import faiss
        similarity, protocol = gallery.similarity, gallery.protocol
        if similarity.distance == 'euclidean' and similarity.num_parts > 1:
            raise ValueError('index must be None for the Euclidean distance of several parts')
        if protocol.exclude_identical_view and not protocol.same_view_impostors:
            raise ValueError(
                f'index must be None for protocol {protocol.name!r}, which excludes '
                f'other subjects in the view of a probe'
            )
        self.gallery = gallery
        embedding, positions = similarity.embedding, gallery.positions
        size = embedding.values[0].numel()
        try:
            self.index = faiss.index_factory(size, index)
        except RuntimeError as error:
            raise ValueError(
                f'index must be a description for faiss, got {index!r} for embeddings of {size} '
                f'values: {_reason(error)}'
            ) from error
        if not self.index.is_trained:
            step = -(-len(positions) // _TRAINING_ROWS)
            rows = positions[::step]
            try:
                self.index.train(self._vectors(rows))
            except RuntimeError as error:
                raise ValueError(
                    f'index must be one that faiss can train on {len(rows)} gallery samples of '
                    f'{size} values, got {index!r}: {_reason(error)}'
                ) from error
        for block, _ in embedding.blocks(positions):
            self.index.add(self._vectors(positions[block]))
        lists = getattr(self.index, 'nlist', 0)
        if lists:
            self.index.nprobe = max(1, lists // _VISITED)

    def _vectors(self, samples: Tensor) -> np.ndarray:
        """Returns vectors whose Euclidean distances rank as the distances of the samples."""
        return self.gallery.similarity.vectors(samples).float().cpu().numpy()

    def __call__(self, samples: Tensor, k: int) -> Tensor:
        r"""Returns the columns of candidates of each sample, :math:`(C, n)`, in ascending order and
        padded with -1.
        """
        # A sample of the same subject may be excluded.
        number = k + int((self.gallery.own_columns(samples) >= 0).sum(dim=1).max())
        number = min(number, len(self.gallery.positions))
        _, columns = self.index.search(self._vectors(samples), number)
        return torch.from_numpy(columns).sort(dim=1).values.to(self.gallery.positions.device)


def _reason(error: RuntimeError) -> str:
    """Returns the requirement in an error of faiss, without its place in the code."""
    return str(error).rpartition('failed: ')[2].strip()
