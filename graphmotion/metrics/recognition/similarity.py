"""Similarity of embeddings by cosine or Euclidean distance, whole or in parts."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

from graphmotion.checks import check_choice

DISTANCES = ('cosine', 'euclidean')
COLLAPSED = 1e-2  # the relative spread below which a gallery is reported as collapsed


class Similarity:
    r"""Similarity of any sample to each sample of a gallery: a number that falls as their distance
    grows, cheap to compute for many pairs. Similarities of different samples are not comparable;
    distances are.

    The distance is cosine or Euclidean. For embeddings of :math:`P` parts it is the mean over the
    parts of the distance of each part. The cosine distance of a vector of length zero to any other
    is one.

    Inner products of embeddings that lie close together agree in their leading digits, and single
    precision loses the rest. Therefore the origin is moved into the gallery first. For vectors
    :math:`\mathbf{u}` and :math:`\mathbf{v}` of length one and any origin :math:`\mathbf{o}`

    .. math::
        \mathbf{u}^{\top} \mathbf{v} = 1 - \frac{1}{2} \Vert (\mathbf{u} - \mathbf{o}) -
        (\mathbf{v} - \mathbf{o}) \Vert^2

    so that Euclidean distances rank as cosines do. The computation is in the embedding's precision,
    at least single, which resolves distances down to about :math:`10^{-3}` of the largest ones.

    Args:
        embedding (Tensor): The embeddings of all samples.
        gallery (Tensor): The positions of the gallery.
        distance (str, optional): :obj:`"cosine"` or :obj:`"euclidean"`.
            (default: :obj:`"cosine"`)

    Shapes:
        - **embedding:** :math:`(N, D)` or :math:`(N, P, D)`
        - **gallery:** :math:`(G)`, integers

    Raises:
        ValueError: If the distance is unknown or the embedding has another shape.
        TypeError: If the embedding does not hold real numbers.
    """

    def __init__(self, embedding: Tensor, gallery: Tensor, distance: str = 'cosine') -> None:
        parts = _comparable(as_parts(embedding), distance)
        gallery = gallery.to(parts.device)
        self.distance = distance
        self.num_parts = parts.size(1)
        # Their cosine distance to all others is one.
        is_zero = ~parts.any(dim=-1, keepdim=True) & (distance == 'cosine')
        parts = parts - _middle(parts[gallery])
        half_square = parts.square().sum(dim=-1, keepdim=True).div_(2)
        # One more entry makes the product of a sample and one of the gallery, o and g, what ranks
        # their distance: o @ g - g @ g / 2, which is o @ o / 2 - |o - g|^2 / 2.
        last = half_square[gallery] + is_zero[gallery] / 2
        self.gallery = torch.cat([parts[gallery], last], dim=-1)  # [G, P, D + 1]
        samples = torch.cat([parts, torch.full_like(half_square, -1)], dim=-1)
        self.samples = samples.masked_fill_(is_zero, 0)  # [N, P, D + 1]
        self.half_square = half_square.masked_fill_(is_zero, 1).squeeze(-1)  # [N, P]
        self.is_zero = is_zero.squeeze(-1)  # [N, P]
        self.gallery_is_zero = self.is_zero[gallery]

    @property
    def device(self) -> torch.device:
        r"""Where similarities are computed."""
        return self.samples.device

    def empty(self, num_samples: int) -> Tensor:
        r"""Room for the result of a call with this number of samples."""
        return self.samples.new_empty(num_samples, len(self.gallery))

    def __call__(self, samples: Tensor, out: Tensor | None = None) -> Tensor:
        r"""Similarity of these samples to each of the gallery.

        Args:
            samples (Tensor): Positions among all samples.
            out (Tensor, optional): Where to write the result. (default: :obj:`None`)

        Shapes:
            - **samples:** :math:`(C)`, integers
            - **output:** :math:`(C, G)`
        """
        samples = samples.to(self.device)
        own = self.samples[samples]
        if out is None:
            out = self.empty(len(samples))
        if self.distance == 'cosine' or self.num_parts == 1:
            # The mean over the parts is, but for a factor, one product of all parts side by side.
            return torch.mm(own.flatten(1), self.gallery.flatten(1).t(), out=out)
        out.zero_()
        part = torch.empty_like(out)
        for p in range(self.num_parts):
            torch.mm(own[:, p], self.gallery[:, p].t(), out=part)
            part.sub_(self.half_square[samples, p : p + 1])
            out.sub_(part.mul_(-2).clamp_(min=0).sqrt_())
        return out.div_(self.num_parts)

    def distance_matrix(self, samples: Tensor) -> Tensor:
        r"""Distances of these samples to each of the gallery.

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
        r"""Distances of these samples to some of the gallery.

        Shapes:
            - **samples:** :math:`(C)`, integers
            - **others:** :math:`(C, k)`, positions in the gallery
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
    r"""Spread of embeddings, relative to their mean: near zero where training has collapsed and
    all samples have almost the same embedding.

    .. math::
        \frac{1}{\Vert \bar{\mathbf{x}} \Vert} \sqrt{\frac{1}{N} \sum_{i=1}^{N}
        \Vert \mathbf{x}_i - \bar{\mathbf{x}} \Vert^2}, \qquad
        \bar{\mathbf{x}} = \frac{1}{N} \sum_{i=1}^{N} \mathbf{x}_i

    Here :math:`\mathbf{x}_i` is what the distance compares: the embedding for the Euclidean
    distance, the embedding scaled to length one, each part by itself, for the cosine distance.
    Parts are put side by side. The ratio is zero if all are zero.

    .. code-block:: python

        spread = relative_spread(embed(model, dataset))
        print(f'{spread:.2g}')  # 1 or more if directions are many, 1e-3 if training has collapsed

    Args:
        embedding (Tensor): The embeddings.
        distance (str, optional): :obj:`"cosine"` or :obj:`"euclidean"`.
            (default: :obj:`"cosine"`)

    Shapes:
        - **embedding:** :math:`(N, D)` or :math:`(N, P, D)`
        - **output:** a scalar

    Raises:
        ValueError: If the distance is unknown or the embedding has another shape.
        TypeError: If the embedding does not hold real numbers.
    """
    x = _comparable(as_parts(embedding), distance).flatten(1)
    mean = x.mean(dim=0)
    spread = (x - mean).square().sum(dim=1).mean().sqrt()
    return torch.where(spread == 0, spread, spread / mean.norm())


def check_embedding(embedding: Tensor, gallery: Tensor, distance: str, stacklevel: int) -> None:
    """Refuse embeddings that are not finite, and warn of a gallery that has collapsed."""
    parts = as_parts(embedding)
    wrong = ~parts.flatten(1).isfinite().all(dim=1)
    if wrong.any():
        raise ValueError(
            f'the embeddings of {int(wrong.sum())} samples are not finite, the first at position '
            f'{int(wrong.nonzero()[0])}'
        )
    spread = float(relative_spread(parts[gallery.to(parts.device)], distance))
    if len(gallery) > 1 and spread < COLLAPSED:
        warnings.warn(
            f'the embeddings of the gallery have collapsed: relative_spread is {spread:.2g}, '
            f'expected at least {COLLAPSED}',
            stacklevel=stacklevel,
        )


def as_parts(embedding: Tensor) -> Tensor:
    """Embeddings in parts, [N, P, D], in single precision or double."""
    if not isinstance(embedding, Tensor) or not embedding.is_floating_point():
        found = embedding.dtype if isinstance(embedding, Tensor) else type(embedding).__name__
        raise TypeError(f'embedding must be a tensor of real numbers, got {found}')
    if embedding.dim() not in (2, 3) or embedding.numel() == 0:
        raise ValueError(
            f'embedding must be [samples, channels] or [samples, parts, channels] and not empty, '
            f'got the shape {list(embedding.shape)}'
        )
    embedding = embedding.detach()
    if embedding.dtype != torch.float64:
        embedding = embedding.float()
    return embedding if embedding.dim() == 3 else embedding.unsqueeze(1)


def _comparable(parts: Tensor, distance: str) -> Tensor:
    """What the distance compares: parts of length one for the cosine distance."""
    check_choice('distance', distance, DISTANCES)
    if distance == 'euclidean':
        return parts
    length = parts.norm(dim=-1, keepdim=True)
    return torch.where(length == 0, 0, parts / length)


def _middle(parts: Tensor) -> Tensor:
    """The part of a sample that is nearest to the mean, for each part: [G, P, D] to [P, D]."""
    # Not the mean itself: differences of whole numbers remain whole, and equal distances equal.
    far = (parts - parts.mean(dim=0)).square().sum(dim=-1)
    return parts[far.argmin(dim=0), torch.arange(parts.size(1), device=parts.device)]
