"""Projection onto discriminant directions: PCA followed by Fisher's linear discriminant."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from scipy.linalg import LinAlgError, eigh
from torch import Tensor

from graphmotion.checks import check_int, check_probability


@dataclass(frozen=True, eq=False)
class DiscriminantProjection:
    r"""Projection onto discriminant directions, returned by :func:`discriminant_projection`.

    .. code-block:: python

        features, labels = torch.randn(30, 8), torch.arange(30) % 3
        projection = discriminant_projection(features, labels)
        print(projection(torch.randn(5, 8)).shape)  # [5, 2], one direction less than classes

    Args:
        mean (Tensor): Mean of the samples that the projection was fitted to, :math:`(F)`.
        matrix (Tensor): Directions :math:`(F, D)`, the most discriminative first.
    """

    mean: Tensor
    matrix: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        r"""Projects samples.

        Shapes:
            - **x:** :math:`(N, F)`
            - **output:** :math:`(N, D)`, with the dtype of :obj:`x` if it is a floating-point
              dtype, otherwise of :obj:`matrix`

        Raises:
            ValueError: If the samples do not have :math:`F` features.
        """
        if x.dim() != 2 or x.size(1) != len(self.mean):
            raise ValueError(f'x must have shape [N, {len(self.mean)}], got {list(x.shape)}')
        out = (x.to(self.mean) - self.mean) @ self.matrix
        return out.to(x.dtype) if x.is_floating_point() else out


def discriminant_projection(
    x: Tensor,
    labels: Tensor,
    num_principal: int = 150,
    num_components: int | None = None,
    shrinkage: float = 1e-3,
) -> DiscriminantProjection:
    r"""Fits Fisher's linear discriminant to the principal components of labelled samples.

    This is the "fisherfaces" method of the `"Eigenfaces vs. Fisherfaces: Recognition Using Class
    Specific Linear Projection" <https://doi.org/10.1109/34.598228>`_ paper. It is a strong baseline
    for recognition networks if samples are few, and can whiten their embeddings.

    For :math:`N` samples of :math:`C` classes with principal components :math:`\mathbf{z}`, the
    directions :math:`\mathbf{w}` solve

    .. math::
        \mathbf{S}_b \mathbf{w} = \lambda \mathbf{S}_w \mathbf{w}, \quad
        \mathbf{S}_b = \frac{1}{N} \sum_c N_c \boldsymbol{\mu}_c \boldsymbol{\mu}_c^{\top}, \quad
        \mathbf{S}_w = \frac{1 - s}{N} \sum_i (\mathbf{z}_i - \boldsymbol{\mu}_{c_i})
        (\mathbf{z}_i - \boldsymbol{\mu}_{c_i})^{\top} + \frac{s \, t}{K} \mathbf{I}

    with :math:`\mathbf{w}^{\top} \mathbf{S}_w \mathbf{w} = 1`, where :math:`t` is the trace of the
    within-class scatter, :math:`s` the shrinkage and :math:`K` the number of principal components.
    The computation is in double precision on the CPU.

    .. code-block:: python

        subject, pixels = torch.arange(60) % 10, torch.rand(60, 200)
        project = discriminant_projection(pixels, subject)
        features = project(torch.rand(5, 200))  # of new samples

    Args:
        x (Tensor): Samples.
        labels (Tensor): Class of each sample, arbitrary integers.
        num_principal (int, optional): Maximum number of principal components, which is also less
            than the number of samples and at most the number of features.
            (default: :obj:`150`)
        num_components (int, optional): Maximum number of directions, which is also less than the
            number of classes. (default: :obj:`None`)
        shrinkage (float, optional): Fraction of the within-class scatter that is replaced by an
            isotropic scatter of the same trace, in :math:`[0, 1]`. (default: :obj:`1e-3`)

    Shapes:
        - **x:** :math:`(N, F)`
        - **labels:** :math:`(N)`

    Raises:
        ValueError: If the shapes do not match, there are fewer than two classes, samples are not
            finite, an option is out of range, or the within-class scatter is singular.
    """
    if x.dim() != 2 or labels.shape != x.shape[:1]:
        raise ValueError(
            f'x must be [N, F] and labels [N], got {list(x.shape)} and {list(labels.shape)}'
        )
    check_int('num_principal', num_principal, 1)
    if num_components is not None:
        check_int('num_components', num_components, 1)
    check_probability('shrinkage', shrinkage)
    x = x.detach().cpu().double()
    if not x.isfinite().all():
        raise ValueError('x must be finite')
    class_of, counts = labels.cpu().unique(return_inverse=True, return_counts=True)[1:]
    if len(counts) < 2:
        raise ValueError(f'labels must have at least two classes, got {len(counts)}')
    mean = x.mean(dim=0)
    principal = _principal_components(x - mean, num_principal)
    z = (x - mean) @ principal
    centers = z.new_zeros(len(counts), z.size(1)).index_add_(0, class_of, z) / counts.unsqueeze(1)
    spread = z - centers[class_of]
    between = (centers * counts.unsqueeze(1)).t() @ centers / len(x)
    within = spread.t() @ spread / len(x)
    isotropic = within.trace() / len(within) * torch.eye(len(within), dtype=within.dtype)
    within = torch.lerp(within, isotropic, shrinkage)
    size = min(num_components or len(counts), len(counts) - 1, len(within))
    try:
        directions = eigh(
            between.numpy(),
            within.numpy(),
            subset_by_index=(len(within) - size, len(within) - 1),  # in ascending order
        )[1]
    except LinAlgError:
        raise ValueError(
            f'the within-class scatter must be invertible, got a singular one for {len(x)} samples '
            f'and {len(within)} principal components; use more samples, fewer components or a '
            f'shrinkage above {shrinkage}'
        ) from None
    return DiscriminantProjection(mean, principal @ torch.from_numpy(directions.copy()).flip(1))


def _principal_components(x: Tensor, number: int) -> Tensor:
    """Returns the principal directions of centred samples with non-zero variance, [F, K]."""
    use_gram = len(x) < x.size(1)
    scatter = (x @ x.t() if use_gram else x.t() @ x).numpy()
    last = len(scatter) - 1
    values, vectors = eigh(scatter, subset_by_index=(max(0, last - number + 1), last))
    kept = (values > 1e-10 * values[-1]).nonzero()[0][::-1]
    directions = torch.from_numpy(vectors[:, kept].copy())
    return torch.nn.functional.normalize(x.t() @ directions, dim=0) if use_gram else directions
