"""Silhouette files for tests of datasets."""

import pickle
import zipfile

import numpy as np
from PIL import Image


def clip(frames, seed=0, height=60, width=30):
    """Ragged bodies in images of 80 x 100."""
    random = np.random.default_rng(seed)
    top, left = random.integers(0, (20, 70), (frames, 2)).T[:, :, None, None]
    start, end = random.integers(0, 10, (2, frames, 80, 1))
    row, column = np.arange(80)[:, None] - top, np.arange(100) - left
    body = (row >= 0) & (row < height) & (column >= start) & (column < width - end)
    return 255 * body.astype(np.uint8)


def write_images(folder, images, name='{:03d}.png', first=1):
    folder.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(images):
        Image.fromarray(image).save(folder / name.format(number + first))


def write_pickle(path, images):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(images))


def pack(folder):
    """Packs all files of a folder into an archive in the folder."""
    paths = [path for path in sorted(folder.rglob('*')) if path.is_file()]
    with zipfile.ZipFile(folder / 'all.zip', 'w') as archive:
        for path in paths:
            archive.write(path, path.relative_to(folder))
            path.unlink()
