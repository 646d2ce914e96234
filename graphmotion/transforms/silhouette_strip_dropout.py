"""Random dropout of horizontal strips of silhouettes."""

from __future__ import annotations

import torch
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.checks import check_int, check_probability
from graphmotion.config import Configurable
from graphmotion.transforms.fields import get_silhouettes, rand_per_graph


class SilhouetteStripDropout(Configurable, BaseTransform):
    r"""Clears random horizontal strips of silhouettes, the same in all frames of a clip.

    .. code-block:: python

        clips = SyntheticGait.casia_b(num_subjects=1, num_frames=8, views=[90], silhouettes=True)
        data = SilhouetteStripDropout(num_strips=8)(clips[0])

    Args:
        num_strips (int, optional): Number of strips. If it does not divide the height, some strips
            have one row more than others. (default: :obj:`16`)
        p (float, optional): Probability that a strip is cleared. (default: :obj:`0.1`)

    Raises:
        ValueError: If an argument is invalid or silhouettes have fewer rows than strips.
    """

    def __init__(self, num_strips: int = 16, p: float = 0.1) -> None:
        self.num_strips = check_int('num_strips', num_strips, 1)
        self.p = check_probability('p', p)

    def forward(self, data: Data) -> Data:
        """Clears strips of a sample or of each sample in a batch."""
        silhouettes = get_silhouettes(data)
        height = silhouettes.size(2)
        if height < self.num_strips:
            raise ValueError(
                f'num_strips must be at most the {height} rows of the silhouettes, got '
                f'{self.num_strips}'
            )
        dropped = rand_per_graph(data, silhouettes, self.num_strips) < self.p
        strip = torch.arange(height, device=dropped.device) * self.num_strips // height
        data.silhouettes = silhouettes.masked_fill(dropped[:, None, strip, None], 0)
        return data

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}({self.num_strips}, p={self.p})'
