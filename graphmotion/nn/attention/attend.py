"""Scaled dot-product attention, computed in the fastest way for its size and device."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from graphmotion.nn.graphs import is_known

# Forward and backward on a CPU with d = 16 to 32: the fused kernel takes 1.6 to 2.3 times the time
# of plain products at 25 x 25 scores, the same time at about 48 x 48, 0.9 times at 128 x 128.
_MAX_PLAIN_SCORES = 48 * 48

# With fewer channels per head, products along channels waste most of a vector register. Products
# and softmax then run along nodes: forward and backward are 1.4 times as fast at 17 nodes and
# d = 4, but slower at 25 nodes and d = 16.
_NARROW = 8


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    bias: Tensor | None = None,
    mask: Tensor | None = None,
    residual_map: Tensor | None = None,
    scale: float | None = None,
) -> Tensor:
    r"""Computes scaled dot-product attention.

    .. math::
        \left( \mathrm{softmax}\left(s \mathbf{Q} \mathbf{K}^{\top} + \mathbf{B}\right)
        + \mathbf{R} \right) \mathbf{V}

    Short sequences on a CPU, and attention with :math:`\mathbf{R}`, are computed as in the
    equation; otherwise :func:`~torch.nn.functional.scaled_dot_product_attention` is used, which
    never stores all scores.

    Args:
        query (Tensor): Queries :math:`(*, L, d)`.
        key (Tensor): Keys :math:`(*, S, d)`.
        value (Tensor): Values :math:`(*, S, d_v)`; the last leading dimension may be 1 if heads
            share values.
        bias (Tensor, optional): Bias :math:`\mathbf{B}` of the scores, broadcastable to
            :math:`(*, L, S)`. (default: :obj:`None`)
        mask (Tensor, optional): Boolean mask of the valid keys, broadcastable to :math:`(*, L, S)`.
            A query without valid keys attends to all keys equally. (default: :obj:`None`)
        residual_map (Tensor, optional): Map :math:`\mathbf{R}` added to the weights after the
            softmax, broadcastable to :math:`(*, L, S)`. It is masked too. (default: :obj:`None`)
        scale (float, optional): Factor :math:`s`; :math:`1 / \sqrt{d}` if not given.
            (default: :obj:`None`)

    Shapes:
        - **output:** :math:`(*, L, d_v)`
    """
    num_scores = query.size(-2) * key.size(-2)
    short = is_known(num_scores) and num_scores <= _MAX_PLAIN_SCORES
    if residual_map is not None or (short and query.device.type == 'cpu'):
        return apply_map(attention_map(query, key, bias, mask, residual_map, scale), value)
    lead, scores = query.shape[:-2], (query.size(-2), key.size(-2))
    value = value.expand(*lead, *value.shape[-2:])
    if mask is not None:
        bias = _masked((query.new_zeros(()) if bias is None else bias).to(query.dtype), mask)
    if bias is not None:  # the kernel broadcasts over the graphs without a copy
        first = bias.size(0) if bias.dim() == query.dim() else 1
        bias = _four_dimensional(bias.to(query.dtype).expand(first, *lead[1:], *scores))
    query, key, value = (_four_dimensional(part) for part in (query, key, value))
    out = scaled_dot_product_attention(query, key, value, attn_mask=bias, scale=scale)
    return out.view(*lead, *out.shape[-2:])


def attention_map(
    query: Tensor,
    key: Tensor,
    bias: Tensor | None = None,
    mask: Tensor | None = None,
    residual_map: Tensor | None = None,
    scale: float | None = None,
) -> Tensor:
    r"""Computes the weights :math:`(*, L, S)` with which :func:`attend` sums values."""
    scores = attention_scores(query, key, scale)
    if bias is not None:
        scores = scores + bias.to(scores.dtype)
    if mask is not None:
        scores = _masked(scores, mask)
    if query.size(-1) < _NARROW:
        weights = scores.transpose(-2, -1).softmax(dim=-2).transpose(-2, -1)
    else:
        weights = scores.softmax(dim=-1)
    if residual_map is not None:
        if mask is not None:
            residual_map = residual_map.masked_fill(~mask, 0)
        weights = weights + residual_map.to(weights.dtype)
    return weights


def attention_scores(query: Tensor, key: Tensor, scale: float | None = None) -> Tensor:
    r"""Computes the scores :math:`s \mathbf{Q} \mathbf{K}^{\top}`: :math:`(*, L, S)`."""
    if scale is None:
        scale = 1 / math.sqrt(query.size(-1))
    zero = query.new_zeros(1, 1, 1)
    if query.size(-1) < _NARROW:
        left, right = (_rows(part.transpose(-2, -1)) for part in (key, query))
        scores = torch.baddbmm(zero, left.transpose(1, 2), right, beta=0, alpha=scale)
        return scores.view(*query.shape[:-2], *scores.shape[1:]).transpose(-2, -1)
    # `matmul` would copy the transposed keys, and scaling would be another pass.
    left, right = _rows(query), _rows(key)
    scores = torch.baddbmm(zero, left, right.transpose(1, 2), beta=0, alpha=scale)
    return scores.view(*query.shape[:-1], key.size(-2))


def apply_map(weights: Tensor, value: Tensor) -> Tensor:
    """Sums weighted values: ``[*, L, S]`` and ``[*, S, d]`` to ``[*, L, d]``."""
    weights = weights.to(value.dtype)
    if value.dim() > 3 and value.size(-3) == 1 < weights.size(-3):  # one product for all heads
        out = weights.flatten(-3, -2) @ value.squeeze(-3)
        return out.view(*weights.shape[:-1], value.size(-1))
    if value.size(-1) < _NARROW:
        return (value.transpose(-2, -1) @ weights.transpose(-2, -1)).transpose(-2, -1)
    return weights @ value


def _rows(x: Tensor) -> Tensor:
    """Flattens the leading dimensions of [*, L, d], as :func:`torch.baddbmm` requires."""
    return x.reshape(-1, *x.shape[-2:])


def _masked(scores: Tensor, mask: Tensor) -> Tensor:
    # A finite value, so that a row without valid keys has finite weights and gradients.
    return scores.masked_fill(~mask, torch.finfo(scores.dtype).min)


def _four_dimensional(x: Tensor) -> Tensor:
    """Views [*, L, d] with four dimensions, as the fused kernels require; this seldom copies."""
    return x.reshape(x.size(0), math.prod(x.shape[1:-2]), *x.shape[-2:])
