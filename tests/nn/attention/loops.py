"""Attention over nodes as loops in double precision."""

import torch
from torch import Tensor


def attention(
    module,
    target: Tensor,
    source: Tensor,
    weights: tuple[Tensor, Tensor, Tensor | None],
    biases: tuple[Tensor, Tensor, Tensor | None],
    positions: tuple[Tensor, Tensor],
    maps: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """Attention of one graph: target [Vt, T, C], source [Vs, T, C], broadcastable positions, maps
    [T, H, Vt, Vs]. Returns features and the attention [T, H, Vt, Vs].
    """
    (num_target, num_frames, _), num_source = target.shape, source.size(0)
    heads, size = module.heads, module.head_channels

    def rows(x: Tensor, part: int, h: int) -> Tensor:
        place = slice(h * size, (h + 1) * size)
        return x @ weights[part][place].t() + biases[part][place]

    attention = torch.zeros(num_frames, heads, num_target, num_source, dtype=torch.float64)
    summed = []
    for h in range(heads):
        query, key = rows(target + positions[0], 0, h), rows(source + positions[1], 1, h)
        value = source if weights[2] is None else rows(source, 2, h)
        scores = torch.zeros(num_frames, num_target, num_source, dtype=torch.float64)
        for t in range(num_frames):
            for i in range(num_target):
                for j in range(num_source):
                    scores[t, i, j] = (query[i, t] * key[j, t]).sum()
        if not module.per_frame:
            scores = (scores.sum(dim=0) / num_frames).expand_as(scores)
        if module.normalization == 'tanh':
            attention[:, h] = module.alpha[h].double() * torch.tanh(scores / size)
        else:
            scores = torch.exp(scores / size**0.5)
            attention[:, h] = scores / scores.sum(dim=-1, keepdim=True)
        if maps is not None:
            attention[:, h] += maps[:, h]
        head = torch.zeros(num_target, num_frames, value.size(-1), dtype=torch.float64)
        for t in range(num_frames):
            for i in range(num_target):
                for j in range(num_source):
                    head[i, t] += attention[t, h, i, j] * value[j, t]
        summed.append(head)
    out = torch.cat(summed, dim=-1) @ module.proj.weight.t() + module.proj.bias
    return out, attention


def random_maps(module) -> None:
    """Replaces constant initial parameters by random ones."""
    with torch.no_grad():
        for name in ('global_map', 'alpha'):
            if getattr(module, name) is not None:
                getattr(module, name).add_(torch.randn_like(getattr(module, name)))
