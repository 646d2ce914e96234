"""Silhouettes of walking people."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from graphmotion.io.files import MalformedFileError
from graphmotion.io.pickles import load_pickle

_PIXELS_PER_BATCH = 2**18  # fits into the processor's cache


def read_opengait_silhouettes(path: str, content: bytes | None = None) -> np.ndarray:
    r"""Reads the silhouettes of a sequence in the format of `OpenGait
    <https://github.com/ShiqiYu/OpenGait>`_.

    The file is a pickled array :math:`(T, H, W)` of bytes. It is read by :func:`load_pickle`, which
    never runs code.

    .. code-block:: python

        silhouettes, _ = align_silhouettes(read_opengait_silhouettes('silhouettes.pkl'))

    Args:
        path (str): Path of the file.
        content (bytes, optional): Content of the file if already read. (default: :obj:`None`)

    Returns:
        array: Grey values :math:`(T, H, W)`, unsigned bytes, mostly 0 and 255.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is empty, truncated, or has different content.
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
    invert: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    r"""Crops silhouettes to the body, scales all bodies to the same height and centres them.

    As in the `"GaitSet: Regarding Gait as a Set for Cross-View Gait Recognition"
    <https://arxiv.org/abs/1811.06186>`_ paper and in `OpenGait
    <https://github.com/ShiqiYu/OpenGait>`_, each frame is cropped to the rows of the body, resized
    to the height :math:`H` with its aspect ratio preserved, and cropped to :math:`W` columns around
    the column that has half of the body's mass on either side. Frames with too few pixels are
    removed.

    In contrast to these, which interpolate pixels and centre at integer columns, a pixel of the
    result is 1 if at least half of its area is body, and the centre has subpixel precision. A pixel
    belongs to the body if it is at least half as bright as white, which is 255, or the only value
    other than 0 of a sequence of darker masks, such as 1 or the label of a class.

    A sequence that is already aligned, such as OpenGait's pickles of :math:`64 \times 64` pixels,
    is not moved: its middle columns become the result, scaled if the sizes differ. A sequence is
    considered aligned if its images are square or have the aspect ratio of the result and if, to
    within one pixel, most bodies fill the height and have half of their mass on either side of the
    middle.

    .. code-block:: python

        frames = np.zeros((2, 100, 80), dtype=np.uint8)
        frames[:, 20:90, 30:50] = 255
        silhouettes, _ = align_silhouettes(frames)
        print(silhouettes.shape)  # (2, 64, 44)

    Args:
        frames (array or sequence of array): Grey images of one sequence, :math:`(T, H', W')`, or
            :math:`(H', W')` each, possibly of different sizes. Unsigned bytes or booleans.
        size (tuple, optional): Height and width of the result, :math:`(H, W)`.
            (default: :obj:`(64, 44)`)
        min_pixels (int, optional): Minimum number of pixels of a body before resizing. OpenGait
            requires grey values above 10,000 in total, which are 40 white pixels.
            (default: :obj:`40`)
        invert (bool, optional): If :obj:`True`, bodies are black on white. (default: :obj:`False`)

    Returns:
        tuple: Silhouettes :math:`(T', H, W)`, unsigned bytes 0 and 1, and a boolean mask
        :math:`(T)` of the frames that were kept. There may be none. Bodies too thin to cover half
        of any pixel are also removed.

    Raises:
        ValueError: If :obj:`frames` are not such images, or an option is not positive.

    Warns:
        UserWarning: If the bodies cover most of the image borders, which suggests that they are
            black on white, many pixels are neither black nor bright, as in photographs and in
            labels of several bodies, or bodies consist of large pieces side by side, as with two
            people in an image.
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
                f'frames[{number}] must be an image [H, W] of unsigned bytes, got '
                f'{image.dtype if image.ndim else type(frame).__name__} {list(image.shape)}'
            )
    white = _white_value(frames)
    if invert:
        frames = [white - frame.astype(np.uint8) for frame in frames]
    if white == 255 and len(frames):
        _check_masks(frames)
    if _covers_borders(frames, white):
        warnings.warn(
            f'the bodies cover most of the image borders: pass invert={not invert} if they are '
            f'{"white on black" if invert else "black on white"}',
            stacklevel=2,
        )
    elif (share := _largest_piece(frames, white)) < 0.75:
        warnings.warn(
            f'the largest piece of the body has {share:.0%} of its pixels, with empty columns '
            f'between it and the others: frames must show one person',
            stacklevel=2,
        )
    aligned = _is_aligned(frames, white, size)
    images = np.asarray(frames) if aligned else _stack(frames, white)
    out = np.zeros((len(frames), height, width), np.uint8)
    kept = np.zeros(len(frames), bool)
    step = max(1, _PIXELS_PER_BATCH // max(1, images[:1].size))
    for start in range(0, len(frames), step):
        part = slice(start, start + step)
        counts = [np.count_nonzero(body) for body in _body_mask(images[part], white)]
        selected = start + (np.array(counts) >= min_pixels).nonzero()[0]
        if len(selected):
            out[selected] = _align(images[selected], white, size, aligned)
            kept[selected] = out[selected].any(axis=(1, 2))
    return out[kept], kept


def _body_mask(images: np.ndarray, white: int) -> np.ndarray:
    return images >= (white + 1) // 2


def _stack(frames: np.ndarray | Sequence[np.ndarray], white: int) -> np.ndarray:
    """Crops each frame to its body and pads the crops to a common size."""
    cropped = []
    for frame in frames:
        body = _body_mask(frame, white)
        cropped.append(frame[_extent(np.any(body, axis=1)), _extent(np.any(body, axis=0))])
    height, width = (max((frame.shape[dim] for frame in cropped), default=0) for dim in (0, 1))
    out = np.zeros((len(cropped), height, width), np.uint8)
    for image, frame in zip(out, cropped):
        image[: frame.shape[0], : frame.shape[1]] = frame
    return out


def _white_value(frames: np.ndarray | Sequence[np.ndarray]) -> int:
    """Returns the value of a white pixel: 255, or the label of the body in masks of two values."""
    brightest = max((int(frame.max()) for frame in frames), default=0)
    if brightest >= 128:
        return 255
    if all(np.isin(frame, (0, brightest)).all() for frame in frames):
        return max(brightest, 1)
    warnings.warn(
        f'the brightest pixel is {brightest}: pixels of a body must be at least 128, or have a '
        f'single value other than 0',
        stacklevel=3,
    )
    return 255


def _check_masks(frames: np.ndarray | Sequence[np.ndarray]) -> None:
    """Warns if many pixels are neither black nor bright, as in photographs and labels."""
    counts = np.zeros(256, np.int64)
    for frame in _some(frames):
        counts += np.bincount(frame.ravel().view(np.uint8), minlength=256)
    # Compression leaves very dark pixels of several values, labels of one.
    dark = max(counts[1:16].max(), counts[16:128].sum())
    if dark > counts[128:].sum() > 0:
        share = dark / (dark + counts[128:].sum())
        warnings.warn(
            f'{share:.0%} of the pixels that are not black are darker than 128 and do not belong '
            f'to a body: frames must be masks of one value on black',
            stacklevel=3,
        )


def _largest_piece(frames: np.ndarray | Sequence[np.ndarray], white: int) -> float:
    """Returns the share of the body in its largest group of adjacent columns, as a median."""
    shares = []
    for frame in _some(frames):
        mass = _body_mask(frame, white).sum(axis=0)
        if mass.any():
            pieces = np.split(mass, (mass == 0).nonzero()[0])
            shares.append(max(piece.sum() for piece in pieces) / mass.sum())
    return float(np.median(shares)) if shares else 1.0


def _some(frames: np.ndarray | Sequence[np.ndarray]) -> list[np.ndarray]:
    """Returns at most eight frames, evenly spaced."""
    numbers = np.linspace(0, len(frames) - 1, min(len(frames), 8)).astype(int)
    return [frames[number] for number in numbers]


def _covers_borders(frames: np.ndarray | Sequence[np.ndarray], white: int) -> bool:
    """Returns whether most pixels at the borders of most images belong to a body."""
    covered = []
    for frame in frames:
        body = _body_mask(frame, white)
        border = np.concatenate([body[0], body[-1], body[:, 0], body[:, -1]])
        covered.append(border.mean() > 0.5)
    return bool(np.mean(covered) > 0.5) if covered else False


def _extent(mask: np.ndarray) -> slice:
    """Returns the range from the first to the last set element."""
    (found,) = mask.nonzero()
    return slice(found[0], found[-1] + 1) if len(found) else slice(0, 0)


def _is_aligned(frames: np.ndarray | Sequence[np.ndarray], white: int, size: Sequence[int]) -> bool:
    """Returns whether most bodies fill the height of their images and are centred."""
    shapes = {frame.shape for frame in frames}
    height, width = shapes.pop() if len(shapes) == 1 else (0, 0)
    if not height or (width != height and width * size[0] != height * size[1]):
        return False
    images = np.asarray(frames)
    rows = np.any(_body_mask(images, white), axis=2)
    seen = rows.any(axis=1)
    images, rows = images[seen], rows[seen]
    fills = rows[:, :2].any(axis=1) & rows[:, -2:].any(axis=1)
    middle = _middle(images.sum(axis=1, dtype=np.float64))[:, 0]
    return bool(np.mean(fills & (abs(middle - width / 2) <= 1)) > 0.5) if len(images) else False


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
    middle = images.shape[2] / 2 if aligned else _middle(out.sum(axis=1, dtype=np.float64))
    edges = middle + scale * (np.arange(width + 1) - width / 2)
    out = out @ _overlap(edges, image.shape[2]).swapaxes(1, 2)
    threshold = scale**2 * (0.5 - 1e-6)  # a half, up to rounding errors
    return (out >= threshold.astype(np.float32)[:, :, None]).astype(np.uint8)


def _middle(mass: np.ndarray) -> np.ndarray:
    """Returns the positions [T, 1] with half of the mass of columns [T, W] on either side."""
    upto = mass.cumsum(axis=1)
    half = upto[:, -1:] / 2
    middle = (upto < half).sum(axis=1, keepdims=True)
    after = np.take_along_axis(upto, middle, axis=1) - half
    return middle + 1 - after / np.take_along_axis(mass, middle, axis=1)


def _overlap(edges: np.ndarray, size: int) -> np.ndarray:
    """Returns the fractions [T, N, size] of pixels between consecutive edges [T, N + 1]."""
    before = edges.astype(np.float32)[:, :, None] - np.arange(size, dtype=np.float32)
    return np.diff(before.clip(0, 1, out=before), axis=1)
