"""Northwestern-UCLA."""

from __future__ import annotations

import re

import numpy as np

from graphmotion.datasets.recorded_dataset import RecordedDataset
from graphmotion.io.files import MalformedFileError, as_float_array, load_json
from graphmotion.skeletons import get_skeleton

# The numbers of the files, in the order of the paper's classes. The code of CTR-GCN
# (feeders/feeder_ucla.py) has the same labels and the same split.
_ACTIONS = (1, 2, 3, 4, 5, 6, 8, 9, 11, 12)


class NWUCLA(RecordedDataset):
    r"""Northwestern-UCLA Multiview Action 3D: ten actions seen by three Kinects, from the
    `"Cross-view Action Modeling, Learning and Recognition" <https://arxiv.org/abs/1405.2941>`_
    paper.

    1,484 sequences of one person, 20 joints in metres from the camera, :math:`y` up. Samples have
    the fields :obj:`y` (0..9), :obj:`subject` (1..10), :obj:`view` (1..3), :obj:`take` (the
    episode) and :obj:`score`: 0 for a joint that the file puts into the camera, at the origin.

    The protocol :obj:`"cross_view"` trains on views 1 and 2 (1,020) and tests on view 3 (464):

    .. code-block:: python

        dataset = NWUCLA('data/nw_ucla')
        train, test = dataset.official_split('cross_view')

    Args:
        root (str): Where :obj:`raw/` holds :obj:`all_sqe.zip`, or its files
            :obj:`a{action}_s{subject}_e{episode}_v{view}.json`.
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
        'pick up with one hand',
        'pick up with two hands',
        'drop trash',
        'walk around',
        'sit down',
        'stand up',
        'donning',
        'doffing',
        'throw',
        'carry',
    )
    suffix = '.json'
    pattern = re.compile(r'a(?P<action>\d+)_s(?P<subject>\d+)_e(?P<take>\d+)_v(?P<view>\d+)')
    name_format = 'a{action:02d}_s{subject:02d}_e{take:02d}_v{view:02d}'
    archive = 'all_sqe.zip'
    source = 'https://wangjiangb.github.io/my_data.html'
    protocols = {'cross_view': ('view', (1, 2))}

    def find_labels(self, numbers: dict[str, int]) -> dict[str, int] | str:
        r"""Classes are the actions in their order, which leaves out some numbers."""
        action = numbers.pop('action')
        if action not in _ACTIONS:
            return f'of an action not in {list(_ACTIONS)}'
        return {'y': _ACTIONS.index(action), **numbers}

    def action(self, y: int) -> int:
        r"""The number that the files give to a class."""
        return _ACTIONS[y]

    def read_recording(self, path: str, content: bytes) -> tuple[np.ndarray, np.ndarray]:
        r"""Positions, and the score 0 where there is none."""
        pos = read_nw_ucla(path, content)
        return pos, (pos != 0).any(axis=-1).astype(np.float32)


def read_nw_ucla(path: str, content: bytes | None = None) -> np.ndarray:
    r"""Read a sequence of Northwestern-UCLA, from the `"Cross-view Action Modeling, Learning and
    Recognition" <https://arxiv.org/abs/1405.2941>`_ paper, in its JSON form.

    The file is :obj:`{"skeletons": [frames][joints][coordinates], ...}`, in metres from the
    camera, with the joints of the layout :obj:`kinect20`.

    Args:
        path (str): The file.
        content (bytes, optional): Its bytes, if they were read before. (default: :obj:`None`)

    Returns:
        array: Positions :math:`(T, 20, 3)` in single precision.

    Raises:
        FileNotFoundError: If the file is not there.
        ValueError: If it is empty, cut off, or holds something else.
    """
    sequence = load_json(path, content)
    if not isinstance(sequence, dict) or 'skeletons' not in sequence:
        raise MalformedFileError(path, 'skeletons', 'the positions of joints', 'no such field')
    return as_float_array(sequence['skeletons'], path, 'skeletons', ('T', 20, 3))
