"""Training and test transforms of CTR-GCN."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch_geometric.transforms import BaseTransform, Compose

from graphmotion.checks import check_choice
from graphmotion.transforms.center_joint import CenterJoint
from graphmotion.transforms.crop_fraction import CropFraction
from graphmotion.transforms.crop_frames import CropFrames
from graphmotion.transforms.min_max_normalize import MinMaxNormalize
from graphmotion.transforms.random_rotate_axes import RandomRotateAxes
from graphmotion.transforms.remove_score import RemoveScore
from graphmotion.transforms.resample_frames import ResampleFrames
from graphmotion.transforms.to_stream import ToStream

# Layout and number of frames of each dataset.
_DATASETS = {'ntu': ('ntu25_st_gcn', 64), 'nw_ucla': ('kinect20', 52)}


def ctr_gcn_train_transform(
    dataset: str = 'ntu', stream: str | Sequence[str] = 'joint', num_frames: int | None = None
) -> Compose:
    r"""Returns the training transforms of CTR-GCN, which compute :obj:`x` from the positions.

    They follow the code of the `"Channel-wise Topology Refinement Graph Convolution for
    Skeleton-Based Action Recognition" <https://arxiv.org/abs/2107.12213>`_ paper. For NTU RGB+D:

    1. The origin is moved to the middle of the first person's spine in the first frame in which
       this person is visible. Absent people are placed at the origin, also before they appear.
    2. A random window of 50% to 100% of the frames, at least 64 if the sequence has them, is
       resampled with :obj:`align_corners=False`.
    3. The positions are rotated about x, y and z by up to 0.3 radians each.
    4. :class:`ToStream` computes the features; its bones connect the hand tip to the thumb.

    For Northwestern-UCLA:

    1. The origin is moved to the spine in the first frame.
    2. The positions are rotated about y, then about x, by integer degrees up to 60, and each axis
       is normalised to :math:`[-1, 1]`. The normalisation cancels the authors' random scale, which
       is omitted.
    3. Frames are drawn at random and sorted.
    4. :class:`ToStream` computes the features. The authors repeat each sequence five times per
       epoch.

    Both expect the samples of :class:`~graphmotion.datasets.NTURGBD` and
    :class:`~graphmotion.datasets.NWUCLA`. The authors train one network per stream for the joint,
    bone, joint motion and bone motion streams, and add their logits with the weights 0.6, 0.6, 0.4
    and 0.4.

    .. code-block:: python

        data = from_array(torch.rand(1, 80, 25, 3), 'ntu25')
        data = ctr_gcn_train_transform('ntu', 'bone')(data)  # x [2 * 25, 64, 3]

    Args:
        dataset (str, optional): :obj:`"ntu"` or :obj:`"nw_ucla"`. (default: :obj:`"ntu"`)
        stream (str or sequence of str, optional): Stream of :class:`ToStream`.
            (default: :obj:`"joint"`)
        num_frames (int, optional): Number of frames; by default 64 for NTU RGB+D and 52 for
            Northwestern-UCLA. (default: :obj:`None`)

    Raises:
        ValueError: If an argument is invalid.
    """
    first, frames, last = _shared_parts(dataset, stream, num_frames)
    if dataset == 'ntu':
        window = ResampleFrames(
            frames, align_corners=False, crop=CropFraction((0.5, 1.0), min_frames=64)
        )
        rotate = RandomRotateAxes(math.degrees(0.3))
        return Compose([*first, window, rotate, last])
    rotate = RandomRotateAxes({'x': 60, 'y': 60}, order='yxz', integer_degrees=True)
    return Compose([*first, rotate, MinMaxNormalize(), CropFrames(frames, 'sample'), last])


def ctr_gcn_test_transform(
    dataset: str = 'ntu', stream: str | Sequence[str] = 'joint', num_frames: int | None = None
) -> Compose:
    r"""Returns the test transforms for models trained with :func:`ctr_gcn_train_transform`.

    They do not rotate. For NTU RGB+D, the middle 95% of the frames are resampled. For
    Northwestern-UCLA, frames are equally spaced from the first to the last, rounded down.

    .. code-block:: python

        data = from_array(np.random.rand(2, 70, 25, 3), 'ntu25', axes='MTVC')
        print(ctr_gcn_test_transform('ntu')(data).x.shape)  # two people: [50, 64, 3]

    Args:
        dataset (str, optional): As in training. (default: :obj:`"ntu"`)
        stream (str or sequence of str, optional): As in training. (default: :obj:`"joint"`)
        num_frames (int, optional): As in training. (default: :obj:`None`)

    Raises:
        ValueError: If an argument is invalid.
    """
    first, frames, last = _shared_parts(dataset, stream, num_frames)
    if dataset == 'ntu':
        window = ResampleFrames(frames, align_corners=False, crop=CropFraction(0.95))
        return Compose([*first, window, last])
    return Compose([*first, MinMaxNormalize(), CropFrames(frames, 'linspace'), last])


def _shared_parts(
    dataset: str, stream: str | Sequence[str], num_frames: int | None
) -> tuple[list[BaseTransform], int, ToStream]:
    """Returns the first transforms, the number of frames and the last transform."""
    skeleton, default = _DATASETS[check_choice('dataset', dataset, list(_DATASETS))]
    if dataset == 'ntu':
        first = [CenterJoint(skeleton, 'spine_mid', per_frame=False), RemoveScore()]
    else:  # the authors treat joints at the camera, found in two sequences, as visible
        first = [RemoveScore(), CenterJoint(skeleton, 'spine', per_frame=False)]
    frames = default if num_frames is None else num_frames
    return first, frames, ToStream(stream, skeleton)
