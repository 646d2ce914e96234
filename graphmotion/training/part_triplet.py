"""Part-wise triplet loss."""

from __future__ import annotations

import torch
from torch import Tensor


def part_triplet_loss(
    parts: Tensor, labels: Tensor, margin: float, self_positives: bool = False
) -> tuple[Tensor, Tensor]:
    r"""Computes the triplet loss of all triplets of a batch, separately for each part, such as a
    strip of a silhouette.

    The loss of an anchor :math:`a`, another sample :math:`p` of the same label and a sample
    :math:`n` of a different label is

    .. math::
        \max(0, \Vert \mathbf{x}_a - \mathbf{x}_p \Vert - \Vert \mathbf{x}_a - \mathbf{x}_n \Vert
        + m)

    as in the `"FaceNet: A Unified Embedding for Face Recognition and Clustering"
    <https://arxiv.org/abs/1503.03832>`_ paper, without squaring the distances. The loss of a part
    is the mean over the triplets with a nonzero loss, as in the `"In Defense of the Triplet Loss
    for Person Re-Identification" <https://arxiv.org/abs/1703.07737>`_ paper, and zero if there are
    none.

    The code of the `"GaitSet: Regarding Gait as a Set for Cross-View Gait Recognition"
    <https://arxiv.org/abs/1811.06186>`_ paper and OpenGait also use each anchor as its own
    positive, and their published results were trained this way. The loss of such a triplet is
    :math:`\max(0, m - \Vert \mathbf{x}_a - \mathbf{x}_n \Vert)`, which pushes other subjects beyond
    the margin regardless of the distance of the positives. With :math:`K` samples per subject, one
    in :math:`K` triplets is of this form.

    Memory grows with the number of pairs with equal labels times the number of samples.

    .. code-block:: python

        parts, labels = torch.randn(8, 16, 32), torch.arange(8) % 4  # 16 parts of 8 samples
        loss, active = part_triplet_loss(parts, labels, margin=0.2)

    Args:
        parts (Tensor): The features.
        labels (Tensor): The label of each sample.
        margin (float): The margin :math:`m`.
        self_positives (bool, optional): If set to :obj:`True`, anchors are their own positives, as
            in OpenGait. (default: :obj:`False`)

    Shapes:
        - **parts:** :math:`(B, P, D)`
        - **labels:** :math:`(B)`

    Returns:
        tuple: The loss, averaged over parts, and the fraction of triplets with a nonzero loss.

    Raises:
        ValueError: If the shapes do not match.
    """
    if parts.dim() != 3 or labels.shape != parts.shape[:1]:
        raise ValueError(
            f'parts and labels must have the shapes [B, P, D] and [B], got {list(parts.shape)} and '
            f'{list(labels.shape)}'
        )
    x = parts.transpose(0, 1)
    # Precise for nearly equal samples, with a zero gradient for equal samples.
    distance = torch.cdist(x, x, compute_mode='donot_use_mm_for_euclid_dist')
    same = labels.unsqueeze(0) == labels.unsqueeze(1)
    positives = same if self_positives else same.clone().fill_diagonal_(False)
    anchor, positive = positives.nonzero(as_tuple=True)
    positive_distance = distance[:, anchor, positive].unsqueeze(-1)
    losses = (positive_distance - distance.index_select(1, anchor) + margin).relu()
    losses = losses.masked_fill(same[anchor], 0)
    num_active = (losses > 0).sum(dim=(1, 2))
    loss = (losses.sum(dim=(1, 2)) / num_active.clamp(min=1)).mean()
    num_triplets = (~same[anchor]).sum() * len(x)
    return loss, num_active.sum() / num_triplets.clamp(min=1)
