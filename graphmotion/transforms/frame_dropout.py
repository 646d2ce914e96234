"""Frames that are not seen."""

from __future__ import annotations

from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.data import batch_index
from graphmotion.transforms.fields import any_field, check_probability, draw, drop_joints


class FrameDropout(BaseTransform):
    r"""Makes whole frames missing at random: the positions and scores of all joints become zero,
    and so do the silhouettes of a sample that has them.

    A sample without the field :obj:`score` gets one, with one for the frames that are left. The
    number of frames stays.

    Args:
        p (float, optional): The probability of each frame to be dropped. (default: :obj:`0.1`)
    """

    def __init__(self, p: float = 0.1) -> None:
        self.p = check_probability('p', p)

    def forward(self, data: Data) -> Data:
        """Drop frames of a sample, or of each in a batch."""
        reference = any_field(data)
        dropped = draw(data, reference, reference.size(1)) < self.p
        silhouettes = data.get('silhouettes')
        if silhouettes is not None:
            data.silhouettes = silhouettes.masked_fill(dropped[..., None, None], 0)
            if data.get('pos') is None:
                return data
        return drop_joints(data, dropped[batch_index(data)])

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}(p={self.p})'
