"""Grey and colour images in common file formats."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch.nn.functional import interpolate

from graphmotion.extras import requires_extra
from graphmotion.io.files import MalformedFileError, read_file

FORMATS = ('PNG', 'JPEG', 'BMP', 'PPM', 'TIFF', 'GIF', 'WEBP')
_ENDS = ('png', 'jpg', 'jpeg', 'bmp', 'pgm', 'ppm', 'pnm', 'tif', 'tiff', 'gif', 'webp')
#: File name endings of the supported formats, in lower case.
IMAGE_SUFFIXES = tuple(f'.{end}' for end in _ENDS)
# Larger than any image of a walker or a face; a decompression bomb would exceed it.
_MOST_PIXELS = 2**24


def read_gray_image(path: str, content: bytes | None = None) -> np.ndarray:
    r"""Reads an image as 8-bit grey values.

    Supports PNG, JPEG, BMP, PGM (PPM), TIFF, GIF and WebP files, of which the first frame is read.
    Colours are converted to luminance, transparent pixels are blended with black, and EXIF
    orientation is applied. Bilevel images become 0 and 255. 16-bit values are reduced to their
    upper eight bits unless no pixel exceeds 255, and floating-point values are scaled by 255
    unless a pixel exceeds 1.

    Args:
        path (str): Path of the file.
        content (bytes, optional): Content of the file if already read. (default: :obj:`None`)

    Returns:
        array: Grey values :math:`(H, W)`, unsigned bytes.

    Raises:
        FileNotFoundError: If the file does not exist.
        ImportError: If pillow is not installed.
        ValueError: If the file is empty, truncated, not an image of these formats, or has more
            than 16 million pixels.
    """
    return _read(path, content, _gray)


def read_color_image(path: str, content: bytes | None = None) -> np.ndarray:
    r"""Reads an image as 8-bit red, green and blue.

    As :func:`read_gray_image`, without conversion to luminance; the three channels of a grey image
    are equal.

    Args:
        path (str): Path of the file.
        content (bytes, optional): Content of the file if already read. (default: :obj:`None`)

    Returns:
        array: Red, green and blue :math:`(3, H, W)`, unsigned bytes.

    Raises:
        FileNotFoundError: If the file does not exist.
        ImportError: If pillow is not installed.
        ValueError: If the file is empty, truncated, not an image of these formats, or has more
            than 16 million pixels.
    """
    return _read(path, content, _color)


def read_mask_image(path: str, content: bytes | None = None) -> np.ndarray:
    r"""Reads the mask of a body as 8-bit grey values.

    As :func:`read_gray_image`, except that the values of an image with both opaque and transparent
    pixels, such as a cut-out, are its opacity.

    Args:
        path (str): Path of the file.
        content (bytes, optional): Content of the file if already read. (default: :obj:`None`)

    Returns:
        array: Grey values :math:`(H, W)`, unsigned bytes.

    Raises:
        FileNotFoundError: If the file does not exist.
        ImportError: If pillow is not installed.
        ValueError: If the file is empty, truncated, not an image of these formats, or has more
            than 16 million pixels.
    """
    return _read(path, content, _mask)


def _read(path: str, content: bytes | None, convert: Callable[[Any], np.ndarray]) -> np.ndarray:
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
            if 0 < image.width * image.height <= _MOST_PIXELS:
                ImageOps.exif_transpose(image, in_place=True)
                return convert(image)
        size = f'{image.width} x {image.height}'
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        size = str(error)
    except Exception as error:  # damaged files raise errors of many types
        found = f'{type(error).__name__}: {error}'
        raise MalformedFileError(path, 'content', expected, found) from error
    raise MalformedFileError(path, 'size', f'1 to {_MOST_PIXELS} pixels', size)


def _gray(image: Any) -> np.ndarray:
    mode, convert = image.mode, image.convert
    if mode == 'L' and 'transparency' not in image.info:
        return np.array(image)
    if mode[0] in 'IF':
        values = np.asarray(image)
        if not np.isfinite(values).all():
            raise ValueError('pixels that are not finite numbers')
        if mode == 'F' and values.max() <= 1:
            values = np.rint(255 * values)
        values = values.astype(np.int64)
        if values.min() < 0 or values.max() > 65535:
            raise ValueError(f'pixels from {values.min()} to {values.max()}')
        return (values >> 8 if values.max() > 255 else values).astype(np.uint8)
    if _is_transparent(image):
        gray, alpha = np.moveaxis(np.asarray(convert('RGBA').convert('LA')), -1, 0)
        return _blend(gray, alpha)
    return np.array(convert('L'))


def _mask(image: Any) -> np.ndarray:
    if _is_transparent(image):
        opacity = np.array(image.convert('RGBA').getchannel('A'))
        if opacity.min() < 128 <= opacity.max():
            return opacity
    return _gray(image)


def _color(image: Any) -> np.ndarray:
    if image.mode[0] in '1IFL':
        return np.repeat(_gray(image)[None], 3, axis=0)
    if _is_transparent(image):
        *color, alpha = np.moveaxis(np.asarray(image.convert('RGBA')), -1, 0)
        return _blend(np.stack(color), alpha)
    return np.ascontiguousarray(np.moveaxis(np.asarray(image.convert('RGB')), -1, 0))


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
