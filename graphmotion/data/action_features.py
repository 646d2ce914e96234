"""Hand-crafted features of actions that do not depend on the view."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.data import Data

from graphmotion.data.batching import num_nodes_per_graph
from graphmotion.data.samples import num_valid_frames, to_dense
from graphmotion.skeletons import Skeleton, get_skeleton


def action_features(data: Data, skeleton: str | Skeleton) -> Tensor:
    r"""Computes hand-crafted features of actions, a baseline of action recognition.

    The features of each body are

    1. the distances between all pairs of joints in each frame

    2. the distance that each joint moves between successive frames

    3. the height of each joint in each frame (the second coordinate) above the mean of all joints
       and frames

    divided by the mean of the first, so that they depend neither on the size nor on the position of
    the body, nor on the direction of a level camera. Missing joints must have been filled, as by
    :class:`~graphmotion.transforms.FillMissing`, and all samples resampled to the same number of
    frames.

    .. code-block:: python

        dataset = SyntheticActions(num_subjects=2)
        batch = dataset.get_batch(range(len(dataset)))
        batch = ResampleFrames(16)(FillMissing()(batch))
        features = action_features(batch, dataset.skeleton)

    Args:
        data (Data): A sample or a batch, with one body per graph.
        skeleton (str or Skeleton): The layout.

    Shapes:
        - **pos:** :math:`(B \cdot V, T, D)`
        - **output:** :math:`(B, F)` with :math:`F = T V (V - 1) / 2 + (T - 1) V + T V`

    Raises:
        ValueError: If a graph is not a single body, or a sample has padded frames.
    """
    num_joints, pos = get_skeleton(skeleton).num_joints, data.get('pos')
    if pos is None or pos.dim() != 3:
        found = 'none' if pos is None else list(pos.shape)
        raise ValueError(
            f"data must have a field 'pos' of shape [num_nodes, num_frames, D], got {found}"
        )
    num_nodes = num_nodes_per_graph(data)
    if bool((num_nodes != num_joints).any()):
        raise ValueError(
            f'each graph must have the {num_joints} joints of the skeleton, got '
            f'{num_nodes.tolist()} nodes'
        )
    num_frames = num_valid_frames(data)
    if bool((num_frames != pos.size(1)).any()):
        raise ValueError(
            f'samples must be resampled to the same number of frames, got {num_frames.tolist()}'
        )
    pos = to_dense(pos, num_joints)
    i, j = torch.triu_indices(num_joints, num_joints, offset=1, device=pos.device)
    distance = (pos[:, i] - pos[:, j]).norm(dim=-1)
    moved = pos.diff(dim=2).norm(dim=-1)
    height = pos[..., 1] - pos[..., 1].mean(dim=(1, 2), keepdim=True)
    size = distance.mean(dim=(1, 2)).clamp(min=torch.finfo(pos.dtype).tiny)
    features = torch.cat([part.flatten(1) for part in (distance, moved, height)], dim=1)
    return features / size.unsqueeze(1)
