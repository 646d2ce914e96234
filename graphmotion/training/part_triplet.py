"""The triplet loss of samples that are compared part by part."""

from __future__ import annotations

import torch
from torch import Tensor


def part_triplet_loss(
    parts: Tensor, labels: Tensor, margin: float, self_positives: bool = False
) -> tuple[Tensor, Tensor]:
    r"""Triplet loss of all triplets of a batch, of each part by itself, such as a strip of a
    silhouette.

    An anchor :math:`a`, another sample :math:`p` with its label and one :math:`n` with another
    label cost

    .. math::
        \max(0, \Vert \mathbf{x}_a - \mathbf{x}_p \Vert - \Vert \mathbf{x}_a - \mathbf{x}_n \Vert
        + m)

    as in the `"FaceNet: A Unified Embedding for Face Recognition and Clustering"
    <https://arxiv.org/abs/1503.03832>`_ paper, without the squares. The loss of a part is the mean
    over the triplets that cost something, as in the `"In Defense of the Triplet Loss for Person
    Re-Identification" <https://arxiv.org/abs/1703.07737>`_ paper, and zero if none does.

    The code of the `"GaitSet: Regarding Gait as a Set for Cross-View Gait Recognition"
    <https://arxiv.org/abs/1811.06186>`_ paper and OpenGait also count each anchor as its own
    positive, and published figures were trained like this. Such a triplet costs
    :math:`\max(0, m - \Vert \mathbf{x}_a - \mathbf{x}_n \Vert)`: it pushes other subjects away to
    the margin, however close the positives are. With :math:`K` samples of a subject, one in
    :math:`K` of its triplets is of this kind.

    Memory grows as the number of pairs with one label times the number of samples.

    Args:
        parts (Tensor): Features :math:`(B, P, D)`.
        labels (Tensor): The label of each sample :math:`(B)`.
        margin (float): The margin :math:`m`.
        self_positives (bool, optional): If set to :obj:`True`, anchors are positives of themselves,
            as in OpenGait. (default: :obj:`False`)

    Returns:
        tuple: The mean loss of the parts, and the fraction of all triplets that cost something.

    Raises:
        ValueError: If there is not one label for each sample.
    """
    if parts.dim() != 3 or labels.shape != parts.shape[:1]:
        raise ValueError(
            f'parts have the shape {list(parts.shape)} and labels {list(labels.shape)}, expected '
            f'[B, P, D] and [B]'
        )
    x = parts.transpose(0, 1)
    # Exact where samples all but coincide, and with a gradient of zero where they do.
    distance = torch.cdist(x, x, compute_mode='donot_use_mm_for_euclid_dist')
    same = labels.unsqueeze(0) == labels.unsqueeze(1)
    positives = same if self_positives else same.clone().fill_diagonal_(False)
    anchor, positive = positives.nonzero(as_tuple=True)
    far = distance[:, anchor, positive].unsqueeze(-1)
    cost = (far - distance.index_select(1, anchor) + margin).relu()
    cost = cost.masked_fill(same[anchor], 0)
    counts = (cost > 0).sum(dim=(1, 2))
    loss = (cost.sum(dim=(1, 2)) / counts.clamp(min=1)).mean()
    triplets = (~same[anchor]).sum() * len(x)
    return loss, counts.sum() / triplets.clamp(min=1)
