"""Windows of recordings."""

from __future__ import annotations

import copy

import torch
from torch_geometric.data import Data

from graphmotion.data import TIME_DIMS, num_valid_frames


def window_starts(num_frames: int, window: int, hop: int) -> list[int]:
    r"""Returns the first frame of each window of a recording.

    Windows start every :obj:`hop` frames; another one ends with the last frame if frames would
    remain. A recording that is not longer than a window is one window.

    .. code-block:: python

        >>> window_starts(num_frames=100, window=40, hop=20)
        [0, 20, 40, 60]
        >>> window_starts(num_frames=105, window=40, hop=20)
        [0, 20, 40, 60, 65]
    """
    last = max(num_frames - window, 0)
    starts = list(range(0, last + 1, hop))
    return starts if starts[-1] == last else [*starts, last]


def count_frames(data: Data) -> int | None:
    r"""Returns the number of frames of a sample before padding, or :obj:`None` if it has none."""
    along_time = (data[name] for name in TIME_DIMS if data.get(name) is not None)
    if not any(value.dim() > 2 for value in along_time):
        return None
    return int(num_valid_frames(data)[0])


def cut_frames(data: Data, start: int, stop: int) -> Data:
    r"""Returns a sample with the frames from :obj:`start` to :obj:`stop`, excluding the latter."""
    stop = min(stop, int(num_valid_frames(data)[0]))
    data = copy.copy(data)
    for name, dim in TIME_DIMS.items():
        if data.get(name) is not None:
            data[name] = data[name].narrow(dim, start, stop - start)
    data.num_frames = torch.tensor([stop - start])
    return data
