"""Late fusion of what several models, or one model on several streams, predict."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

KINDS = ('probabilities', 'logits')


def fuse_streams(
    predictions: Sequence[Tensor],
    weights: Sequence[float] | None = None,
    kind: str = 'probabilities',
) -> Tensor:
    r"""Fuse the class probabilities of several streams (joints, bones, ...), as skeleton models
    are evaluated.

    .. math::
        \mathbf{p} = \sum_s w_s \mathbf{p}_s \Big/ \sum_s w_s
        \qquad \text{or} \qquad
        \mathbf{p} = \mathrm{softmax}\left(\sum_s w_s \log \mathbf{p}_s\right)

    The second form adds weighted logits: those of a softmax are its logarithms, but for a constant
    that the softmax of their sum takes off. The weights 0.6, 0.6, 0.4 and 0.4 for joints, bones,
    joint motion and bone motion are those of the published code of the `"Channel-wise Topology
    Refinement Graph Convolution for Skeleton-Based Action Recognition"
    <https://arxiv.org/abs/2107.12213>`_ paper.

    Args:
        predictions (sequence of Tensor): For each stream the probabilities of the same samples
            :math:`(N, \text{num\_classes})`.
        weights (sequence of float, optional): Weights :math:`w_s` of the streams; equal ones if not
            given. (default: :obj:`None`)
        kind (str, optional): What is added: :obj:`"probabilities"` or :obj:`"logits"`.
            (default: :obj:`"probabilities"`)

    Returns:
        Tensor: Probabilities :math:`(N, \text{num\_classes})`.

    Raises:
        ValueError: If there is no stream, shapes differ, values are no probabilities, or weights
            are not one positive or zero number a stream with a positive sum.
    """
    if kind not in KINDS:
        raise ValueError(f'kind is one of {list(KINDS)}, got {kind!r}')
    if not predictions:
        raise ValueError('there is no stream to fuse')
    shapes = [list(p.shape) for p in predictions]
    if len(shapes[0]) != 2 or any(shape != shapes[0] for shape in shapes):
        raise ValueError(f'predictions of all streams have one shape [N, C], got {shapes}')
    weights = [1.0] * len(predictions) if weights is None else list(weights)
    if len(weights) != len(predictions):
        raise ValueError(f'{len(weights)} weights for {len(predictions)} streams')
    if min(weights) < 0 or sum(weights) <= 0:
        raise ValueError(f'weights are not negative and not all zero, got {weights}')
    stacked = torch.stack([p.double() for p in predictions])
    total = stacked.sum(dim=-1)
    if not bool((stacked >= 0).all()) or not bool((total - 1).abs().le(1e-3).all()):
        raise ValueError('predictions are probabilities: not negative, and of sum one in each row')
    weight = torch.tensor(weights, dtype=stacked.dtype, device=stacked.device).view(-1, 1, 1)
    if kind == 'probabilities':
        return ((weight * stacked).sum(dim=0) / sum(weights)).to(predictions[0].dtype)
    floor = torch.finfo(predictions[0].dtype).tiny  # a probability that was rounded to zero
    logits = (weight * stacked.clamp(min=floor).log()).sum(dim=0)
    return logits.softmax(dim=-1).to(predictions[0].dtype)
