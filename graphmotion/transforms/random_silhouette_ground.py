"""Random artifacts of the ground in silhouettes."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.checks import check_int, check_probability
from graphmotion.config import Configurable
from graphmotion.transforms.fields import get_silhouettes, rand_per_graph


class RandomSilhouetteGround(Configurable, BaseTransform):
    r"""Clears or smears the lowest rows of silhouettes, the same in all frames of a clip.

    Cleared rows imitate feet hidden by the ground, rows smeared sideways imitate shadows; both
    have probability :math:`p / 2`. The `"Individual Recognition Using Gait Energy Image"
    <https://doi.org/10.1109/TPAMI.2006.38>`_ paper removes the lowest rows to simulate other
    walking surfaces.

    .. code-block:: python

        clips = SyntheticGait.casia_b(num_subjects=1, num_frames=8, views=[90], silhouettes=True)
        data = RandomSilhouetteGround(num_rows=4)(clips[0])

    Args:
        num_rows (int, optional): Maximum number of changed rows; the number is drawn uniformly
            from 1. (default: :obj:`6`)
        smear (int, optional): Maximum length of the smear in pixels; the length is drawn
            uniformly from 1, to either side. (default: :obj:`5`)
        p (float, optional): Probability :math:`p` that a clip is changed. (default: :obj:`0.5`)

    Raises:
        ValueError: If :obj:`num_rows` or :obj:`smear` is not positive, or :obj:`p` is outside
            [0, 1].
    """

    def __init__(self, num_rows: int = 6, smear: int = 5, p: float = 0.5) -> None:
        self.num_rows = check_int('num_rows', num_rows, 1)
        self.smear = check_int('smear', smear, 1)
        self.p = check_probability('p', p)

    def forward(self, data: Data) -> Data:
        """Changes the lowest rows of a sample, or of random samples of a batch."""
        silhouettes = get_silhouettes(data)
        height = silhouettes.size(2)
        action, rows, step = rand_per_graph(data, silhouettes, 3).view(-1, 3, 1, 1, 1).unbind(1)
        from_below = torch.arange(height - 1, -1, -1, device=rows.device).view(-1, 1)
        low = from_below <= (rows * self.num_rows).floor()
        cleared = low & (action < self.p / 2)
        smeared = low & (action >= self.p / 2) & (action < self.p)
        # -smear .. -1 and 1 .. smear pixels to the right.
        step = (step * 2 * self.smear).floor() - self.smear
        step = torch.where(step >= 0, step + 1, step)
        out = torch.where(smeared, self._smear(silhouettes, step), silhouettes)
        data.silhouettes = out.masked_fill(cleared, 0)
        return data

    def _smear(self, images: Tensor, step: Tensor) -> Tensor:
        out, width, n = images, images.size(-1), self.smear
        padded = pad(images, (n, n))
        for k in range(1, n + 1):
            right, left = padded[..., n - k : n - k + width], padded[..., n + k : n + k + width]
            out = torch.where(step >= k, torch.maximum(out, right), out)
            out = torch.where(step <= -k, torch.maximum(out, left), out)
        return out

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}({self.num_rows}, smear={self.smear}, p={self.p})'
