"""Missing joints as points at the origin."""

from __future__ import annotations

from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.data import remove_fields
from graphmotion.transforms.fields import positions


class RemoveScore(BaseTransform):
    r"""Removes the field :obj:`score`, so that missing joints count as points at the origin.

    The transforms that follow treat them like any others: :class:`ResampleFrames` interpolates
    between them and joints that are there, and :class:`ToStream` measures bones and motion from
    them. Networks whose code has no scores, such as CTR-GCN, are trained on such input.
    """

    def forward(self, data: Data) -> Data:
        """Remove the score of a sample or a batch."""
        positions(data)
        remove_fields(data, ['score'])
        return data
