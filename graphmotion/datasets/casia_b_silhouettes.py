"""The silhouettes of CASIA-B."""

from __future__ import annotations

from graphmotion.datasets.casia_b import CASIAB, casia_b_labels
from graphmotion.datasets.silhouette_dataset import SilhouetteDataset
from graphmotion.io.gaitgraph import CASIA_B_NAME


class CASIABSilhouettes(CASIAB, SilhouetteDataset):
    r"""The silhouettes of CASIA-B: 124 subjects from eleven views, from the "A Framework for
    Evaluating the Effect of View Angle, Clothing and Carrying Condition on Gait Recognition" paper
    (ICPR 2006).

    Two formats are read: the authors' folders of images, such as
    :obj:`001/nm-01/000/001-nm-01-000-001.png` (with the :obj:`.tar.gz` file of each subject
    unpacked), and the pickles of `OpenGait <https://github.com/ShiqiYu/OpenGait>`_, such as
    :obj:`001/nm-01/000/000.pkl`. :class:`SilhouetteDataset` describes the preprocessing. The 13,640
    processed sequences require about 0.4 GB.

    Samples have the fields :obj:`silhouettes` :math:`(1, T, 64, 44)`, :obj:`num_frames`,
    :obj:`subject` (0..123, the number in the file name minus 1), :obj:`condition` (0 normal, 1 with
    a bag, 2 in a coat), :obj:`take` (numbered from 1 for each condition), :obj:`view` (degrees;
    access it as :obj:`data['view']`) and :obj:`y`, the subject.

    The protocols :obj:`"LT"`, :obj:`"MT"` and :obj:`"ST"` train on the first 74, 62 and 24
    subjects:

    .. code-block:: python

        train, test = CASIABSilhouettes('data/casia_b').official_split('LT')

    Args:
        root (str or Path): Root directory, whose folder :obj:`raw/` contains the folders, or zip
            archives of them.
        num_strips (int, optional): Number of nodes of a sample. (default: :obj:`16`)
        size (tuple, optional): Height and width of the silhouettes. (default: :obj:`(64, 44)`)
        min_frames (int, optional): Minimum number of frames; shorter sequences are skipped with a
            warning. (default: :obj:`1`)
        invert (bool, optional): If :obj:`True`, bodies are black on white in the raw files.
            (default: :obj:`False`)
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
        ImportError: If there are images and pillow is not installed.
        ValueError: If an option is not positive, an archive is damaged or no sequence is valid.
            Invalid frames and sequences are skipped with a warning.
    """

    pattern = CASIA_B_NAME
    layout = '001/nm-01/000'
    source = 'http://www.cbsr.ia.ac.cn/english/Gait%20Databases.asp'

    def find_labels(self, **groups: str) -> dict[str, int] | str:
        r"""Returns the labels of a sequence; see :func:`casia_b_labels`."""
        return casia_b_labels(**groups)
