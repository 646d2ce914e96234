"""Small image files for tests of datasets."""

import io

import numpy as np
from PIL import Image


def picture(number, shape=(8, 8)):
    """A constant image, identified by its intensity."""
    return np.full(shape, number, np.uint8)


def encode(image, name='a.png'):
    file = io.BytesIO()
    kinds = {'jpg': 'JPEG', 'pgm': 'PPM', 'tif': 'TIFF'}
    end = name.rsplit('.', 1)[1].lower()
    Image.fromarray(image).save(file, kinds.get(end, end.upper()))
    return file.getvalue()


def write(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode(image, path.name))
