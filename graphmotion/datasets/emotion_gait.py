"""Emotion-Gait."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from torch_geometric.data import Data

from graphmotion.data import from_array
from graphmotion.datasets.motion_dataset import MotionDataset
from graphmotion.extras import requires_extra
from graphmotion.io.skipped import SkippedSamples
from graphmotion.skeletons import Skeleton, get_skeleton


class EmotionGait(MotionDataset):
    r"""Emotion-Gait: 3D gaits with the emotion that people perceive in them, from the `"STEP:
    Spatial Temporal Graph Convolutional Networks for Emotion Perception from Gaits"
    <https://arxiv.org/abs/1910.12906>`_ paper.

    Gaits are of any length. The root joint is the origin or nearly so, y points up, and the unit
    is that of the files. Walkers are not identified, so that splits are by gait:

    .. code-block:: python

        dataset = EmotionGait('data/emotion_gait')
        train, val, test = dataset.split((8, 1, 1), seed=0)
        for train, test in dataset.folds(5, seed=0):
            ...

    Args:
        root (str or Path): Where :obj:`raw/features.h5` and :obj:`raw/labels.h5` are found.
        skeleton (str or Skeleton, optional): :obj:`"emotion_gait16"` or, for the files with 21
            joints, :obj:`"emotion_gait21"`. (default: :obj:`"emotion_gait16"`)
        transform (callable, optional): Applied to each gait on access. (default: :obj:`None`)
        pre_transform (callable, optional): Applied to each gait once, before it is stored.
            (default: :obj:`None`)
        pre_filter (callable, optional): Gaits for which it returns :obj:`False` are not stored.
            (default: :obj:`None`)
        force_reload (bool, optional): If :obj:`True`, processes the raw files again.
            (default: :obj:`False`)

    Raises:
        FileNotFoundError: If the raw files are missing.
        ValueError: If one of them is damaged or no gait in them can be used; see
            :func:`~graphmotion.datasets.read_emotion_gait`.
    """

    class_names = ('happy', 'angry', 'sad', 'neutral')

    def __init__(
        self,
        root: str | Path,
        skeleton: str | Skeleton = 'emotion_gait16',
        transform: Callable | None = None,
        pre_transform: Callable | None = None,
        pre_filter: Callable | None = None,
        force_reload: bool = False,
    ) -> None:
        self.skeleton = get_skeleton(skeleton)
        super().__init__(root, transform, pre_transform, pre_filter, force_reload)

    @property
    def raw_file_names(self) -> list[str]:
        r"""The positions and the classes."""
        return ['features.h5', 'labels.h5']

    @property
    def processed_file_names(self) -> list[str]:
        r"""One file for each layout."""
        return [f'{self.skeleton.name.replace("/", "-")}.pt']

    def download(self) -> None:
        r"""The licence asks for a request to the authors, so this only says where.

        Raises:
            FileNotFoundError: Always.
        """
        raise FileNotFoundError(
            f'Emotion-Gait needs the files {self.raw_file_names} in {self.raw_dir}. Its authors '
            f'give it out on request: see "STEP" at https://gamma.umd.edu'
        )

    def read(self) -> Iterator[Data]:
        r"""The gaits, sorted by name."""
        features, labels = self.raw_paths
        gaits = read_emotion_gait(
            features, labels, self.skeleton.num_joints, num_classes=len(self.class_names)
        )
        for _, pos, label in gaits:
            yield from_array(pos, self.skeleton, y=label)


# What h5py raises where a file is damaged inside.
_H5_ERRORS = (OSError, KeyError, RuntimeError, TypeError, ValueError, AttributeError, MemoryError)


def read_emotion_gait(
    features: str, labels: str, num_joints: int = 16, num_classes: int = 4
) -> list[tuple[str, np.ndarray, int]]:
    r"""Read gaits in the h5 form of the `"STEP: Spatial Temporal Graph Convolutional Networks for
    Emotion Perception from Gaits" <https://arxiv.org/abs/1910.12906>`_ paper.

    Both files map the name of a gait: one to its joint positions, the other to its class.

    Args:
        features (str): The path of the positions: for each gait a matrix with a row a frame of
            :math:`3V` numbers, joint after joint, in the unit of the dataset.
        labels (str): The path of the classes.
        num_joints (int, optional): Number of joints :math:`V`. (default: :obj:`16`)
        num_classes (int, optional): Classes are :obj:`0..num_classes - 1`. (default: :obj:`4`)

    Returns:
        list of tuple: Name, positions :math:`(T, V, 3)` in single precision and class of each
        gait, sorted by name.

    Raises:
        FileNotFoundError: If a file is not there.
        ValueError: If a file is no h5 file or is cut off, or if no gait can be used. Single gaits
            that are empty, not finite, of another number of joints, or without a valid class are
            left out with one warning that counts them.
    """
    skipped = SkippedSamples(f'{features} with {labels}')
    gaits = []
    with _open(features) as positions, _open(labels) as classes:
        names, labelled = _names(positions, features), _names(classes, labels)
        for name in list(names):
            problem, pos, label = _read_gait(
                positions, classes, name, features, labels, num_joints, num_classes
            )
            if problem:
                skipped.add(problem, name)
            else:
                gaits.append((name, pos, label))
        for name in sorted(set(labelled) - set(names)):
            skipped.add('with a class but no positions', name)
            names.append(name)
    skipped.report(total=len(names))
    return gaits


def _read_gait(
    positions: Any,
    classes: Any,
    name: str,
    features: str,
    labels: str,
    num_joints: int,
    num_classes: int,
) -> tuple[str, np.ndarray, int]:
    """What is wrong with a gait, or nothing, with its positions and class."""
    nothing = np.empty(0)
    try:
        if name not in classes:
            return 'without a class', nothing, -1
        pos, label = np.asarray(positions[name][()]), np.asarray(classes[name][()])
    except _H5_ERRORS as error:
        raise ValueError(
            f'{features} with {labels}: the gait {name!r} cannot be read: {error}'
        ) from error
    if label.size != 1 or label.dtype.kind not in 'iuf' or label.item() not in range(num_classes):
        return f'with a class outside 0..{num_classes - 1}', nothing, -1
    if pos.dtype.kind not in 'iuf' or pos.ndim < 2 or pos.size != len(pos) * num_joints * 3:
        return f'not of {num_joints} joints x 3 numbers a frame', nothing, -1
    if len(pos) == 0:
        return 'without frames', nothing, -1
    with np.errstate(over='ignore'):
        pos = pos.astype(np.float32)  # which may be infinite where the original was not
    if not np.isfinite(pos).all():
        return 'with NaN or infinite positions', nothing, -1
    return '', pos.reshape(len(pos), num_joints, 3), int(label.item())


def _names(file: Any, path: str) -> list[str]:
    try:
        return sorted(file)
    except _H5_ERRORS as error:
        raise ValueError(f'{path}: its list of gaits is damaged: {error}') from error


def _open(path: str) -> Any:
    with requires_extra('io'):
        import h5py
    if not os.path.isfile(path):
        raise FileNotFoundError(f'{path}: no such file')
    try:
        return h5py.File(path, 'r')
    except OSError as error:
        raise ValueError(f'{path}: not an h5 file, or cut off: {error}') from error
