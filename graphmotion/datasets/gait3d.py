"""The Gait3D dataset."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from graphmotion.datasets.gait_pose_dataset import GaitPoseDataset
from graphmotion.datasets.silhouette_dataset import SilhouetteDataset
from graphmotion.io import MalformedFileError, load_json

_PARTITION = 'Gait3D.json'


class Gait3D:
    r"""Mixin of the datasets of Gait3D: names, labels and protocol.

    Training subjects are numbered from 0 in the order of their names, followed by the test
    subjects, as :obj:`graphmotion.metrics.GAIT3D` expects.
    """

    pattern = re.compile(
        r'(?<!\d)(?P<subject>\d{4})/camid(?P<view>\d+)_videoid(?P<video>\d+)/seq(?P<take>\d+)$'
    )
    layout = '0000/camid0_videoid2/seq0'
    source = 'https://gait3d.github.io, and https://github.com/ShiqiYu/OpenGait for Gait3D.json'
    protocols: Mapping[str, Any]
    labels: Any
    raw_dir: str

    def __init__(self, root: Any, *args: Any, **options: Any) -> None:
        self._partition: dict[str, list[str]] = {'TRAIN_SET': [], 'TEST_SET': [], 'PROBE_SET': []}
        path = os.path.join(os.path.expanduser(os.fspath(root)), 'raw', _PARTITION)
        if os.path.isfile(path):  # otherwise it is missing in raw_file_names
            self._partition = _read_partition(path)
        train, test = (sorted(self._partition[part]) for part in ('TRAIN_SET', 'TEST_SET'))
        self.class_names = (*train, *test)
        self._numbers = {name: number for number, name in enumerate(self.class_names)}
        self._probes = set(self._partition['PROBE_SET'])
        self.protocols = {'official': ('subject', range(len(train)))}
        super().__init__(root, *args, **options)  # type: ignore[call-arg]

    @property
    def raw_file_names(self) -> list[str]:
        r"""The archives and folders in :obj:`raw/`, and :obj:`Gait3D.json`."""
        return [*super().raw_file_names, _PARTITION]  # type: ignore[misc]

    @property
    def required_files(self) -> str:
        r"""Images or pickles in folders, and the partition."""
        return f'{super().required_files} and {_PARTITION}'  # type: ignore[misc]

    def find_labels(self, **groups: str) -> dict[str, int] | str:
        r"""Returns the labels of a sequence."""
        number = self._numbers.get(groups['subject'])
        if number is None:
            return f'with a subject that is not in {_PARTITION}'
        name = '{subject}-camid{view}_videoid{video}-seq{take}'.format(**groups)
        return {
            'y': number,
            'subject': number,
            'view': int(groups['view']),
            'video': int(groups['video']),
            'take': int(groups['take']),
            'probe': int(name in self._probes),
        }

    def names(self) -> list[str]:
        r"""Returns the name of each sequence, such as :obj:`"0000-camid0_videoid2-seq0"`."""
        fields = [self.labels(name).tolist() for name in ('subject', 'view', 'video', 'take')]
        return [f'{self.class_names[s]}-camid{c}_videoid{v}-seq{t}' for s, c, v, t in zip(*fields)]


class Gait3DSilhouettes(Gait3D, SilhouetteDataset):
    r"""The silhouettes of Gait3D: 4,000 subjects indoors with 39 cameras, from the `"Gait
    Recognition in the Wild with Dense 3D Representations and A Benchmark"
    <https://arxiv.org/abs/2204.02569>`_ paper.

    Two formats are read: the authors' folders of images and the pickles of `OpenGait
    <https://github.com/ShiqiYu/OpenGait>`_, such as :obj:`0000/camid0_videoid2/seq0/seq0.pkl` or,
    merged with other data, :obj:`sils-seq0.pkl`. :class:`SilhouetteDataset` describes the
    preprocessing and the arguments. The folder :obj:`raw/` must also contain OpenGait's
    :obj:`Gait3D.json`, which lists training subjects, test subjects and probes.

    Samples have the fields :obj:`silhouettes` :math:`(1, T, 64, 44)`, :obj:`num_frames`,
    :obj:`subject` (0..2999 in training and 3000..3999 in testing, each in the order of the names,
    which are :obj:`class_names`), :obj:`view` (the camera; access it as :obj:`data['view']`),
    :obj:`video`, :obj:`take`, :obj:`probe` (1 for probes) and :obj:`y`, the subject.

    .. code-block:: python

        train, test = Gait3DSilhouettes('data/gait3d').official_split()

    Raises:
        FileNotFoundError: If the raw files or :obj:`Gait3D.json` are missing.
        ValueError: If :obj:`Gait3D.json` is malformed, or as for :class:`SilhouetteDataset`.
    """


class Gait3DPose(Gait3D, GaitPoseDataset):
    r"""The 2D poses of Gait3D: 4,000 subjects indoors with 39 cameras, from the `"Gait
    Recognition in the Wild with Dense 3D Representations and A Benchmark"
    <https://arxiv.org/abs/2204.02569>`_ paper.

    The pickles of `OpenGait <https://github.com/ShiqiYu/OpenGait>`_ are read, such as
    :obj:`0000/camid0_videoid2/seq0/seq0.pkl`. :class:`GaitPoseDataset` describes the arguments. The
    folder :obj:`raw/` must also contain OpenGait's :obj:`Gait3D.json`, which lists training
    subjects, test subjects and probes.

    Samples have the labels of :class:`Gait3DSilhouettes`.

    .. code-block:: python

        train, test = Gait3DPose('data/gait3d').official_split()

    Raises:
        FileNotFoundError: If the raw files or :obj:`Gait3D.json` are missing.
        ValueError: If :obj:`Gait3D.json` is malformed, or as for :class:`GaitPoseDataset`.
    """


def _read_partition(path: str) -> dict[str, list[str]]:
    content = load_json(path)
    parts = {}
    for part in ('TRAIN_SET', 'TEST_SET', 'PROBE_SET'):
        names = content.get(part) if isinstance(content, dict) else None
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise MalformedFileError(path, part, 'a list of names', f'{names!r:.60}')
        parts[part] = names
    return parts
