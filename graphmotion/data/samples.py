"""Dense views, valid frames and visible joints of samples and batches."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.data import Data

from graphmotion.data.batching import batch_index, num_graphs

#: The dimension of time of each field along time.
TIME_DIMS = {'pos': 1, 'score': 1, 'x': 1, 'silhouettes': 1}


def to_dense(x: Tensor, num_nodes: int) -> Tensor:
    r"""Views a motion tensor with a separate dimension for graphs of :math:`V` nodes.

    .. code-block:: python

        >>> to_dense(torch.zeros(34, 30, 3), num_nodes=17).shape
        torch.Size([2, 17, 30, 3])

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
            f'the number of nodes must be a multiple of num_nodes={num_nodes}, got {x.size(0)}'
        )
    # Works for transposed and sliced tensors, in contrast to view(), and never copies.
    return x.unflatten(0, (-1, num_nodes))


def from_dense(x: Tensor) -> Tensor:
    r"""Views :math:`(B, V, T, *)` as :math:`(B \cdot V, T, *)`, the inverse of :func:`to_dense`.

    .. code-block:: python

        >>> from_dense(torch.zeros(2, 17, 30, 3)).shape
        torch.Size([34, 30, 3])
    """
    return x.flatten(0, 1)


def num_valid_frames(data: Data) -> Tensor:
    r"""Returns the number of frames of each graph without padding, :math:`(B)`.

    .. code-block:: python

        walks = SyntheticGait(num_subjects=1, num_takes=1, num_frames=(20, 30))
        batch = next(iter(graph_loader(walks)))
        print(num_valid_frames(batch))  # four numbers between 20 and 30

    Raises:
        ValueError: If there is no field along time, or it has fewer frames than the field
            :obj:`num_frames` says.
    """
    for name in TIME_DIMS:
        if data.get(name) is not None:
            field, dim = data[name], TIME_DIMS[name]
            break
    else:
        raise ValueError(f'data must have one of the fields along time {list(TIME_DIMS)}, got none')
    counts = data.get('num_frames')
    if counts is None:
        return torch.full((num_graphs(data),), field.size(dim), device=field.device)
    counts, length = torch.as_tensor(counts).view(-1), field.size(dim)
    # Neither an exporter nor a GPU reads values in passing.
    reads = not torch.compiler.is_compiling() and counts.device.type == 'cpu'
    if reads and counts.numel() and int(counts.max()) > length:
        raise ValueError(
            f"field 'num_frames' must be at most the {length} frames of {name!r}, got "
            f'{int(counts.max())}'
        )
    return counts


def valid_frames(data: Data, num_frames: int) -> Tensor:
    r"""Returns which frames of each node are not padding, :math:`(|\mathcal{V}|, T)`.

    .. code-block:: python

        walks = SyntheticGait(num_subjects=1, num_takes=1, num_frames=(20, 30))
        batch = next(iter(graph_loader(walks)))
        print(valid_frames(batch, batch.pos.size(1)).sum(dim=1))  # of each node
    """
    counts = num_valid_frames(data)
    frame = torch.arange(num_frames, device=counts.device)
    return (frame < counts.unsqueeze(1))[batch_index(data)]


def visible_joints(data: Data) -> Tensor:
    r"""Returns which joints are neither missing nor padding in each frame,
    :math:`(|\mathcal{V}|, T)`.

    .. code-block:: python

        data = SyntheticGait(num_subjects=1, num_takes=1)[0]
        print(visible_joints(JointDropout(p=0.5)(data)).float().mean())  # about 0.5
    """
    valid = valid_frames(data, data.pos.size(1))
    score = data.get('score')
    return valid if score is None else valid & (score > 0)
