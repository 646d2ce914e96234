"""Silhouettes whose feet are cut off or run into their shadow."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.transforms.fields import check_count, check_probability, clips, draw


class RandomGround(BaseTransform):
    r"""Changes the lowest rows of silhouettes, as another ground or other shoes do: with half of a
    given probability each they are cleared, or smeared to a side, as a shadow is. Rows and way are
    the same in all frames of a clip.

    Silhouettes that lack their lowest part stand for walks on another surface in the `"Individual
    Recognition Using Gait Energy Image" <https://doi.org/10.1109/TPAMI.2006.38>`_ paper, too.

    Args:
        num_rows (int, optional): The most rows that change; from 1 on each number is as likely.
            (default: :obj:`6`)
        smear (int, optional): The most pixels that they are smeared; likewise.
            (default: :obj:`5`)
        p (float, optional): The probability. (default: :obj:`0.5`)

    Raises:
        ValueError: If a number is not positive.
    """

    def __init__(self, num_rows: int = 6, smear: int = 5, p: float = 0.5) -> None:
        self.num_rows = check_count('num_rows', num_rows)
        self.smear = check_count('smear', smear)
        self.p = check_probability('p', p)

    def forward(self, data: Data) -> Data:
        """Change the lowest rows of a sample, or those of some of a batch."""
        silhouettes = clips(data)
        height = silhouettes.size(2)
        chosen, rows, way = draw(data, silhouettes, 3).view(-1, 3, 1, 1, 1).unbind(1)
        from_below = torch.arange(height - 1, -1, -1, device=rows.device).view(-1, 1)
        low = from_below <= (rows * self.num_rows).floor()
        cleared = low & (chosen < self.p / 2)
        smeared = low & (chosen >= self.p / 2) & (chosen < self.p)
        # -smear .. -1 and 1 .. smear pixels to the right.
        step = (way * 2 * self.smear).floor() - self.smear
        step = torch.where(step >= 0, step + 1, step)
        out = torch.where(smeared, self._smear(silhouettes, step), silhouettes)
        data.silhouettes = out.masked_fill(cleared, 0)
        return data

    def _smear(self, images: Tensor, step: Tensor) -> Tensor:
        out, width, n = images, images.size(-1), self.smear
        wide = pad(images, (n, n))
        for k in range(1, n + 1):
            right, left = wide[..., n - k : n - k + width], wide[..., n + k : n + k + width]
            out = torch.where(step >= k, torch.maximum(out, right), out)
            out = torch.where(step <= -k, torch.maximum(out, left), out)
        return out

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}({self.num_rows}, smear={self.smear}, p={self.p})'
