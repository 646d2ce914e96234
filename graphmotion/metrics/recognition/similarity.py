"""Similarity of embeddings, or of their parts, by cosine or Euclidean distance."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

from graphmotion.checks import check_choice

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

    Args:
        embedding (Tensor): Embeddings of all samples.
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

    def __init__(self, embedding: Tensor, gallery: Tensor, distance: str = 'cosine') -> None:
        parts = to_comparable(as_parts(embedding), distance)
        gallery = gallery.to(parts.device)
        self.distance = distance
        self.num_parts = parts.size(1)
        # The cosine distance of zero vectors to all others is one.
        is_zero = ~parts.any(dim=-1, keepdim=True) & (distance == 'cosine')
        parts = parts - _medoid(parts[gallery])
        half_square = parts.square().sum(dim=-1, keepdim=True).div_(2)
        # With one more entry, the product of a sample o and a gallery sample g ranks by distance:
        # o @ g - g @ g / 2 = o @ o / 2 - |o - g|^2 / 2.
        last = half_square[gallery] + is_zero[gallery] / 2
        self.gallery = torch.cat([parts[gallery], last], dim=-1)  # [G, P, D + 1]
        samples = torch.cat([parts, torch.full_like(half_square, -1)], dim=-1)
        self.samples = samples.masked_fill_(is_zero, 0)  # [N, P, D + 1]
        self.half_square = half_square.masked_fill_(is_zero, 1).squeeze(-1)  # [N, P]
        self.is_zero = is_zero.squeeze(-1)  # [N, P]
        self.gallery_is_zero = self.is_zero[gallery]

    @property
    def device(self) -> torch.device:
        r"""Device on which similarities are computed."""
        return self.samples.device

    def empty(self, num_samples: int) -> Tensor:
        r"""Returns an uninitialised tensor for the result of a call with this number of samples."""
        return self.samples.new_empty(num_samples, len(self.gallery))

    def __call__(self, samples: Tensor, out: Tensor | None = None) -> Tensor:
        r"""Computes the similarity of samples to each gallery sample.

        Args:
            samples (Tensor): Row indices of the samples.
            out (Tensor, optional): Tensor for the result. (default: :obj:`None`)

        Shapes:
            - **samples:** :math:`(C)`, integers
            - **output:** :math:`(C, G)`
        """
        samples = samples.to(self.device)
        own = self.samples[samples]
        if out is None:
            out = self.empty(len(samples))
        if self.distance == 'cosine' or self.num_parts == 1:
            # The mean over the parts is, up to a factor, one product of the concatenated parts.
            return torch.mm(own.flatten(1), self.gallery.flatten(1).t(), out=out)
        out.zero_()
        part = torch.empty_like(out)
        for p in range(self.num_parts):
            torch.mm(own[:, p], self.gallery[:, p].t(), out=part)
            part.sub_(self.half_square[samples, p : p + 1])
            out.sub_(part.mul_(-2).clamp_(min=0).sqrt_())
        return out.div_(self.num_parts)

    def distance_matrix(self, samples: Tensor) -> Tensor:
        r"""Computes the distances of samples to each gallery sample.

        Shapes:
            - **samples:** :math:`(C)`, integers
            - **output:** :math:`(C, G)`
        """
        samples = samples.to(self.device)
        similarity = self(samples)
        if self.distance == 'euclidean' and self.num_parts > 1:
            return similarity.neg_()
        half_square = self.half_square[samples].sum(dim=1, keepdim=True)
        difference = similarity.neg_().add_(half_square).clamp_(min=0)
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
        own = self.samples[samples, :, :-1].unsqueeze(1)  # [C, 1, P, D]
        square = (own - self.gallery[others, :, :-1]).square().sum(dim=-1)  # [C, k, P]
        if self.distance == 'euclidean':
            return square.sqrt().mean(dim=-1)
        is_zero = self.is_zero[samples].unsqueeze(1) | self.gallery_is_zero[others]
        return (square / 2).masked_fill(is_zero, 1).mean(dim=-1)


def relative_spread(embedding: Tensor, distance: str = 'cosine') -> Tensor:
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
        embedding (Tensor): Embeddings.
        distance (str, optional): :obj:`"cosine"` or :obj:`"euclidean"`.
            (default: :obj:`"cosine"`)

    Shapes:
        - **embedding:** :math:`(N, D)` or :math:`(N, P, D)`
        - **output:** a scalar

    Raises:
        ValueError: If the distance is unknown or the embedding has another shape.
        TypeError: If the embedding is not a floating-point tensor.
    """
    x = to_comparable(as_parts(embedding), distance).flatten(1)
    mean = x.mean(dim=0)
    spread = (x - mean).square().sum(dim=1).mean().sqrt()
    return torch.where(spread == 0, spread, spread / mean.norm())


def check_embedding(
    embedding: Tensor, num_samples: int, gallery: Tensor, distance: str, stacklevel: int
) -> None:
    """Checks the number of embeddings and that they are finite; warns of a collapsed gallery."""
    if len(embedding) != num_samples:
        raise ValueError(
            f'embedding and labels must have the same number of samples, got {len(embedding)} '
            f'embeddings and {num_samples} labels'
        )
    parts = as_parts(embedding)
    wrong = ~parts.flatten(1).isfinite().all(dim=1)
    if wrong.any():
        raise ValueError(
            f'embedding must be finite, got {int(wrong.sum())} samples that are not, the first at '
            f'position {int(wrong.nonzero()[0])}'
        )
    spread = float(relative_spread(parts[gallery.to(parts.device)], distance))
    if len(gallery) > 1 and spread < COLLAPSED:
        warnings.warn(
            f'the embeddings of the gallery have collapsed: relative_spread is {spread:.2g}, '
            f'expected at least {COLLAPSED}',
            stacklevel=stacklevel,
        )


def as_parts(embedding: Tensor) -> Tensor:
    """Returns embeddings in parts, [N, P, D], in single or double precision."""
    if not isinstance(embedding, Tensor) or not embedding.is_floating_point():
        found = embedding.dtype if isinstance(embedding, Tensor) else type(embedding).__name__
        raise TypeError(f'embedding must be a floating-point tensor, got {found}')
    if embedding.dim() not in (2, 3) or embedding.numel() == 0:
        raise ValueError(
            f'embedding must have shape [N, D] or [N, P, D] and not be empty, got '
            f'{list(embedding.shape)}'
        )
    embedding = embedding.detach()
    if embedding.dtype != torch.float64:
        embedding = embedding.float()
    return embedding if embedding.dim() == 3 else embedding.unsqueeze(1)


def to_comparable(parts: Tensor, distance: str) -> Tensor:
    """Returns the vectors to compare: parts of unit length for the cosine distance."""
    check_choice('distance', distance, DISTANCES)
    if distance == 'euclidean':
        return parts
    length = parts.norm(dim=-1, keepdim=True)
    return torch.where(length == 0, 0, parts / length)


def _medoid(parts: Tensor) -> Tensor:
    """Returns the sample nearest to the mean, for each part: [G, P, D] to [P, D]."""
    # Not the mean itself: differences of integers remain integers, and equal distances equal.
    distance = (parts - parts.mean(dim=0)).square().sum(dim=-1)
    return parts[distance.argmin(dim=0), torch.arange(parts.size(1), device=parts.device)]
