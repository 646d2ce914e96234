"""The positions of samples with one body per graph."""

from __future__ import annotations

from torch import Tensor
from torch_geometric.data import Data

from graphmotion.data.batching import num_nodes_per_graph
from graphmotion.data.samples import to_dense
from graphmotion.skeletons import Skeleton


def body_positions(data: Data, skeleton: Skeleton) -> Tensor:
    """Returns the positions ``[B, V, T, D]`` of a sample or a batch with one body per graph.

    Raises:
        ValueError: If there are no positions in motion, or a graph is not a single body.
    """
    num_joints, pos = skeleton.num_joints, data.get('pos')
    if pos is None or pos.dim() != 3:
        found = 'none' if pos is None else list(pos.shape)
        raise ValueError(
            f"data must have a field 'pos' of shape [num_nodes, num_frames, D], got {found}"
        )
    num_nodes = num_nodes_per_graph(data)
    if bool((num_nodes != num_joints).any()):
        raise ValueError(
            f'each graph must have the {num_joints} joints of {skeleton.name!r}, got '
            f'{num_nodes.tolist()} nodes'
        )
    return to_dense(pos, num_joints)
