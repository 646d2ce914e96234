"""Missing joints from the frames around them."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.data import valid_frames
from graphmotion.transforms.fields import check_probability, positions
from graphmotion.transforms.frames import interpolate


def nearest_seen(seen: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """For each frame ``[R, T]`` the nearest seen ones before and after, and their mix.

    Before the first seen frame and after the last both are that frame; a row without any seen
    frame keeps its own.
    """
    num_frames = seen.size(1)
    frame = torch.arange(num_frames, device=seen.device).expand_as(seen)
    before = frame.masked_fill(~seen, -1).cummax(dim=1).values
    after = frame.masked_fill(~seen, num_frames).flip(1).cummin(dim=1).values.flip(1)
    left = torch.where(before < 0, after, before)
    right = torch.where(after == num_frames, before, after)
    never = left == num_frames
    left, right = torch.where(never, frame, left), torch.where(never, frame, right)
    span = (right - left).clamp_(min=1)
    return left, right, (frame - left).clamp_(min=0).double() / span


class FillMissing(BaseTransform):
    r"""Fills missing joints, those of score 0, by linear interpolation in time between the
    nearest frames that have them.

    With :math:`a` and :math:`b` the nearest frames before and after :math:`t` in which joint
    :math:`i` is there,

    .. math::
        \mathbf{p}_{i,t} = \frac{b - t}{b - a} \, \mathbf{p}_{i,a} +
        \frac{t - a}{b - a} \, \mathbf{p}_{i,b}.

    Before the first such frame and after the last one the position is constant. A joint that is
    never there stays missing, at zero. A filled joint is no longer missing: its score is
    interpolated likewise, or set to :obj:`score`. A sample without the field :obj:`score` misses
    nothing.

    Of several people, one who appears later or leaves earlier than the others is filled as well,
    standing still. The code of CTR-GCN leaves an absent person at the origin:
    see :func:`ctr_gcn_train_transform`.

    Args:
        threshold (float, optional): Joints with a score up to this one are taken for missing
            too. (default: :obj:`0.0`)
        score (float, optional): The score of filled joints. (default: :obj:`None`)
    """

    def __init__(self, threshold: float = 0.0, score: float | None = None) -> None:
        self.threshold = check_probability('threshold', threshold)
        self.score = score if score is None else check_probability('score', score)

    def forward(self, data: Data) -> Data:
        """Fill a sample or a batch."""
        score, pos = data.get('score'), positions(data)
        if score is None:
            return data
        valid = valid_frames(data, pos.size(1))
        seen = valid & (score > self.threshold)
        if bool((seen == valid).all()):
            return data
        left, right, weight = nearest_seen(seen)
        never = ~seen.any(dim=1)
        filled = interpolate(score, left, right, weight)
        if self.score is not None:
            filled = torch.where(seen, filled, self.score)
        data.score = filled.masked_fill_(never.view(-1, 1), 0)
        data.pos = interpolate(pos, left, right, weight).masked_fill_(never.view(-1, 1, 1), 0)
        return data

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}(threshold={self.threshold}, score={self.score})'
