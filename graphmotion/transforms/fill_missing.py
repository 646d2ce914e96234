"""Interpolation of missing joints."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.checks import check_probability
from graphmotion.config import Configurable
from graphmotion.data import valid_frames
from graphmotion.transforms.fields import get_pos
from graphmotion.transforms.frames import interpolate


def nearest_visible(visible: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Returns the nearest visible frames before and after each frame, and the weight of the latter.

    All are ``[R, T]``. Before the first visible frame and after the last one, both are that frame.
    In rows without a visible frame, both are the frame itself.
    """
    num_frames = visible.size(1)
    frame = torch.arange(num_frames, device=visible.device).expand_as(visible)
    # Visible frames by their rank, with column zero for all others. ONNX has no cumulative maximum.
    rank = visible.long().cumsum(dim=1)
    table = frame.new_full((visible.size(0), num_frames + 2), num_frames)
    table = table.scatter(1, rank.masked_fill(~visible, 0), frame)
    before = table.gather(1, rank).masked_fill(rank == 0, -1)
    after = table.gather(1, rank + (~visible).long())
    left = torch.where(before < 0, after, before)
    right = torch.where(after == num_frames, before, after)
    never = left == num_frames
    left, right = torch.where(never, frame, left), torch.where(never, frame, right)
    span = (right - left).clamp_(min=1)
    return left, right, (frame - left).clamp_(min=0).double() / span


class FillMissing(Configurable, BaseTransform):
    r"""Fills missing joints, those of score 0, by linear interpolation over time.

    With :math:`a` and :math:`b` the nearest frames before and after :math:`t` in which joint
    :math:`i` is visible,

    .. math::
        \mathbf{p}_{i,t} = \frac{b - t}{b - a} \, \mathbf{p}_{i,a} +
        \frac{t - a}{b - a} \, \mathbf{p}_{i,b}.

    Before the first visible frame and after the last one, the position is constant. A joint that
    is missing in all frames stays missing, at zero. The score of filled joints is interpolated in
    the same way or set to :obj:`score`. Samples without the field :obj:`score` have no missing
    joints.

    A person who is absent at the beginning or the end of a sequence is filled as well, and stands
    still there. The code of CTR-GCN leaves absent people at the origin; see
    :func:`ctr_gcn_train_transform`.

    .. code-block:: python

        data = JointDropout(p=0.2, per_frame=True)(SyntheticGait(num_subjects=1, num_takes=1)[0])
        data = FillMissing()(data)

    Args:
        threshold (float, optional): Joints with a score up to this threshold count as missing.
            (default: :obj:`0.0`)
        score (float, optional): Score of filled joints; by default it is interpolated.
            (default: :obj:`None`)

    Raises:
        ValueError: If :obj:`threshold` or :obj:`score` is outside [0, 1].
    """

    def __init__(self, threshold: float = 0.0, score: float | None = None) -> None:
        self.threshold = check_probability('threshold', threshold)
        self.score = score if score is None else check_probability('score', score)

    def forward(self, data: Data) -> Data:
        """Fills a sample or a batch."""
        score, pos = data.get('score'), get_pos(data)
        if score is None:
            return data
        valid = valid_frames(data, pos.size(1))
        visible = valid & (score > self.threshold)
        if not torch.compiler.is_compiling() and bool((visible == valid).all()):
            return data
        left, right, weight = nearest_visible(visible)
        never = ~visible.any(dim=1)
        filled = interpolate(score, left, right, weight)
        if self.score is not None:
            filled = torch.where(visible, filled, self.score)
        data.score = filled.masked_fill_(never.view(-1, 1), 0)
        data.pos = interpolate(pos, left, right, weight).masked_fill_(never.view(-1, 1, 1), 0)
        return data

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}(threshold={self.threshold}, score={self.score})'
