"""Any convolution of PyG on motion tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch_geometric.nn import HypergraphConv

from graphmotion.nn.resettable import ResettableModule


class PerFrame(ResettableModule):
    r"""Applies a convolution of PyG to each frame of a motion tensor.

    .. math::
        \mathbf{X}^{\prime}_t = \mathrm{conv}(\mathbf{X}_t, \mathcal{E})

    PyG's convolutions take the last dimension but one for nodes, which in a motion tensor are the
    frames: called directly on one, they return wrong numbers or fail. Here the frames are laid out
    as graphs of their own, side by side in one large graph, which is right for every convolution
    that gets one feature tensor and edges between its nodes, also for those that refuse a static
    graph. Normalisation and sampling inside the convolution see each frame as its own graph.

    It is not for convolutions whose :obj:`edge_index` numbers anything but those nodes in either
    row, such as hyperedges (:class:`~torch_geometric.nn.conv.HypergraphConv` is refused) or a
    second set of nodes. Tensors with a row for each edge or node are repeated only where their
    names are in :obj:`edge_args` and :obj:`node_args`.

    .. code-block:: python

        conv = PerFrame(GATv2Conv(64, 16, heads=4))
        out = conv(batch.x, batch.edge_index)

    Convolutions that take :obj:`edge_weight` and neither normalise it nor add self-loops can have
    both from :meth:`~graphmotion.skeletons.Skeleton.edges`:

    .. code-block:: python

        edge_index, edge_weight = get_skeleton('coco17').edges()
        out = PerFrame(GraphConv(3, 16))(torch.rand(17, 60, 3), edge_index, edge_weight)

    Args:
        conv (torch.nn.Module): The convolution; called with features, edges and what else
            :meth:`forward` gets. It may not cache its edges, which change with the number of
            frames.
        edge_args (sequence of str, optional): Names of the keyword arguments that hold a row for
            each edge. Those are repeated for each frame; all others are handed on as they are.
            (default: :obj:`("edge_weight", "edge_attr", "edge_type")`)
        node_args (sequence of str, optional): The same for one entry or row a node. In
            :obj:`batch`, the graph of each node, the graphs of each frame get numbers of their
            own: with :math:`B` graphs, graph :math:`b` of frame :math:`t` is :math:`tB + b`.
            (default: :obj:`("batch",)`)

    Shapes:
        - **x:** node features :math:`(|\mathcal{V}|, T, F_{in})`
        - **edge_index:** edge indices :math:`(2, |\mathcal{E}|)`, the same in all frames
        - **edge_weight_or_attr:** one weight :math:`(|\mathcal{E}|)` or row of features
          :math:`(|\mathcal{E}|, D)` an edge, for convolutions whose third argument it is
        - **output:** node features :math:`(|\mathcal{V}|, T, F_{out})`

    Raises:
        ValueError: If :obj:`x` does not have three dimensions, :obj:`edge_index` is not a matrix
            of two rows, edge or node arguments do not have a row for each edge or node, or the
            convolution caches.
        TypeError: If the convolution is one on hypergraphs, or returns something else than one
            tensor.
    """

    def __init__(
        self,
        conv: torch.nn.Module,
        edge_args: Sequence[str] = ('edge_weight', 'edge_attr', 'edge_type'),
        node_args: Sequence[str] = ('batch',),
    ) -> None:
        super().__init__()
        if isinstance(conv, HypergraphConv):
            raise TypeError(
                f'{conv} numbers hyperedges in the second row of its edges, expected a convolution '
                f'whose edges join nodes'
            )
        if getattr(conv, 'cached', False):
            raise ValueError(f'{conv} caches its edges, which change with the number of frames')
        self.conv = conv
        self.edge_args = tuple(edge_args)
        self.node_args = tuple(node_args)

    def forward(
        self,
        x: Tensor,
        edge_index: Tensor,
        edge_weight_or_attr: Tensor | None = None,
        **kwargs: Any,
    ) -> Tensor:
        """Convolve each frame of ``x``."""
        if x.dim() != 3:
            raise ValueError(
                f'x has the shape {list(x.shape)}, expected [num_nodes, num_frames, channels]'
            )
        if not isinstance(edge_index, Tensor) or edge_index.dim() != 2 or edge_index.size(0) != 2:
            found = list(edge_index.shape) if isinstance(edge_index, Tensor) else type(edge_index)
            raise ValueError(f'edge_index is {found}, expected a tensor [2, num_edges]')
        num_nodes, num_frames = x.shape[:2]
        first_nodes = num_nodes * torch.arange(num_frames, device=x.device)
        edges = (edge_index.unsqueeze(1) + first_nodes.unsqueeze(1)).flatten(1)

        def of_frames(name: str, value: Tensor, count: int, what: str) -> Tensor:
            if value.dim() == 0 or value.size(0) != count:
                raise ValueError(
                    f'{name} has the shape {list(value.shape)}, expected a row for each of the '
                    f'{count} {what}'
                )
            return value.repeat(num_frames, *[1] * (value.dim() - 1))

        args, num_edges = [], edge_index.size(1)
        if edge_weight_or_attr is not None:
            args.append(of_frames('edge_weight_or_attr', edge_weight_or_attr, num_edges, 'edges'))
        for name in self.edge_args:
            if kwargs.get(name) is not None:
                kwargs[name] = of_frames(name, kwargs[name], num_edges, 'edges')
        for name in self.node_args:
            if kwargs.get(name) is not None:
                value = kwargs[name]
                kwargs[name] = of_frames(name, value, num_nodes, 'nodes')
                if name == 'batch' and num_nodes:
                    frame = torch.arange(num_frames, device=value.device)
                    kwargs[name] += (frame * (value.max() + 1)).repeat_interleave(num_nodes)
        out = self.conv(x.transpose(0, 1).flatten(0, 1), edges, *args, **kwargs)
        if not isinstance(out, Tensor):
            raise TypeError(f'{self.conv} returned a {type(out).__name__}, expected one tensor')
        out = out.flatten(1)
        return out.view(num_frames, num_nodes, out.size(1)).transpose(0, 1).contiguous()

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}({" ".join(repr(self.conv).split())})'
