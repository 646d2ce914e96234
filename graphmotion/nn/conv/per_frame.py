"""Convolutions of PyG on motion tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch_geometric.nn import HypergraphConv

from graphmotion.nn.resettable import ResettableModule


class PerFrame(ResettableModule):
    r"""Applies a PyG convolution to each frame of a motion tensor.

    .. math::
        \mathbf{X}^{\prime}_t = \mathrm{conv}(\mathbf{X}_t, \mathcal{E})

    In PyG convolutions, the second to last dimension is the node dimension, which holds the frames
    of a motion tensor: called on a motion tensor directly, they return wrong numbers or fail. This
    wrapper passes all frames as separate graphs in one large graph. This is correct for every
    convolution with one feature tensor and edges between its nodes, including convolutions that do
    not support static graphs. Normalisation and sampling inside the convolution treat each frame as
    a graph.

    Convolutions whose :obj:`edge_index` refers to anything but these nodes are not supported, such
    as hyperedges (:class:`~torch_geometric.nn.conv.HypergraphConv`) or a second set of nodes.
    Tensors with a row for each edge or node are repeated for each frame only if their names are in
    :obj:`edge_args` or :obj:`node_args`.

    .. code-block:: python

        data = from_array(torch.rand(60, 17, 3), 'coco17', axes='TVC')
        conv = PerFrame(GATv2Conv(3, 16, heads=4))
        out = conv(data.pos, data.edge_index)  # [17, 60, 64]

    For convolutions with an :obj:`edge_weight` that neither normalise it nor add self-loops,
    :meth:`~graphmotion.skeletons.Skeleton.edges` provides normalised weights and self-loops:

    .. code-block:: python

        edge_index, edge_weight = get_skeleton('coco17').edges()
        out = PerFrame(GraphConv(3, 16))(torch.rand(17, 60, 3), edge_index, edge_weight)

    Args:
        conv (torch.nn.Module): Convolution, called with features, edges and the other arguments of
            :meth:`forward`. It must not cache its edges, which change with the number of frames.
        edge_args (sequence of str, optional): Names of the keyword arguments with a row for each
            edge, which are repeated for each frame. Other arguments are passed unchanged.
            (default: :obj:`("edge_weight", "edge_attr", "edge_type")`)
        node_args (sequence of str, optional): Names of the keyword arguments with a row for each
            node, which are repeated for each frame. In :obj:`batch`, graph :math:`b` of frame
            :math:`t` becomes :math:`tB + b` for :math:`B` graphs. (default: :obj:`("batch",)`)

    Shapes:
        - **x:** node features :math:`(|\mathcal{V}|, T, F_{in})`
        - **edge_index:** edge indices :math:`(2, |\mathcal{E}|)`, the same in all frames
        - **edge_weight_or_attr:** edge weights :math:`(|\mathcal{E}|)` or edge features
          :math:`(|\mathcal{E}|, D)`, passed as the third positional argument
        - **output:** node features :math:`(|\mathcal{V}|, T, F_{out})`

    Raises:
        ValueError: If :obj:`x` does not have three dimensions, :obj:`edge_index` does not have two
            rows, edge or node arguments do not have a row for each edge or node, or the
            convolution caches its edges.
        TypeError: If the convolution is a hypergraph convolution or does not return a tensor.
    """

    def __init__(
        self,
        conv: torch.nn.Module,
        edge_args: Sequence[str] = ('edge_weight', 'edge_attr', 'edge_type'),
        node_args: Sequence[str] = ('batch',),
    ) -> None:
        super().__init__()
        if isinstance(conv, HypergraphConv):
            raise TypeError(f'conv must be a convolution with edges between nodes, got {conv}')
        if getattr(conv, 'cached', False):
            raise ValueError(
                f'conv must not cache its edges, which change with the number of frames, got {conv}'
            )
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
        """Convolves each frame of ``x``."""
        if x.dim() != 3:
            raise ValueError(
                f'x must have shape [num_nodes, num_frames, channels], got {list(x.shape)}'
            )
        if not isinstance(edge_index, Tensor) or edge_index.dim() != 2 or edge_index.size(0) != 2:
            found = list(edge_index.shape) if isinstance(edge_index, Tensor) else type(edge_index)
            raise ValueError(f'edge_index must be a tensor [2, num_edges], got {found}')
        num_nodes, num_frames = x.shape[:2]
        first_nodes = num_nodes * torch.arange(num_frames, device=x.device)
        edges = (edge_index.unsqueeze(1) + first_nodes.unsqueeze(1)).flatten(1)

        def repeat(name: str, value: Tensor, count: int, items: str) -> Tensor:
            if value.dim() == 0 or value.size(0) != count:
                raise ValueError(
                    f'{name} must have one row for each of {count} {items}, got shape '
                    f'{list(value.shape)}'
                )
            return value.repeat(num_frames, *[1] * (value.dim() - 1))

        args, num_edges = [], edge_index.size(1)
        if edge_weight_or_attr is not None:
            args.append(repeat('edge_weight_or_attr', edge_weight_or_attr, num_edges, 'edges'))
        for name in self.edge_args:
            if kwargs.get(name) is not None:
                kwargs[name] = repeat(name, kwargs[name], num_edges, 'edges')
        for name in self.node_args:
            if kwargs.get(name) is not None:
                value = kwargs[name]
                kwargs[name] = repeat(name, value, num_nodes, 'nodes')
                if name == 'batch' and num_nodes:
                    frame = torch.arange(num_frames, device=value.device)
                    kwargs[name] += (frame * (value.max() + 1)).repeat_interleave(num_nodes)
        out = self.conv(x.transpose(0, 1).flatten(0, 1), edges, *args, **kwargs)
        if not isinstance(out, Tensor):
            raise TypeError(f'{self.conv} must return a tensor, got {type(out).__name__}')
        out = out.flatten(1)
        return out.view(num_frames, num_nodes, out.size(1)).transpose(0, 1).contiguous()

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}({" ".join(repr(self.conv).split())})'
