"""The silhouettes of CASIA-B."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from graphmotion.datasets.casia_b import CASIAB, casia_b_labels
from graphmotion.datasets.silhouette_dataset import SilhouetteDataset
from graphmotion.io.gaitgraph import CASIA_B_NAME


class CASIABSilhouettes(CASIAB, SilhouetteDataset):
    r"""The silhouettes of CASIA-B: 124 people seen from eleven views, from the "A Framework for
    Evaluating the Effect of View Angle, Clothing and Carrying Condition on Gait Recognition" paper
    (ICPR 2006).

    Two forms are read: the folders of images that the authors give out,
    :obj:`001/nm-01/000/001-nm-01-000-001.png` (each subject's :obj:`.tar.gz` has to be unpacked),
    and the pickles that `OpenGait <https://github.com/ShiqiYu/OpenGait>`_ makes of them,
    :obj:`001/nm-01/000/000.pkl`. See :class:`SilhouetteDataset` for how they are prepared. Its
    13,640 sequences take some 0.4 GB when processed.

    Samples have the fields :obj:`silhouettes` :math:`(1, T, 64, 44)`, :obj:`num_frames`,
    :obj:`subject` (0..123, the number in the names less 1), :obj:`condition` (0 normal, 1 with a
    bag, 2 in a coat), :obj:`take` (1.. within a condition), :obj:`view` (degrees; read it as
    :obj:`data['view']`) and :obj:`y`, the subject.

    The protocols are :obj:`"LT"`, :obj:`"MT"` and :obj:`"ST"`, which train on the first 74, 62 and
    24 subjects:

    .. code-block:: python

        train, test = CASIABSilhouettes('data/casia_b').official_split('LT')

    Args:
        root (str or Path): Where :obj:`raw/` holds the folders, or zip archives of them.
        num_strips (int, optional): Number of nodes of a sample. (default: :obj:`16`)
        size (tuple, optional): Height and width of the silhouettes. (default: :obj:`(64, 44)`)
        min_frames (int, optional): The least number of frames of a sequence. (default: :obj:`1`)
        transform (callable, optional): Applied to each sample on access. (default: :obj:`None`)
        pre_transform (callable, optional): Applied to each sample once, before it is stored.
            (default: :obj:`None`)
        pre_filter (callable, optional): Samples for which it returns :obj:`False` are not stored.
            (default: :obj:`None`)
        force_reload (bool, optional): If :obj:`True`, processes the raw files again.
            (default: :obj:`False`)

    Raises:
        FileNotFoundError: If the raw files are missing.
        ImportError: If there are images and pillow is not installed.
        ValueError: If an option is not a positive number, an archive is damaged or no sequence can
            be used; single frames and sequences that cannot are left out with a warning that counts
            them.
    """

    pattern = CASIA_B_NAME
    layout = '001/nm-01/000'
    source = 'http://www.cbsr.ia.ac.cn/english/Gait%20Databases.asp'

    def __init__(
        self,
        root: str | Path,
        num_strips: int = 16,
        size: Sequence[int] = (64, 44),
        min_frames: int = 1,
        transform: Callable | None = None,
        pre_transform: Callable | None = None,
        pre_filter: Callable | None = None,
        force_reload: bool = False,
    ) -> None:
        super().__init__(
            root, num_strips, size, min_frames, transform, pre_transform, pre_filter, force_reload
        )

    def find_labels(self, **groups: str) -> dict[str, int] | str:
        r"""Subjects and conditions count from 0."""
        return casia_b_labels(**groups)
