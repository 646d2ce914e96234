"""Selection of the joints with the highest scores in each frame."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import Parameter
from torch_geometric.nn.inits import uniform

from graphmotion.checks import check_choice, check_int
from graphmotion.nn.graphs import check_channels, split_graphs

ORDERS = ('index', 'score')


class TopKJoints(NamedTuple):
    r"""The joints that :class:`TopKJointPooling` keeps.

    .. code-block:: python

        kept = TopKJointPooling(16, k=10)(torch.randn(25, 30, 16), num_nodes=25)
        print(kept.joint_ids.shape)  # [1, 30, 10]

    Shapes:
        - **x:** features of the kept joints :math:`(B \cdot K, T, C)`
        - **joint_ids:** index of each kept joint in its graph :math:`(B, T, K)`
        - **score:** score of each kept joint :math:`(B, T, K)`
    """

    x: Tensor
    joint_ids: Tensor
    score: Tensor


class TopKJointPooling(torch.nn.Module):
    r"""Keeps the :math:`K` joints with the highest scores in each frame.

    These are the focal joints of the `"Focal and Global Spatial-Temporal Transformer for
    Skeleton-based Action Recognition" <https://arxiv.org/abs/2210.02693>`_ paper, with the gate of
    the `"Graph U-Nets" <https://arxiv.org/abs/1905.05178>`_ paper:

    .. math::
        \mathbf{s}_t = \sigma\left(\mathbf{X}_t \, \mathbf{w} / \Vert \mathbf{w} \Vert\right),
        \quad \mathbf{i}_t = \mathrm{top}_K(\mathbf{s}_t),
        \quad \mathbf{X}^{\prime}_t = \mathbf{X}_{t, \mathbf{i}_t} \odot
        \mathbf{s}_{t, \mathbf{i}_t}

    The selection may differ between frames. By default, kept joints are in the order of their
    indices, so that a position often holds the same joint in successive frames.

    Unpooling returns the features of kept joints to their nodes and sets all others to zero.

    .. code-block:: python

        pool = TopKJointPooling(16, k=10)
        kept = pool(torch.randn(25, 30, 16), num_nodes=25)
        print(kept.x.shape)  # [10, 30, 16]

    Args:
        channels (int): Size of each feature :math:`C`.
        k (int): Number of joints to keep :math:`K`.
        gate (bool, optional): If set to :obj:`False`, features are not multiplied by their scores,
            so that :math:`\mathbf{w}` receives no gradient from them. (default: :obj:`True`)
        order (str, optional): Order of the kept joints: :obj:`"index"`, or :obj:`"score"` for the
            highest score first. (default: :obj:`"index"`)

    Shapes:
        - **x:** node features :math:`(B \cdot V, T, C)` or :math:`(B \cdot V, C)`
        - **num_nodes:** number of nodes :math:`V` of every graph
        - **output:** :class:`TopKJoints` with features :math:`(B \cdot K, T, C)`, joint indices
          :math:`(B, T, K)` and scores :math:`(B, T, K)`

    Raises:
        ValueError: If a graph has fewer than :math:`K` nodes, or the number of nodes is not a
            multiple of :math:`V`.
    """

    def __init__(self, channels: int, k: int, gate: bool = True, order: str = 'index') -> None:
        super().__init__()
        check_int('k', k, 1)
        check_choice('order', order, ORDERS)
        self.channels = channels
        self.k = k
        self.gate = gate
        self.order = order
        self.weight = Parameter(torch.empty(channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        r"""Resets all learnable parameters of the module.

        The distribution is uniform with a bound given by the number of channels.
        """
        uniform(self.channels, self.weight)

    def forward(self, x: Tensor, num_nodes: int) -> TopKJoints:
        """Keeps the joints of ``x`` with the highest scores in each frame."""
        check_channels(x, self.channels)
        if self.k > num_nodes:
            raise ValueError(f'num_nodes must be at least k={self.k}, got {num_nodes}')
        num_graphs, frames = split_graphs(x, num_nodes).size(0), x.shape[1:-1]
        rows = x.reshape(-1, self.channels)  # a single view, whose gradients are added in place
        # Reduced precision or a saturated sigmoid would change the selection.
        with torch.autocast(x.device.type, enabled=False):
            weight = torch.nn.functional.normalize(self.weight, dim=0).to(x.dtype)
            logit = (rows @ weight).view(num_graphs, num_nodes, math.prod(frames)).mT
            joint_ids = logit.topk(self.k, dim=-1).indices
        if self.order == 'index':
            joint_ids = joint_ids.sort(dim=-1).values
        score = logit.gather(-1, joint_ids).sigmoid()
        # Selecting rows by one index is several times as fast as gathering single numbers.
        out = rows.index_select(0, _rows(joint_ids, num_nodes))
        out = out.view(num_graphs, self.k, math.prod(frames), self.channels)
        if self.gate:
            out = out * score.mT.unsqueeze(-1)
        return TopKJoints(
            out.view(-1, *x.shape[1:]),
            joint_ids.view(num_graphs, *frames, self.k),
            score.view(num_graphs, *frames, self.k),
        )

    def unpool(self, x: Tensor, joint_ids: Tensor, num_nodes: int) -> Tensor:
        r"""Returns the features of kept joints :math:`(B \cdot K, T, C)` to their nodes, with zeros
        elsewhere: :math:`(B \cdot V, T, C)`.
        """
        num_graphs, frames = joint_ids.size(0), joint_ids.shape[1:-1]
        if x.shape[:-1] != (num_graphs * self.k, *frames):
            raise ValueError(
                f'x must have {num_graphs * self.k} nodes and the frames of joint_ids, which has '
                f'shape {list(joint_ids.shape)}, got {list(x.shape)}'
            )
        rows = _rows(joint_ids.reshape(num_graphs, math.prod(frames), self.k), num_nodes)
        out = x.new_zeros(num_graphs * num_nodes, *x.shape[1:])
        return out.view(-1, x.size(-1)).index_copy(0, rows, x.flatten(0, -2)).view(out.shape)

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({self.channels}, k={self.k}, gate={self.gate}, '
            f'order={self.order!r})'
        )


def _rows(joint_ids: Tensor, num_nodes: int) -> Tensor:
    """Returns the rows of joints [B, T, K] in features [B * V * T, C], in the order [B, K, T]."""
    num_graphs, num_frames, _ = joint_ids.shape
    graph = torch.arange(num_graphs, device=joint_ids.device).view(-1, 1, 1)
    frame = torch.arange(num_frames, device=joint_ids.device)
    return ((num_nodes * graph + joint_ids.mT) * num_frames + frame).flatten()
