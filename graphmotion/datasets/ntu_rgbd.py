"""NTU RGB+D and NTU RGB+D 120."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection
from pathlib import Path

import numpy as np

from graphmotion.checks import check_choice, check_int
from graphmotion.datasets.recorded_dataset import RecordedDataset
from graphmotion.io import (
    MalformedFileError,
    read_files,
    read_ntu_skeleton,
    remove_spurious_bodies,
    select_bodies,
)
from graphmotion.skeletons import get_skeleton

# Action classes as on the authors' pages, https://rose1.ntu.edu.sg/dataset/actionRecognition and
# https://github.com/shahroudy/NTURGB-D (where A95 is "hands up"). Training subjects, cameras and
# setups as in the papers, CTR-GCN (data/ntu/seq_transformation.py) and PYSKL
# (tools/data/ntu_preproc.py).
_CLASS_NAMES = (
    *('drink water', 'eat meal', 'brush teeth', 'brush hair', 'drop', 'pick up', 'throw'),
    *('sit down', 'stand up', 'clapping', 'reading', 'writing', 'tear up paper', 'put on jacket'),
    *('take off jacket', 'put on a shoe', 'take off a shoe', 'put on glasses', 'take off glasses'),
    *('put on a hat or cap', 'take off a hat or cap', 'cheer up', 'hand waving'),
    *('kicking something', 'reach into pocket', 'hopping', 'jump up', 'phone call'),
    *('play with phone or tablet', 'type on a keyboard', 'point to something', 'taking a selfie'),
    *('check time from watch', 'rub two hands', 'nod head or bow', 'shake head', 'wipe face'),
    *('salute', 'put palms together', 'cross hands in front', 'sneeze or cough', 'staggering'),
    *('falling down', 'headache', 'chest pain', 'back pain', 'neck pain', 'nausea or vomiting'),
    *('fan self', 'punch or slap', 'kicking', 'pushing', 'pat on back', 'point finger', 'hugging'),
    *('giving object', 'touch pocket', 'shaking hands', 'walking towards', 'walking apart'),
    # Additional classes of NTU RGB+D 120
    *('put on headphone', 'take off headphone', 'shoot at basket', 'bounce ball'),
    *('tennis bat swing', 'juggle table tennis ball', 'hush', 'flick hair', 'thumb up'),
    *('thumb down', 'make OK sign', 'make victory sign', 'staple book', 'counting money'),
    *('cutting nails', 'cutting paper', 'snap fingers', 'open bottle', 'sniff or smell'),
    *('squat down', 'toss a coin', 'fold paper', 'ball up paper', 'play magic cube'),
    *('apply cream on face', 'apply cream on hand', 'put on bag', 'take off bag'),
    *('put object into bag', 'take object out of bag', 'open a box', 'move heavy objects'),
    *('shake fist', 'throw up cap or hat', 'capitulate', 'cross arms', 'arm circles', 'arm swings'),
    *('run on the spot', 'butt kicks', 'cross toe touch', 'side kick', 'yawn', 'stretch oneself'),
    *('blow nose', 'hit with object', 'wield knife', 'knock over', 'grab stuff', 'shoot with gun'),
    *('step on foot', 'high-five', 'cheers and drink', 'carry object', 'take a photo', 'follow'),
    *('whisper', 'exchange things', 'support somebody', 'rock-paper-scissors'),
)
_SUBJECTS_60 = (1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38)
_SUBJECTS_120 = (
    *_SUBJECTS_60,
    *(45, 46, 47, 49, 50, 52, 53, 54, 55, 56, 57, 58, 59, 70, 74, 78, 80, 81, 82, 83, 84, 85, 86),
    *(89, 91, 92, 93, 94, 95, 97, 98, 100, 103),
)
_NAME = re.compile(
    r'S(?P<setup>\d{3})C(?P<view>\d{3})P(?P<subject>\d{3})R(?P<take>\d{3})A(?P<action>\d{3})'
)
# Number of classes, number of setups and protocols of each dataset.
_SETS: dict[str, tuple[int, int, dict[str, tuple[str, Collection[int]]]]] = {
    'ntu60': (
        60,
        17,
        {'cross_subject': ('subject', _SUBJECTS_60), 'cross_view': ('view', (2, 3))},
    ),
    'ntu120': (
        120,
        32,
        {
            'cross_subject': ('subject', _SUBJECTS_120),
            'cross_setup': ('setup', range(2, 33, 2)),
        },
    ),
}


class NTURGBD(RecordedDataset):
    r"""The skeletons of NTU RGB+D and NTU RGB+D 120, from the `"NTU RGB+D: A Large Scale Dataset
    for 3D Human Activity Analysis" <https://arxiv.org/abs/1604.02808>`_ and `"NTU RGB+D 120: A
    Large-Scale Benchmark for 3D Human Activity Understanding" <https://arxiv.org/abs/1905.04757>`_
    papers.

    Actions of one or two people with 25 joints, in metres relative to the sensor, with :math:`y`
    up. Samples have the fields :obj:`y` (0..59 or 0..119), :obj:`setup`, :obj:`view` (the camera,
    1..3), :obj:`subject`, :obj:`take` (the replication, 1 or 2), :obj:`frame_rate` (30) and
    :obj:`score`, 1 where a person is visible and 0 elsewhere. Every sample has the joints of
    :obj:`num_people` people, sorted by decreasing motion; absent people are missing in all frames.

    By default, spurious bodies are removed, and bodies that the sensor lost and found again are
    merged; see :func:`~graphmotion.io.remove_spurious_bodies` and
    :func:`~graphmotion.io.select_bodies`. Recordings without a body are skipped with a warning, and
    so are those in the authors' lists of missing skeletons, such as
    :obj:`NTU_RGBD120_samples_with_missing_skeletons.txt`, if these are in :obj:`raw/`.

    The protocols are :obj:`"cross_subject"` (20 of 40 or 53 of 106 subjects for training),
    :obj:`"cross_view"` of NTU RGB+D (cameras 2 and 3 for training) and :obj:`"cross_setup"` of NTU
    RGB+D 120 (even setups for training):

    .. code-block:: python

        dataset = NTURGBD('data/ntu', 'ntu60')
        train, test = dataset.official_split('cross_subject')

    Args:
        root (str or Path): Root directory, whose folder :obj:`raw/` contains the archives
            :obj:`nturgbd_skeletons_s001_to_s017.zip` and, for NTU RGB+D 120,
            :obj:`nturgbd_skeletons_s018_to_s032.zip`, or the :obj:`.skeleton` files in them.
        name (str, optional): :obj:`"ntu60"` or :obj:`"ntu120"`. Files of other classes or setups
            are ignored. (default: :obj:`"ntu60"`)
        num_people (int, optional): Number of people of a sample. (default: :obj:`2`)
        denoise (bool, optional): If :obj:`False`, spurious bodies are kept.
            (default: :obj:`True`)
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
        ValueError: If an option is invalid, an archive is damaged or no recording is valid.
            Invalid recordings are skipped with a warning.
    """

    suffixes = '.skeleton'
    frame_rate = 30.0
    pattern = _NAME
    name_format = 'S{setup:03d}C{view:03d}P{subject:03d}R{take:03d}A{action:03d}'
    archive = 'nturgbd_skeletons_s001_to_s017.zip'
    source = 'https://rose1.ntu.edu.sg/dataset/actionRecognition'

    def __init__(
        self,
        root: str | Path,
        name: str = 'ntu60',
        num_people: int = 2,
        denoise: bool = True,
        transform: Callable | None = None,
        pre_transform: Callable | None = None,
        pre_filter: Callable | None = None,
        force_reload: bool = False,
        num_workers: int = 0,
    ) -> None:
        self.name = check_choice('name', name, _SETS)
        self.num_people = check_int('num_people', num_people, 1)
        self.denoise = denoise
        self.skeleton = get_skeleton('ntu25')
        num_classes, self.num_setups, self.protocols = _SETS[name]
        self.class_names = _CLASS_NAMES[:num_classes]
        super().__init__(root, transform, pre_transform, pre_filter, force_reload, num_workers)

    @property
    def processed_file_names(self) -> list[str]:
        r"""A file for each combination of options."""
        bodies = 'denoised' if self.denoise else 'all_bodies'
        return [f'{self.name}_{self.num_people}_{bodies}.pt']

    def find_labels(self, numbers: dict[str, int]) -> dict[str, int] | None:
        r"""Returns the labels of a recording, or :obj:`None` if its class or setup is not part of
        the dataset.
        """
        action = numbers.pop('action')
        if not 1 <= action <= len(self.class_names) or numbers['setup'] > self.num_setups:
            return None
        return {'y': action - 1, **numbers}

    def excluded_names(self) -> Collection[str]:
        r"""Returns the names in all text files with "missing" in their file name."""
        names: set[str] = set()
        for path, _, content in read_files(self.raw_dir, '.txt'):
            if 'missing' in os.path.basename(path).lower():
                names.update(m.group() for m in _NAME.finditer(content.decode(errors='replace')))
        return names

    def read_recording(self, path: str, content: bytes) -> tuple[np.ndarray, np.ndarray]:
        r"""Returns the positions of the people, and whether they are visible."""
        num_frames, bodies = read_ntu_skeleton(path, content)
        if not bodies:
            raise MalformedFileError(path, 'bodies', 'at least one', 'none')
        if self.denoise:
            bodies = remove_spurious_bodies(bodies)
        else:
            bodies = sorted(bodies, key=lambda body: -body.motion)
        return select_bodies(num_frames, bodies, self.num_people)
