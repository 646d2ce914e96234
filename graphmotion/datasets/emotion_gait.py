"""The Emotion-Gait dataset."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from torch_geometric.data import Data

from graphmotion.data import from_array
from graphmotion.datasets.motion_dataset import MotionDataset
from graphmotion.datasets.raw_files import ManualDownload
from graphmotion.extras import requires_extra
from graphmotion.io.files import LARGEST_BYTES
from graphmotion.io.skipped import SkippedSamples
from graphmotion.skeletons import Skeleton, get_skeleton


class EmotionGait(ManualDownload, MotionDataset):
    r"""The Emotion-Gait dataset of 3D gaits with perceived emotions, from the `"STEP: Spatial
    Temporal Graph Convolutional Networks for Emotion Perception from Gaits"
    <https://arxiv.org/abs/1910.12906>`_ paper.

    Gaits differ in length. The root joint is close to the origin, :math:`y` points up, and
    positions are in the unit of the files. Subjects are unknown, so splits are by gait:

    .. code-block:: python

        dataset = EmotionGait('data/emotion_gait')
        train, val, test = dataset.split((8, 1, 1), seed=0)
        for train, test in dataset.folds(5, seed=0):
            ...

    Args:
        root (str or Path): Root directory, whose folder :obj:`raw/` contains :obj:`features.h5` and
            :obj:`labels.h5`.
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
        ValueError: If a file is damaged or no gait is valid; see
            :func:`~graphmotion.datasets.read_emotion_gait`.
    """

    class_names = ('happy', 'angry', 'sad', 'neutral')
    source = '"STEP" at https://gamma.umd.edu (available on request)'

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
        r"""The files of the positions and of the classes."""
        return ['features.h5', 'labels.h5']

    @property
    def processed_file_names(self) -> list[str]:
        r"""A file for each skeleton."""
        return [f'{self.skeleton.name.replace("/", "-")}.pt']

    def read(self) -> Iterator[Data]:
        r"""Yields the gaits, sorted by name."""
        features, labels = self.raw_paths
        gaits = read_emotion_gait(
            features, labels, self.skeleton.num_joints, num_classes=len(self.class_names)
        )
        for _, pos, label in gaits:
            yield from_array(pos, self.skeleton, axes='TVC', y=label)


# Exceptions of h5py when it reads a damaged part of a file.
_H5_ERRORS = (OSError, KeyError, RuntimeError, TypeError, ValueError, AttributeError, MemoryError)


def read_emotion_gait(
    features: str, labels: str, num_joints: int = 16, num_classes: int = 4
) -> list[tuple[str, np.ndarray, int]]:
    r"""Reads gaits in the HDF5 format of the `"STEP: Spatial Temporal Graph Convolutional Networks
    for Emotion Perception from Gaits" <https://arxiv.org/abs/1910.12906>`_ paper.

    One file maps the names of gaits to their joint positions, the other to their classes.

    Args:
        features (str): Path of the positions, a matrix :math:`(T, 3V)` for each gait with the
            coordinates of one joint after another.
        labels (str): Path of the classes.
        num_joints (int, optional): Number of joints :math:`V`. (default: :obj:`16`)
        num_classes (int, optional): Number of classes. (default: :obj:`4`)

    Returns:
        list of tuple: Name, positions :math:`(T, V, 3)` in single precision and class of each
        gait, sorted by name.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If a file is not an HDF5 file, is truncated or damaged, or if no gait is valid.
            Gaits that are empty or not finite, have another number of joints or have no valid class
            are skipped with a warning.
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
    """Returns the reason to skip a gait, if any, its positions and its class."""
    empty = np.empty(0)
    try:
        if name not in classes:
            return 'without a class', empty, -1
        pos, label = _read_values(positions, name), _read_values(classes, name)
    except _H5_ERRORS as error:
        raise ValueError(
            f'{features} with {labels}: gait {name!r} cannot be read: {error}'
        ) from error
    if label.size != 1 or label.dtype.kind not in 'iuf' or label.item() not in range(num_classes):
        return f'with a class outside 0..{num_classes - 1}', empty, -1
    if pos.dtype.kind not in 'iuf' or pos.ndim < 2 or pos.size != len(pos) * num_joints * 3:
        return f'without {num_joints} joints x 3 numbers per frame', empty, -1
    if len(pos) == 0:
        return 'without frames', empty, -1
    with np.errstate(over='ignore'):
        pos = pos.astype(np.float32)  # large values become infinite
    if not np.isfinite(pos).all():
        return 'with NaN or infinite positions', empty, -1
    return '', pos.reshape(len(pos), num_joints, 3), int(label.item())


def _read_values(file: Any, name: str) -> np.ndarray:
    """Reads an array, which must be in the file itself and not too large."""
    import h5py

    if not isinstance(file.get(name, getlink=True), h5py.HardLink):
        raise ValueError('a link')
    values = file[name]
    if values.is_virtual or values.external:
        raise ValueError('values in other files')
    num_bytes = math.prod(values.shape) * values.dtype.itemsize
    if num_bytes > LARGEST_BYTES:
        raise ValueError(f'{num_bytes} bytes, more than {LARGEST_BYTES}')
    return np.asarray(values[()])


def _names(file: Any, path: str) -> list[str]:
    try:
        return sorted(file)
    except _H5_ERRORS as error:
        raise ValueError(f'{path}: the list of gaits is damaged: {error}') from error


def _open(path: str) -> Any:
    with requires_extra('io'):
        import h5py
    if not os.path.isfile(path):
        raise FileNotFoundError(f'{path}: no such file')
    try:
        return h5py.File(path, 'r')
    except OSError as error:
        raise ValueError(f'{path}: not an HDF5 file, or truncated: {error}') from error
