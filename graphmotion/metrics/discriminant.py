"""Directions in which classes lie apart: principal components, then Fisher's discriminant."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from scipy.linalg import LinAlgError, eigh
from torch import Tensor

from graphmotion.checks import check_int, check_probability


@dataclass(frozen=True, eq=False)
class DiscriminantProjection:
    r"""A projection on the directions in which classes lie apart; made by
    :func:`discriminant_projection`.

    Args:
        mean (Tensor): The mean of the samples it was fitted to, :math:`(F)`.
        matrix (Tensor): The directions, the best first, :math:`(F, D)`.
    """

    mean: Tensor
    matrix: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        r"""Project samples.

        Shapes:
            - **x:** :math:`(N, F)`
            - **output:** :math:`(N, D)`, of the type of :obj:`x` or, if that is no real number, of
              :obj:`matrix`

        Raises:
            ValueError: If the samples have another number of features.
        """
        if x.dim() != 2 or x.size(1) != len(self.mean):
            raise ValueError(f'x has the shape {list(x.shape)}, expected [N, {len(self.mean)}]')
        out = (x.to(self.mean) - self.mean) @ self.matrix
        return out.to(x.dtype) if x.is_floating_point() else out


def discriminant_projection(
    x: Tensor,
    labels: Tensor,
    num_principal: int = 150,
    num_components: int | None = None,
    shrinkage: float = 1e-3,
) -> DiscriminantProjection:
    r"""Fit principal components and, on these, Fisher's linear discriminant: "fisherfaces", from
    the `"Eigenfaces vs. Fisherfaces: Recognition Using Class Specific Linear Projection"
    <https://doi.org/10.1109/34.598228>`_ paper. It is what networks for recognition should be
    compared with where samples are few, and can whiten their embeddings.

    Of :math:`N` samples of :math:`C` classes in their principal components :math:`\mathbf{z}` the
    directions :math:`\mathbf{w}` solve

    .. math::
        \mathbf{S}_b \mathbf{w} = \lambda \mathbf{S}_w \mathbf{w}, \quad
        \mathbf{S}_b = \frac{1}{N} \sum_c N_c \boldsymbol{\mu}_c \boldsymbol{\mu}_c^{\top}, \quad
        \mathbf{S}_w = \frac{1 - s}{N} \sum_i (\mathbf{z}_i - \boldsymbol{\mu}_{c_i})
        (\mathbf{z}_i - \boldsymbol{\mu}_{c_i})^{\top} + \frac{s \, t}{K} \mathbf{I}

    with :math:`\mathbf{w}^{\top} \mathbf{S}_w \mathbf{w} = 1`, where :math:`t` is the trace of the
    scatter within classes, :math:`s` the shrinkage and :math:`K` the number of principal
    components. All is computed in double precision, on the CPU.

    .. code-block:: python

        pixels = batch.silhouettes.flatten(1)
        project = discriminant_projection(pixels[gallery], subject[gallery])
        scores = gallery_probe(project(pixels), labels, USF)

    Args:
        x (Tensor): The samples.
        labels (Tensor): The class of each, any integers.
        num_principal (int, optional): Number of principal components, at most; there are fewer
            than samples, and none more than features. (default: :obj:`150`)
        num_components (int, optional): Number of directions, at most; there is one less than
            classes. (default: :obj:`None`)
        shrinkage (float, optional): How much of the scatter within classes is replaced by the same
            in all directions, from 0 to 1. (default: :obj:`1e-3`)

    Shapes:
        - **x:** :math:`(N, F)`
        - **labels:** :math:`(N)`

    Raises:
        ValueError: If the shapes do not fit, there are less than two classes, samples are not
            finite, an option is out of range, or the scatter within classes has no inverse.
    """
    if x.dim() != 2 or labels.shape != x.shape[:1]:
        raise ValueError(
            f'x is [N, F] and labels [N], got {list(x.shape)} and {list(labels.shape)}'
        )
    check_int('num_principal', num_principal, 1)
    if num_components is not None:
        check_int('num_components', num_components, 1)
    check_probability('shrinkage', shrinkage)
    x = x.detach().cpu().double()
    if not x.isfinite().all():
        raise ValueError('x holds values that are not finite')
    class_of, counts = labels.cpu().unique(return_inverse=True, return_counts=True)[1:]
    if len(counts) < 2:
        raise ValueError(f'classes lie apart if there are two or more, got {len(counts)}')
    mean = x.mean(dim=0)
    principal = _principal(x - mean, num_principal)
    z = (x - mean) @ principal
    centers = z.new_zeros(len(counts), z.size(1)).index_add_(0, class_of, z) / counts.unsqueeze(1)
    spread = z - centers[class_of]
    between = (centers * counts.unsqueeze(1)).t() @ centers / len(x)
    within = spread.t() @ spread / len(x)
    even = within.trace() / len(within) * torch.eye(len(within), dtype=within.dtype)
    within = torch.lerp(within, even, shrinkage)
    size = min(num_components or len(counts), len(counts) - 1, len(within))
    try:
        directions = eigh(
            between.numpy(),
            within.numpy(),
            subset_by_index=(len(within) - size, len(within) - 1),  # in ascending order
        )[1]
    except LinAlgError:
        raise ValueError(
            f'the scatter within classes of {len(x)} samples in {len(within)} principal '
            f'components has no inverse: expected more samples, fewer components or a shrinkage '
            f'above {shrinkage}'
        ) from None
    return DiscriminantProjection(mean, principal @ torch.from_numpy(directions.copy()).flip(1))


def _principal(x: Tensor, number: int) -> Tensor:
    """The principal directions of centred samples, [F, K], those that have any spread."""
    few = len(x) < x.size(1)
    scatter = (x @ x.t() if few else x.t() @ x).numpy()
    last = len(scatter) - 1
    values, vectors = eigh(scatter, subset_by_index=(max(0, last - number + 1), last))
    kept = (values > 1e-10 * values[-1]).nonzero()[0][::-1]
    directions = torch.from_numpy(vectors[:, kept].copy())
    return torch.nn.functional.normalize(x.t() @ directions, dim=0) if few else directions
