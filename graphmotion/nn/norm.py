"""Batch normalisation of motion tensors."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor

from graphmotion.nn.eager import is_eager_cpu
from graphmotion.nn.frames import frame_mean
from graphmotion.nn.graphs import check_channels, split_graphs
from graphmotion.nn.resettable import ResettableModule


class MotionBatchNorm(ResettableModule):
    r"""Batch normalisation of motion tensors.

    Normalises each channel over all nodes and frames, as in the `"Batch Normalization: Accelerating
    Deep Network Training by Reducing Internal Covariate Shift" <https://arxiv.org/abs/1502.03167>`_
    paper. PyG's :class:`~torch_geometric.nn.BatchNorm` fails on tensors with frames.

    In training mode, padded frames do not contribute to the statistics and become zero.

    .. code-block:: python

        norm = MotionBatchNorm(16)
        print(norm(torch.randn(25, 30, 16)).shape)  # [25, 30, 16]

    Args:
        channels (int): Size of each feature :math:`C`.
        num_nodes (int, optional): If given, each of the :math:`V` nodes of a graph has separate
            statistics and scales, as is common for the input of skeleton networks.
            (default: :obj:`None`)
        eps (float, optional): Value added to the variance. (default: :obj:`1e-5`)

    Shapes:
        - **x:** node features :math:`(|\mathcal{V}|, T, C)`
        - **mask:** boolean :math:`(|\mathcal{V}|, T)`, :obj:`False` for padded frames, the same
          frames for all nodes of a graph
        - **output:** node features :math:`(|\mathcal{V}|, T, C)`

    Raises:
        ValueError: If the number of nodes is not a multiple of :obj:`num_nodes`.
    """

    def __init__(self, channels: int, num_nodes: int | None = None, eps: float = 1e-5) -> None:
        super().__init__()
        self.channels = channels
        self.num_nodes = num_nodes
        # A member and not a base class, so that conversion to SyncBatchNorm keeps this layout.
        self.norm = torch.nn.BatchNorm1d(channels * (num_nodes or 1), eps)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Normalises ``x``."""
        check_channels(x, self.channels)
        if self.num_nodes is None:
            return self._normalize(x.reshape(-1, self.channels), mask).view(x.shape)
        if x.dim() == 3 and self._is_usual(x):
            out = self._normalize_nodes(split_graphs(x, self.num_nodes), mask)
            if out is not None:
                return out.view(x.shape)
        graphs = split_graphs(x, self.num_nodes).transpose(1, 2)
        rows = graphs.reshape(-1, self.num_nodes * self.channels)
        out = self._normalize(rows, None if mask is None else mask[:: self.num_nodes])
        return out.view(graphs.shape).transpose(1, 2).reshape(x.shape)

    def frame_mean(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        r"""Returns the means over the frames of the normalised features,
        :math:`(|\mathcal{V}|, C)`.

        They equal the normalised means. Single frames are therefore only normalised in training
        with a mask or on other devices than the CPU, with separate statistics of nodes, and in half
        precision, in which the means of features far from zero are not accurate.
        """
        check_channels(x, self.channels)
        norm = self.norm
        commutes = self.num_nodes is None and self._is_usual(x)
        if commutes and not norm.training:
            return norm(frame_mean(x, mask))
        if not commutes or mask is not None or norm.momentum is None or not is_eager_cpu(x):
            return frame_mean(self(x, mask), mask)
        count = x.size(0) * x.size(1)
        if count == 1:
            raise ValueError('training needs more than one node or frame to normalise, got one')
        out, mean, var = _NormalizedMeans.apply(x, norm.weight, norm.bias, norm.eps)
        self._update(mean, var, count)
        return out

    def _is_usual(self, x: Tensor) -> bool:
        """Returns whether the layer has running statistics and weights, in full precision."""
        norm = self.norm
        usual = type(norm) is torch.nn.BatchNorm1d and norm.running_mean is not None
        return usual and norm.affine and x.dtype in (torch.float32, torch.float64)

    @torch.no_grad()
    def _update(self, mean: Tensor, var: Tensor, count: int) -> None:
        """Updates the running statistics by those of a batch."""
        norm = self.norm
        cast(Tensor, norm.num_batches_tracked).add_(1)
        cast(Tensor, norm.running_mean).lerp_(mean, cast(float, norm.momentum))
        unbiased = var * (count / (count - 1))
        cast(Tensor, norm.running_var).lerp_(unbiased, cast(float, norm.momentum))

    def _normalize_nodes(self, graphs: Tensor, mask: Tensor | None) -> Tensor | None:
        """Normalises each node of [B, V, T, C] without copies to another layout, or returns None if
        that is not supported.
        """
        norm, shape = self.norm, (graphs.size(1), 1, self.channels)
        weight, bias = norm.weight.view(shape), norm.bias.view(shape)
        if not norm.training:
            scale = weight * (cast(Tensor, norm.running_var) + norm.eps).rsqrt().view(shape)
            mean = cast(Tensor, norm.running_mean).view(shape)
            return torch.addcmul(bias - mean * scale, graphs, scale)
        count = graphs.size(0) * graphs.size(2)
        if mask is not None or norm.momentum is None or count <= 1 or not is_eager_cpu(graphs):
            return None
        out, mean, var = _NormalizedNodes.apply(graphs, weight, bias, norm.eps)
        self._update(mean.flatten(), var.flatten(), count)
        return out

    def _normalize(self, rows: Tensor, mask: Tensor | None) -> Tensor:
        if mask is None or not self.norm.training:
            return self.norm(rows)
        valid = mask.flatten().nonzero().squeeze(1)
        out = self.norm(rows.index_select(0, valid))
        return out.new_zeros(rows.shape).index_copy(0, valid, out)

    def __repr__(self) -> str:
        nodes = '' if self.num_nodes is None else f', num_nodes={self.num_nodes}'
        return f'{self.__class__.__name__}({self.channels}{nodes})'


_BLOCK_BYTES = 2**18  # of the features whose statistics are computed at a time, in the cache


class _NormalizedMeans(torch.autograd.Function):
    """Means over the frames [N, T, C] of features normalised by the statistics of all of them, in
    one pass over the features, and another one for their gradient.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        num_nodes, num_frames, channels = x.shape
        means = x.new_empty(num_nodes, channels)
        step = max(1, _BLOCK_BYTES // (num_frames * channels * x.element_size()))
        square = x.new_zeros(channels)
        for part, out in zip(x.split(step), means.split(step)):
            torch.mean(part, dim=1, out=out)
            # The squares about the mean of the block, which is close to that of all nodes.
            centered = (part - out.mean(dim=0)).flatten(0, 1)
            square += centered.square_().sum(dim=0)
        mean = means.mean(dim=0)
        blocks = torch.stack([part.mean(dim=0) for part in means.split(step)])
        sizes = [len(part) * num_frames for part in means.split(step)]
        between = (blocks - mean).square_().mul_(blocks.new_tensor(sizes).unsqueeze(1))
        var = (square + between.sum(dim=0)) / (num_nodes * num_frames)
        scale = (var + eps).rsqrt_()
        ctx.eps = eps
        ctx.save_for_backward(x, means, mean, scale, weight)
        ctx.mark_non_differentiable(mean, var)
        return torch.addcmul(bias, means - mean, weight * scale), mean, var

    @staticmethod
    def backward(ctx: Any, grad: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        x, means, mean, scale, weight = ctx.saved_tensors
        if torch.is_grad_enabled():  # for second derivatives
            means = x.mean(dim=1)
            mean = means.mean(dim=0)
            scale = ((x - mean).square().mean(dim=(0, 1)) + ctx.eps).rsqrt()
        count = x.size(0) * x.size(1)
        bias_grad = grad.sum(dim=0)
        weight_grad = (grad * (means - mean)).sum(dim=0) * scale
        factor = weight * scale
        slope = factor * scale * weight_grad / -count
        offset = factor * (grad / x.size(1) - bias_grad / count) - mean * slope
        x_grad = torch.addcmul(offset.unsqueeze(1), x, slope)
        return x_grad, weight_grad, bias_grad, None


class _NormalizedNodes(torch.autograd.Function):
    """Normalises each node and channel of [B, V, T, C] by the statistics of all graphs and frames.

    Returns the normalised features, the means and the variances, both [V, 1, C].
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        count = x.size(0) * x.size(2)
        mean = x.mean(dim=2, keepdim=True).mean(dim=0)
        square = torch.zeros_like(mean)
        step = max(1, _BLOCK_BYTES // (x[0].numel() * x.element_size()))
        for part in x.split(step):
            square += (part - mean).square_().sum(dim=2, keepdim=True).sum(dim=0)
        var = square / count
        scale = (var + eps).rsqrt_()
        ctx.eps = eps
        ctx.save_for_backward(x, mean, scale, weight)
        ctx.mark_non_differentiable(mean, var)
        factor = weight * scale
        return torch.addcmul(bias - mean * factor, x, factor), mean, var

    @staticmethod
    def backward(ctx: Any, grad: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        x, mean, scale, weight = ctx.saved_tensors
        if torch.is_grad_enabled():  # for second derivatives
            mean = x.mean(dim=(0, 2)).unsqueeze(1)
            scale = ((x - mean).square().mean(dim=(0, 2)).unsqueeze(1) + ctx.eps).rsqrt()
        count = x.size(0) * x.size(2)
        bias_grad = grad.sum(dim=2, keepdim=True).sum(dim=0)
        products = [
            (part * (features - mean)).sum(dim=2, keepdim=True).sum(dim=0, keepdim=True)
            for part, features in zip(grad.split(1), x.split(1))
        ]
        weight_grad = torch.cat(products).sum(dim=0) * scale
        factor = weight * scale
        slope = factor * scale * weight_grad / -count
        offset = -factor * bias_grad / count - mean * slope
        if torch.is_grad_enabled():
            x_grad = offset + grad * factor + x * slope
        else:  # in the same memory
            x_grad = torch.addcmul(offset, grad, factor).addcmul_(x, slope)
        return x_grad, weight_grad, bias_grad, None
