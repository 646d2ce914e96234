"""Reading and writing of the fields of a sample or a batch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.utils import scatter

from graphmotion.data import (
    TIME_DIMS,
    batch_index,
    num_graphs,
    num_nodes_per_graph,
    set_field,
    to_dense,
    visible_joints,
)
from graphmotion.skeletons import Skeleton

# Reading ######################################################################


def get_pos(data: Data) -> Tensor:
    """Returns the field ``pos`` as floating-point numbers ``[num_nodes, num_frames, D]``."""
    pos = data.get('pos')
    if pos is None or pos.dim() != 3:
        found = 'no field' if pos is None else f'shape {list(pos.shape)}'
        raise ValueError(f"field 'pos' must have shape [num_nodes, num_frames, D], got {found}")
    return pos if pos.is_floating_point() else pos.float()


def split_bodies(data: Data, value: Tensor, skeleton: Skeleton) -> Tensor:
    """Views nodes ``[M * V, *]`` as the joints of bodies ``[M, V, *]``."""
    num_joints = skeleton.num_joints
    num_nodes = num_nodes_per_graph(data)
    # An exporter cannot read values.
    if not torch.compiler.is_compiling() and bool((num_nodes % num_joints).any()):
        raise ValueError(
            f'number of nodes of each graph must be a multiple of the {num_joints} joints of '
            f'{skeleton.name!r}, got {num_nodes.tolist()} nodes'
        )
    return to_dense(value, num_joints)


def time_fields(data: Data) -> dict[str, Tensor]:
    """Returns the fields whose second dimension is frames."""
    fields = {name: data[name] for name in TIME_DIMS if data.get(name) is not None}
    if 'x' in fields and fields['x'].dim() < 3:
        del fields['x']  # static node features
    if 'pos' in fields:
        fields['pos'] = get_pos(data)
    lengths = {name: value.size(1) for name, value in fields.items()}
    length = next(iter(lengths.values()), None)
    if length is None or any(other != length for other in lengths.values()):
        raise ValueError(
            f'fields along time, one or more of {list(TIME_DIMS)}, must have the same number of '
            f'frames, got {lengths}'
        )
    return fields


def get_silhouettes(data: Data) -> Tensor:
    """Returns the field ``silhouettes`` of shape ``[num_graphs, num_frames, H, W]``."""
    silhouettes = data.get('silhouettes')
    if silhouettes is None or silhouettes.dim() != 4 or silhouettes.size(0) != num_graphs(data):
        found = 'no field' if silhouettes is None else f'shape {list(silhouettes.shape)}'
        raise ValueError(
            f"field 'silhouettes' must have shape [{num_graphs(data)}, num_frames, H, W], got "
            f'{found}'
        )
    # Neither an exporter nor a GPU reads values in passing.
    reads = not torch.compiler.is_compiling() and silhouettes.device.type == 'cpu'
    if reads and silhouettes.dtype != torch.bool and silhouettes.numel():
        low, high = (float(value) for value in silhouettes.aminmax())
        if not 0 <= low <= high <= 1:  # also rejects NaN
            raise ValueError(
                f"field 'silhouettes' must be in [0, 1], got values from {low:g} to {high:g}"
            )
    return silhouettes


def any_time_field(data: Data) -> Tensor:
    """Returns one of the fields along time, for its number of frames and its device."""
    return next(iter(time_fields(data).values()))


def field_batch_index(data: Data, name: str) -> Tensor:
    """Returns the graph of each row of a field; silhouettes have one row per graph."""
    if name == 'silhouettes':
        return torch.arange(num_graphs(data), device=data[name].device)
    return batch_index(data)


def valid_mask(data: Data) -> Tensor:
    """Returns a mask ``[num_nodes, num_frames]`` of joints that are not missing or padding."""
    get_pos(data)
    return visible_joints(data)


def joint_indices(skeleton: Skeleton, joint: str | int | Sequence[str | int]) -> list[int]:
    """Returns the indices of one joint or of several."""
    joints = [joint] if isinstance(joint, str) or not isinstance(joint, Sequence) else joint
    if not joints:
        raise ValueError(f'joint must be one or more joints of {skeleton.name!r}, got none')
    return [skeleton.index(j) for j in joints]


# One value per graph ##########################################################


def rand_per_graph(data: Data, like: Tensor, *size: int) -> Tensor:
    """Draws uniform random numbers in [0, 1), one row per graph, on the device of ``like``.

    A transform draws all its numbers in one call. The numbers of a graph are then consecutive in
    the generator's stream, so that a batch is transformed as its samples would be one by one.
    """
    dtype = torch.promote_types(like.dtype, torch.float32)
    return torch.rand(num_graphs(data), *size, dtype=dtype, device=like.device)


def uniform_per_graph(data: Data, like: Tensor, bounds: Sequence[tuple[float, float]]) -> Tensor:
    """Draws uniform random numbers, one row per graph and one column per pair of bounds."""
    low, high = like.new_tensor(bounds, dtype=torch.promote_types(like.dtype, torch.float32)).t()
    return torch.lerp(low, high, rand_per_graph(data, like, len(bounds)))


def reduce_per_graph(data: Data, value: Tensor, reduce: str, graph: Tensor | None = None) -> Tensor:
    """Reduces rows to one row per graph; ``graph`` is the graph of each row (default: nodes)."""
    graph = batch_index(data) if graph is None else graph
    return scatter(value, graph, 0, dim_size=num_graphs(data), reduce=reduce)


# Writing ######################################################################


def set_pos(data: Data, pos: Tensor) -> Data:
    """Sets ``pos`` and zeroes the positions of missing joints in place."""
    score = data.get('score')
    if score is not None:
        pos.masked_fill_((score == 0).unsqueeze(-1), 0)
    data.pos = pos
    return data


def drop_joints(data: Data, dropped: Tensor) -> Data:
    """Makes joints missing, given a mask ``[num_nodes, num_frames]`` or ``[num_nodes, 1]``."""
    pos, score = get_pos(data), data.get('score')
    if score is None:
        score = pos.new_ones(pos.shape[:2])
    set_field(data, 'score', score.masked_fill(dropped, 0))
    data.pos = pos.masked_fill(dropped.unsqueeze(-1), 0)
    return data
