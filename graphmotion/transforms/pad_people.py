"""Samples with the same number of people."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.checks import check_int
from graphmotion.config import Configurable
from graphmotion.data import (
    batch_index,
    field_names,
    num_graphs,
    num_nodes_per_graph,
    set_edges,
    set_nodes,
)
from graphmotion.skeletons import Skeleton, get_skeleton
from graphmotion.transforms.fields import get_pos, split_bodies


class PadPeople(Configurable, BaseTransform):
    r"""Pads or truncates each sample to :math:`M` people, as models with :obj:`num_people` require.

    Added people are missing in all frames: their positions, scores and other fields are zero. If
    a sample has more people, the first :math:`M` are kept, which are the most visible ones in the
    output of this library's readers. Each person gets the edges within the first person of the
    sample.

    .. code-block:: python

        body = get_skeleton('ntu25')
        transform = Compose([PadPeople(2, body), ToStream('joint', body)])
        model = st_gcn(body, num_classes=60, num_people=2)

    Args:
        num_people (int): Number of people :math:`M`.
        skeleton (str or Skeleton): The layout of one person, with :math:`V` joints.

    Shapes:
        - **input:** :obj:`pos` :math:`(M_i \cdot V, T, D)` of sample :math:`i`
        - **output:** :obj:`pos` :math:`(M \cdot V, T, D)`; :obj:`score` :math:`(M \cdot V, T)`, one
          for the joints of samples without it; other fields with one row per node or edge

    Raises:
        ValueError: If the number of nodes of a sample is not a multiple of :math:`V`.
    """

    def __init__(self, num_people: int, skeleton: str | Skeleton) -> None:
        self.num_people = check_int('num_people', num_people, 1)
        self.skeleton = get_skeleton(skeleton)

    def forward(self, data: Data) -> Data:
        """Pads or truncates a sample or each sample in a batch."""
        size = self.skeleton.num_joints
        # Always added, so that a sample has the same fields alone and in a batch.
        fields = {'score': get_pos(data).new_ones(data.pos.shape[:2])}
        fields |= {name: data[name] for name in field_names(data) if data.is_node_attr(name)}
        people = {name: split_bodies(data, value, self.skeleton) for name, value in fields.items()}
        counts = num_nodes_per_graph(data).to(data.pos.device) // size
        first = counts.cumsum(0) - counts
        person = torch.arange(self.num_people, device=counts.device)
        source = (first.unsqueeze(1) + person).clamp(max=people['pos'].size(0) - 1).flatten()
        added = (person >= counts.unsqueeze(1)).flatten()
        for name, value in people.items():
            mask = added.view(-1, *[1] * (value.dim() - 1))
            fields[name] = value.index_select(0, source).masked_fill(mask, 0).flatten(0, 1)
        edges = None if data.edge_index is None else self._edges(data, first * size)
        set_nodes(data, self.num_people * size, fields)
        if edges is not None:
            set_edges(data, *edges)
        return data

    def _edges(self, data: Data, start: Tensor) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Returns the edges of all graphs, their number in each, and fields with a row per edge."""
        size, num_people = self.skeleton.num_joints, self.num_people
        graph = batch_index(data)[data.edge_index[0]]
        edge_index = data.edge_index - start[graph]
        inside = (edge_index < size).all(dim=0)  # the first person
        graph, edge_index = graph[inside], edge_index[:, inside]
        person = torch.arange(num_people, device=graph.device).unsqueeze(1)
        order = graph.repeat(num_people).argsort(stable=True)
        edge_index = edge_index.unsqueeze(1) + size * (num_people * graph + person)
        num_edges = num_people * graph.bincount(minlength=num_graphs(data))
        names = [name for name in field_names(data) - {'edge_index'} if data.is_edge_attr(name)]
        fields = {name: torch.cat([data[name][inside]] * num_people)[order] for name in names}
        return edge_index.flatten(1)[:, order], num_edges.cpu(), fields

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}({self.num_people}, {self.skeleton.name!r})'
