"""Selection of a fixed number of frames."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphmotion.checks import check_choice, check_int
from graphmotion.config import Configurable
from graphmotion.data import num_valid_frames
from graphmotion.transforms.fields import rand_per_graph
from graphmotion.transforms.frames import PADS, scale_frame_rate, select_frames, select_padded

MODES = ('random', 'center', 'uniform', 'linspace', 'sample')
# Maximum number of times that 'sample' draws a frame.
_COPIES = 100


class CropFrames(Configurable, BaseTransform):
    r"""Selects :math:`L` frames of each sequence.

    If they are spread over the sequence, the field :obj:`frame_rate` changes accordingly.

    .. code-block:: python

        data = SyntheticGait(num_subjects=1, num_takes=1)[0]
        print(CropFrames(24)(data).pos.shape)  # [16, 24, 3]

    Args:
        num_frames (int): Number of frames :math:`L`.
        mode (str, optional): How to select from the :math:`n` frames before padding:

            1. :obj:`"random"`: a window with a random start, uniform in :math:`0 \ldots n - L`

            2. :obj:`"center"`: the window that starts at
               :math:`\lfloor (n - L) / 2 \rfloor`, shifted by :obj:`shift`

            3. :obj:`"uniform"`: the middle frames of :math:`L` equal parts,
               :math:`\lfloor (k + \tfrac{1}{2}) \, n / L \rfloor`, as in the `"Revisiting
               Skeleton-based Action Recognition" <https://arxiv.org/abs/2104.13586>`_ paper at
               test time; frames of shorter sequences repeat

            4. :obj:`"linspace"`: equally spaced frames from the first to the last,
               :math:`\lfloor k \, (n - 1) / (L - 1) \rfloor`, as the code of the `"Channel-wise
               Topology Refinement Graph Convolution for Skeleton-Based Action Recognition"
               <https://arxiv.org/abs/2107.12213>`_ paper does for Northwestern-UCLA at test time;
               frames of shorter sequences repeat

            5. :obj:`"sample"`: frames drawn without replacement from 100 copies of each, then
               sorted, as the same code does in training

            (default: :obj:`"random"`)
        pad (str, optional): How :obj:`"random"` and :obj:`"center"` pad shorter sequences at
            their end; see :class:`PadFrames`. (default: :obj:`"loop"`)
        shift (int, optional): Number of frames by which the window of :obj:`"center"` is shifted,
            limited to the ends of the sequence; negative values shift it towards the first frame.
            (default: :obj:`0`)

    Raises:
        ValueError: If an argument is invalid, :obj:`shift` is given for another mode than
            :obj:`"center"`, or :math:`L` is more than 100 times the frames of a sequence in mode
            :obj:`"sample"`.
    """

    def __init__(
        self, num_frames: int, mode: str = 'random', pad: str = 'loop', shift: int = 0
    ) -> None:
        self.num_frames = check_int('num_frames', num_frames, 1)
        self.mode = check_choice('mode', mode, MODES)
        self.pad = check_choice('pad', pad, PADS)
        self.shift = check_int('shift', shift)
        if shift and mode != 'center':
            raise ValueError(f"mode must be 'center' if shift is given, got {mode!r}")

    def forward(self, data: Data) -> Data:
        """Selects frames of a sample or of each sample in a batch."""
        counts = num_valid_frames(data).unsqueeze(1)
        step = torch.arange(self.num_frames, device=counts.device)
        if self.mode in ('random', 'center'):
            spare = (counts - self.num_frames).clamp(min=0)
            if self.mode == 'center':
                start = torch.minimum((spare // 2 + self.shift).clamp(min=0), spare)
            else:
                start = torch.minimum((rand_per_graph(data, counts, 1) * (spare + 1)).long(), spare)
            return select_padded(data, start + step, self.pad)
        if self.mode == 'uniform':
            frame = (2 * step + 1) * counts // (2 * self.num_frames)
            scale_frame_rate(data, counts.squeeze(1), self.num_frames)
        elif self.mode == 'linspace':
            # The order of operations of np.linspace, so that rounding is the same.
            frame = (step * ((counts - 1).double() / max(self.num_frames - 1, 1))).long()
            if self.num_frames > 1:
                frame[:, -1:] = counts - 1
            scale_frame_rate(data, counts.squeeze(1) - 1, self.num_frames - 1)
        else:
            frame = self._sample(data, counts.squeeze(1))
            scale_frame_rate(data, counts.squeeze(1), self.num_frames)
        return select_frames(data, frame, torch.full_like(counts[:, 0], self.num_frames))

    def _sample(self, data: Data, counts: Tensor) -> Tensor:
        """Draws sorted frames of each graph, without replacement from copies of its frames."""
        if _COPIES * int(counts.min()) < self.num_frames:
            raise ValueError(
                f'num_frames must be at most {_COPIES} times the frames of a sequence, got '
                f'{self.num_frames} for {int(counts.min())}'
            )
        uniform = rand_per_graph(data, counts.double(), self.num_frames)
        chosen = torch.full_like(uniform, -1, dtype=torch.long)
        # Floyd's algorithm: all subsets are equally likely.
        for k in range(self.num_frames):
            last = _COPIES * counts - self.num_frames + k
            pick = (uniform[:, k] * (last + 1)).long()
            taken = (chosen == pick.unsqueeze(1)).any(dim=1)
            chosen[:, k] = torch.where(taken, last, pick)
        return chosen.sort(dim=1).values // _COPIES

    def __repr__(self) -> str:
        shift = f', shift={self.shift}' if self.shift else ''
        return (
            f'{self.__class__.__name__}({self.num_frames}, {self.mode!r}, pad={self.pad!r}{shift})'
        )
