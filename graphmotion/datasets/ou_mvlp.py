"""The OU-MVLP dataset."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from graphmotion.checks import check_int
from graphmotion.datasets.gait_pose_dataset import GaitPoseDataset
from graphmotion.datasets.silhouette_dataset import SilhouetteDataset

_NUM_SUBJECTS = 10307
_ODD = range(1, 10306, 2)


class OUMVLPLabels:
    r"""Mixin of the datasets of OU-MVLP: names, labels and protocol."""

    class_names = tuple(f'{number:05d}' for number in range(1, _NUM_SUBJECTS + 1))
    protocols: Mapping[str, Any]
    labels: Any

    def _set_protocol(self, train_subjects: Collection[int]) -> None:
        numbers = [check_int('train_subjects', number, 1) for number in train_subjects]
        if not numbers or max(numbers) > _NUM_SUBJECTS:
            raise ValueError(
                f'train_subjects must be in [1, {_NUM_SUBJECTS}], got '
                f'{max(numbers, default="none")}'
            )
        self.protocols = {'official': ('subject', [number - 1 for number in numbers])}

    def find_labels(self, **groups: str) -> dict[str, int] | str:
        r"""Returns the labels of a sequence; subjects are numbered from 0."""
        subject, take, view = (
            int(groups[name] or groups[f'{name}_']) for name in ('subject', 'take', 'view')
        )
        if not 1 <= subject <= _NUM_SUBJECTS:
            return f'with a subject outside 1..{_NUM_SUBJECTS}'
        return {'y': subject - 1, 'subject': subject - 1, 'take': take, 'view': view}

    def names(self) -> list[str]:
        r"""Returns the subject, take and view of each sample as in :obj:`"00001-00-090"`."""
        fields = [self.labels(name).tolist() for name in ('subject', 'take', 'view')]
        return [f'{s + 1:05d}-{t:02d}-{v:03d}' for s, t, v in zip(*fields)]


class OUMVLP(OUMVLPLabels, SilhouetteDataset):
    r"""The silhouettes of OU-MVLP: two sequences of 10,307 subjects from fourteen views, from the
    `"Multi-view large population gait dataset and its performance evaluation for cross-view gait
    recognition" <https://doi.org/10.1186/s41074-018-0039-6>`_ paper.

    Two formats are read: the authors' folders of images, such as
    :obj:`Silhouette_000-00/00001/0001.png`, named by view, sequence and subject, and the pickles of
    `OpenGait <https://github.com/ShiqiYu/OpenGait>`_, such as :obj:`00001/00/000/000.pkl`, named by
    subject, sequence and view. :class:`SilhouetteDataset` describes the preprocessing.

    Samples have the fields :obj:`silhouettes` :math:`(1, T, 64, 44)`, :obj:`num_frames`,
    :obj:`subject` (0..10306, the number in the file name minus 1), :obj:`take` (the sequence:
    usually 1 is the gallery and 0 are the probes), :obj:`view` (degrees; access it as
    :obj:`data['view']`) and :obj:`y`, the subject.

    The protocol :obj:`"official"` trains on the 5,153 subjects numbered 1, 3, ..., 10305 and tests
    on the other 5,154, the authors' split in :obj:`datasets/OUMVLP/OUMVLP.json` of OpenGait. Pass
    :obj:`train_subjects` to use another one.

    .. code-block:: python

        train, test = OUMVLP('data/ou_mvlp').official_split()

    Args:
        root (str or Path): Root directory, whose folder :obj:`raw/` contains the folders, or zip
            archives of them.
        num_strips (int, optional): Number of nodes of a sample. (default: :obj:`16`)
        size (tuple, optional): Height and width of the silhouettes. (default: :obj:`(64, 44)`)
        min_frames (int, optional): Minimum number of frames; shorter sequences are skipped with a
            warning. (default: :obj:`1`)
        invert (bool, optional): If :obj:`True`, bodies are black on white in the raw files.
            (default: :obj:`False`)
        train_subjects (collection of int, optional): Training subjects, numbered as in the file
            names. (default: the odd numbers below 10307)
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
        ValueError: If an option is not positive, a training subject is outside 1..10307, an archive
            is damaged or no sequence is valid. Invalid frames and sequences are skipped with a
            warning.
    """

    # The two formats order the labels differently, and names of groups must be unique.
    pattern = re.compile(
        r'Silhouette_(?P<view>\d{3})-(?P<take>\d{2})/(?P<subject>\d{5})$'
        r'|(?<!\d)(?P<subject_>\d{5})/(?P<take_>\d{2})/(?P<view_>\d{3})$'
    )
    layout = 'Silhouette_000-00/00001'
    source = 'http://www.am.sanken.osaka-u.ac.jp/BiometricDB/GaitMVLP.html'

    def __init__(
        self,
        root: str | Path,
        num_strips: int = 16,
        size: Sequence[int] = (64, 44),
        min_frames: int = 1,
        invert: bool = False,
        train_subjects: Collection[int] = _ODD,
        transform: Callable | None = None,
        pre_transform: Callable | None = None,
        pre_filter: Callable | None = None,
        force_reload: bool = False,
        num_workers: int = 0,
    ) -> None:
        self._set_protocol(train_subjects)
        super().__init__(
            root,
            num_strips,
            size,
            min_frames,
            invert,
            transform,
            pre_transform,
            pre_filter,
            force_reload,
            num_workers,
        )


class OUMVLPPose(OUMVLPLabels, GaitPoseDataset):
    r"""The poses of OU-MVLP: two sequences of 10,307 subjects from fourteen views, from the
    "Performance Evaluation of Model-based Gait on Multi-view Very Large Population Database with
    Pose Sequences" paper (IEEE T-BIOM 2020).

    The pickles of `OpenGait <https://github.com/ShiqiYu/OpenGait>`_ are read, such as
    :obj:`00001/00/000/000.pkl`, named by subject, sequence and view, with 17 or 18 joints
    (:func:`~graphmotion.io.read_opengait_pose`). :class:`GaitPoseDataset` describes the samples,
    and :class:`OUMVLP` their labels and the protocol.

    .. code-block:: python

        train, test = OUMVLPPose('data/ou_mvlp_pose').official_split()

    Args:
        root (str or Path): Root directory, whose folder :obj:`raw/` contains the folders, or zip
            archives of them.
        min_frames (int, optional): Minimum number of frames; shorter sequences are skipped with a
            warning. (default: :obj:`1`)
        train_subjects (collection of int, optional): Training subjects, numbered as in the file
            names. (default: the odd numbers below 10307)
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
        ValueError: If an option is not positive, a training subject is outside 1..10307, an archive
            is damaged or no sequence is valid. Invalid sequences are skipped with a warning.
    """

    pattern = re.compile(r'(?<!\d)(?P<subject>\d{5})/(?P<take>\d{2})/(?P<view>\d{3})$')
    layout = '00001/00/000'
    frame_rate = 25.0
    source = 'http://www.am.sanken.osaka-u.ac.jp/BiometricDB/GaitLPPose.html'

    def __init__(
        self,
        root: str | Path,
        min_frames: int = 1,
        train_subjects: Collection[int] = _ODD,
        transform: Callable | None = None,
        pre_transform: Callable | None = None,
        pre_filter: Callable | None = None,
        force_reload: bool = False,
        num_workers: int = 0,
    ) -> None:
        self._set_protocol(train_subjects)
        super().__init__(
            root, min_frames, transform, pre_transform, pre_filter, force_reload, num_workers
        )
