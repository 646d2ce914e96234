"""Similarity of embeddings, or of their parts, by cosine or Euclidean distance."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from torch import Tensor

from graphmotion.checks import check_choice
from graphmotion.metrics.recognition.embeddings import Embeddings

DISTANCES = ('cosine', 'euclidean')
COLLAPSED = 1e-2  # relative spread below which a gallery is reported as collapsed


class Similarity:
    r"""Similarity of samples to each sample of a gallery.

    The similarity of a sample decreases with the distance and is fast to compute for many pairs.
    Similarities of different samples are not comparable; distances are.

    The distance is cosine or Euclidean. For embeddings of :math:`P` parts, it is the mean of the
    distances of the parts. The cosine distance of a zero vector to any other vector is one.

    Inner products of nearly equal embeddings agree in their leading digits, and the others are lost
    in single precision. The origin is therefore moved into the gallery first. For unit vectors
    :math:`\mathbf{u}` and :math:`\mathbf{v}` and any origin :math:`\mathbf{o}`,

    .. math::
        \mathbf{u}^{\top} \mathbf{v} = 1 - \frac{1}{2} \Vert (\mathbf{u} - \mathbf{o}) -
        (\mathbf{v} - \mathbf{o}) \Vert^2

    so that Euclidean and cosine distances give the same ranking. The computation uses the precision
    of the embedding, at least single, which resolves distances down to about :math:`10^{-3}` of the
    largest distance.

    Only the gallery is copied, to a temporary file if the embeddings are mapped to one.

    Args:
        embedding (Tensor or memmap): Embeddings of all samples.
        gallery (Tensor): Row indices of the gallery samples.
        distance (str, optional): :obj:`"cosine"` or :obj:`"euclidean"`.
            (default: :obj:`"cosine"`)

    Shapes:
        - **embedding:** :math:`(N, D)` or :math:`(N, P, D)`
        - **gallery:** :math:`(G)`, integers

    Raises:
        ValueError: If the distance is unknown or the embedding has another shape.
        TypeError: If the embedding is not a floating-point tensor.
    """

    def __init__(
        self, embedding: Tensor | np.memmap, gallery: Tensor, distance: str = 'cosine'
    ) -> None:
        check_choice('distance', distance, DISTANCES)
        self.embedding = Embeddings(embedding)
        self.distance = distance
        self.num_parts, size = self.embedding.part_shape
        gallery = gallery.to(self.device)
        self.gallery = self.embedding.empty(len(gallery), self.num_parts, size + 1)
        self.gallery_is_zero = torch.empty(
            len(gallery), self.num_parts, dtype=torch.bool, device=self.device
        )
        vectors = self.gallery[:, :, :-1]
        sums = []
        for block, rows in self.embedding.blocks(gallery):
            self.gallery_is_zero[block] = self._is_zero(rows)
            vectors[block] = to_comparable(rows, distance)
            sums.append(vectors[block].sum(dim=0))
        mean = torch.stack(sums).sum(dim=0) / len(gallery)
        square = self.embedding.values.new_empty(vectors.shape[:2], dtype=self.embedding.dtype)
        for block in self.embedding.slices(len(gallery)):
            square[block] = (vectors[block] - mean).square_().sum(dim=-1)
        self.spread = _divide_by_length((square.sum() / len(gallery)).sqrt(), mean)
        # The sample nearest to the mean, for each part, and not the mean itself: differences of
        # integers remain integers, and equal distances equal.
        part = torch.arange(self.num_parts, device=self.device)
        self.origin = vectors[square.argmin(dim=0), part]  # [P, D]
        for block in self.embedding.slices(len(gallery)):
            half_square = _half_square(vectors[block].sub_(self.origin))
            # With one more entry, the product of a sample o and a gallery sample g ranks by
            # distance: o @ g - g @ g / 2 = o @ o / 2 - |o - g|^2 / 2.
            self.gallery[block, :, -1] = half_square + self.gallery_is_zero[block] / 2

    def warn_if_collapsed(self, stacklevel: int) -> None:
        """Warns if the samples of the gallery are almost equal."""
        if len(self.gallery) > 1 and self.spread < COLLAPSED:
            warnings.warn(
                f'the embeddings of the gallery have collapsed: relative_spread is '
                f'{float(self.spread):.2g}, expected at least {COLLAPSED}',
                stacklevel=stacklevel,
            )

    def _is_zero(self, rows: Tensor) -> Tensor:
        """Returns which vectors are zero, whose cosine distance to all others is one."""
        return ~rows.any(dim=-1) & (self.distance == 'cosine')

    def _prepare(self, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Returns the vectors from the origin, half of their squares, and which rows are zero."""
        parts = to_comparable(rows, self.distance) - self.origin
        return parts, _half_square(parts), self._is_zero(rows)

    def _prepare_samples(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the vectors to multiply by the gallery, and half of their squares."""
        parts, half_square, is_zero = self._prepare(self.embedding[samples])
        own = torch.cat([parts, parts.new_full((*parts.shape[:2], 1), -1)], dim=-1)
        own.masked_fill_(is_zero.unsqueeze(-1), 0)
        return own, half_square.masked_fill_(is_zero, 1)

    def vectors(self, samples: Tensor) -> Tensor:
        r"""Returns vectors with parts side by side, :math:`(C, P D)`, whose Euclidean distances
        rank as the distances of the samples, unless these are Euclidean and of several parts.
        """
        return self._prepare(self.embedding[samples])[0].flatten(1)

    @property
    def device(self) -> torch.device:
        r"""Device on which similarities are computed."""
        return self.embedding.device

    def empty(self, num_samples: int, block: slice = slice(None)) -> Tensor:
        r"""Returns an uninitialised tensor for the result of a call with this number of samples."""
        size = num_samples, len(self.gallery[block])
        return torch.empty(size, dtype=self.embedding.dtype, device=self.device)

    def __call__(
        self, samples: Tensor, out: Tensor | None = None, block: slice = slice(None)
    ) -> Tensor:
        r"""Computes the similarity of samples to each gallery sample, or to those of a block.

        Args:
            samples (Tensor): Row indices of the samples.
            out (Tensor, optional): Tensor for the result. (default: :obj:`None`)
            block (slice, optional): Columns of the gallery to compare.
                (default: :obj:`slice(None)`)

        Shapes:
            - **samples:** :math:`(C)`, integers
            - **output:** :math:`(C, G)`
        """
        own, half_square = self._prepare_samples(samples.to(self.device))
        out = self.empty(len(samples), block) if out is None else out
        return self._compare(own, half_square, out, block)

    def _compare(
        self, own: Tensor, half_square: Tensor, out: Tensor, block: slice = slice(None)
    ) -> Tensor:
        gallery = self.gallery[block]
        if self.distance == 'cosine' or self.num_parts == 1:
            # The mean over the parts is, up to a factor, one product of the concatenated parts.
            return torch.mm(own.flatten(1), gallery.flatten(1).t(), out=out)
        out.zero_()
        part = torch.empty_like(out)
        for p in range(self.num_parts):
            torch.mm(own[:, p], gallery[:, p].t(), out=part)
            part.sub_(half_square[:, p : p + 1])
            out.sub_(part.mul_(-2).clamp_(min=0).sqrt_())
        return out.div_(self.num_parts)

    def distance_matrix(self, samples: Tensor) -> Tensor:
        r"""Computes the distances of samples to each gallery sample.

        Shapes:
            - **samples:** :math:`(C)`, integers
            - **output:** :math:`(C, G)`
        """
        own, half_square = self._prepare_samples(samples.to(self.device))
        similarity = self._compare(own, half_square, self.empty(len(samples)))
        if self.distance == 'euclidean' and self.num_parts > 1:
            return similarity.neg_()
        difference = similarity.neg_().add_(half_square.sum(dim=1, keepdim=True)).clamp_(min=0)
        if self.distance == 'cosine':
            return difference.div_(self.num_parts)
        return difference.mul_(2).sqrt_()

    def distances(self, samples: Tensor, others: Tensor) -> Tensor:
        r"""Computes the distances of samples to selected gallery samples.

        Shapes:
            - **samples:** :math:`(C)`, integers
            - **others:** :math:`(C, k)`, positions in the gallery of the selected samples
            - **output:** :math:`(C, k)`
        """
        samples, others = samples.to(self.device), others.to(self.device)
        own, _, own_is_zero = self._prepare(self.embedding[samples])
        square = (
            (
                own.masked_fill(own_is_zero.unsqueeze(-1), 0).unsqueeze(1)
                - self.gallery[others, :, :-1]
            )
            .square()
            .sum(dim=-1)
        )  # [C, k, P]
        if self.distance == 'euclidean':
            return square.sqrt().mean(dim=-1)
        is_zero = own_is_zero.unsqueeze(1) | self.gallery_is_zero[others]
        return (square / 2).masked_fill(is_zero, 1).mean(dim=-1)


def relative_spread(embedding: Tensor | np.memmap, distance: str = 'cosine') -> Tensor:
    r"""Computes the spread of embeddings relative to their mean.

    It is close to zero if training has collapsed and all samples have almost the same embedding.

    .. math::
        \frac{1}{\Vert \bar{\mathbf{x}} \Vert} \sqrt{\frac{1}{N} \sum_{i=1}^{N}
        \Vert \mathbf{x}_i - \bar{\mathbf{x}} \Vert^2}, \qquad
        \bar{\mathbf{x}} = \frac{1}{N} \sum_{i=1}^{N} \mathbf{x}_i

    Here :math:`\mathbf{x}_i` is the embedding for the Euclidean distance, and the concatenation of
    its parts, each scaled to unit length, for the cosine distance. The ratio is zero if all
    embeddings are zero.

    .. code-block:: python

        spread = relative_spread(torch.randn(100, 16))
        # 1 or more for diverse directions, 1e-3 for a collapsed training

    Args:
        embedding (Tensor or memmap): Embeddings.
        distance (str, optional): :obj:`"cosine"` or :obj:`"euclidean"`.
            (default: :obj:`"cosine"`)

    Shapes:
        - **embedding:** :math:`(N, D)` or :math:`(N, P, D)`
        - **output:** a scalar

    Raises:
        ValueError: If the distance is unknown or the embedding has another shape.
        TypeError: If the embedding is not a floating-point tensor.
    """
    check_choice('distance', distance, DISTANCES)
    values = Embeddings(embedding)
    sums = [to_comparable(block, distance).sum(dim=0) for _, block in values.blocks()]
    mean = torch.stack(sums).sum(dim=0) / len(values)
    square = mean.new_zeros(())
    for _, block in values.blocks():
        square += (to_comparable(block, distance) - mean).square().flatten(1).sum(dim=1).sum()
    return _divide_by_length((square / len(values)).sqrt(), mean)


def _divide_by_length(spread: Tensor, mean: Tensor) -> Tensor:
    return torch.where(spread == 0, spread, spread / mean.norm())


def _half_square(parts: Tensor) -> Tensor:
    return parts.square().sum(dim=-1).div_(2)


def check_embedding(embedding: Tensor | np.memmap, num_samples: int) -> None:
    """Checks the number of embeddings and that they are finite."""
    if len(embedding) != num_samples:
        raise ValueError(
            f'embedding and labels must have the same number of samples, got {len(embedding)} '
            f'embeddings and {num_samples} labels'
        )
    parts = Embeddings(embedding)
    # The sum is faster, and finite unless a number is not or it overflows.
    if all(bool(rows.sum().isfinite()) for _, rows in parts.blocks()):
        return
    wrong = torch.cat([~rows.flatten(1).isfinite().all(dim=1) for _, rows in parts.blocks()])
    if wrong.any():
        raise ValueError(
            f'embedding must be finite, got {int(wrong.sum())} samples that are not, the first at '
            f'position {int(wrong.nonzero()[0])}'
        )


def to_comparable(parts: Tensor, distance: str) -> Tensor:
    """Returns the vectors to compare: parts of unit length for the cosine distance."""
    check_choice('distance', distance, DISTANCES)
    if distance == 'euclidean':
        return parts
    length = parts.norm(dim=-1, keepdim=True)
    return parts / length.masked_fill_(length == 0, torch.inf)
