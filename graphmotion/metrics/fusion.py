"""Late fusion of the predictions of several streams or models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from graphmotion.checks import check_choice

KINDS = ('logits', 'probabilities')


def fuse_streams(
    logits: Sequence[Tensor],
    weights: Sequence[float] | None = None,
    kind: str = 'logits',
) -> Tensor:
    r"""Fuses the predictions of several streams, such as joints and bones.

    The logits :math:`\mathbf{z}_s`, or the probabilities, of all streams are added:

    .. math::
        \mathbf{p} = \mathrm{softmax}\left(\sum_s w_s \mathbf{z}_s\right)
        \qquad \text{or} \qquad
        \mathbf{p} = \sum_s w_s \, \mathrm{softmax}(\mathbf{z}_s) \Big/ \sum_s w_s

    The published code of the `"Channel-wise Topology Refinement Graph Convolution for
    Skeleton-Based Action Recognition" <https://arxiv.org/abs/2107.12213>`_ paper adds logits with
    weights 0.6, 0.6, 0.4 and 0.4 for joints, bones, joint motion and bone motion. The two kinds
    can disagree: a confident stream can outvote all others if logits are added, less easily if
    probabilities are.

    .. code-block:: python

        joint_logits, bone_logits = torch.randn(100, 60), torch.randn(100, 60)
        predicted = fuse_streams([joint_logits, bone_logits], [0.6, 0.4]).argmax(dim=1)

    Args:
        logits (sequence of Tensor): Logits :math:`(N, \text{num\_classes})` of each stream for the
            same samples. For a stream that returns probabilities, pass their logarithms.
        weights (sequence of float, optional): Weight :math:`w_s` of each stream; by default all
            weights are equal. (default: :obj:`None`)
        kind (str, optional): Quantity to add: :obj:`"logits"` or :obj:`"probabilities"`.
            (default: :obj:`"logits"`)

    Returns:
        Tensor: Probabilities :math:`(N, \text{num\_classes})`.

    Raises:
        ValueError: If there are no streams, their shapes differ, values are not finite or are
            probabilities, or there is not one non-negative weight per stream with a positive sum.
    """
    check_choice('kind', kind, KINDS)
    if not logits:
        raise ValueError('logits must not be empty')
    shapes = [list(z.shape) for z in logits]
    if len(shapes[0]) != 2 or any(shape != shapes[0] for shape in shapes):
        raise ValueError(f'logits of all streams must have the same shape [N, C], got {shapes}')
    weights = [1.0] * len(logits) if weights is None else list(weights)
    if len(weights) != len(logits):
        raise ValueError(f'weights must be one per stream ({len(logits)}), got {weights}')
    if min(weights) < 0 or sum(weights) <= 0:
        raise ValueError(f'weights must be non-negative with a positive sum, got {weights}')
    stacked = torch.stack([z.double() for z in logits])
    if not stacked.isfinite().all():
        raise ValueError('logits must be finite')
    sums = stacked.sum(dim=-1)
    if sums.numel() and (stacked >= 0).all() and ((sums - 1).abs() < 1e-3).all():
        raise ValueError('logits must not be probabilities; pass their logarithms')
    weight = torch.tensor(weights, dtype=stacked.dtype, device=stacked.device).view(-1, 1, 1)
    if kind == 'logits':
        out = (weight * stacked).sum(dim=0).softmax(dim=-1)
    else:
        out = (weight * stacked.softmax(dim=-1)).sum(dim=0) / sum(weights)
    return out.to(logits[0].dtype)


def fusion_contributions(fused: float, parts: Mapping[str, float]) -> dict[str, float]:
    r"""Computes what each of two parts adds to the accuracy of their fusion.

    The contribution of a part is the accuracy of the fusion minus the accuracy of the other part,
    as in Table IV of the paper "SSGNN: A Macro and Microfacial Expression Recognition Graph Neural
    Network Combining Spatial and Spectral Domain Features". A negative value means that the other
    part alone is better.

    .. code-block:: python

        fusion_contributions(77.9, {'SPAGNN': 76.9, 'SPEGNN': 57.1})
        # {'SPAGNN': 20.8, 'SPEGNN': 1.0}

    Args:
        fused (float): Accuracy of the fusion.
        parts (mapping): Accuracy of each part by its name.

    Raises:
        ValueError: If there are not two parts.
    """
    if len(parts) != 2:
        raise ValueError(f'parts must have two entries, got {list(parts)}')
    total = sum(parts.values())
    return {name: fused - (total - accuracy) for name, accuracy in parts.items()}
