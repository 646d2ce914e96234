"""Grey images in the files of the common formats."""

from __future__ import annotations

import io
import warnings

import numpy as np
import torch
from torch.nn.functional import interpolate

from graphmotion.extras import requires_extra
from graphmotion.io.files import MalformedFile, read_file

FORMATS = ('PNG', 'JPEG', 'BMP', 'PPM', 'TIFF', 'GIF')
_ENDS = ('png', 'jpg', 'jpeg', 'bmp', 'pgm', 'ppm', 'pnm', 'tif', 'tiff', 'gif')
#: The ends of their names.
IMAGE_SUFFIXES = tuple(f'.{end}' for end in (*_ENDS, *map(str.upper, _ENDS)))
# No image of a walker or a face has as many pixels; a file that says so may be a few bytes long.
_MOST_PIXELS = 2**24


def read_gray_image(path: str, content: bytes | None = None) -> np.ndarray:
    r"""Read an image as bytes of grey.

    PNG, JPEG, BMP, PGM (PPM), TIFF and GIF files are read, of several frames the first. Colours
    become their luminance, and what is transparent becomes dark as over a black ground. Black and
    white become 0 and 255. Of 16 bits the upper eight are taken, unless no pixel is above 255: such
    values are taken as they are; fractions are grey from 0 to 1, unless one is above 1. An image is
    turned as its EXIF orientation says.

    Args:
        path (str): The file.
        content (bytes, optional): Its bytes, if they were read before. (default: :obj:`None`)

    Returns:
        array: :math:`(H, W)`, bytes.

    Raises:
        FileNotFoundError: If the file is not there.
        ImportError: If pillow is not installed.
        ValueError: If it is empty, cut off, no such image or one of more than 16 million pixels.
    """
    with requires_extra('io'):
        from PIL import Image, ImageOps
    content = read_file(path) if content is None else content
    expected = f'a whole image of the formats {list(FORMATS)}'
    if not content:
        raise MalformedFile(path, 'content', expected, 'an empty file')
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', UserWarning)  # about what is not the image
            warnings.simplefilter('error', Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(content), formats=FORMATS)
            if 0 < image.width * image.height <= _MOST_PIXELS:
                ImageOps.exif_transpose(image, in_place=True)
                return _gray(image)
        size = f'{image.width} x {image.height}'
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        size = str(error)
    except Exception as error:  # whatever the bytes led to
        found = f'{type(error).__name__}: {error}'
        raise MalformedFile(path, 'content', expected, found) from error
    raise MalformedFile(path, 'size', f'1 to {_MOST_PIXELS} pixels', size)


def _gray(image: object) -> np.ndarray:
    mode, convert = image.mode, image.convert  # type: ignore[attr-defined]
    if mode == 'L' and 'transparency' not in image.info:  # type: ignore[attr-defined]
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
    if mode in ('LA', 'PA', 'RGBA') or 'transparency' in image.info:  # type: ignore[attr-defined]
        gray, alpha = np.moveaxis(np.asarray(convert('RGBA').convert('LA')), -1, 0)
        return ((gray.astype(np.uint16) * alpha + 127) // 255).astype(np.uint8)
    return np.array(convert('L'))


def resize_image(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    r"""Cut an image about its middle to the proportions of a size, and resize it, with antialiasing
    where it becomes smaller.

    Args:
        image (array): :math:`(H, W)`, bytes.
        size (tuple): Height and width of the result, :math:`(H', W')`.

    Returns:
        array: :math:`(H', W')`, bytes.
    """
    if image.shape == tuple(size):
        return image
    height, width = image.shape
    scale = min(height / size[0], width / size[1])
    rows, columns = (max(1, round(scale * n)) for n in size)
    top, left = (height - rows) // 2, (width - columns) // 2
    part = torch.from_numpy(image[top : top + rows, left : left + columns].astype(np.float32))
    out = interpolate(part[None, None], size, mode='bilinear', antialias=True)
    return out[0, 0].round().clamp(0, 255).byte().numpy()
