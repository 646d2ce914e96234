"""Motion sequences as PyG samples, and properties of samples and batches."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data

from graphmotion.data.batching import (
    batch_index,
    is_reserved_name,
    num_graphs,
    repeat_edge_index,
)
from graphmotion.io.keypoint_axes import axis_order, is_ambiguous
from graphmotion.skeletons import Skeleton, get_skeleton

# Fields along time, and their dimension of frames.
TIME_DIMS = {'pos': 1, 'score': 1, 'x': 1, 'silhouettes': 1}


def from_array(
    keypoints: np.ndarray | Tensor,
    skeleton: str | Skeleton,
    score: np.ndarray | Tensor | None = None,
    axes: str | None = None,
    edges: tuple[Tensor, Tensor] | None = None,
    **labels: Any,
) -> Data:
    r"""Make a sample from an array of joint positions.

    A joint that is NaN or infinite in any coordinate is missing: its position becomes 0 and its
    score 0. With :math:`M` people the sample is one graph of :math:`M \cdot V` nodes, the first
    person's joints before the second's, and no bone joins two people. Positions and scores are of
    torch's default type.

    .. code-block:: python

        data = from_array(keypoints, 'coco17', score=confidence, y=3, subject=17)
        data = from_array(array, 'ntu25', axes='CTVM')  # as ST-GCN stores them

    Args:
        keypoints (array): Joint positions, in the unit of the dataset.
        skeleton (str or Skeleton): Their layout.
        score (array, optional): Confidence of each joint in 0..1; 0 says that it is missing,
            and its position is set to 0. (default: :obj:`None`)
        axes (str, optional): The order of the axes of :obj:`keypoints`, and without :obj:`"C"` of
            :obj:`score`: :obj:`"M"` for people, :obj:`"T"` for frames, :obj:`"V"` for joints and
            :obj:`"C"` for coordinates; an array of three dimensions has no people. By default
            :obj:`"MTVC"`. (default: :obj:`None`)
        edges (tuple of Tensor, optional): Edges of a person and their weights, as
            :meth:`~graphmotion.skeletons.Skeleton.edges` gives them, instead of the bones.
            (default: :obj:`None`)
        **labels (int): Fields of the sample, such as :obj:`y`, :obj:`subject`, :obj:`view`,
            :obj:`condition`, :obj:`take`; stored as integers of shape :math:`(1)`.

    Shapes:
        - **keypoints:** :math:`(T, V, C)` or :math:`(M, T, V, C)`, with :math:`C` 2 or 3
        - **score:** :math:`(T, V)` or :math:`(M, T, V)`
        - **output:** :obj:`pos` :math:`(M \cdot V, T, C)`, :obj:`score` :math:`(M \cdot V, T)`
          where there is a score or a joint is missing, :obj:`edge_index`, :obj:`edge_weight` where
          :obj:`edges` are given, :obj:`num_frames`

    Raises:
        ValueError: If a shape does not fit, axes are not given and may be in either of two orders,
            there is no frame, a score is outside 0..1, edges are those of more joints, or a label
            is not an integer or takes the name of a field of the sample.
    """
    skeleton = get_skeleton(skeleton)
    pos = _floats(keypoints, 'keypoints')
    shape = list(pos.shape)
    order = axis_order(axes, pos.dim())
    num_joints = skeleton.num_joints
    sizes = dict(zip(order, shape))
    if pos.dim() != len(order) or sizes['V'] != num_joints or sizes['C'] not in (2, 3):
        hint = "; axes='CTVM' names another order" if axes is None else ''
        raise ValueError(
            f'keypoints must have the axes [{", ".join(order)}] with V = {num_joints} joints of '
            f'{skeleton.name!r} and C = 2 or 3, got the shape {shape}{hint}'
        )
    if axes is None and is_ambiguous(shape):
        raise ValueError(
            f"axes must be 'MTVC' or 'CTVM' for keypoints of the shape {shape}, which may be "
            f'[M, T, V, C] or [C, T, V, M], got None'
        )
    pos = _people_first(pos, order)
    num_people, num_frames = pos.shape[:2]
    if num_people == 0 or num_frames == 0:
        raise ValueError(f'keypoints have the shape {shape}: nothing in it')

    missing = ~pos.isfinite().all(dim=-1)
    confidence = None
    if score is not None:
        confidence = _floats(score, 'score')
        expected = [size for axis, size in zip(order, shape) if axis != 'C']
        if list(confidence.shape) != expected:
            raise ValueError(
                f'score has the shape {list(confidence.shape)}, expected that of the keypoints '
                f'without their coordinates: {expected}'
            )
        confidence = _people_first(confidence, order.replace('C', ''))
        if not bool(((confidence >= 0) & (confidence <= 1)).all()):
            raise ValueError('score holds values outside 0..1')
        missing |= confidence == 0
    elif bool(missing.any()):
        confidence = pos.new_ones(missing.shape)

    edge_index, weight = (skeleton.edge_index, None) if edges is None else edges
    if edge_index.numel() and int(edge_index.max()) >= num_joints:
        raise ValueError(
            f'edges must join the {num_joints} joints of {skeleton.name!r}, got the joint '
            f'{int(edge_index.max())}'
        )
    data = Data(
        pos=_nodes_first(pos.masked_fill(missing.unsqueeze(-1), 0.0)),
        edge_index=repeat_edge_index(edge_index, num_joints, num_people),
        num_frames=torch.tensor([num_frames]),
    )
    if weight is not None:
        data.edge_weight = torch.cat([weight] * num_people)
    if confidence is not None:
        data.score = _nodes_first(confidence.masked_fill(missing, 0.0))
    for name, value in labels.items():
        if name in data or name in TIME_DIMS or is_reserved_name(name):
            raise ValueError(f'a label cannot be called {name!r}: PyG or the sample uses the name')
        number = np.asarray(value.cpu() if isinstance(value, Tensor) else value)
        if number.dtype.kind not in 'iub' or number.size != 1:
            raise ValueError(f'the label {name!r} is one integer, got {value!r}')
        data[name] = torch.tensor([int(number.item())])
    return data


def to_array(data: Data, num_joints: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    r"""The inverse of :func:`from_array`: positions and scores as arrays, padding removed.

    Args:
        data (Data): A sample (not a batch).
        num_joints (int, optional): Number of joints :math:`V` of one person; by default all
            nodes are one person's. (default: :obj:`None`)

    Returns:
        tuple: Positions :math:`(M, T, V, C)` and scores :math:`(M, T, V)`; scores are one where
        the sample has none.

    Raises:
        ValueError: If the number of nodes is not a multiple of :obj:`num_joints`.
    """
    if data.pos is None:
        raise ValueError("the sample has no field 'pos'")
    num_frames = int(num_valid_frames(data)[0])
    pos = to_dense(data.pos[:, :num_frames], num_joints or data.pos.size(0))
    if data.get('score') is None:
        score = pos.new_ones(pos.shape[:3])
    else:
        score = to_dense(data.score[:, :num_frames], pos.size(1))
    return pos.transpose(1, 2).cpu().numpy(), score.transpose(1, 2).cpu().numpy()


def to_dense(x: Tensor, num_nodes: int) -> Tensor:
    r"""Views a motion tensor with a dimension for graphs of :math:`V` nodes each.

    Args:
        x (Tensor): The motion tensor of a batch.
        num_nodes (int): Number of nodes :math:`V` of every graph.

    Shapes:
        - **x:** :math:`(B \cdot V, T, *)`
        - **output:** :math:`(B, V, T, *)`; shares the memory of :obj:`x`

    Raises:
        ValueError: If the number of nodes is not a multiple of :obj:`num_nodes`.
    """
    if num_nodes < 1 or x.size(0) % num_nodes:
        raise ValueError(
            f'x has {x.size(0)} nodes, expected a multiple of the {num_nodes} nodes of a graph'
        )
    # Unlike view(), this never copies, even a transposed or sliced tensor.
    return x.unflatten(0, (-1, num_nodes))


def from_dense(x: Tensor) -> Tensor:
    r"""Views :math:`(B, V, T, *)` as :math:`(B \cdot V, T, *)`, the inverse of :func:`to_dense`."""
    return x.flatten(0, 1)


def num_valid_frames(data: Data) -> Tensor:
    r"""Returns the number of frames of each graph without padding, :math:`(B)`.

    Raises:
        ValueError: If the sample has no field along time.
    """
    for name in TIME_DIMS:
        if data.get(name) is not None:
            field, dim = data[name], TIME_DIMS[name]
            break
    else:
        raise ValueError(f'the sample has none of the fields along time {list(TIME_DIMS)}')
    counts = data.get('num_frames')
    if counts is None:
        return torch.full((num_graphs(data),), field.size(dim), device=field.device)
    return counts


def valid_frames(data: Data, num_frames: int) -> Tensor:
    r"""Returns which frames of each node are not padding, :math:`(|\mathcal{V}|, T)`."""
    counts = num_valid_frames(data)
    frame = torch.arange(num_frames, device=counts.device)
    return (frame < counts.unsqueeze(1))[batch_index(data)]


def visible_joints(data: Data) -> Tensor:
    r"""Returns which joints are neither missing nor padding in each frame,
    :math:`(|\mathcal{V}|, T)`.
    """
    valid = valid_frames(data, data.pos.size(1))
    score = data.get('score')
    return valid if score is None else valid & (score > 0)


def _floats(array: np.ndarray | Tensor, name: str) -> Tensor:
    if not isinstance(array, Tensor):
        array = np.asarray(array)
        if array.dtype.kind in 'iubf':
            # A copy that torch can take: not flipped, read-only or of another byte order.
            array = torch.from_numpy(np.array(array, array.dtype.newbyteorder('='), order='C'))
    if not isinstance(array, Tensor) or array.is_complex():
        raise ValueError(f'{name} is an array of real numbers, got {array.dtype}')
    return array.to(torch.get_default_dtype())


def _people_first(x: Tensor, order: str) -> Tensor:
    """Permute to [M, T, V, *]; a single person where ``order`` has no people."""
    x = x.permute([order.index(axis) for axis in 'MTVC' if axis in order])
    return x if 'M' in order else x.unsqueeze(0)


def _nodes_first(x: Tensor) -> Tensor:
    """[M, T, V, *] to [M*V, T, *]."""
    return x.transpose(1, 2).flatten(0, 1).contiguous()
