"""The CK+ dataset."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from graphmotion.checks import check_int
from graphmotion.datasets.expressions import EXPRESSIONS, find_expression
from graphmotion.datasets.face_files import FaceFiles, Labels
from graphmotion.io import MalformedFileError, find_files
from graphmotion.io.files import FoundFile

_NAME = re.compile(r'S(?P<subject>\d{3})_(?P<take>\d{3})_(?P<frame>\d{8})')


class CKPlus(FaceFiles):
    r"""The extended Cohn-Kanade dataset of image sequences from a neutral face to an expression,
    from the `"The Extended Cohn-Kanade Dataset (CK+): A complete dataset for action unit and
    emotion-specified expression" <https://doi.org/10.1109/CVPRW.2010.5543262>`_ paper.

    Two formats are read:

    - the official one: the last :obj:`num_peaks` images of each of the 327 sequences with an
      emotion label, and optionally the first image as neutral. Labels are in files such as
      :obj:`Emotion/S005/001/S005_001_00000011_emotion.txt`, and images in files such as
      :obj:`cohn-kanade-images/S005/001/S005_001_00000011.png`. Most images have size 640 x 490;
      pass a :obj:`size`, since not all do.
    - copies of all 981 images of size 48 x 48 with one folder per expression, such as
      :obj:`happy/S010_004_00000017.png`

    Samples have the fields :obj:`image` :math:`(1, H, W)` of bytes, :obj:`y` (the position in
    :obj:`class_names`), and the three numbers in the file name: :obj:`subject`, :obj:`take` (the
    sequence) and :obj:`frame`.

    Images of a sequence are nearly identical. Split by subject, with :obj:`folds(by='subject')`, to
    measure generalisation.

    .. code-block:: python

        dataset = CKPlus('data/ck_plus', size=48)
        for train, test in dataset.folds(10, by='subject'):
            print(len(train), len(test))

    Args:
        root (str or Path): Root directory, whose folder :obj:`raw/` contains the folders, or zip
            archives of them.
        size (int or tuple, optional): Height and width, or one number for both, to which images are
            resized after a center crop to its aspect ratio. By default, images are not resized and
            must have the same size. (default: :obj:`None`)
        num_peaks (int, optional): Number of images at the end of each official sequence.
            (default: :obj:`3`)
        neutral (bool, optional): If :obj:`True`, adds the first image of each official sequence,
            with the additional class :obj:`"neutral"`. (default: :obj:`False`)
        transform (callable, optional): Applied to each sample on access. (default: :obj:`None`)
        pre_transform (callable, optional): Applied to each sample once, before it is stored.
            (default: :obj:`None`)
        pre_filter (callable, optional): Samples for which it returns :obj:`False` are not stored.
            (default: :obj:`None`)
        force_reload (bool, optional): If :obj:`True`, processes the raw files again.
            (default: :obj:`False`)
        color (bool, optional): If :obj:`True`, images are red, green and blue.
            (default: :obj:`False`)
        landmarks (bool, optional): If :obj:`True`, samples have the field :obj:`landmarks`
            :math:`(68, 2)`, read from files such as
            :obj:`Landmarks/S005/001/S005_001_00000011_landmarks.txt`. Images without landmarks are
            skipped with a warning. (default: :obj:`False`)
        num_workers (int, optional): Number of processes that read the raw files; :obj:`0` reads
            them in this process. (default: :obj:`0`)

    Raises:
        FileNotFoundError: If the raw files are missing.
        ImportError: If pillow is not installed.
        ValueError: If an option is not positive, images differ in size and :obj:`size` is not
            given, or no image is valid. Invalid images are skipped with a warning.
    """

    layout = 'cohn-kanade-images/S005/001/S005_001_00000011.png'
    source = 'http://www.jeffcohn.net/Resources/'

    def __init__(
        self,
        root: str | Path,
        size: int | Sequence[int] | None = None,
        num_peaks: int = 3,
        neutral: bool = False,
        transform: Callable | None = None,
        pre_transform: Callable | None = None,
        pre_filter: Callable | None = None,
        force_reload: bool = False,
        color: bool = False,
        landmarks: bool = False,
        num_workers: int = 0,
    ) -> None:
        self.num_peaks = check_int('num_peaks', num_peaks, 1)
        self.class_names = (*EXPRESSIONS[1:], *(['neutral'] if neutral else []))
        super().__init__(
            root,
            size,
            transform,
            pre_transform,
            pre_filter,
            force_reload,
            color,
            landmarks,
            num_workers=num_workers,
        )

    @property
    def processed_file_names(self) -> list[str]:
        r"""A file for each combination of options."""
        neutral = '_neutral' if 'neutral' in self.class_names else ''
        return [f'{self.size_name}_peaks_{self.num_peaks}{neutral}.pt']

    def label_files(self, files: Mapping[str, FoundFile]) -> dict[str, Labels]:
        r"""Returns the labels of images in folders of expressions and of labelled sequences."""
        emotions = self._read_emotions()
        out: dict[str, Labels] = {}
        sequences: dict[str, list[str]] = defaultdict(list)
        for name, file in files.items():
            match = _NAME.match(name)
            folder = file.path.replace('\\', '/').split('/')[-2]
            if match is None:
                out[name] = 'not named like S005_001_00000011.png'
            elif find_expression(folder):
                out[name] = self._labels(match, find_expression(folder))
            else:
                sequences[match[0][:8]].append(name)
        for sequence, names in sequences.items():
            emotion = emotions.get(sequence)
            if emotion is None:
                continue
            if isinstance(emotion, str) and emotion not in EXPRESSIONS:
                out |= dict.fromkeys(names, emotion)
                continue
            names.sort(key=lambda name: name.split('_')[2])
            first = names[:1] if 'neutral' in self.class_names and len(names) > 1 else []
            for name in first:
                out[name] = self._labels(_NAME.match(name), 'neutral')
            for name in names[len(first) :][-self.num_peaks :]:
                out[name] = self._labels(_NAME.match(name), emotion)
        return dict(sorted(out.items()))

    def _labels(self, match: re.Match | None, expression: str | None) -> Labels:
        assert match is not None
        if expression not in self.class_names:
            return None
        numbers = {name: int(value) for name, value in match.groupdict().items()}
        return {'y': self.class_names.index(expression), **numbers}

    def _read_emotions(self) -> dict[str, str]:
        """Returns the expression of each labelled sequence, or the reason to skip it."""
        out = {}
        with find_files(self.raw_dir, '_emotion.txt') as files:
            for name, file in files.items():
                try:
                    out[name[:8]] = _read_emotion(file.path, file.read())
                except MalformedFileError as error:
                    out[name[:8]] = error.reason
        return out


def _read_emotion(path: str, content: bytes) -> str:
    """Reads an expression, whose number is in the form 3.0000000e+00."""
    expected = 'a number from 0 to 7'
    try:
        number = float(content)
    except ValueError:
        found = f'{len(content)} bytes that are not a number'
        raise MalformedFileError(path, 'emotion', expected, found) from None
    if number not in range(8):
        raise MalformedFileError(path, 'emotion', expected, f'{number}')
    return EXPRESSIONS[int(number)]
