"""The JAFFE dataset."""

from __future__ import annotations

import re

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

    Images have size 256 x 256. Samples have the fields :obj:`image` :math:`(1, H, W)` of bytes,
    :obj:`y` (0..6, the position in :obj:`class_names`), :obj:`subject` (0..9, in alphabetical order
    of the initials) and :obj:`take`, the number of the image of an expression.

    Split by subject, with :meth:`leave_one_out` or :meth:`folds`: the task is much easier if faces
    of a subject are in both the training and the test part.

    .. code-block:: python

        for train, test in JAFFE('data/jaffe', size=48).leave_one_out('subject'):
            ...

    Args:
        root (str or Path): Root directory, whose folder :obj:`raw/` contains the images, such as
            :obj:`KA.AN1.39.tiff`, in any subfolder or zip archive.
        size (int or tuple, optional): Height and width to which images are resized; by default
            they are not resized. (default: :obj:`None`)
        transform (callable, optional): Applied to each sample on access. (default: :obj:`None`)
        pre_transform (callable, optional): Applied to each sample once, before it is stored.
            (default: :obj:`None`)
        pre_filter (callable, optional): Samples for which it returns :obj:`False` are not stored.
            (default: :obj:`None`)
        force_reload (bool, optional): If :obj:`True`, processes the raw files again.
            (default: :obj:`False`)
        num_workers (int, optional): Number of processes that read the raw files; :obj:`0` reads
            them in this process. (default: :obj:`0`)

    Raises:
        FileNotFoundError: If the raw files are missing.
        ImportError: If pillow is not installed.
        ValueError: If :obj:`size` is not positive or no image is valid. Invalid images are skipped
            with a warning.
    """

    class_names = tuple(_EXPRESSIONS.values())
    #: Initials of the subjects.
    subject_names = _SUBJECTS
    layout = 'KA.AN1.39.tiff'
    source = 'https://doi.org/10.5281/zenodo.3451524'

    def find_labels(self, name: str) -> Labels:
        r"""Returns the labels of an image."""
        match = _NAME.fullmatch(name)
        if match is None:
            return f'not named like {self.layout}'
        return {
            'y': list(_EXPRESSIONS).index(match['expression']),
            'subject': _SUBJECTS.index(match['subject']),
            'take': int(match['take']),
        }
