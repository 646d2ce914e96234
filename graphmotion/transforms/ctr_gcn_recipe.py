"""The preprocessing that CTR-GCN is trained and tested with."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch_geometric.transforms import BaseTransform, Compose

from graphmotion.transforms.center_joint import CenterJoint
from graphmotion.transforms.crop_fraction import CropFraction
from graphmotion.transforms.crop_frames import CropFrames
from graphmotion.transforms.fields import check_choice
from graphmotion.transforms.min_max_normalize import MinMaxNormalize
from graphmotion.transforms.random_rotate_axes import RandomRotateAxes
from graphmotion.transforms.remove_score import RemoveScore
from graphmotion.transforms.resample_frames import ResampleFrames
from graphmotion.transforms.to_stream import ToStream

# The layout and the number of frames of each dataset.
_DATASETS = {'ntu': ('ntu25_st_gcn', 64), 'nw_ucla': ('kinect20', 52)}


def ctr_gcn_train_transform(
    dataset: str = 'ntu', stream: str | Sequence[str] = 'joint', num_frames: int | None = None
) -> Compose:
    r"""The training transforms of the code of the `"Channel-wise Topology Refinement Graph
    Convolution for Skeleton-Based Action Recognition" <https://arxiv.org/abs/2107.12213>`_ paper,
    which make the features :obj:`x` from the positions.

    For NTU RGB+D, in this order:

    1. The middle of the spine of the first person, in the first frame in which this person is seen,
       becomes the origin. Absent people are points there, also before they appear.
    2. A window of whole frames at random, half of the sequence to all of it and at least 64 frames
       if there are as many, is resampled with :obj:`align_corners=False`.
    3. All is rotated about x, y and z, up to 0.3 radians each.
    4. :class:`ToStream`, with bones that join the hand tip to the thumb.

    For Northwestern-UCLA:

    1. The spine in the first frame becomes the origin.
    2. All is rotated about y, then about x, by whole degrees up to 60, and each axis is normalised
       to :math:`[-1, 1]`. The random scale of the authors cancels here and is left out.
    3. Frames are drawn at random and sorted.
    4. :class:`ToStream`. An epoch of the authors has each sequence five times.

    Both start from the samples of :class:`~graphmotion.datasets.NTURGBD` and
    :class:`~graphmotion.datasets.NWUCLA`. The authors train a network for each of the four streams
    and add their logits with the weights 0.6 (joint, bone) and 0.4 (joint motion, bone motion).

    .. code-block:: python

        train_loader = graph_loader(train, transform=ctr_gcn_train_transform('ntu', 'bone'))
        scores = predict(model, test, ctr_gcn_test_transform('ntu', 'bone'))

    Args:
        dataset (str, optional): :obj:`"ntu"` or :obj:`"nw_ucla"`. (default: :obj:`"ntu"`)
        stream (str or sequence of str, optional): See :class:`ToStream`.
            (default: :obj:`"joint"`)
        num_frames (int, optional): Number of frames; by default 64 for NTU RGB+D and 52 for
            Northwestern-UCLA. (default: :obj:`None`)

    Raises:
        ValueError: If an argument is not what its transform takes.
    """
    begin, frames, last = _parts(dataset, stream, num_frames)
    if dataset == 'ntu':
        window = CropFraction((0.5, 1.0), min_frames=64)
        turn = RandomRotateAxes(math.degrees(0.3))
        return Compose([*begin, window, ResampleFrames(frames, align_corners=False), turn, last])
    turn = RandomRotateAxes({'x': 60, 'y': 60}, order='yxz', whole_degrees=True)
    return Compose([*begin, turn, MinMaxNormalize(), CropFrames(frames, 'sample'), last])


def ctr_gcn_test_transform(
    dataset: str = 'ntu', stream: str | Sequence[str] = 'joint', num_frames: int | None = None
) -> Compose:
    r"""The test transforms that go with :func:`ctr_gcn_train_transform`.

    They do not rotate. For NTU RGB+D the middle 95% of the frames are resampled, for
    Northwestern-UCLA frames are equally spaced from the first to the last, rounded down.

    Args:
        dataset (str, optional): As in training. (default: :obj:`"ntu"`)
        stream (str or sequence of str, optional): As in training. (default: :obj:`"joint"`)
        num_frames (int, optional): As in training. (default: :obj:`None`)

    Raises:
        ValueError: If an argument is not what its transform takes.
    """
    begin, frames, last = _parts(dataset, stream, num_frames)
    if dataset == 'ntu':
        window = CropFraction(0.95)
        return Compose([*begin, window, ResampleFrames(frames, align_corners=False), last])
    return Compose([*begin, MinMaxNormalize(), CropFrames(frames, 'linspace'), last])


def _parts(
    dataset: str, stream: str | Sequence[str], num_frames: int | None
) -> tuple[list[BaseTransform], int, ToStream]:
    """What training and test have in common: how they begin, the number of frames, the stream."""
    skeleton, default = _DATASETS[check_choice('dataset', dataset, list(_DATASETS))]
    if dataset == 'ntu':
        begin = [CenterJoint(skeleton, 'spine_mid', per_frame=False), RemoveScore()]
    else:  # joints in the camera, of which two sequences have some, are like any others there
        begin = [RemoveScore(), CenterJoint(skeleton, 'spine', per_frame=False)]
    frames = default if num_frames is None else num_frames
    return begin, frames, ToStream(stream, skeleton)
