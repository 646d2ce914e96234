"""The transforms of poses that gait recognition is trained and tested with."""

from __future__ import annotations

from collections.abc import Sequence

from torch_geometric.transforms import BaseTransform, Compose

from graphmotion.skeletons import Skeleton
from graphmotion.transforms.crop_frames import CropFrames
from graphmotion.transforms.joint_noise import JointNoise
from graphmotion.transforms.random_mirror import RandomMirror
from graphmotion.transforms.random_time_reversal import RandomTimeReversal
from graphmotion.transforms.scale_by_image_size import ScaleByImageSize
from graphmotion.transforms.to_stream import ToStream


def gait_train_transform(
    skeleton: str | Skeleton = 'coco17',
    num_frames: int = 60,
    image_size: float | Sequence[float] | None = 320,
    point_noise: float = 0.05,
    joint_noise: float = 0.25,
    exchange: bool = False,
) -> Compose:
    r"""The training transforms of the `"GaitMixer: Skeleton-based Gait Representation Learning via
    Wide-spectrum Multi-axial Mixer" <https://arxiv.org/abs/2210.15491>`_ paper, which make the
    features :obj:`x` from the positions.

    In this order: :class:`RandomMirror` about the mean of each frame (of half of the walks),
    :class:`RandomTimeReversal` (likewise), :class:`CropFrames` at random, :class:`JointNoise`,
    :class:`ScaleByImageSize`, :class:`ToStream`. The defaults are those of its authors' code, for
    CASIA-B; as there, mirrored walks keep their left and right joints where they were.

    .. code-block:: python

        train_loader = graph_loader(train, transform=gait_train_transform(), shuffle=True)
        embeddings = embed(model, test, gait_test_transforms())

    Args:
        skeleton (str or Skeleton, optional): The layout. (default: :obj:`"coco17"`)
        num_frames (int, optional): Number of frames; a shorter walk begins again.
            (default: :obj:`60`)
        image_size (float or tuple, optional): The width of the images in pixels, or width and
            height; :obj:`None` leaves positions in their unit. (default: :obj:`320`)
        point_noise (float, optional): Deviation of each point, in the unit of the positions.
            (default: :obj:`0.05`)
        joint_noise (float, optional): Deviation of each joint, the same in all frames.
            (default: :obj:`0.25`)
        exchange (bool, optional): If set to :obj:`True`, left and right joints of mirrored walks
            change places. (default: :obj:`False`)

    Raises:
        ValueError: If an argument is not what its transform takes.
    """
    return Compose(
        [
            RandomMirror(skeleton, about='frame', exchange=exchange),
            RandomTimeReversal(),
            CropFrames(num_frames, 'random'),
            JointNoise(point_noise, joint_noise),
            *_features(image_size),
        ]
    )


def gait_test_transforms(
    num_frames: int = 60,
    image_size: float | Sequence[float] | None = 320,
    shifts: Sequence[int] | None = None,
    reverse: bool = True,
) -> list[Compose]:
    r"""The test transforms that go with :func:`gait_train_transform`: the embeddings of a walk that
    they give are averaged.

    By default these are the six of the authors' code: windows a third of their length before the
    middle, in the middle and a third after it, and the same backwards. The paper itself reports the
    middle frames alone, :obj:`shifts=(0,), reverse=False`.

    Args:
        num_frames (int, optional): Number of frames. (default: :obj:`60`)
        image_size (float or tuple, optional): As in training. (default: :obj:`320`)
        shifts (sequence of int, optional): See :func:`center_crops`. (default: :obj:`None`)
        reverse (bool, optional): See :func:`center_crops`. (default: :obj:`True`)

    Raises:
        ValueError: If an argument is not what its transform takes.
    """
    return [
        Compose([crop, *_features(image_size)])
        for crop in center_crops(num_frames, shifts, reverse)
    ]


def center_crops(
    num_frames: int,
    shifts: Sequence[int] | None = None,
    reverse: bool = True,
    pad: str = 'loop',
) -> list[BaseTransform]:
    r"""Transforms that take windows around the middle of a sequence, each also backwards.

    Args:
        num_frames (int): Number of frames :math:`L` of a window.
        shifts (sequence of int, optional): How many frames each window is moved from the middle,
            but not beyond the ends of the sequence. If :obj:`None`, the three shifts
            :math:`-\lfloor L / 3 \rfloor`, 0 and :math:`\lfloor L / 3 \rfloor`.
            (default: :obj:`None`)
        reverse (bool, optional): Whether each window is taken backwards too.
            (default: :obj:`True`)
        pad (str, optional): See :class:`CropFrames`. (default: :obj:`"loop"`)

    Returns:
        list: The windows in the order of :obj:`shifts`, then the same backwards.

    Raises:
        ValueError: If there is no shift, or an argument is not what :class:`CropFrames` takes.
    """
    if shifts is None:
        shifts = (-(num_frames // 3), 0, num_frames // 3)
    crops = [CropFrames(num_frames, 'center', pad, shift) for shift in shifts]
    if not crops:
        raise ValueError('shifts are one or more numbers of frames, got none')
    backwards = [Compose([crop, RandomTimeReversal(p=1)]) for crop in crops] if reverse else []
    return [*crops, *backwards]


def _features(image_size: float | Sequence[float] | None) -> list[BaseTransform]:
    scale = [] if image_size is None else [ScaleByImageSize(image_size)]
    return [*scale, ToStream('joint')]
