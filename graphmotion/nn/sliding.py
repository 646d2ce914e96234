"""Features of a window that slides over a sequence, of which unchanged frames are reused."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

# Number of operations below which assembling frames takes longer than evaluating them, on a CPU.
MIN_FLOPS = 4e6


class SlidingFrames:
    r"""Features of the frames of a window, computed by functions of a few neighbouring frames.

    A model that implements ``forward_sliding(x: SlidingFrames) -> Tensor`` describes its forward
    pass in evaluation mode, without padded frames, by calls of :meth:`map`. They evaluate a
    function only in those frames in which its value differs from the previous window:

    .. code-block:: python

        def forward_sliding(self, x):
            x = x.map(self.input_norm)
            for conv in self.convs:
                x = x.map(conv, reach=conv.reach, stride=conv.stride)
            return self.lin(x.features.mean(dim=(0, 1)))

    The order of the calls must be the same for every window.

    Args:
        features (Tensor): Features :math:`(|\mathcal{V}|, T, C)`.
        cache (SlidingCache): The features of previous windows.
        step (int): Distance of two frames, in frames of the sequence.
        reach (tuple): Number of frames of the sequence before and after each frame on which its
            features depend; :obj:`None` if they depend on the entire window.
    """

    def __init__(
        self,
        features: Tensor,
        cache: SlidingCache,
        step: int = 1,
        reach: tuple[int, int] | None = (0, 0),
    ) -> None:
        self.features = features
        self.cache = cache
        self.step = step
        self.reach = reach

    def map(
        self,
        function: Callable[..., Tensor],
        *others: SlidingFrames,
        reach: int | tuple[int, int] | None = 0,
        stride: int = 1,
    ) -> SlidingFrames:
        r"""Applies a function of neighbouring frames, such as a temporal convolution.

        Args:
            function (callable): Maps features :math:`(|\mathcal{V}|, T, C)` of any number of frames
                to features :math:`(|\mathcal{V}'|, \lceil T / s \rceil, C')`. It may pad the ends
                of its input with zeros or by reflection.
            others (SlidingFrames): Further arguments of the function, with the same frames.
            reach (int or tuple, optional): Number of frames before and after a frame on which its
                result depends: one number, two numbers, or :obj:`None` if it depends on all frames,
                such as attention over frames. (default: :obj:`0`)
            stride (int, optional): Stride :math:`s` of the function. (default: :obj:`1`)
        """
        inputs = (self, *others)
        total: tuple[int, int] | None = None
        ends = (reach, reach) if isinstance(reach, int) else reach
        if ends is not None and all(x.reach is not None for x in inputs):
            reaches = [x.reach for x in inputs if x.reach is not None]
            total = (
                max(before for before, _ in reaches) + ends[0] * self.step,
                max(after for _, after in reaches) + ends[1] * self.step,
            )
        step = self.step * stride
        tensors = [x.features for x in inputs]
        if ends is None or total is None:
            features = function(*tensors)
        else:
            features = self.cache.evaluate(function, tensors, ends, stride, step, total)
        return SlidingFrames(features, self.cache, step, total)


class _Result(NamedTuple):
    """Result of a function for one window."""

    features: Tensor
    first: int  # frame of the sequence at which the window starts
    time: int  # number of the window


class _Call:
    """A function and its latest results, one for each phase of the stride."""

    def __init__(self) -> None:
        self.results: dict[int, _Result] = {}
        self.flops: float | None = None  # for each frame of the input

    def evaluate(self, function: Callable[..., Tensor], inputs: list[Tensor]) -> Tensor:
        """Evaluates the function on all frames; the first time, counts its operations."""
        if self.flops is not None:
            return function(*inputs)
        with FlopCounterMode(display=False) as counter:
            out = function(*inputs)
        self.flops = counter.get_total_flops() / inputs[0].size(1)
        return out


class SlidingCache:
    r"""Features of previous windows of a sequence, for :class:`SlidingFrames`.

    Frames of the input are compared with the previous window, so that results are reused only if
    all frames on which they depend are equal. The frames at the ends of a window, which depend on
    the padding of convolutions, are always evaluated.

    The memory is bounded: for each function, one result is kept for each phase of its stride.

    Args:
        min_flops (float, optional): Minimum number of floating-point operations that reuse must
            save in a call of a function; otherwise, the function is evaluated on all frames, since
            assembling frames takes time as well. By default 4 million, which is about the
            break-even point on a CPU. (default: :obj:`None`)

    .. code-block:: python

        model, x, cache = st_gcn('coco17', 4).eval(), torch.rand(17, 100, 3), SlidingCache()
        for first in range(0, 40, 10):
            out = model.forward_sliding(cache.slide(x[:, first : first + 60], first))
    """

    def __init__(self, min_flops: float | None = None) -> None:
        self.min_flops = MIN_FLOPS if min_flops is None else min_flops
        self.clear()

    def clear(self) -> None:
        """Removes all results."""
        self._calls: list[_Call] = []
        self._input: Tensor | None = None
        self._first = 0
        self._time = 0
        self._position = 0  # of the next call
        self._changed: list[int] = []  # number of the window in which each input frame changed
        self._runs: dict[int, tuple[int, int]] = {}

    @property
    def is_used(self) -> bool:
        """Whether results of the last window are kept because their reuse saves time."""
        return any(call.results for call in self._calls)

    def slide(self, x: Tensor, first: int) -> SlidingFrames:
        r"""Returns the frames of the next window.

        Args:
            x (Tensor): Features of the window :math:`(|\mathcal{V}|, T, C)`. The number of frames
                may differ from the previous window.
            first (int): The frame of the sequence at which the window starts; must not decrease.

        Raises:
            ValueError: If :obj:`first` is before the previous window.
        """
        if self._input is not None and first < self._first:
            raise ValueError(f'first must be at least {self._first}, got {first}')
        if self._input is not None and self._input[:, 0].shape != x[:, 0].shape:
            self.clear()
        previous, offset = self._input, first - self._first
        self._time += 1
        changed = [self._time] * x.size(1)
        if previous is not None:
            shared = max(0, min(previous.size(1) - offset, x.size(1)))
            old, new = previous[:, offset : offset + shared], x[:, :shared]
            equal = (old == new).transpose(0, 1).flatten(1).all(dim=1).tolist()
            for i, same in enumerate(equal):
                if same:
                    changed[i] = self._changed[i + offset]
        self._input, self._first, self._changed = x, first, changed
        self._runs, self._position = {}, 0
        return SlidingFrames(x, self)

    def evaluate(
        self,
        function: Callable[..., Tensor],
        inputs: list[Tensor],
        ends: tuple[int, int],
        stride: int,
        step: int,
        reach: tuple[int, int],
    ) -> Tensor:
        """Evaluates a function of ``ends`` neighbouring frames where its result has changed.

        The result has a frame every ``step`` frames of the sequence, each of which depends on
        ``reach`` frames of the sequence before and after it.
        """
        if self._position == len(self._calls):
            self._calls.append(_Call())
        call = self._calls[self._position]
        self._position += 1
        length = inputs[0].size(1)
        num_frames = -(-length // stride)
        phase = self._first % step
        old = call.results.get(phase)
        features = None
        if old is not None and call.flops is not None:
            begin, end = self._unchanged(old, num_frames, step, reach)
            # The function is called on both ends at once. Frames that are wrong because of the
            # seam between them are those that are reused.
            before, after = ends
            left = right = 0
            if begin > 0:
                left = max(stride * (begin - 1) + after, before) + 1
                left = -(-left // stride) * stride
            right = min(stride * end - before, length - max(ends) - 1) // stride * stride
            if right > left and (right - left) * call.flops >= self.min_flops:
                parts = [
                    torch.cat([x[:, :left], x[:, right:]], dim=1) if left else x[:, right:]
                    for x in inputs
                ]
                part = function(*parts)
                offset = (self._first - old.first) // step
                kept = old.features[:, begin + offset : end + offset]
                pieces = [part[:, :begin], kept, part[:, part.size(1) - num_frames + end :]]
                features = torch.cat(pieces, dim=1)
        if features is None:
            features = call.evaluate(function, inputs)
        inner = length + -sum(reach) * stride // step  # input frames that the ends do not affect
        if call.flops is not None and inner > 0 and inner * call.flops >= self.min_flops:
            call.results[phase] = _Result(features, self._first, self._time)
        return features

    def _unchanged(
        self, old: _Result, num_frames: int, step: int, reach: tuple[int, int]
    ) -> tuple[int, int]:
        """Returns the frames of a result, from begin to end, that are equal to an older result."""
        begin, end = self._unchanged_input(old)
        before, after = reach
        first, last = begin + before, end - 1 - after  # frames relative to the window
        if begin == 0 and old.first == self._first and end > before + after:
            first = 0  # the padding before the first frame has not changed either
        low, high = -(-first // step), last // step + 1
        offset = (self._first - old.first) // step
        return low, max(low, min(high, old.features.size(1) - offset, num_frames))

    def _unchanged_input(self, old: _Result) -> tuple[int, int]:
        """Returns the longest run of input frames that have not changed since a result."""
        if old.time not in self._runs:
            best, begin = (0, 0), 0
            for i, changed in enumerate([*self._changed, self._time + 1]):
                if changed > old.time:
                    best = max(best, (begin, i), key=lambda run: run[1] - run[0])
                    begin = i + 1
            self._runs[old.time] = best
        return self._runs[old.time]
