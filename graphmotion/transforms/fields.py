"""What the transforms read of a sample or a batch, and how they write to it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.utils import scatter

from graphmotion.data import TIME_DIMS, graph_of_node, num_graphs, seen_joints, to_dense
from graphmotion.skeletons import Skeleton

# Reading ######################################################################


def positions(data: Data) -> Tensor:
    """The field ``pos``, checked to be ``[num_nodes, num_frames, D]``."""
    pos = data.get('pos')
    if pos is None or pos.dim() != 3:
        found = 'none' if pos is None else f'one of shape {list(pos.shape)}'
        raise ValueError(f"expected a field 'pos' [num_nodes, num_frames, D], found {found}")
    return pos


def bodies(data: Data, value: Tensor, skeleton: Skeleton) -> Tensor:
    """View the nodes ``[M * V, *]`` as the joints of bodies ``[M, V, *]``."""
    num_joints = skeleton.num_joints
    ptr = data.get('ptr')
    if (ptr is not None and bool((ptr % num_joints).any())) or value.size(0) % num_joints:
        counts = value.size(0) if ptr is None else ptr.diff().tolist()
        raise ValueError(
            f'the graph has {counts} nodes, expected a multiple of the {num_joints} joints of '
            f'{skeleton.name!r}'
        )
    return to_dense(value, num_joints)


def time_fields(data: Data) -> dict[str, Tensor]:
    """The fields that carry frames, which are their second dimension."""
    fields = {name: data[name] for name in TIME_DIMS if data.get(name) is not None}
    if 'x' in fields and fields['x'].dim() < 3:
        del fields['x']  # features of nodes that do not move
    lengths = {name: value.size(1) for name, value in fields.items()}
    if len(set(lengths.values())) != 1:
        raise ValueError(
            f'the fields along time have numbers of frames {lengths}, expected at least one field '
            f'of {list(TIME_DIMS)}, and one number of frames'
        )
    return fields


def clips(data: Data) -> Tensor:
    """The field ``silhouettes``, checked to be ``[num_graphs, num_frames, H, W]``."""
    silhouettes = data.get('silhouettes')
    if silhouettes is None or silhouettes.dim() != 4 or silhouettes.size(0) != num_graphs(data):
        found = 'none' if silhouettes is None else f'one of shape {list(silhouettes.shape)}'
        raise ValueError(
            f"expected a field 'silhouettes' [{num_graphs(data)}, num_frames, H, W], found {found}"
        )
    return silhouettes


def any_field(data: Data) -> Tensor:
    """One of the fields along time, for its number of frames and its device."""
    return next(iter(time_fields(data).values()))


def graph_of_row(data: Data, name: str) -> Tensor:
    """The graph of each row of a field along time: silhouettes have one row a graph."""
    if name == 'silhouettes':
        return torch.arange(num_graphs(data), device=data[name].device)
    return graph_of_node(data)


def counted(data: Data) -> Tensor:
    """Which joints count, by frame: neither missing nor padding, ``[num_nodes, num_frames]``."""
    positions(data)
    return seen_joints(data)


def joint_group(skeleton: Skeleton, joint: str | int | Sequence[str | int]) -> list[int]:
    """The positions of one joint, or of several that stand for one place."""
    joints = [joint] if isinstance(joint, str) or not isinstance(joint, Sequence) else joint
    if not joints:
        raise ValueError(f'expected a joint or several of {skeleton.name!r}, got an empty list')
    return [skeleton.index(j) for j in joints]


# One value a graph ############################################################


def draw(data: Data, like: Tensor, *size: int) -> Tensor:
    """Uniform random numbers in [0, 1), one row a graph, on the device of ``like``.

    All the numbers of a transform come from one call: then those of a graph lie together in the
    generator's stream, and a batch gets the draws that its samples would get one after another.
    """
    dtype = torch.promote_types(like.dtype, torch.float32)
    return torch.rand(num_graphs(data), *size, dtype=dtype, device=like.device)


def draw_between(data: Data, like: Tensor, bounds: Sequence[tuple[float, float]]) -> Tensor:
    """Uniform random numbers, one column for each pair of bounds."""
    low, high = like.new_tensor(bounds, dtype=torch.promote_types(like.dtype, torch.float32)).t()
    return torch.lerp(low, high, draw(data, like, len(bounds)))


def per_graph(data: Data, value: Tensor, reduce: str, graph: Tensor | None = None) -> Tensor:
    """Reduce one row a node, or a row of each ``graph``, to one row a graph."""
    graph = graph_of_node(data) if graph is None else graph
    return scatter(value, graph, 0, dim_size=num_graphs(data), reduce=reduce)


# Arguments ####################################################################


def check_probability(name: str, value: float) -> float:
    """Return ``value`` if it is a probability."""
    if not 0 <= value <= 1:
        raise ValueError(f'{name} is a probability, got {value!r}')
    return value


def check_count(name: str, value: int) -> int:
    """Return ``value`` if it is a positive integer."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f'{name} is a positive integer, got {value!r}')
    return value


def check_choice(name: str, value: Any, choices: Sequence[str]) -> Any:
    """Return ``value`` if it is one of the choices."""
    if value not in choices:
        raise ValueError(f'{name} is one of {list(choices)}, got {value!r}')
    return value


def check_interval(name: str, value: Any) -> tuple[float, float]:
    """Return ``value`` as the lower and the upper end of an interval."""
    if (
        not isinstance(value, Sequence)
        or len(value) != 2
        or not all(isinstance(v, (int, float)) and math.isfinite(v) for v in value)
        or value[0] > value[1]
    ):
        raise ValueError(f'{name} is an interval (low, high), got {value!r}')
    return float(value[0]), float(value[1])


# Writing ######################################################################


def put(data: Data, name: str, value: Tensor, per_node: bool = True) -> None:
    """Set a field; a batch learns where the field of each of its samples begins."""
    data[name] = value
    slices = getattr(data, '_slice_dict', None)
    if slices is not None and name not in slices:
        rows = slices['pos'] if per_node else torch.arange(num_graphs(data) + 1)
        data._slice_dict = {**slices, name: rows}
        data._inc_dict = {**data._inc_dict, name: torch.zeros(num_graphs(data), dtype=torch.long)}


def remove(data: Data, *names: str) -> None:
    """Delete fields; a batch forgets where those of each of its samples begin."""
    for name in names:
        if name in data:
            del data[name]
    for store in ('_slice_dict', '_inc_dict'):
        known = getattr(data, store, None)
        if known is not None:
            setattr(data, store, {name: known[name] for name in known if name not in names})


def put_pos(data: Data, pos: Tensor) -> Data:
    """Set ``pos`` to a tensor made for it; joints that are missing are put (back) to zero."""
    score = data.get('score')
    if score is not None:
        pos.masked_fill_((score == 0).unsqueeze(-1), 0)
    data.pos = pos
    return data


def drop(data: Data, dropped: Tensor) -> Data:
    """Make joints missing: ``[num_nodes, num_frames]``, or one column for all frames."""
    pos, score = positions(data), data.get('score')
    if score is None:
        score = pos.new_ones(pos.shape[:2])
    put(data, 'score', score.masked_fill(dropped, 0))
    data.pos = pos.masked_fill(dropped.unsqueeze(-1), 0)
    return data
