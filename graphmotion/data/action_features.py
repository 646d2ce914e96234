"""Hand-crafted features of actions that do not depend on the view."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.data import Data

from graphmotion.data.body_positions import body_positions
from graphmotion.data.samples import num_valid_frames
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
    pos = body_positions(data, get_skeleton(skeleton))
    num_frames = num_valid_frames(data)
    if bool((num_frames != pos.size(2)).any()):
        raise ValueError(
            f'samples must be resampled to the same number of frames, got {num_frames.tolist()}'
        )
    i, j = torch.triu_indices(pos.size(1), pos.size(1), offset=1, device=pos.device)
    distance = (pos[:, i] - pos[:, j]).norm(dim=-1)
    moved = pos.diff(dim=2).norm(dim=-1)
    height = pos[..., 1] - pos[..., 1].mean(dim=(1, 2), keepdim=True)
    size = distance.mean(dim=(1, 2)).clamp(min=torch.finfo(pos.dtype).tiny)
    features = torch.cat([part.flatten(1) for part in (distance, moved, height)], dim=1)
    return features / size.unsqueeze(1)
