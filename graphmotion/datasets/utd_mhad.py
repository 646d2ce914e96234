"""UTD-MHAD."""

from __future__ import annotations

import re

import numpy as np

from graphmotion.datasets.recorded_dataset import RecordedDataset
from graphmotion.io.files import as_float_array
from graphmotion.io.matlab import read_matlab
from graphmotion.skeletons import get_skeleton


class UTDMHAD(RecordedDataset):
    r"""UTD Multimodal Human Action Dataset, its skeletons: 27 actions of eight people, from the
    "UTD-MHAD: A Multimodal Dataset for Human Action Recognition Utilizing a Depth Camera and a
    Wearable Inertial Sensor" paper (ICIP 2015).

    861 sequences of one person, 20 joints in metres from the camera, :math:`y` up, put into the
    order of the layout :obj:`kinect20`. Samples have the fields :obj:`y` (0..26), :obj:`subject`
    (1..8) and :obj:`take` (1..4).

    The protocol :obj:`"cross_subject"` trains on the odd subjects and tests on the even ones:

    .. code-block:: python

        dataset = UTDMHAD('data/utd_mhad')
        train, test = dataset.official_split('cross_subject')

    Args:
        root (str): Where :obj:`raw/` holds :obj:`Skeleton.zip`, or its files
            :obj:`a{action}_s{subject}_t{trial}_skeleton.mat`.
        transform (callable, optional): Applied to each sample on access. (default: :obj:`None`)
        pre_transform (callable, optional): Applied to each sample once, before it is stored.
            (default: :obj:`None`)
        pre_filter (callable, optional): Samples for which it returns :obj:`False` are not stored.
            (default: :obj:`None`)
        force_reload (bool, optional): If :obj:`True`, processes the raw files again.
            (default: :obj:`False`)

    Raises:
        FileNotFoundError: If the raw files are missing.
        ValueError: If the archive is damaged or no sequence can be used; single sequences that
            cannot are left out with one warning that counts them.
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
    suffix = '.mat'
    pattern = re.compile(r'a(?P<action>\d+)_s(?P<subject>\d+)_t(?P<take>\d+)_skeleton')
    name_format = 'a{action}_s{subject}_t{take}_skeleton'
    archive = 'Skeleton.zip'
    source = 'https://personal.utdallas.edu/~kehtar/UTD-MHAD.html'
    protocols = {'cross_subject': ('subject', (1, 3, 5, 7))}

    def find_labels(self, numbers: dict[str, int]) -> dict[str, int] | str:
        r"""Classes count from 0."""
        action = numbers.pop('action')
        if not 1 <= action <= len(self.class_names):
            return f'of an action outside 1..{len(self.class_names)}'
        return {'y': action - 1, **numbers}

    def read_recording(self, path: str, content: bytes) -> tuple[np.ndarray, None]:
        r"""Positions; there are no scores."""
        return read_utd_mhad(path, content), None


# The file goes from the head down, the layout from the hips up; limbs stand alike.
_ORDER = [3, 2, 1, 0, *range(4, 20)]


def read_utd_mhad(path: str, content: bytes | None = None) -> np.ndarray:
    r"""Read a skeleton sequence of UTD-MHAD, from the "UTD-MHAD: A Multimodal Dataset for Human
    Action Recognition Utilizing a Depth Camera and a Wearable Inertial Sensor" paper (ICIP 2015).

    The file holds the matrix :obj:`d_skel` :math:`(20, 3, T)`, in metres from the camera. Its
    joints are put into the order of the layout :obj:`kinect20`.

    Args:
        path (str): The file.
        content (bytes, optional): Its bytes, if they were read before. (default: :obj:`None`)

    Returns:
        array: Positions :math:`(T, 20, 3)` in single precision.

    Raises:
        FileNotFoundError: If the file is not there.
        ValueError: If it is empty, cut off, or holds something else.
    """
    pos = as_float_array(read_matlab(path, 'd_skel', content), path, 'd_skel', (20, 3, 'T'))
    return np.ascontiguousarray(pos.transpose(2, 0, 1)[:, _ORDER])
