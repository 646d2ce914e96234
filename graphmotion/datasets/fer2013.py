"""The FER2013 dataset."""

from __future__ import annotations

import csv
import io
import os
import warnings
from collections.abc import Iterator

import numpy as np
from torch_geometric.data import Data

from graphmotion.datasets.class_folders import PART_FOLDERS
from graphmotion.datasets.expressions import find_expression
from graphmotion.datasets.face_files import FaceFiles, Labels, face_sample
from graphmotion.io import MalformedFileError, SkippedSamples, read_files
from graphmotion.io.images import resize_image

_SIDE = 48
_COLUMNS = {'emotion', 'pixels', 'usage'}
_USAGES = {'Training': 0, 'PublicTest': 1, 'PrivateTest': 2}


class FER2013(FaceFiles):
    r"""The FER2013 dataset of 35,887 faces of 48 x 48 pixels found by an image search for emotions,
    from the `"Challenges in Representation Learning: A report on three machine learning contests"
    <https://arxiv.org/abs/1307.0414>`_ paper.

    Two formats are read:

    - the official table :obj:`fer2013.csv` or :obj:`icml_face_data.csv` with the columns
      :obj:`emotion`, :obj:`pixels` and :obj:`Usage`
    - copies as image files, such as :obj:`train/angry/1.jpg` and :obj:`test/happy/2.jpg`

    Samples have the fields :obj:`image` :math:`(1, H, W)` of bytes, :obj:`y` (0..6, the number in
    the table) and :obj:`part`: 0 training, 1 public test (validation), 2 private test, which is the
    folder :obj:`test` of copies. Subjects are unknown.

    The protocol :obj:`"given"` trains on the training part and tests on the other parts;
    :obj:`"private"` tests on the private test part and trains on the other parts:

    .. code-block:: python

        train, test = FER2013('data/fer2013').official_split('given')

    Args:
        root (str or Path): Root directory, whose folder :obj:`raw/` contains the table or the
            folders, or zip archives of either.
        size (int or tuple, optional): Height and width to which images are resized; by default
            they are not resized. (default: :obj:`None`)
        transform (callable, optional): Applied to each sample on access. (default: :obj:`None`)
        pre_transform (callable, optional): Applied to each sample once, before it is stored.
            (default: :obj:`None`)
        pre_filter (callable, optional): Samples for which it returns :obj:`False` are not stored.
            (default: :obj:`None`)
        force_reload (bool, optional): If :obj:`True`, processes the raw files again.
            (default: :obj:`False`)
        num_workers (int, optional): Number of processes that read image files; :obj:`0` reads
            them in this process. (default: :obj:`0`)

    Raises:
        FileNotFoundError: If the raw files are missing.
        ImportError: If there are image files and pillow is not installed.
        ValueError: If :obj:`size` is not positive, there are several tables, or no image is valid.
            Invalid images are skipped with a warning.
    """

    class_names = ('anger', 'disgust', 'fear', 'happiness', 'sadness', 'surprise', 'neutral')
    #: Names of the values of :obj:`part`.
    part_names = tuple(_USAGES)
    protocols = {'given': ('part', (0,)), 'private': ('part', (0, 1))}
    layout = 'train/angry/1.jpg'
    source = 'https://www.kaggle.com/c/challenges-in-representation-learning-facial-expression-recognition-challenge'
    num_folders = 2

    @property
    def raw_file_names(self) -> list[str]:
        r"""The table, or the archives and folders in :obj:`raw/`."""
        tables = []
        if os.path.isdir(self.raw_dir):
            tables = sorted(
                name for name in os.listdir(self.raw_dir) if name.lower().endswith('.csv')
            )
        return tables or super().raw_file_names

    @property
    def required_files(self) -> str:
        r"""The table, image files or archives."""
        return f'fer2013.csv, or images such as {self.layout}, or a zip archive of either,'

    def find_labels(self, name: str) -> Labels:
        r"""Returns the labels of an image; part and expression are the last two folders."""
        part, folder, _ = ('/' * 2 + name).split('/')[-3:]
        expression = find_expression(folder)
        if part.lower() not in PART_FOLDERS or expression not in self.class_names:
            return f'not in folders named like {os.path.dirname(self.layout)}'
        return {'y': self.class_names.index(expression), 'part': PART_FOLDERS[part.lower()]}

    def read(self) -> Iterator[Data]:
        r"""Yields the rows of the table, or the images sorted by name."""
        num_tables = 0
        for path, _, content in read_files(self.raw_dir, '.csv'):
            if not set(_header(content)) >= _COLUMNS:
                continue  # another table, such as an example submission to the contest
            num_tables += 1
            if num_tables > 1:
                raise MalformedFileError(path, 'content', 'one table of images', 'another one')
            yield from self._read_table(path, content)
        if not num_tables:
            yield from super().read()

    def _read_table(self, path: str, content: bytes) -> Iterator[Data]:
        skipped = SkippedSamples(path, 'rows')
        total = 0
        text = io.TextIOWrapper(io.BytesIO(content), 'utf-8-sig', 'replace', newline='')
        rows = csv.reader(text)
        header = _header(content)
        column = [header.index(name) for name in ('emotion', 'pixels', 'usage')]
        next(rows)
        try:
            for number, row in enumerate(rows, start=2):
                total += 1
                try:
                    image, labels = _read_row(path, *([*row, '', '', ''][c] for c in column))
                except MalformedFileError as error:
                    skipped.add(error.reason, f'line {number}')
                    continue
                if self.image_size is not None:
                    image = resize_image(image, self.image_size)
                yield face_sample(image, **labels)
        except csv.Error as error:
            raise MalformedFileError(
                path, f'line {total + 2}', 'a row of a table', f'{error}'
            ) from error
        skipped.report(total)


def _header(content: bytes) -> list[str]:
    """Returns the column names, which contain spaces in some versions of the table."""
    first = content[:1000].split(b'\n', 1)[0].decode('utf-8-sig', 'replace')
    return [name.strip().strip('"').lower() for name in first.split(',')]


def _read_row(
    path: str, emotion: str, pixels: str, usage: str
) -> tuple[np.ndarray, dict[str, int]]:
    usage, emotion = usage.strip(), emotion.strip()
    if usage not in _USAGES:
        raise MalformedFileError(path, 'Usage', f'one of {list(_USAGES)}', repr(usage))
    if emotion not in [str(number) for number in range(7)]:
        raise MalformedFileError(path, 'emotion', 'a number from 0 to 6', repr(emotion))
    expected = f'{_SIDE * _SIDE} numbers from 0 to 255'
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('error', DeprecationWarning)  # issued for text without numbers
            values = np.fromstring(pixels, dtype=np.int64, sep=' ')
    except (ValueError, DeprecationWarning):
        raise MalformedFileError(path, 'pixels', expected, 'other text') from None
    if len(values) != _SIDE * _SIDE or values.min() < 0 or values.max() > 255:
        raise MalformedFileError(path, 'pixels', expected, f'{len(values)} numbers')
    image = values.astype(np.uint8).reshape(_SIDE, _SIDE)
    return image, {'y': int(emotion), 'part': _USAGES[usage]}
