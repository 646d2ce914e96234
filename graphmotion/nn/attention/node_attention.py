"""Base class of attention over the nodes of each frame."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import Parameter

from graphmotion.checks import check_choice, check_int
from graphmotion.nn.attention.attend import apply_map, attend, attention_map, attention_scores
from graphmotion.nn.frames import zero_padding
from graphmotion.nn.graphs import check_channels, to_graphs, to_nodes
from graphmotion.nn.kernels.mix import mix_nodes
from graphmotion.nn.linear import Linear, linear
from graphmotion.nn.resettable import ResettableModule

NORMALIZATIONS = ('softmax', 'tanh')


def project(parts: tuple[Tensor, ...], lin: Linear) -> tuple[Tensor, ...]:
    """Projects queries, keys and values, or two of them, each by its rows of one weight.

    One product per part keeps each result contiguous, so that heads and frames can be viewed as one
    dimension and kernels that accept strides need no copy.
    """
    weights, biases = lin.weight.chunk(len(parts)), lin.bias.chunk(len(parts))
    return tuple(map(linear, parts, weights, biases))


class Nodes(NamedTuple):
    """The source or target nodes of an attention as graphs."""

    values: Tensor  # [B, V, T, C]
    compared: Tensor  # values with positions, the input of queries and keys
    real: Tensor | None  # [B, V], nodes that are not padding of smaller graphs
    mask: Tensor | None  # [B, V, T], those and frames that are not padding
    ids: Tensor | None  # [B, T, V], index of each node in the global map


class NodeAttention(ResettableModule):
    """Multi-head attention between the nodes of each frame; subclasses project the features.

    The arguments are those of :class:`JointAttention`; ``map_size`` is the number of target and
    source nodes in the global map.
    """

    def __init__(
        self,
        channels: int,
        heads: int,
        out_channels: int | None = None,
        head_channels: int | None = None,
        value_projection: bool = True,
        map_size: Sequence[int] | None = None,
        global_map: bool = False,
        per_frame: bool = True,
        normalization: str = 'softmax',
    ) -> None:
        super().__init__()
        check_int('heads', heads, 1)
        if head_channels is None:
            if channels % heads:
                raise ValueError(
                    f'channels must be a multiple of heads={heads} if head_channels is not given, '
                    f'got {channels}'
                )
            head_channels = channels // heads
        check_choice('normalization', normalization, NORMALIZATIONS)
        if global_map and map_size is None:
            raise ValueError('global_map requires num_nodes')
        self.channels = channels
        self.heads = heads
        self.out_channels = channels if out_channels is None else out_channels
        self.head_channels = head_channels
        self.value_projection = value_projection
        self.per_frame = per_frame
        self.normalization = normalization
        value_channels = head_channels if value_projection else channels
        self.proj = Linear(heads * value_channels, self.out_channels)
        self.global_map = Parameter(torch.empty(heads, *(map_size or ()))) if global_map else None
        self.alpha = Parameter(torch.empty(heads, 1, 1)) if normalization == 'tanh' else None

    def reset_parameters(self) -> None:
        r"""Resets all learnable parameters of the module.

        The global map starts as the mean over the source nodes.
        """
        super().reset_parameters()
        if self.global_map is not None:
            torch.nn.init.constant_(self.global_map, 1 / self.global_map.size(-1))
        if self.alpha is not None:
            torch.nn.init.ones_(self.alpha)

    def _nodes(
        self,
        x: Tensor,
        num_nodes: int | None,
        batch: Tensor | None,
        batch_size: int | None,
        position: Tensor | None,
        ids: Tensor | None,
        mask: Tensor | None,
    ) -> Nodes:
        x = self._with_frames(x, 'x')
        graphs, real = to_graphs(x, num_nodes, batch, batch_size)
        if mask is not None:
            mask, _ = to_graphs(mask.reshape(x.shape[:2]), graphs.size(1), batch, graphs.size(0))
        compared = graphs
        if position is not None:
            encoding = self._with_frames(position, 'position').to(x.dtype)
            encoding, _ = to_graphs(encoding, graphs.size(1), batch, graphs.size(0))
            if not _broadcasts(encoding, graphs.shape):
                raise ValueError(
                    f'position must have the shape of x, {list(x.shape)}, of one graph, or of one '
                    f'frame of either, got {list(position.shape)}'
                )
            compared = graphs + encoding
        if ids is not None:
            ids = ids.unsqueeze(1) if ids.dim() == 2 else ids
        return Nodes(graphs, compared, real, mask, ids)

    @staticmethod
    def _to_nodes(out: Tensor, x: Tensor, batch: Tensor | None) -> Tensor:
        """Returns [B, V, T, C] with the leading dimensions of ``x``, the input."""
        return to_nodes(out, batch).view(*x.shape[:-1], out.size(-1))

    def _with_frames(self, x: Tensor, name: str) -> Tensor:
        check_channels(x, self.channels, name)
        return x.reshape(x.size(0), math.prod(x.shape[1:-1]), self.channels)

    def _attend(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        target: Nodes,
        source: Nodes,
        return_attention: bool,
    ) -> tuple[Tensor, Tensor | None]:
        """Returns the output of the target and, if requested, the map [B, T, H, Vt, Vs]."""
        num_frames = query.size(2)
        if source.mask is not None and not self.per_frame:  # the scores are a mean over frames
            count = source.mask.any(dim=1).sum(dim=1).clamp(min=1).to(key.dtype)
            key = zero_padding(key, source.mask) * (num_frames / count).view(-1, 1, 1, 1)
        query, key = self._split(query, self.heads), self._split(key, self.heads)
        split = self._split(value, self.heads if self.value_projection else 1)
        mask = self._key_mask(source)
        residual = self._residual_map(target, source)
        if residual is not None:  # there may be queries of the first nodes only
            residual = residual[..., : query.size(-2), :]
        scale = self._scale(num_frames)
        if self.alpha is None and residual is None and not return_attention:
            out = attend(query, key, split, None, mask, None, scale)
            return self.proj(self._merge(out, num_frames)), None
        weights = self._map(query, key, mask, residual, scale)
        mixed = None if self.value_projection else mix_nodes(weights, value)
        if mixed is None:
            mixed = self._merge(apply_map(weights, split), num_frames)
        return self.proj(mixed), weights if return_attention else None

    def _key_mask(self, source: Nodes) -> Tensor | None:
        """Returns the mask of the keys, broadcastable to [B, T, H, Vt, Vs]."""
        if source.mask is None:
            return None if source.real is None else source.real[:, None, None, None]
        if self.per_frame:
            return source.mask.transpose(1, 2)[:, :, None, None]
        return source.mask.any(dim=2)[:, None, None, None]

    def _options(self) -> str:
        options = ''
        if self.out_channels != self.channels:
            options += f', out_channels={self.out_channels}'
        if self.head_channels * self.heads != self.channels:
            options += f', head_channels={self.head_channels}'
        if not self.value_projection:
            options += ', value_projection=False'
        if self.global_map is not None:
            options += f', global_map={list(self.global_map.shape[1:])}'
        if not self.per_frame:
            options += ', per_frame=False'
        if self.normalization != 'softmax':
            options += f', normalization={self.normalization!r}'
        return options

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}({self.channels}, heads={self.heads}{self._options()})'

    def _scale(self, num_frames: int) -> float:
        size = math.sqrt(self.head_channels) if self.alpha is None else self.head_channels
        return 1 / size if self.per_frame else 1 / (size * max(num_frames, 1))

    def _map(
        self,
        query: Tensor,
        key: Tensor,
        mask: Tensor | None,
        residual: Tensor | None,
        scale: float,
    ) -> Tensor:
        if self.alpha is None:
            return attention_map(query, key, None, mask, residual, scale)
        scores = attention_scores(query, key, scale)
        weights = scores.tanh() * self.alpha.to(scores.dtype)
        if residual is not None:
            weights = weights + residual.to(weights.dtype)
        return weights if mask is None else weights.masked_fill(~mask, 0)

    def _split(self, x: Tensor, heads: int) -> Tensor:
        """Rearranges [B, V, T, H * d] to [B, T, H, V, d].

        If all frames share a map, they are channels of a single frame, [B, 1, H, V, T * d].
        """
        x = x.unflatten(-1, (heads, x.size(-1) // heads))
        if self.per_frame:
            return x.permute(0, 2, 3, 1, 4)
        return x.permute(0, 3, 1, 2, 4).flatten(3).unsqueeze(1)

    def _merge(self, x: Tensor, num_frames: int) -> Tensor:
        """Rearranges [B, T, H, V, d] to [B, V, T, H * d]; undoes :meth:`_split`."""
        if not self.per_frame:
            x = x.squeeze(1).unflatten(-1, (num_frames, x.size(-1) // num_frames))
            return x.permute(0, 2, 3, 1, 4).flatten(3)
        return x.permute(0, 3, 1, 2, 4).flatten(3)

    def _residual_map(self, target: Nodes, source: Nodes) -> Tensor | None:
        """Returns the global map of the given nodes, broadcastable to [B, T, H, Vt, Vs]."""
        if self.global_map is None:
            if target.ids is not None or source.ids is not None:
                raise ValueError('node_ids requires global_map=True')
            return None
        sizes = self.global_map.shape[1:]
        for side, size in zip((target, source), sizes):
            self._check_ids(side, size)
        num_target, num_source = target.values.size(1), source.values.size(1)
        if target.ids is None and source.ids is None:
            return self.global_map[:, :num_target, :num_source]
        rows, columns = (
            torch.arange(side.values.size(1), device=side.values.device).view(1, 1, -1)
            if side.ids is None
            else side.ids
            for side in (target, source)
        )
        # In the backward pass, much faster than indexing with rows and columns.
        index = rows.unsqueeze(-1) * sizes[1] + columns.unsqueeze(-2)
        gathered = self.global_map.flatten(1).index_select(1, index.flatten())
        return gathered.view(self.heads, *index.shape).permute(1, 2, 0, 3, 4)

    def _check_ids(self, side: Nodes, size: int) -> None:
        num_graphs, num_nodes, num_frames = side.values.shape[:3]
        if side.ids is None:
            # The nodes of smaller graphs in a mixed batch are the first nodes of the map.
            if num_nodes > size or (num_nodes < size and side.real is None):
                raise ValueError(
                    f'without node_ids, graphs must have the {size} nodes of the global map, got '
                    f'{num_nodes}'
                )
            return
        shape = (num_graphs, num_frames if self.per_frame else 1, num_nodes)
        if not _broadcasts(side.ids, shape) or side.ids.size(-1) != num_nodes:
            raise ValueError(f'node_ids must have shape {list(shape)}, got {list(side.ids.shape)}')
        eager = not torch.compiler.is_compiling() and side.ids.device.type == 'cpu'
        if eager and side.ids.numel():
            low, high = (int(end) for end in side.ids.aminmax())
            if low < 0 or high >= size:
                raise ValueError(
                    f'node_ids must be in 0..{size - 1}, the nodes of the global map, got values '
                    f'from {low} to {high}'
                )


def _broadcasts(x: Tensor, shape: Sequence[int]) -> bool:
    return x.dim() == len(shape) and all(found in (1, size) for found, size in zip(x.shape, shape))
