"""Random dropout of frames."""

from __future__ import annotations

from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.checks import check_probability
from graphmotion.config import Configurable
from graphmotion.data import batch_index
from graphmotion.transforms.fields import any_time_field, drop_joints, rand_per_graph


class FrameDropout(Configurable, BaseTransform):
    r"""Sets the positions, scores and silhouettes of random frames to zero.

    Samples without the field :obj:`score` get one, with a score of 1 in the remaining frames. The
    number of frames does not change.

    .. code-block:: python

        data = FrameDropout(p=0.2)(SyntheticGait(num_subjects=1, num_takes=1)[0])

    Args:
        p (float, optional): Probability that a frame is dropped. (default: :obj:`0.1`)

    Raises:
        ValueError: If :obj:`p` is outside [0, 1].
    """

    def __init__(self, p: float = 0.1) -> None:
        self.p = check_probability('p', p)

    def forward(self, data: Data) -> Data:
        """Drops frames of a sample or of each sample in a batch."""
        reference = any_time_field(data)
        dropped = rand_per_graph(data, reference, reference.size(1)) < self.p
        silhouettes = data.get('silhouettes')
        if silhouettes is not None:
            data.silhouettes = silhouettes.masked_fill(dropped[..., None, None], 0)
            if data.get('pos') is None:
                return data
        return drop_joints(data, dropped[batch_index(data)])

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}(p={self.p})'
