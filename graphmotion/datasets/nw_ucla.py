"""The Northwestern-UCLA dataset."""

from __future__ import annotations

import re

import numpy as np

from graphmotion.datasets.recorded_dataset import RecordedDataset
from graphmotion.io.files import MalformedFileError, as_float_array, load_json
from graphmotion.skeletons import get_skeleton

# Action numbers in the file names, in the order of the paper's classes. The code of CTR-GCN
# (feeders/feeder_ucla.py) uses the same labels and the same split.
_ACTIONS = (1, 2, 3, 4, 5, 6, 8, 9, 11, 12)


class NWUCLA(RecordedDataset):
    r"""Northwestern-UCLA Multiview Action 3D: ten actions seen by three Kinects, from the
    `"Cross-view Action Modeling, Learning and Recognition" <https://arxiv.org/abs/1405.2941>`_
    paper.

    1,484 sequences of one person with 20 joints, in metres relative to the camera, with :math:`y`
    up. Samples have the fields :obj:`y` (0..9), :obj:`subject` (1..10), :obj:`view` (1..3),
    :obj:`take` (the episode) and :obj:`score`, which is 0 for joints at the origin, the position
    of missing joints in the files.

    The protocol :obj:`"cross_view"` trains on views 1 and 2 (1,020 sequences) and tests on view 3
    (464 sequences):

    .. code-block:: python

        dataset = NWUCLA('data/nw_ucla')
        train, test = dataset.official_split('cross_view')
        unseen = test.index_select(~find_copies(test, train))

    All 95 sequences of the classes 1 and 2 in view 3 of the archive :obj:`all_sqe.zip` are copies
    of those in view 2, so that a fifth of the test part is in the training part. Published figures
    include them. :func:`~graphmotion.data.find_copies` finds them; 369 test sequences are left.

    Args:
        root (str or Path): Root directory, whose folder :obj:`raw/` contains :obj:`all_sqe.zip` or
            its files :obj:`a{action}_s{subject}_e{episode}_v{view}.json`.
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
    suffixes = '.json'
    pattern = re.compile(r'a(?P<action>\d+)_s(?P<subject>\d+)_e(?P<take>\d+)_v(?P<view>\d+)')
    name_format = 'a{action:02d}_s{subject:02d}_e{take:02d}_v{view:02d}'
    archive = 'all_sqe.zip'
    source = 'https://wangjiangb.github.io/my_data.html'
    protocols = {'cross_view': ('view', (1, 2))}

    def find_labels(self, numbers: dict[str, int]) -> dict[str, int] | str:
        r"""Returns the labels of a sequence; classes are numbered consecutively."""
        action = numbers.pop('action')
        if action not in _ACTIONS:
            return f'with an action not in {list(_ACTIONS)}'
        return {'y': _ACTIONS.index(action), **numbers}

    def action(self, y: int) -> int:
        r"""Returns the action number of a class in the file names."""
        return _ACTIONS[y]

    def read_recording(self, path: str, content: bytes) -> tuple[np.ndarray, np.ndarray]:
        r"""Returns the positions and scores of a sequence."""
        pos = read_nw_ucla(path, content)
        return pos, (pos != 0).any(axis=-1).astype(np.float32)


def read_nw_ucla(path: str, content: bytes | None = None) -> np.ndarray:
    r"""Reads a sequence of the Northwestern-UCLA dataset in JSON format, from the `"Cross-view
    Action Modeling, Learning and Recognition" <https://arxiv.org/abs/1405.2941>`_ paper.

    The file is :obj:`{"skeletons": [frames][joints][coordinates], ...}`, in metres relative to the
    camera, with the joints of the layout :obj:`kinect20`.

    Args:
        path (str): Path of the file.
        content (bytes, optional): Content of the file if already read. (default: :obj:`None`)

    Returns:
        array: Positions :math:`(T, 20, 3)` in single precision.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is empty, truncated or invalid.
    """
    sequence = load_json(path, content)
    if not isinstance(sequence, dict) or 'skeletons' not in sequence:
        raise MalformedFileError(path, 'skeletons', 'the joint positions', 'no such field')
    return as_float_array(sequence['skeletons'], path, 'skeletons', ('T', 20, 3))
