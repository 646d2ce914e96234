"""Training and test transforms of skeleton-based gait recognition."""

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
    swap_sides: bool = False,
) -> Compose:
    r"""Returns the training transforms of GaitMixer, which compute :obj:`x` from the positions.

    They are those of the `"GaitMixer: Skeleton-based Gait Representation Learning via
    Wide-spectrum Multi-axial Mixer" <https://arxiv.org/abs/2210.15491>`_ paper:
    :class:`RandomMirror` about the mean of each frame and :class:`RandomTimeReversal`, each with
    probability 0.5, :class:`CropFrames` at random, :class:`JointNoise`,
    :class:`ScaleByImageSize` and :class:`ToStream`. The defaults follow the authors' code for
    CASIA-B, which does not swap left and right joints of mirrored walks.

    .. code-block:: python

        walks = SyntheticGait.casia_b(num_subjects=1, num_frames=80, views=[90])
        for batch in graph_loader(walks, batch_size=4, transform=gait_train_transform()):
            embeddings = gaitmixer('coco17')(batch.x)
        embeddings = embed(gaitmixer('coco17'), walks, gait_test_transforms())

    Args:
        skeleton (str or Skeleton, optional): The layout. (default: :obj:`"coco17"`)
        num_frames (int, optional): Number of frames; shorter walks are repeated.
            (default: :obj:`60`)
        image_size (float or tuple, optional): Width of the images in pixels, or width and
            height; :obj:`None` keeps the unit of the positions. (default: :obj:`320`)
        point_noise (float, optional): Standard deviation of the noise drawn per joint and frame,
            in the unit of the positions. (default: :obj:`0.05`)
        joint_noise (float, optional): Standard deviation of the noise drawn per joint, the same
            in all frames. (default: :obj:`0.25`)
        swap_sides (bool, optional): If :obj:`True`, swaps left and right joints of mirrored
            walks. (default: :obj:`False`)

    Raises:
        ValueError: If an argument is invalid.
    """
    return Compose(
        [
            RandomMirror(skeleton, center='frame', swap_sides=swap_sides),
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
    r"""Returns the test transforms for models trained with :func:`gait_train_transform`.

    The embeddings of a walk are averaged over the transforms. The default is the six transforms of
    the authors' code: a central window, windows shifted by a third of their length to either side,
    and the reversed windows. The paper reports a single central window,
    :obj:`shifts=(0,), reverse=False`.

    .. code-block:: python

        walks = SyntheticGait.casia_b(num_subjects=1, num_frames=40, views=[90])
        print([transform(walks[0]).x.shape for transform in gait_test_transforms(30)])

    Args:
        num_frames (int, optional): Number of frames. (default: :obj:`60`)
        image_size (float or tuple, optional): As in training. (default: :obj:`320`)
        shifts (sequence of int, optional): Shifts of the windows; see :func:`center_crops`.
            (default: :obj:`None`)
        reverse (bool, optional): If :obj:`True`, adds the reversed windows.
            (default: :obj:`True`)

    Raises:
        ValueError: If an argument is invalid.
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
    r"""Returns transforms that crop windows near the middle of a sequence.

    .. code-block:: python

        crops = center_crops(30, shifts=(-5, 0, 5))
        print(len(crops))  # three windows and their reversals: 6

    Args:
        num_frames (int): Number of frames :math:`L` of a window.
        shifts (sequence of int, optional): Number of frames by which each window is shifted from
            the middle, limited to the ends of the sequence; by default
            :math:`-\lfloor L / 3 \rfloor`, 0 and :math:`\lfloor L / 3 \rfloor`.
            (default: :obj:`None`)
        reverse (bool, optional): If :obj:`True`, adds the reversed windows.
            (default: :obj:`True`)
        pad (str, optional): Padding of shorter sequences; see :class:`CropFrames`.
            (default: :obj:`"loop"`)

    Returns:
        list: The windows in the order of :obj:`shifts`, then the reversed windows.

    Raises:
        ValueError: If :obj:`shifts` is empty or an argument is invalid.
    """
    if shifts is None:
        shifts = (-(num_frames // 3), 0, num_frames // 3)
    crops = [CropFrames(num_frames, 'center', pad, shift) for shift in shifts]
    if not crops:
        raise ValueError('shifts must be one or more integers, got none')
    reversed_crops = [Compose([crop, RandomTimeReversal(p=1)]) for crop in crops]
    return [*crops, *reversed_crops] if reverse else [*crops]


def _features(image_size: float | Sequence[float] | None) -> list[BaseTransform]:
    scale = [] if image_size is None else [ScaleByImageSize(image_size)]
    return [*scale, ToStream('joint')]
