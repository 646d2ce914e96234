"""Random noise on the pixels of silhouettes."""

from __future__ import annotations

from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.checks import check_probability
from graphmotion.config import Configurable
from graphmotion.transforms.fields import get_silhouettes, rand_per_graph


class SilhouetteNoise(Configurable, BaseTransform):
    r"""Flips random pixels of silhouettes between body and background.

    Pixels are flipped independently, with a probability drawn for each clip from
    :math:`[0, p_{\max}]`. Networks with max pooling mistake isolated pixels for limbs unless they
    are trained with such noise.

    .. code-block:: python

        clips = SyntheticGait.casia_b(num_subjects=1, num_frames=8, views=[90], silhouettes=True)
        data = SilhouetteNoise()(clips[0])

    Args:
        max_p (float, optional): Maximum probability :math:`p_{\max}` that a pixel is flipped.
            (default: :obj:`0.03`)

    Raises:
        ValueError: If :obj:`max_p` is outside [0, 1].
    """

    def __init__(self, max_p: float = 0.03) -> None:
        self.max_p = check_probability('max_p', max_p)

    def forward(self, data: Data) -> Data:
        """Flips pixels of a sample or of each sample in a batch."""
        silhouettes = get_silhouettes(data)
        drawn = rand_per_graph(data, silhouettes, 1 + silhouettes[0].numel())
        flipped = drawn[:, 1:] < self.max_p * drawn[:, :1]
        body = (silhouettes != 0) ^ flipped.view_as(silhouettes)
        data.silhouettes = body.to(silhouettes.dtype)
        return data

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}({self.max_p})'
