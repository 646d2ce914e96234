"""Sequences of one length by choosing frames."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.data import num_valid_frames
from graphmotion.transforms.fields import check_choice, check_count, draw
from graphmotion.transforms.frames import PADS, take_frames, take_padded

MODES = ('random', 'center', 'uniform', 'linspace', 'sample')
# How often a frame can be drawn by 'sample'.
_COPIES = 100


class CropFrames(BaseTransform):
    r"""Chooses :math:`L` frames of each sequence.

    Args:
        num_frames (int): Number of frames :math:`L`.
        mode (str, optional): Which frames of the :math:`n` before padding:

            1. :obj:`"random"`: a window with a random start, uniform in :math:`0 \ldots n - L`

            2. :obj:`"center"`: the window that starts at
               :math:`\lfloor (n - L) / 2 \rfloor`, moved by :obj:`shift`

            3. :obj:`"uniform"`: the middle frames of :math:`L` equal parts,
               :math:`\lfloor (k + \tfrac{1}{2}) \, n / L \rfloor`, as in the `"Revisiting
               Skeleton-based Action Recognition" <https://arxiv.org/abs/2104.13586>`_ paper when
               testing; a shorter sequence repeats frames

            4. :obj:`"linspace"`: equally spaced frames from the first to the last,
               :math:`\lfloor k \, (n - 1) / (L - 1) \rfloor`, as the code of the `"Channel-wise
               Topology Refinement Graph Convolution for Skeleton-Based Action Recognition"
               <https://arxiv.org/abs/2107.12213>`_ paper does for Northwestern-UCLA when testing; a
               shorter sequence repeats frames

            5. :obj:`"sample"`: frames drawn at random and sorted, without replacement from 100
               copies of each, as that code does when training

            (default: :obj:`"random"`)
        pad (str, optional): How a window goes on behind the end of a sequence that is shorter, as
            in :class:`PadFrames`; it starts at the first frame. (default: :obj:`"loop"`)
        shift (int, optional): How many frames the window of :obj:`"center"` is moved, but not
            beyond the ends of the sequence: earlier if negative. (default: :obj:`0`)

    Raises:
        ValueError: If :obj:`num_frames` is not positive, :obj:`mode` or :obj:`pad` unknown,
            :obj:`shift` not whole or given for another mode, or 100 copies of the frames of a
            sequence are fewer than :math:`L`.
    """

    def __init__(
        self, num_frames: int, mode: str = 'random', pad: str = 'loop', shift: int = 0
    ) -> None:
        self.num_frames = check_count('num_frames', num_frames)
        self.mode = check_choice('mode', mode, MODES)
        self.pad = check_choice('pad', pad, PADS)
        if not isinstance(shift, int) or isinstance(shift, bool):
            raise ValueError(f'shift is a whole number of frames, got {shift!r}')
        if shift and mode != 'center':
            raise ValueError(f"shift moves the window of 'center', got the mode {mode!r}")
        self.shift = shift

    def forward(self, data: Data) -> Data:
        """Choose frames of a sample, or of each in a batch."""
        counts = num_valid_frames(data).unsqueeze(1)
        step = torch.arange(self.num_frames, device=counts.device)
        if self.mode in ('random', 'center'):
            spare = (counts - self.num_frames).clamp(min=0)
            if self.mode == 'center':
                start = torch.minimum((spare // 2 + self.shift).clamp(min=0), spare)
            else:
                start = torch.minimum((draw(data, counts, 1) * (spare + 1)).long(), spare)
            return take_padded(data, start + step, self.pad)
        if self.mode == 'uniform':
            frame = (2 * step + 1) * counts // (2 * self.num_frames)
        elif self.mode == 'linspace':
            # In NumPy's order of operations, which decides where rounding hits a whole frame.
            frame = (step * ((counts - 1).double() / max(self.num_frames - 1, 1))).long()
            if self.num_frames > 1:
                frame[:, -1:] = counts - 1
        else:
            frame = self._sample(data, counts.squeeze(1))
        return take_frames(data, frame, torch.full_like(counts[:, 0], self.num_frames))

    def _sample(self, data: Data, counts: Tensor) -> Tensor:
        """Sorted frames of each graph, without replacement from copies of all its frames."""
        if _COPIES * int(counts.min()) < self.num_frames:
            raise ValueError(
                f'num_frames must be at most {_COPIES} times the frames of a sequence, got '
                f'{self.num_frames} for {int(counts.min())}'
            )
        place = draw(data, counts.double(), self.num_frames)
        chosen = torch.full_like(place, -1, dtype=torch.long)
        # Floyd's algorithm: all subsets are equally likely.
        for k in range(self.num_frames):
            last = _COPIES * counts - self.num_frames + k
            pick = (place[:, k] * (last + 1)).long()
            taken = (chosen == pick.unsqueeze(1)).any(dim=1)
            chosen[:, k] = torch.where(taken, last, pick)
        return chosen.sort(dim=1).values // _COPIES

    def __repr__(self) -> str:
        shift = f', shift={self.shift}' if self.shift else ''
        return (
            f'{self.__class__.__name__}({self.num_frames}, {self.mode!r}, pad={self.pad!r}{shift})'
        )
