"""Arrays of skeleton sequences in the formats of ST-GCN, 2s-AGCN and CTR-GCN."""

from __future__ import annotations

import math
import os
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from graphmotion.io.files import MalformedFileError
from graphmotion.io.numpy_files import open_arrays
from graphmotion.io.pickles import load_pickle
from graphmotion.io.tracks import Track, split_score

_DATA = re.compile(r'(?P<part>.+)_data(_joint)?\.npy')


@dataclass(frozen=True)
class ArrayPart:
    r"""A part, such as the training samples, of the arrays of :func:`read_skeleton_arrays`.

    .. code-block:: python

        part = read_skeleton_arrays('data/ntu/xsub', num_joints=25)['train']
        pos, score = next(part.samples())
        print(part.names[0], part.labels[0], pos.shape)

    Args:
        names (list of str): Name of each sample.
        labels (list of int): Class of each sample.
        arrays (callable): Returns an iterator over arrays :math:`(M, T, V, C)`, one per sample.
        score_last (bool): Whether the last channel is the score of a joint.
        path (str): Path of the file, for messages.
    """

    names: list[str]
    labels: list[int]
    arrays: Callable[[], Iterator[np.ndarray]]
    score_last: bool = False
    path: str = 'arrays'

    def samples(self) -> Iterator[Track]:
        r"""Yields positions :math:`(M, T, V, D)` and scores :math:`(M, T, V)` of the people who are
        present in each sample, which may be none.
        """
        for array in self.arrays():
            with np.errstate(over='ignore', invalid='ignore'):
                array = array.astype(np.float32)  # infinite where single precision does not reach
            present = (array != 0).any(axis=(2, 3))  # [M, T]
            num_frames = int(present.any(axis=0).nonzero()[0].max(initial=-1)) + 1
            people = present.any(axis=1)
            array, present = array[people, :num_frames], present[people, :num_frames]
            if not self.score_last:
                ones = np.broadcast_to(present[:, :, None, None], (*array.shape[:3], 1))
                array = np.concatenate([array, ones], axis=-1)
            yield split_score(array, self.path)


def read_skeleton_arrays(
    path: str, num_joints: int, score_last: bool = False
) -> dict[str, ArrayPart]:
    r"""Opens arrays of skeleton sequences in the formats of ST-GCN, 2s-AGCN and CTR-GCN.

    ST-GCN and 2s-AGCN write a folder with an array :math:`(N, C, T, V, M)` in
    :obj:`train_data.npy` or :obj:`train_data_joint.npy` and a pickle of names and classes in
    :obj:`train_label.pkl` for each part of the dataset. CTR-GCN writes an :obj:`.npz` file with
    :obj:`x_train` :math:`(N, T, M \cdot V \cdot 3)`, one-hot classes :obj:`y_train`, and the same
    for :obj:`x_test`. Samples are read one by one, so that the arrays may exceed the memory.

    Frames after the last one with a nonzero value are padding and are dropped, as are people whose
    values are zero in all frames. A person has score 0 in frames whose values are all zero. 2s-AGCN
    pads by repeating the sequence, which cannot be distinguished from data and is kept.

    .. code-block:: python

        parts = read_skeleton_arrays('data/ntu/xsub', num_joints=25)
        for name, label, (pos, score) in zip(
            parts['train'].names, parts['train'].labels, parts['train'].samples()
        ):
            data = from_array(pos, 'ntu25', score, axes='MTVC', y=label)

    Args:
        path (str): Path of the folder or of the :obj:`.npz` file.
        num_joints (int): Number of joints :math:`V`.
        score_last (bool, optional): If :obj:`True`, the last of the :math:`C` channels is the score
            of a joint, as in Kinetics-Skeleton. (default: :obj:`False`)

    Returns:
        dict: An :class:`ArrayPart` for each part, such as :obj:`"train"` and :obj:`"val"`.

    Raises:
        FileNotFoundError: If the path does not exist, or an array has no pickle.
        ValueError: If a file is malformed, or there are no arrays.

    Warns:
        UserWarning: If the third channel looks like scores and :obj:`score_last` is not set.
    """
    if os.path.isdir(path):
        parts = _open_folder(path, num_joints, score_last)
    elif os.path.isfile(path):
        parts = _open_npz(path, num_joints, score_last)
    else:
        raise FileNotFoundError(f'{path}: no such file or folder')
    if not score_last and all(_has_scores(part) for part in parts.values()):
        warnings.warn(
            f'{path}: the third channel is in [0, 1] in the first samples; pass score_last=True if '
            f'it is the score of a joint',
            stacklevel=2,
        )
    return parts


def _has_scores(part: ArrayPart) -> bool:
    """Returns whether the third channel of the first samples looks like scores."""
    first = [array[..., 2:] for array in islice(part.arrays(), 4)]
    values = np.concatenate([array.ravel() for array in first])
    return bool((values > 0).any() and ((values >= 0) & (values <= 1)).all())


def find_arrays(folder: str) -> dict[str, str]:
    r"""Returns the file of the joint positions of each part in a folder of arrays."""
    found: dict[str, str] = {}
    for name in sorted(os.listdir(folder)):
        match = _DATA.fullmatch(name)
        if match:
            found.setdefault(match['part'], name)
    return found


def _open_folder(folder: str, num_joints: int, score_last: bool) -> dict[str, ArrayPart]:
    parts = {}
    for part, name in find_arrays(folder).items():
        path = os.path.join(folder, name)
        names, labels = _read_labels(os.path.join(folder, f'{part}_label.pkl'))
        try:
            array = np.lib.format.open_memmap(path, mode='r')
        except Exception as error:  # damaged files raise errors of many types
            raise MalformedFileError(path, 'content', 'a numeric array', str(error)) from error
        channels = (3, 4) if score_last else (2, 3)
        fits = array.ndim == 5 and array.shape[1] in channels and array.shape[3] == num_joints
        if not fits or array.dtype.kind not in 'iuf' or len(array) != len(labels) or not array.size:
            expected = (
                f'numbers of shape [N, C, T, V, M] with N = {len(labels)} labels, C in {channels} '
                f'and V = {num_joints}'
            )
            found = f'{array.dtype} of shape {list(array.shape)}'
            raise MalformedFileError(path, 'data', expected, found)
        parts[part] = ArrayPart(names, labels, _Memmap(array), score_last, path)
    if not parts:
        raise MalformedFileError(folder, 'files', 'train_data.npy and train_label.pkl', 'none')
    return parts


def _read_labels(path: str) -> tuple[list[str], list[int]]:
    """Reads the names and classes of the samples of a part."""
    content = load_pickle(path)
    if not isinstance(content, tuple | list) or len(content) != 2:
        expected = 'the names and the classes of the samples'
        raise MalformedFileError(path, 'content', expected, type(content).__name__)
    names, labels = (v.tolist() if isinstance(v, np.ndarray) else v for v in content)
    for field, values, kind in (('names', names, str), ('labels', labels, int | np.integer)):
        if not isinstance(values, tuple | list) or not all(isinstance(v, kind) for v in values):
            raise MalformedFileError(
                path, field, 'a list of text' if kind is str else 'a list of integers', 'others'
            )
    if len(names) != len(labels) or min(labels, default=-1) < 0:
        found = f'{len(names)} names and {len(labels)} labels from {min(labels, default=0)}'
        raise MalformedFileError(path, 'labels', 'a class index of each name', found)
    return list(names), [int(label) for label in labels]


class _Memmap:
    """Yields the samples [M, T, V, C] of a memory-mapped array [N, C, T, V, M]."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def __call__(self) -> Iterator[np.ndarray]:
        for sample in self.array:
            yield sample.transpose(3, 1, 2, 0)


def _open_npz(path: str, num_joints: int, score_last: bool) -> dict[str, ArrayPart]:
    with open_arrays(path) as arrays:
        labels = {name[2:]: arrays[name].read() for name in arrays if name.startswith('y_')}
        parts = [name[2:] for name in arrays if name.startswith('x_')]
    if not parts:
        raise MalformedFileError(path, 'arrays', 'x_train and y_train', 'neither')
    out = {}
    for part in parts:
        one_hot = labels.get(part, np.empty(0))
        ok = one_hot.ndim == 2 and one_hot.dtype.kind in 'iufb' and one_hot.size > 0
        if not ok or not ((one_hot > 0).sum(axis=1) == 1).all():
            found = f'the shape {list(one_hot.shape)}'
            raise MalformedFileError(path, f'y_{part}', 'one-hot classes', found)
        array = _NpzArray(path, f'x_{part}', len(one_hot), num_joints)
        names = [f'{part}_{number}' for number in range(len(one_hot))]
        classes = (one_hot > 0).argmax(axis=1).tolist()
        out[part] = ArrayPart(names, classes, array, score_last, path)
    return out


class _NpzArray:
    """Yields the samples [M, T, V, 3] of an array [N, T, M * V * 3] in an .npz file."""

    def __init__(self, path: str, name: str, num_samples: int, num_joints: int) -> None:
        self.path = path
        self.name = name
        self.num_joints = num_joints
        with open_arrays(path) as arrays:
            shape, dtype = arrays[name].shape, arrays[name].dtype
            fits = len(shape) == 3 and shape[0] == num_samples and min(shape) > 0
            if not fits or shape[2] % (3 * num_joints) or dtype.kind not in 'iuf':
                expected = (
                    f'numbers of shape [N, T, M * V * 3] with N = {num_samples} labels and '
                    f'V = {num_joints}'
                )
                raise MalformedFileError(path, name, expected, f'{dtype} of shape {list(shape)}')
            if arrays[name].is_fortran:
                raise MalformedFileError(path, name, 'an array in C order', 'another')
            arrays[name].check_bytes(math.prod(shape[1:]) * dtype.itemsize)

    def __call__(self) -> Iterator[np.ndarray]:
        with open_arrays(self.path) as arrays:
            array = arrays[self.name]
            for _ in range(array.shape[0]):
                sample = array.read_next(array.shape[1:])
                sample = sample.reshape(array.shape[1], -1, self.num_joints, 3)
                yield sample.transpose(1, 0, 2, 3)
