"""How close embeddings are to each other: cosine and Euclidean, whole or in parts."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

DISTANCES = ('cosine', 'euclidean')


class Closeness:
    r"""How close any sample is to each sample of a gallery: a number that falls as their distance
    grows, cheap to compute for many pairs.

    Distances are cosine or Euclidean. For embeddings of :math:`P` parts they are the mean over the
    parts of the distance of each part.

    Everything is computed in the embedding's precision, at least single: distances that differ by
    less than its rounding, about :math:`10^{-7}` of the embeddings' length, may change places.

    Args:
        embedding (Tensor): The embeddings of all samples.
        gallery (Tensor): The positions of the gallery.
        distance (str, optional): :obj:`"cosine"` or :obj:`"euclidean"`.
            (default: :obj:`"cosine"`)

    Shapes:
        - **embedding:** :math:`(N, D)` or :math:`(N, P, D)`
        - **gallery:** :math:`(G)`, integers

    Raises:
        ValueError: If the distance is unknown, or the embedding has another shape or a value that
            is not finite.
        TypeError: If the embedding does not hold real numbers.
    """

    def __init__(self, embedding: Tensor, gallery: Tensor, distance: str = 'cosine') -> None:
        if distance not in DISTANCES:
            raise ValueError(f'distance is one of {list(DISTANCES)}, got {distance!r}')
        self.distance = distance
        parts = _read(embedding)
        if distance == 'cosine':
            parts = F.normalize(parts, dim=-1)
            # The mean of the parts' cosines is one product of all parts side by side.
            parts = parts.flatten(1).div_(parts.size(1) ** 0.5).unsqueeze(1)
        self.parts = parts  # [N, P, D]
        self.gallery = parts[gallery.to(parts.device)].transpose(0, 1).contiguous()  # [P, G, D]
        self.half_square = self.gallery.square().sum(dim=-1).div_(2)  # [P, G]

    def empty(self, num_samples: int) -> Tensor:
        r"""Room for the result of a call with this number of samples."""
        return self.parts.new_empty(num_samples, self.gallery.size(1))

    def __call__(self, samples: Tensor, out: Tensor | None = None) -> Tensor:
        r"""How close these samples are to each of the gallery.

        Args:
            samples (Tensor): Positions among all samples.
            out (Tensor, optional): Where to write the result. (default: :obj:`None`)

        Shapes:
            - **samples:** :math:`(C)`, integers
            - **output:** :math:`(C, G)`
        """
        samples = samples.to(self.parts.device)
        chosen = self.parts[samples]
        if out is None:
            out = self.empty(len(samples))
        if self.distance == 'cosine':
            return torch.mm(chosen[:, 0], self.gallery[0].t(), out=out)
        if chosen.size(1) == 1:
            # Of one sample's squared distances only what depends on the other, negative and halved.
            return torch.mm(chosen[:, 0], self.gallery[0].t(), out=out).sub_(self.half_square[0])
        out.zero_()
        part = torch.empty_like(out)
        for own, other, half in zip(chosen.unbind(1), self.gallery, self.half_square):
            torch.mm(own, other.t(), out=part).sub_(half)
            part.sub_(own.square().sum(dim=-1, keepdim=True).div_(2))
            out.sub_(part.mul_(-2).clamp_(min=0).sqrt_())
        return out.div_(chosen.size(1))

    def distances(self, samples: Tensor, others: Tensor) -> Tensor:
        r"""The distances of these samples to some of the gallery.

        Shapes:
            - **samples:** :math:`(C)`, integers
            - **others:** :math:`(C, k)`, positions in the gallery
            - **output:** :math:`(C, k)`
        """
        own = self.parts[samples.to(self.parts.device)].unsqueeze(1)  # [C, 1, P, D]
        other = self.gallery.transpose(0, 1)[others.to(self.parts.device)]  # [C, k, P, D]
        if self.distance == 'cosine':
            return 1 - (own * other).sum(dim=(-2, -1))
        return (own - other).square().sum(dim=-1).sqrt().mean(dim=-1)


def _read(embedding: Tensor) -> Tensor:
    """Embeddings in parts, [N, P, D], in single precision or double."""
    if not isinstance(embedding, Tensor) or not embedding.is_floating_point():
        found = embedding.dtype if isinstance(embedding, Tensor) else type(embedding).__name__
        raise TypeError(f'the embedding is a tensor of real numbers, got {found}')
    if embedding.dim() not in (2, 3) or embedding.numel() == 0:
        raise ValueError(
            f'the embedding is [samples, channels] or [samples, parts, channels] and not empty, '
            f'got the shape {list(embedding.shape)}'
        )
    embedding = embedding.detach()
    if embedding.dtype != torch.float64:
        embedding = embedding.float()
    wrong = ~embedding.flatten(1).isfinite().all(dim=1)
    if wrong.any():
        raise ValueError(
            f'the embeddings of {int(wrong.sum())} samples are not finite, the first at position '
            f'{int(wrong.nonzero()[0])}'
        )
    return embedding if embedding.dim() == 3 else embedding.unsqueeze(1)
