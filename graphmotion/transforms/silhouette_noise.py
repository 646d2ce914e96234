"""Silhouettes with single pixels that are wrong."""

from __future__ import annotations

from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.transforms.fields import check_probability, clips, draw


class SilhouetteNoise(BaseTransform):
    r"""Turns pixels of silhouettes from body to background or back, each by itself, with a
    probability that is drawn for each clip between 0 and :obj:`rate`. Networks that take maxima
    over pixels mistake single ones for limbs, unless they were trained with such.

    Args:
        rate (float, optional): The highest probability. (default: :obj:`0.03`)

    Raises:
        ValueError: If the rate is not a probability.
    """

    def __init__(self, rate: float = 0.03) -> None:
        self.rate = check_probability('rate', rate)

    def forward(self, data: Data) -> Data:
        """Change pixels of a sample, or of each in a batch."""
        silhouettes = clips(data)
        drawn = draw(data, silhouettes, 1 + silhouettes[0].numel())
        turned = drawn[:, 1:] < self.rate * drawn[:, :1]
        body = (silhouettes != 0) ^ turned.view_as(silhouettes)
        data.silhouettes = body.to(silhouettes.dtype)
        return data

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}({self.rate})'
