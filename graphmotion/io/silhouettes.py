"""Reading and alignment of silhouettes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from graphmotion.checks import check_int, check_size
from graphmotion.io.files import MalformedFileError
from graphmotion.io.pickles import load_pickle

_CHUNK = 2**18  # pixels processed at a time, which fit into the cache


def read_opengait_silhouettes(path: str, content: bytes | None = None) -> np.ndarray:
    r"""Reads the silhouettes of a sequence in the format of `OpenGait
    <https://github.com/ShiqiYu/OpenGait>`_, a pickle of an array of bytes.

    The pickle is read by :func:`load_pickle`, which does not execute code.

    Args:
        path (str): Path of the file.
        content (bytes, optional): Content of the file if already read. (default: :obj:`None`)

    Returns:
        array: Gray values 0..255, mostly 0 and 255, :math:`(T, H, W)`.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is empty, truncated or in another format.
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
    r"""Crops silhouettes to the body, scales them to the same height and centers them.

    As in the `"GaitSet: Regarding Gait as a Set for Cross-View Gait Recognition"
    <https://arxiv.org/abs/1811.06186>`_ paper and in `OpenGait
    <https://github.com/ShiqiYu/OpenGait>`_, each frame is cropped to the rows of the body, resized
    to the height :math:`H` with its aspect ratio preserved, and cropped to :math:`W` columns around
    the column that divides the mass of the body in half. Frames with too few pixels are dropped.

    In contrast to both, which interpolate pixels and center on integer columns, a pixel of the
    result is 1 if at least half of its area is covered by the body, and the center has subpixel
    precision. Pixels belong to the body if they reach half of the maximum brightness: 255, or 1
    if no value is larger.

    Args:
        frames (array or sequence of array): Gray or boolean images of a sequence
            :math:`(T, H', W')`, or a list of images :math:`(H', W')` of any sizes.
        size (tuple, optional): Height and width of the result :math:`(H, W)`.
            (default: :obj:`(64, 44)`)
        min_pixels (int, optional): Minimum number of pixels of a body before it is resized.
            OpenGait requires a sum of gray values above 10,000, about 40 white pixels.
            (default: :obj:`40`)

    Returns:
        tuple: Silhouettes of bytes 0 and 1 :math:`(T', H, W)`, and a mask of the frames that they
        belong to :math:`(T)`. Bodies that do not cover half of any pixel are dropped, too, and
        :math:`T'` may be 0.

    Raises:
        ValueError: If a frame is not a gray image, or an option is not positive.
    """
    height, width = check_size('size', size)
    check_int('min_pixels', min_pixels, 1)
    frames = [np.asarray(frame) for frame in frames]
    for number, image in enumerate(frames):
        if image.ndim != 2 or image.size == 0 or image.dtype not in (np.uint8, np.bool_):
            raise ValueError(
                f'frame {number} must be an image [H, W] of bytes, got {image.dtype} of shape '
                f'{list(image.shape)}'
            )
    white = max((int(frame.max()) for frame in frames), default=0)
    white = 255 if white > 1 else 1
    images = _stack(frames, white)
    out = np.zeros((len(frames), height, width), np.uint8)
    kept = np.zeros(len(frames), bool)
    step = max(1, _CHUNK // max(1, images[:1].size))
    for start in range(0, len(frames), step):
        part = slice(start, start + step)
        counts = [np.count_nonzero(body) for body in _body(images[part], white)]
        large = start + (np.array(counts) >= min_pixels).nonzero()[0]
        if len(large):
            out[large] = _align(images[large], white, height, width)
            kept[large] = out[large].any(axis=(1, 2))
    return out[kept], kept


def _body(images: np.ndarray, white: int) -> np.ndarray:
    return images >= (white + 1) // 2


def _stack(frames: list[np.ndarray], white: int) -> np.ndarray:
    """Crops each frame to the bounding box of its body and pads all to the same size."""
    cropped = []
    for frame in frames:
        body = _body(frame, white)
        cropped.append(frame[_span(np.any(body, axis=1)), _span(np.any(body, axis=0))])
    height, width = (max((frame.shape[dim] for frame in cropped), default=0) for dim in (0, 1))
    out = np.zeros((len(cropped), height, width), np.uint8)
    for image, frame in zip(out, cropped):
        image[: frame.shape[0], : frame.shape[1]] = frame
    return out


def _span(mask: np.ndarray) -> slice:
    """The range from the first to the last true element."""
    (found,) = mask.nonzero()
    return slice(found[0], found[-1] + 1) if len(found) else slice(0, 0)


def _align(images: np.ndarray, white: int, height: int, width: int) -> np.ndarray:
    rows = np.any(_body(images, white), axis=2)
    top = rows.argmax(axis=1)
    bottom = rows.shape[1] - rows[:, ::-1].argmax(axis=1)
    scale = ((bottom - top) / height)[:, None]  # input pixels per output pixel

    image = images.astype(np.float32) / np.float32(white)
    out = _overlap(top[:, None] + scale * np.arange(height + 1), image.shape[1]) @ image
    mass = out.sum(axis=1, dtype=np.float64)
    cumulative = mass.cumsum(axis=1)
    half = cumulative[:, -1:] / 2
    column = (cumulative < half).sum(axis=1, keepdims=True)
    excess = np.take_along_axis(cumulative, column, axis=1) - half
    center = column + 1 - excess / np.take_along_axis(mass, column, axis=1)
    edges = center + scale * (np.arange(width + 1) - width / 2)
    out = out @ _overlap(edges, image.shape[2]).swapaxes(1, 2)
    threshold = scale**2 * (0.5 - 1e-6)  # half of the area, with a margin for rounding
    return (out >= threshold.astype(np.float32)[:, :, None]).astype(np.uint8)


def _overlap(edges: np.ndarray, size: int) -> np.ndarray:
    """Part of each of ``size`` pixels between consecutive edges [T, N + 1]: [T, N, size]."""
    before = edges.astype(np.float32)[:, :, None] - np.arange(size, dtype=np.float32)
    return np.diff(before.clip(0, 1, out=before), axis=1)
