"""Grey and colour images in common file formats."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np
import torch
from torch.nn.functional import interpolate

from graphmotion.extras import requires_extra
from graphmotion.io.files import MalformedFileError, read_file

FORMATS = ('PNG', 'JPEG', 'BMP', 'PPM', 'TIFF', 'GIF', 'WEBP')
_ENDS = ('png', 'jpg', 'jpeg', 'bmp', 'pgm', 'ppm', 'pnm', 'tif', 'tiff', 'gif', 'webp')
#: File name endings of the supported formats, in lower case.
IMAGE_SUFFIXES = tuple(f'.{end}' for end in _ENDS)
#: Larger than any image of a walker or a face; a decompression bomb would exceed it.
MAX_PIXELS = 2**24


def read_gray_image(
    path: str, content: bytes | None = None, max_value: float | None = None
) -> np.ndarray:
    r"""Reads an image as 8-bit grey values.

    Supports PNG, JPEG, BMP, PGM (PPM), TIFF, GIF and WebP files, of which the first frame is read.
    Colours are converted to luminance, transparent pixels are blended with black, and EXIF
    orientation is applied. Bilevel images become 0 and 255.

    Images of more than eight bits are scaled such that :obj:`max_value` becomes 255. If it is not
    given, values up to 255 are kept, floating-point values up to 1 are scaled by 255, and values of
    which the brightest uses all 16 bits are reduced to their upper eight bits. Other images, such
    as those of cameras with 12 bits and depth maps in millimetres, need :obj:`max_value`.

    .. code-block:: python

        image = read_gray_image('face.png')  # [height, width]

    Args:
        path (str): Path of the file.
        content (bytes, optional): Content of the file if already read. (default: :obj:`None`)
        max_value (float, optional): Value of white in images of more than eight bits, such as 4095
            for 12 bits; larger values become white. (default: :obj:`None`)

    Returns:
        array: Grey values :math:`(H, W)`, unsigned bytes.

    Raises:
        FileNotFoundError: If the file does not exist.
        ImportError: If pillow is not installed.
        ValueError: If the file is empty, truncated, not an image of these formats, has more than
            16 million pixels, or needs :obj:`max_value`.
    """
    return _read(path, content, _gray, max_value)


def read_color_image(
    path: str, content: bytes | None = None, max_value: float | None = None
) -> np.ndarray:
    r"""Reads an image as 8-bit red, green and blue.

    As :func:`read_gray_image`, without conversion to luminance; the three channels of a grey image
    are equal.

    .. code-block:: python

        image = read_color_image('face.png')  # [height, width, 3]

    Args:
        path (str): Path of the file.
        content (bytes, optional): Content of the file if already read. (default: :obj:`None`)
        max_value (float, optional): Value of white in images of more than eight bits, such as 4095
            for 12 bits; larger values become white. (default: :obj:`None`)

    Returns:
        array: Red, green and blue :math:`(3, H, W)`, unsigned bytes.

    Raises:
        FileNotFoundError: If the file does not exist.
        ImportError: If pillow is not installed.
        ValueError: If the file is empty, truncated, not an image of these formats, has more than
            16 million pixels, or needs :obj:`max_value`.
    """
    return _read(path, content, _color, max_value)


def read_mask(path: str, content: bytes | None = None) -> np.ndarray:
    r"""Reads an image that shows a body in one colour on black, or on a transparent background.

    Supports the formats of :func:`read_gray_image`. The result is the opacity if a pixel is
    transparent, and otherwise the largest of red, green and blue, so that bodies may have any
    colour. Values of more than eight bits are scaled such that the largest becomes 255, unless all
    are at most 255.

    .. code-block:: python

        body = read_mask('face.png') > 0

    Args:
        path (str): Path of the file.
        content (bytes, optional): Content of the file if already read. (default: :obj:`None`)

    Returns:
        array: Grey values :math:`(H, W)`, unsigned bytes, in which the body is bright.

    Raises:
        FileNotFoundError: If the file does not exist.
        ImportError: If pillow is not installed.
        ValueError: If the image cannot be read, has several frames, or has several colours, such as
            a photograph or the labels of several people.
    """
    return _read(path, content, _mask, max_value=65535)


def _read(
    path: str,
    content: bytes | None,
    convert: Callable[[Any, str, float | None], np.ndarray],
    max_value: float | None,
) -> np.ndarray:
    with requires_extra('io'):
        from PIL import Image, ImageOps
    content = read_file(path) if content is None else content
    expected = f'a complete image in one of the formats {list(FORMATS)}'
    if not content:
        raise MalformedFileError(path, 'content', expected, 'an empty file')
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', UserWarning)  # about metadata
            warnings.simplefilter('error', Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(content), formats=FORMATS)
            if 0 < image.width * image.height <= MAX_PIXELS:
                has_deep_colors = _has_deep_colors(image)
                ImageOps.exif_transpose(image, in_place=True)
                if has_deep_colors:
                    _check_depth(image, path, max_value)
                return convert(image, path, max_value)
        size = f'{image.width} x {image.height}'
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        size = str(error)
    except MalformedFileError:
        raise
    except Exception as error:  # damaged files raise errors of many types
        found = f'{type(error).__name__}: {error}'
        raise MalformedFileError(path, 'content', expected, found) from error
    raise MalformedFileError(path, 'size', f'1 to {MAX_PIXELS} pixels', size)


def _gray(image: Any, path: str, max_value: float | None) -> np.ndarray:
    mode, convert = image.mode, image.convert
    if mode == 'L' and 'transparency' not in image.info:
        return np.array(image)
    if mode[0] in 'IF':
        return _to_bytes(_deep_values(image), path, image.format, max_value)
    if _is_transparent(image):
        gray, alpha = np.moveaxis(np.asarray(convert('RGBA').convert('LA')), -1, 0)
        return _blend(gray, alpha)
    return np.array(convert('L'))


def _color(image: Any, path: str, max_value: float | None) -> np.ndarray:
    if image.mode[0] in '1IFL':
        return np.repeat(_gray(image, path, max_value)[None], 3, axis=0)
    if _is_transparent(image):
        *color, alpha = np.moveaxis(np.asarray(image.convert('RGBA')), -1, 0)
        return _blend(np.stack(color), alpha)
    return np.ascontiguousarray(np.moveaxis(np.asarray(image.convert('RGB')), -1, 0))


def _mask(image: Any, path: str, _: float | None) -> np.ndarray:
    if getattr(image, 'is_animated', False):
        raise MalformedFileError(path, 'frames', 'one image', f'{image.n_frames}')
    if image.mode[0] in '1L' and not _is_transparent(image):
        return np.array(image.convert('L'))
    if image.mode[0] in 'IF':
        values = _deep_values(image)
        return _to_bytes(values, path, image.format, max(values.max(), 255))
    if _is_transparent(image):
        alpha = np.array(image.convert('RGBA').getchannel('A'))
        if alpha.min() < 128:
            return alpha
    labels = np.array(image) if image.mode == 'P' else None
    color = np.array(image.convert('RGB'))
    value = color.max(axis=2)
    if (color == value[..., None]).all():
        return value
    # Compression changes colours slightly, but not those of a palette.
    bright = color >= 128
    labels = bright @ np.array([1, 2, 4]) if labels is None else labels
    body = value > 0 if image.mode == 'P' else bright.any(axis=2)
    counts = np.bincount(labels[body])
    number = int((counts > 0.05 * counts.sum()).sum())
    if number > 1:
        raise MalformedFileError(path, 'colours', 'a mask in one colour', f'{number} colours')
    return value


def _deep_values(image: Any) -> np.ndarray:
    """Returns the values of an image of more than eight bits."""
    values = np.asarray(image)
    if not np.isfinite(values).all():
        raise ValueError('pixels that are not finite numbers')
    values = values.astype(np.float64)
    if image.mode == 'F' and values.max() <= 1:
        values = 255 * values
    if values.min() < 0 or values.max() > 65535:
        raise ValueError(f'pixels from {values.min():g} to {values.max():g}')
    return values


def _to_bytes(
    values: np.ndarray, path: str, form: str | None, max_value: float | None
) -> np.ndarray:
    """Scales values of up to 16 bits to bytes."""
    if max_value is not None:
        return np.rint(255 * (values / max_value).clip(max=1)).astype(np.uint8)
    if form == 'PPM':  # scaled to 16 bits by its largest value
        return (values // 256).astype(np.uint8)
    if values.max() <= 255:
        return np.rint(values).astype(np.uint8)
    if values.max() < 32768:
        _raise_depth(path, f'{values.max():g}')
    return (values // 256).astype(np.uint8)


def _has_deep_colors(image: Any) -> bool:
    """Returns whether an image has 16-bit colours, of which pillow keeps the upper eight bits."""
    args = image.tile[0][-1] if image.tile else ''
    mode = args if isinstance(args, str) else str(args[0]) if args else ''
    return ';16' in mode and image.mode[0] not in 'IF' and image.format != 'PPM'


def _check_depth(image: Any, path: str, max_value: float | None) -> None:
    """Raises if 16-bit colours use fewer bits."""
    brightest = max(high for _, high in image.convert('RGB').getextrema())
    if max_value != 65535 and (brightest < 128 or max_value is not None):
        _raise_depth(path, f'16-bit colours up to {256 * brightest}')


def _raise_depth(path: str, found: str) -> NoReturn:
    expected = 'at least 32768 of 65535, or the value of white as max_value (65535 for colours)'
    raise MalformedFileError(path, 'brightest pixel', expected, found)


def _is_transparent(image: Any) -> bool:
    return image.mode in ('LA', 'PA', 'RGBA') or 'transparency' in image.info


def _blend(values: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Blends with black."""
    return ((values.astype(np.uint16) * alpha + 127) // 255).astype(np.uint8)


def resize_image(image: np.ndarray, size: Sequence[int]) -> np.ndarray:
    r"""Crops the centre of an image to an aspect ratio and resizes it with antialiasing.

    Args:
        image (array): Grey values :math:`(H, W)` or colours :math:`(3, H, W)`, unsigned bytes.
        size (tuple): Output height and width :math:`(H', W')`.

    Returns:
        array: The same of :math:`H' \times W'` pixels.
    """
    if image.shape[-2:] == tuple(size):
        return image
    top, left, rows, columns = crop_window(image.shape[-2:], size)
    part = image[..., top : top + rows, left : left + columns].astype(np.float32)
    pixels = torch.from_numpy(part).view(1, -1, rows, columns)
    out = interpolate(pixels, size, mode='bilinear', antialias=True)
    return out.view(*image.shape[:-2], *size).round().clamp(0, 255).byte().numpy()


def crop_window(shape: Sequence[int], size: Sequence[int]) -> tuple[int, int, int, int]:
    r"""Returns the top, left, height and width of the part that :func:`resize_image` keeps."""
    height, width = shape
    scale = min(height / size[0], width / size[1])
    rows, columns = (max(1, round(scale * n)) for n in size)
    return (height - rows) // 2, (width - columns) // 2, rows, columns
