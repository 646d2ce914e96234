"""Removal of joint scores."""

from __future__ import annotations

from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.config import Configurable
from graphmotion.data import remove_fields
from graphmotion.transforms.fields import get_pos


class RemoveScore(Configurable, BaseTransform):
    r"""Removes the field :obj:`score`, so that missing joints become points at the origin.

    Later transforms do not distinguish them from visible joints: :class:`ResampleFrames`
    interpolates between both, and :class:`ToStream` computes bones and motion from them. Networks
    whose code has no scores, such as CTR-GCN, are trained on such input.

    .. code-block:: python

        data = RemoveScore()(JointDropout()(SyntheticGait(num_subjects=1, num_takes=1)[0]))
        print('score' in data)  # False
    """

    def forward(self, data: Data) -> Data:
        """Removes the score of a sample or a batch."""
        get_pos(data)
        remove_fields(data, ['score'])
        return data
