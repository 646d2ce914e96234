"""The GREW dataset."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from graphmotion.datasets.gait_pose_dataset import GaitPoseDataset
from graphmotion.datasets.silhouette_dataset import SilhouetteDataset

_NUM_TRAIN, _NUM_TEST = 20000, 6000


class GREW:
    r"""Mixin of the datasets of GREW: names, labels and protocol.

    Training subjects are numbered from 0, followed by the test subjects, as
    :obj:`graphmotion.metrics.GREW` expects.
    """

    class_names = (
        *(f'{number:05d}train' for number in range(1, _NUM_TRAIN + 1)),
        *(f'{number:05d}' for number in range(1, _NUM_TEST + 1)),
    )
    protocols: Mapping[str, Any] = {'official': ('subject', range(_NUM_TRAIN))}
    pattern = re.compile(
        r'(?<!\d)(?P<subject>\d{5})(?P<train>train)?/(?P<take>\d{2})/(?P<video>[A-Za-z0-9]+)$'
        r'|(^|/)probe/(\d{2}/)?[A-Za-z0-9]+$'
    )
    layout = '00001train/00/4XPn5Z28'
    source = 'https://www.grew-benchmark.org, and https://github.com/ShiqiYu/OpenGait for pickles'
    labels: Any

    def find_labels(self, **groups: str) -> dict[str, int] | str | None:
        r"""Returns the labels of a sequence, or :obj:`None` for the probes of the challenge."""
        if groups['subject'] is None:
            return None
        number, limit = int(groups['subject']), _NUM_TRAIN if groups['train'] else _NUM_TEST
        if not 1 <= number <= limit:
            return f'with a subject outside 1..{limit}'
        if len(groups['video']) > 8:
            return 'with a name of more than 8 characters'
        subject = number - 1 + (0 if groups['train'] else _NUM_TRAIN)
        video = int.from_bytes(groups['video'].encode(), 'big')  # fits into an int64
        return {'y': subject, 'subject': subject, 'take': int(groups['take']), 'video': video}

    def names(self) -> list[str]:
        r"""Returns the name of each sequence, such as :obj:`"00001train-00-4XPn5Z28"`."""
        fields = [self.labels(name).tolist() for name in ('subject', 'take', 'video')]
        return [
            f'{self.class_names[s]}-{t:02d}-{v.to_bytes(8, "big").lstrip(bytes(1)).decode()}'
            for s, t, v in zip(*fields)
        ]


class GREWSilhouettes(GREW, SilhouetteDataset):
    r"""The silhouettes of GREW: 26,000 subjects in natural videos, from the `"Gait Recognition in
    the Wild: A Large-scale Benchmark and NAS-based Baseline" <https://arxiv.org/abs/2205.02692>`_
    paper.

    The folders of `OpenGait <https://github.com/ShiqiYu/OpenGait>`_ are read, such as
    :obj:`00001train/00/4XPn5Z28/4XPn5Z28.pkl` of a training subject and
    :obj:`00001/01/79XJefi8/79XJefi8.pkl` of a test subject, or the same with images.
    :class:`SilhouetteDataset` describes the preprocessing and the arguments. The probes of the
    challenge in the folder :obj:`probe/`, whose subjects are not published, are not read.

    Samples have the fields :obj:`silhouettes` :math:`(1, T, 64, 44)`, :obj:`num_frames`,
    :obj:`subject` (0..19999 in training and 20000..25999 in testing; :obj:`class_names` has the
    names), :obj:`take` (0 in training, 1 and 2 in testing), :obj:`video` (the name of the recording
    as a number) and :obj:`y`, the subject.

    .. code-block:: python

        train, test = GREWSilhouettes('data/grew').official_split()
    """


class GREWPose(GREW, GaitPoseDataset):
    r"""The 2D poses of GREW: 26,000 subjects in natural videos, from the `"Gait Recognition in the
    Wild: A Large-scale Benchmark and NAS-based Baseline" <https://arxiv.org/abs/2205.02692>`_
    paper.

    The folders of `OpenGait <https://github.com/ShiqiYu/OpenGait>`_ are read, such as
    :obj:`00001train/00/4XPn5Z28/4XPn5Z28.pkl`. :class:`GaitPoseDataset` describes the arguments,
    and :class:`GREWSilhouettes` the labels.

    .. code-block:: python

        train, test = GREWPose('data/grew').official_split()
    """
