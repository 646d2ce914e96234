"""Conversion between arrays of keypoints and samples."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data

from graphmotion.checks import check_positive
from graphmotion.data.batching import is_reserved_name, repeat_edge_index
from graphmotion.data.samples import TIME_DIMS, num_valid_frames, to_dense
from graphmotion.io.keypoint_axes import axis_order, is_ambiguous, looks_like_scores
from graphmotion.skeletons import Skeleton, get_skeleton


def from_array(
    keypoints: np.ndarray | Tensor,
    skeleton: str | Skeleton,
    score: np.ndarray | Tensor | None = None,
    axes: str | None = None,
    edges: tuple[Tensor, Tensor] | None = None,
    frame_rate: float | None = None,
    **labels: Any,
) -> Data:
    r"""Makes a sample from an array of joint positions.

    A joint with NaN or infinite coordinates is missing: its position and its score become 0. With
    :math:`M` people, the sample is a graph of :math:`M \cdot V` nodes, the joints of one person
    after another, without edges between people. Positions and scores have PyTorch's default
    floating point type.

    .. code-block:: python

        keypoints, confidence = torch.rand(60, 17, 2), torch.rand(60, 17)
        data = from_array(keypoints, 'coco17', confidence, axes='TVC', y=3, subject=17)
        data = from_array(torch.rand(3, 60, 25, 1), 'ntu25', axes='CTVM')  # as ST-GCN stores them

    Args:
        keypoints (array): Joint positions, in the unit of the dataset.
        skeleton (str or Skeleton): The skeleton of one person.
        score (array, optional): Confidence of each joint in :math:`[0, 1]`. Joints with confidence
            0 are missing, and their positions are set to 0. (default: :obj:`None`)
        axes (str, optional): The order of the axes of :obj:`keypoints` and, without :obj:`"C"`, of
            :obj:`score`: :obj:`"M"` for people, :obj:`"T"` for frames, :obj:`"V"` for joints and
            :obj:`"C"` for coordinates. :obj:`"M"` is ignored for three-dimensional arrays. By
            default :obj:`"MTVC"`; required if a shape fits another order. (default: :obj:`None`)
        edges (tuple of Tensor, optional): Edges of one person and their weights, such as the result
            of :meth:`~graphmotion.skeletons.Skeleton.edges`; by default the bones.
            (default: :obj:`None`)
        frame_rate (float, optional): Frames per second. (default: :obj:`None`)
        **labels (int): Labels such as :obj:`y`, :obj:`subject`, :obj:`view`, :obj:`condition` and
            :obj:`take`, stored as integers of shape :math:`(1)`.

    Shapes:
        - **keypoints:** :math:`(T, V, C)` or :math:`(M, T, V, C)`, with :math:`C` 2 or 3
        - **score:** :math:`(T, V)` or :math:`(M, T, V)`
        - **output:** :obj:`pos` :math:`(M \cdot V, T, C)`, :obj:`score` :math:`(M \cdot V, T)` if a
          score is given or a joint is missing, :obj:`edge_index`, :obj:`edge_weight` if
          :obj:`edges` are given, :obj:`num_frames`, and :obj:`frame_rate` :math:`(1)` if given

    Raises:
        ValueError: If a shape is invalid, :obj:`axes` is not given and the shape is ambiguous,
            there are no frames, a score is outside :math:`[0, 1]`, an edge is outside the skeleton,
            :obj:`frame_rate` is not positive, or a label is not an integer or has the name of
            another field.
    """
    skeleton = get_skeleton(skeleton)
    pos = _floats(keypoints, 'keypoints')
    shape = list(pos.shape)
    order = axis_order(axes, pos.dim())
    num_joints = skeleton.num_joints
    sizes = dict(zip(order, shape))
    if pos.dim() != len(order) or sizes['V'] != num_joints or sizes['C'] not in (2, 3):
        hint = "; pass axes, such as 'CTVM', for another order" if axes is None else ''
        raise ValueError(
            f'keypoints must have shape [{", ".join(order)}] with V = {num_joints} joints of '
            f'{skeleton.name!r} and C = 2 or 3, got {shape}{hint}'
        )
    if axes is None and is_ambiguous(shape):
        orders = "'TVC' or 'VTC'" if len(shape) == 3 else "'MTVC', 'TMVC' or 'CTVM'"
        raise ValueError(f'axes must be {orders} for keypoints of shape {shape}, got None')
    pos = _people_first(pos, order)
    num_people, num_frames = pos.shape[:2]
    if num_people == 0 or num_frames == 0:
        raise ValueError(f'keypoints must have at least one person and one frame, got {shape}')

    if score is None and looks_like_scores(pos.numpy(force=True)):
        warnings.warn(
            'the third coordinate is in [0, 1] and looks like a score: pass '
            'keypoints[..., :2] and score=keypoints[..., 2] if it is one',
            stacklevel=2,
        )
    missing = ~pos.isfinite().all(dim=-1)
    confidence = None
    if score is not None:
        confidence = _floats(score, 'score')
        expected = [size for axis, size in zip(order, shape) if axis != 'C']
        if list(confidence.shape) != expected:
            raise ValueError(f'score must have shape {expected}, got {list(confidence.shape)}')
        confidence = _people_first(confidence, order.replace('C', ''))
        if not bool(((confidence >= 0) & (confidence <= 1)).all()):
            low, high = (float(value) for value in confidence.aminmax())
            raise ValueError(f'score must be in [0, 1], got values from {low:g} to {high:g}')
        missing |= confidence == 0
    elif bool(missing.any()):
        confidence = pos.new_ones(missing.shape)

    edge_index, weight = (skeleton.edge_index, None) if edges is None else edges
    if edge_index.numel() and int(edge_index.max()) >= num_joints:
        raise ValueError(
            f'edges must connect the {num_joints} joints of {skeleton.name!r}, got joint '
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
    if frame_rate is not None:
        data.frame_rate = pos.new_tensor([check_positive('frame_rate', frame_rate)])
    for name, value in labels.items():
        if name in data or name in TIME_DIMS or is_reserved_name(name):
            raise ValueError(
                f'a label must not be called {name!r}, a name that PyG or the sample uses'
            )
        number = np.asarray(value.cpu() if isinstance(value, Tensor) else value)
        if number.dtype.kind not in 'iub' or number.size != 1:
            raise ValueError(f'label {name!r} must be an integer, got {value!r}')
        data[name] = torch.tensor([int(number.item())])
    return data


def to_array(data: Data, num_joints: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    r"""Returns positions and scores as arrays without padding, the inverse of :func:`from_array`.

    .. code-block:: python

        data = SyntheticGait(num_subjects=1, num_takes=1)[0]
        pos, score = to_array(data)
        print(pos.shape, score.shape)

    Args:
        data (Data): A sample (not a batch).
        num_joints (int, optional): Number of joints :math:`V` of one person; by default all
            nodes belong to one person. (default: :obj:`None`)

    Returns:
        tuple: Positions :math:`(M, T, V, C)` and scores :math:`(M, T, V)`, which are 1 if the
        sample has no scores.

    Raises:
        ValueError: If the number of nodes is not a multiple of :obj:`num_joints`.
    """
    if data.pos is None:
        raise ValueError("data must have a field 'pos', got none")
    num_frames = int(num_valid_frames(data)[0])
    pos = to_dense(data.pos[:, :num_frames], num_joints or data.pos.size(0))
    if data.get('score') is None:
        score = pos.new_ones(pos.shape[:3])
    else:
        score = to_dense(data.score[:, :num_frames], pos.size(1))
    return pos.transpose(1, 2).cpu().numpy(), score.transpose(1, 2).cpu().numpy()


def _floats(array: np.ndarray | Tensor, name: str) -> Tensor:
    if not isinstance(array, Tensor):
        array = np.asarray(array)
        if array.dtype.kind in 'iubf':
            # from_numpy requires positive strides, a writable array and native byte order.
            array = torch.from_numpy(np.array(array, array.dtype.newbyteorder('='), order='C'))
    if not isinstance(array, Tensor) or array.is_complex():
        raise ValueError(f'{name} must be an array of real numbers, got {array.dtype}')
    return array.to(torch.get_default_dtype())


def _people_first(x: Tensor, order: str) -> Tensor:
    """Permutes to [M, T, V, *], with a single person if ``order`` has no people."""
    x = x.permute([order.index(axis) for axis in 'MTVC' if axis in order])
    return x if 'M' in order else x.unsqueeze(0)


def _nodes_first(x: Tensor) -> Tensor:
    """Converts [M, T, V, *] to [M*V, T, *]."""
    return x.transpose(1, 2).flatten(0, 1).contiguous()
