"""Reading and alignment of silhouettes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from graphmotion.io.files import MalformedFileError
from graphmotion.io.pickles import load_pickle

_PIXELS_PER_BATCH = 2**18  # fits into the processor's cache


def read_opengait_silhouettes(path: str, content: bytes | None = None) -> np.ndarray:
    r"""Reads a silhouette sequence in the format of `OpenGait
    <https://github.com/ShiqiYu/OpenGait>`_, a pickled array :math:`(T, H, W)` of bytes.

    The file is read by :func:`load_pickle`, which does not execute code.

    Args:
        path (str): Path of the file.
        content (bytes, optional): Content of the file if already read. (default: :obj:`None`)

    Returns:
        array: Silhouettes :math:`(T, H, W)`, usually with the values 0 and 255.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is empty, truncated or holds a different object.
    """
    frames = load_pickle(path, content)
    expected = 'an array of bytes of shape [T, H, W]'
    if not isinstance(frames, np.ndarray):
        raise MalformedFileError(path, 'silhouettes', expected, type(frames).__name__)
    if frames.ndim != 3 or frames.size == 0 or frames.dtype not in (np.uint8, np.bool_):
        found = f'{frames.dtype} of shape {list(frames.shape)}'
        raise MalformedFileError(path, 'silhouettes', expected, found)
    return frames


def align_silhouettes(
    frames: np.ndarray | Sequence[np.ndarray],
    size: Sequence[int] = (64, 44),
    min_pixels: int = 40,
) -> tuple[np.ndarray, np.ndarray]:
    r"""Crops silhouettes to the body, scales all bodies to the same height and centres them.

    As in the `"GaitSet: Regarding Gait as a Set for Cross-View Gait Recognition"
    <https://arxiv.org/abs/1811.06186>`_ paper and in `OpenGait
    <https://github.com/ShiqiYu/OpenGait>`_, each frame is cropped to the rows of the body and
    resized to the height :math:`H` at the same aspect ratio, and :math:`W` columns are cropped
    around the column that divides the area of the body into halves. Frames with too few pixels are
    dropped.

    In contrast to OpenGait, which interpolates pixels and rounds the centre to a column, a pixel of
    the result is 1 if the body covers at least half of it, and the centre has subpixel precision.
    A pixel belongs to the body if its value is at least half of the maximum, which is 255, or 1 if
    a clip has no larger values.

    A clip that is already aligned, such as OpenGait's pickles of :math:`64 \times 64` pixels, is
    cropped to its middle columns and scaled if the sizes differ. A clip is considered aligned if
    its images are square or have the aspect ratio of the result, and most bodies fill the height
    and are centred, within a tolerance of one pixel.

    Args:
        frames (array or sequence of array): Grey-scale frames of one sequence, :math:`(T, H', W')`
            or a sequence of :math:`(H', W')` of any sizes, as bytes or booleans.
        size (tuple, optional): Height and width of the result, :math:`(H, W)`.
            (default: :obj:`(64, 44)`)
        min_pixels (int, optional): Minimum number of pixels of a body before it is resized. The
            default corresponds to OpenGait, where the grey values of a frame must sum to more than
            10,000. (default: :obj:`40`)

    Returns:
        tuple: Silhouettes :math:`(T', H, W)`, bytes 0 and 1, and a boolean mask :math:`(T)` of the
        remaining frames. There may be none, as bodies that cover no pixel by half are dropped as
        well.

    Raises:
        ValueError: If a frame is not an image of bytes or booleans, or an option is not positive.
    """
    height, width = size
    if min(height, width, min_pixels) < 1:
        raise ValueError(
            f'size and min_pixels must be positive, got size={size} and min_pixels={min_pixels}'
        )
    for number, frame in enumerate(frames):
        image = frame if isinstance(frame, np.ndarray) else np.empty(())
        if image.ndim != 2 or image.size == 0 or image.dtype not in (np.uint8, np.bool_):
            raise ValueError(
                f'frame {number} must be a uint8 or bool image [H, W], got '
                f'{image.dtype if image.ndim else type(frame).__name__} {list(image.shape)}'
            )
    white = max((int(frame.max()) for frame in frames), default=0)
    white = 255 if white > 1 else 1
    aligned = _is_aligned(frames, white, size)
    images = np.asarray(frames) if aligned else _stack(frames, white)
    out = np.zeros((len(frames), height, width), np.uint8)
    kept = np.zeros(len(frames), bool)
    step = max(1, _PIXELS_PER_BATCH // max(1, images[:1].size))
    for start in range(0, len(frames), step):
        batch = slice(start, start + step)
        counts = [np.count_nonzero(mask) for mask in _body_mask(images[batch], white)]
        selected = start + (np.array(counts) >= min_pixels).nonzero()[0]
        if len(selected):
            out[selected] = _align(images[selected], white, size, aligned)
            kept[selected] = out[selected].any(axis=(1, 2))
    return out[kept], kept


def _body_mask(images: np.ndarray, white: int) -> np.ndarray:
    return images >= (white + 1) // 2


def _stack(frames: np.ndarray | Sequence[np.ndarray], white: int) -> np.ndarray:
    """Crops each frame to the bounding box of its body and pads all frames to the same size."""
    cropped = []
    for frame in frames:
        mask = _body_mask(frame, white)
        cropped.append(frame[_extent(np.any(mask, axis=1)), _extent(np.any(mask, axis=0))])
    height, width = (max((frame.shape[dim] for frame in cropped), default=0) for dim in (0, 1))
    out = np.zeros((len(cropped), height, width), np.uint8)
    for image, frame in zip(out, cropped):
        image[: frame.shape[0], : frame.shape[1]] = frame
    return out


def _extent(mask: np.ndarray) -> slice:
    """Returns the range from the first to the last true element."""
    (indices,) = mask.nonzero()
    return slice(indices[0], indices[-1] + 1) if len(indices) else slice(0, 0)


def _is_aligned(frames: np.ndarray | Sequence[np.ndarray], white: int, size: Sequence[int]) -> bool:
    """Returns whether most bodies fill the height of their images and are centred."""
    shapes = {frame.shape for frame in frames}
    height, width = shapes.pop() if len(shapes) == 1 else (0, 0)
    if not height or (width != height and width * size[0] != height * size[1]):
        return False
    images = np.asarray(frames)
    rows = np.any(_body_mask(images, white), axis=2)
    has_body = rows.any(axis=1)
    images, rows = images[has_body], rows[has_body]
    fills = rows[:, :2].any(axis=1) & rows[:, -2:].any(axis=1)
    center = _median_column(images.sum(axis=1, dtype=np.float64))[:, 0]
    return bool(np.mean(fills & (abs(center - width / 2) <= 1)) > 0.5) if len(images) else False


def _align(images: np.ndarray, white: int, size: Sequence[int], aligned: bool) -> np.ndarray:
    height, width = size
    top, bottom = np.array([0]), np.array([images.shape[1]])
    if not aligned:
        rows = np.any(_body_mask(images, white), axis=2)
        top = rows.argmax(axis=1)
        bottom = rows.shape[1] - rows[:, ::-1].argmax(axis=1)
    scale = ((bottom - top) / height)[:, None]  # input pixels per output pixel

    image = images.astype(np.float32) / np.float32(white)
    out = _overlap(top[:, None] + scale * np.arange(height + 1), image.shape[1]) @ image
    center = images.shape[2] / 2 if aligned else _median_column(out.sum(axis=1, dtype=np.float64))
    edges = center + scale * (np.arange(width + 1) - width / 2)
    out = out @ _overlap(edges, image.shape[2]).swapaxes(1, 2)
    threshold = scale**2 * (0.5 - 1e-6)  # half the area, with a tolerance for rounding
    return (out >= threshold.astype(np.float32)[:, :, None]).astype(np.uint8)


def _median_column(mass: np.ndarray) -> np.ndarray:
    """Returns the positions [T, 1] that divide the mass of columns [T, W] into halves."""
    cumulative = mass.cumsum(axis=1)
    half = cumulative[:, -1:] / 2
    column = (cumulative < half).sum(axis=1, keepdims=True)
    excess = np.take_along_axis(cumulative, column, axis=1) - half
    return column + 1 - excess / np.take_along_axis(mass, column, axis=1)


def _overlap(edges: np.ndarray, size: int) -> np.ndarray:
    """Returns the overlap [T, N, size] of pixels with the intervals between edges [T, N + 1]."""
    before = edges.astype(np.float32)[:, :, None] - np.arange(size, dtype=np.float32)
    return np.diff(before.clip(0, 1, out=before), axis=1)
