"""The poses of CASIA-B."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from torch_geometric.data import Data

from graphmotion.checks import check_int
from graphmotion.data import from_array
from graphmotion.datasets.casia_b import CASIAB, casia_b_labels
from graphmotion.datasets.recorded_dataset import RecordedDataset
from graphmotion.io import (
    MalformedFileError,
    SkippedSamples,
    Track,
    read_files,
    read_gaitgraph,
    read_opengait_pose,
)
from graphmotion.io.gaitgraph import CASIA_B_NAME
from graphmotion.skeletons import get_skeleton


class CASIABPose(CASIAB, RecordedDataset):
    r"""The poses of CASIA-B: 124 people seen from eleven views, from the "A Framework for
    Evaluating the Effect of View Angle, Clothing and Carrying Condition on Gait Recognition" paper
    (ICPR 2006).

    Two forms are read: the tables of the `"GaitGraph: Graph Convolutional Network for
    Skeleton-Based Gait Recognition" <https://arxiv.org/abs/2101.11228>`_ paper
    (:func:`~graphmotion.io.read_gaitgraph`), and the pickles of `OpenGait
    <https://github.com/ShiqiYu/OpenGait>`_, :obj:`001/nm-01/090/090.pkl`
    (:func:`~graphmotion.io.read_opengait_pose`).

    Positions are pixels of images of 320 x 240, :math:`y` down, of the joints of :obj:`coco17`.
    Samples have the fields :obj:`score`, :obj:`subject` (0..123, the number in the names less 1),
    :obj:`condition` (0 normal, 1 with a bag, 2 in a coat), :obj:`take` (1.. within a condition),
    :obj:`view` (degrees; read it as :obj:`data['view']`) and :obj:`y`, the subject. Frames without
    any joint are left out, and then sequences of fewer than :obj:`min_frames`.

    The protocols are :obj:`"LT"`, :obj:`"MT"` and :obj:`"ST"`, which train on the first 74, 62 and
    24 subjects:

    .. code-block:: python

        train, test = CASIABPose('data/casia_b').official_split('LT')

    Args:
        root (str or Path): Where :obj:`raw/` holds the :obj:`.csv` files, the folders of OpenGait's
            :obj:`.pkl` files, or zip archives of either. Of a sequence that is found twice, the
            first is taken, tables first.
        min_frames (int, optional): The least number of frames of a sequence; the paper of
            GaitMixer takes those with more than 60. (default: :obj:`61`)
        transform (callable, optional): Applied to each sample on access. (default: :obj:`None`)
        pre_transform (callable, optional): Applied to each sample once, before it is stored.
            (default: :obj:`None`)
        pre_filter (callable, optional): Samples for which it returns :obj:`False` are not stored.
            (default: :obj:`None`)
        force_reload (bool, optional): If :obj:`True`, processes the raw files again.
            (default: :obj:`False`)

    Raises:
        FileNotFoundError: If the raw files are missing.
        ValueError: If :obj:`min_frames` is no positive number, an archive is damaged or no sequence
            can be used; single files and sequences that cannot are left out with one warning that
            counts them.
    """

    skeleton = get_skeleton('coco17')
    suffix = '.csv'
    archive = 'casia-b_pose_coco.zip'
    source = (
        'https://github.com/tteepe/GaitGraph; or the folders of poses that OpenGait makes, '
        'https://github.com/ShiqiYu/OpenGait'
    )

    def __init__(
        self,
        root: str | Path,
        min_frames: int = 61,
        transform: Callable | None = None,
        pre_transform: Callable | None = None,
        pre_filter: Callable | None = None,
        force_reload: bool = False,
    ) -> None:
        self.min_frames = check_int('min_frames', min_frames, 1)
        super().__init__(root, transform, pre_transform, pre_filter, force_reload)

    @property
    def processed_file_names(self) -> list[str]:
        r"""One file for each least number of frames."""
        return [f'from_{self.min_frames}_frames.pt']

    def read(self) -> Iterator[Data]:
        r"""The sequences, sorted by name."""
        skipped = SkippedSamples(self.raw_dir)
        found: dict[str, Track] = {}
        num_unreadable = 0
        for name, read in self._files():
            try:
                tracks = read()
            except MalformedFileError as error:
                skipped.add(error.reason, name)
                num_unreadable += 1
            else:
                for sequence, track in tracks.items():
                    found.setdefault(sequence, track)
        total = num_unreadable + len(found)
        for name in sorted(found):
            labels = casia_b_labels(*name.split('-'))
            pos, score = found.pop(name)
            valid = score.any(axis=1)
            if isinstance(labels, str):
                skipped.add(labels, name)
            elif valid.sum() < self.min_frames:
                skipped.add(f'of fewer than {self.min_frames} frames with a pose', name)
            else:
                yield from_array(pos[valid], self.skeleton, score[valid], **labels)
        skipped.report(total)

    def _files(self) -> Iterator[tuple[str, Callable[[], dict[str, Track]]]]:
        """The files by name, and what reads the sequences in each."""
        for path, name, content in read_files(self.raw_dir, '.csv'):
            yield name, partial(read_gaitgraph, path, content)
        for path, name, content in read_files(self.raw_dir, '.pkl', num_folders=3):
            match = CASIA_B_NAME.match(name)
            if match:
                yield name, partial(_read_pickle, '-'.join(match.groups()), path, content)


def _read_pickle(name: str, path: str, content: bytes) -> dict[str, Track]:
    return {name: read_opengait_pose(path, content)}
