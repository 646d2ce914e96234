"""Samples with the same number of people."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.checks import check_int
from graphmotion.data import (
    field_names,
    num_nodes_per_graph,
    repeat_edge_index,
    set_nodes,
)
from graphmotion.data.batching import set_shared_edges
from graphmotion.skeletons import Skeleton, get_skeleton
from graphmotion.transforms.fields import get_pos


class PadPeople(BaseTransform):
    r"""Pads or cuts each sample to :math:`M` people, as models with :obj:`num_people` require.

    Added people are missing in all frames: their positions and scores are zero. Samples without a
    :obj:`score` get one. Of more people, the first :math:`M` are kept, which are the most visible
    ones in the output of this library's readers.

    .. code-block:: python

        body = get_skeleton('ntu25')
        transform = Compose([PadPeople(2, body), ToStream('joint', body)])
        model = st_gcn(body, num_classes=60, num_people=2)

    Args:
        num_people (int): Number of people :math:`M`.
        skeleton (str or Skeleton): The layout of one person, with :math:`V` joints.

    Raises:
        ValueError: If the number of nodes of a sample is not a multiple of :math:`V`.
    """

    def __init__(self, num_people: int, skeleton: str | Skeleton) -> None:
        self.num_people = check_int('num_people', num_people, 1)
        self.skeleton = get_skeleton(skeleton)

    def forward(self, data: Data) -> Data:
        """Pads or cuts a sample, or each sample of a batch."""
        pos, num_joints = get_pos(data), self.skeleton.num_joints
        sizes = num_nodes_per_graph(data)
        if bool((sizes % num_joints).any()) or bool((sizes == 0).any()):
            raise ValueError(
                f'the number of nodes of each sample must be a multiple of the {num_joints} joints '
                f'of {self.skeleton.name!r}, got {sizes.tolist()} nodes'
            )
        size = self.num_people * num_joints
        sizes = sizes.to(pos.device).unsqueeze(1)
        node = torch.arange(size, device=pos.device)
        real = (node < sizes).flatten()
        source = (sizes.cumsum(0) - sizes + node).flatten().masked_fill(~real, 0)

        def pad(value: Tensor) -> Tensor:
            shape = [-1] + [1] * (value.dim() - 1)
            return value.index_select(0, source).masked_fill(~real.view(shape), 0)

        own = ((data.edge_index < num_joints).all(dim=0)).nonzero().flatten()
        edges = {'edge_weight': data.edge_weight[own]} if 'edge_weight' in data else {}
        edge_index = data.edge_index[:, own]
        fields = {
            name: pad(data[name]) for name in sorted(field_names(data)) if data.is_node_attr(name)
        }
        if 'score' not in fields:
            fields['score'] = real.to(pos.dtype).unsqueeze(1).repeat(1, pos.size(1))
        set_nodes(data, size, fields)
        set_shared_edges(
            data,
            repeat_edge_index(edge_index, num_joints, self.num_people),
            size,
            {name: torch.cat([value] * self.num_people) for name, value in edges.items()},
        )
        return data

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}({self.num_people}, {self.skeleton.name!r})'
