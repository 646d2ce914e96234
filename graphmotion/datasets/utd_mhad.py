"""The UTD-MHAD dataset."""

from __future__ import annotations

import re

import numpy as np

from graphmotion.datasets.recorded_dataset import RecordedDataset
from graphmotion.io.files import as_float_array
from graphmotion.io.matlab import read_matlab
from graphmotion.skeletons import get_skeleton


class UTDMHAD(RecordedDataset):
    r"""The skeletons of the UTD Multimodal Human Action Dataset: 27 actions of eight people, from
    the "UTD-MHAD: A Multimodal Dataset for Human Action Recognition Utilizing a Depth Camera and a
    Wearable Inertial Sensor" paper (ICIP 2015).

    861 sequences of one person with the 20 joints of the layout :obj:`kinect20`, in metres relative
    to the camera, with :math:`y` up. Samples have the fields :obj:`y` (0..26), :obj:`subject`
    (1..8) and :obj:`take` (1..4).

    The protocol :obj:`"cross_subject"` trains on the odd subjects and tests on the even ones:

    .. code-block:: python

        dataset = UTDMHAD('data/utd_mhad')
        train, test = dataset.official_split('cross_subject')

    Args:
        root (str or Path): Root directory, whose folder :obj:`raw/` contains :obj:`Skeleton.zip` or
            its files :obj:`a{action}_s{subject}_t{trial}_skeleton.mat`.
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
        ValueError: If the archive is damaged or no sequence is valid. Invalid sequences are skipped
            with a warning.
    """

    skeleton = get_skeleton('kinect20')
    class_names = (
        'right arm swipe to the left',
        'right arm swipe to the right',
        'right hand wave',
        'two hand front clap',
        'right arm throw',
        'cross arms in the chest',
        'basketball shoot',
        'right hand draw x',
        'right hand draw circle (clockwise)',
        'right hand draw circle (counter clockwise)',
        'draw triangle',
        'bowling (right hand)',
        'front boxing',
        'baseball swing from right',
        'tennis right hand forehand swing',
        'arm curl (two arms)',
        'tennis serve',
        'two hand push',
        'right hand knock on door',
        'right hand catch an object',
        'right hand pick up and throw',
        'jogging in place',
        'walking in place',
        'sit to stand',
        'stand to sit',
        'forward lunge (left foot forward)',
        'squat (two arms stretch out)',
    )
    suffixes = '.mat'
    pattern = re.compile(r'a(?P<action>\d+)_s(?P<subject>\d+)_t(?P<take>\d+)_skeleton')
    name_format = 'a{action}_s{subject}_t{take}_skeleton'
    archive = 'Skeleton.zip'
    source = 'https://personal.utdallas.edu/~kehtar/UTD-MHAD.html'
    protocols = {'cross_subject': ('subject', (1, 3, 5, 7))}

    def find_labels(self, numbers: dict[str, int]) -> dict[str, int] | str:
        r"""Returns the labels of a sequence; classes are numbered from 0."""
        action = numbers.pop('action')
        if not 1 <= action <= len(self.class_names):
            return f'with an action outside 1..{len(self.class_names)}'
        return {'y': action - 1, **numbers}

    def read_recording(self, path: str, content: bytes) -> tuple[np.ndarray, None]:
        r"""Returns the positions of a sequence, which has no scores."""
        return read_utd_mhad(path, content), None


# The trunk is listed from the head to the hips in the files and from the hips to the head in the
# layout; the limbs have the same order.
_ORDER = [3, 2, 1, 0, *range(4, 20)]


def read_utd_mhad(path: str, content: bytes | None = None) -> np.ndarray:
    r"""Reads a skeleton sequence of the UTD-MHAD dataset, from the "UTD-MHAD: A Multimodal Dataset
    for Human Action Recognition Utilizing a Depth Camera and a Wearable Inertial Sensor" paper
    (ICIP 2015).

    The file contains the matrix :obj:`d_skel` :math:`(20, 3, T)`, in metres relative to the camera.
    Its joints are reordered to the layout :obj:`kinect20`.

    Args:
        path (str): Path of the file.
        content (bytes, optional): Content of the file if already read. (default: :obj:`None`)

    Returns:
        array: Positions :math:`(T, 20, 3)` in single precision.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is empty, truncated or invalid.
    """
    pos = as_float_array(read_matlab(path, 'd_skel', content), path, 'd_skel', (20, 3, 'T'))
    return np.ascontiguousarray(pos.transpose(2, 0, 1)[:, _ORDER])
