"""JAFFE."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from graphmotion.datasets.face_files import FaceFiles, Labels

_SUBJECTS = ('KA', 'KL', 'KM', 'KR', 'MK', 'NA', 'NM', 'TM', 'UY', 'YM')
_EXPRESSIONS = {
    'AN': 'anger',
    'DI': 'disgust',
    'FE': 'fear',
    'HA': 'happiness',
    'NE': 'neutral',
    'SA': 'sadness',
    'SU': 'surprise',
}
_NAME = re.compile(
    rf'(?P<subject>{"|".join(_SUBJECTS)})[.-](?P<expression>{"|".join(_EXPRESSIONS)})'
    r'(?P<take>\d)[.-]\d+\.\w+'
)


class JAFFE(FaceFiles):
    r"""The Japanese Female Facial Expression dataset: 213 images of ten women with six expressions
    and a neutral face, from the `"Coding Facial Expressions with Gabor Wavelets"
    <https://doi.org/10.1109/AFGR.1998.670949>`_ paper.

    Images are 256 x 256. Samples have the fields :obj:`image` :math:`(1, H, W)`, bytes, :obj:`y`
    (0..6, the position in :obj:`class_names`), :obj:`subject` (0..9, in the alphabetical order of
    the initials) and :obj:`take`, the number in the name behind the expression.

    Take subjects apart with :meth:`leave_one_out` or :meth:`folds`: faces of one subject in
    training and test make the task much easier.

    .. code-block:: python

        for train, test in JAFFE('data/jaffe', size=48).leave_one_out('subject'):
            ...

    Args:
        root (str or Path): Where :obj:`raw/` holds the images, such as :obj:`KA.AN1.39.tiff`, in
            any folder or zip archive.
        size (int or tuple, optional): Height and width to which images are resized; by default
            they stay as they are. (default: :obj:`None`)
        transform (callable, optional): Applied to each sample on access. (default: :obj:`None`)
        pre_transform (callable, optional): Applied to each sample once, before it is stored.
            (default: :obj:`None`)
        pre_filter (callable, optional): Samples for which it returns :obj:`False` are not stored.
            (default: :obj:`None`)
        force_reload (bool, optional): If :obj:`True`, processes the raw files again.
            (default: :obj:`False`)

    Raises:
        FileNotFoundError: If the raw files are missing.
        ImportError: If pillow is not installed.
        ValueError: If :obj:`size` is not positive or no image can be used; single images that
            cannot are left out with one warning that counts them.
    """

    class_names = tuple(_EXPRESSIONS.values())
    #: The initials of the subjects.
    subject_names = _SUBJECTS
    layout = 'KA.AN1.39.tiff'
    source = 'https://doi.org/10.5281/zenodo.3451524'

    def __init__(
        self,
        root: str | Path,
        size: int | Sequence[int] | None = None,
        transform: Callable | None = None,
        pre_transform: Callable | None = None,
        pre_filter: Callable | None = None,
        force_reload: bool = False,
    ) -> None:
        super().__init__(root, size, transform, pre_transform, pre_filter, force_reload)

    def find_labels(self, name: str) -> Labels:
        r"""Initials, expression and its number."""
        match = _NAME.fullmatch(name)
        if match is None:
            return f'not named as {self.layout}'
        return {
            'y': list(_EXPRESSIONS).index(match['expression']),
            'subject': _SUBJECTS.index(match['subject']),
            'take': int(match['take']),
        }
