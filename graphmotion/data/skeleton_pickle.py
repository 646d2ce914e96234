"""The pickle in which skeleton libraries exchange data sets."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from torch_geometric.data import Data

from graphmotion.data.files import MalformedFile, numbers, whole_file
from graphmotion.data.pickles import load_pickle
from graphmotion.data.samples import to_array
from graphmotion.skeletons import Skeleton, get_skeleton

# Fields of a sample that have a name of their own in the file, or are made from others.
_OWN = {'pos', 'score', 'y', 'edge_index', 'num_frames'}
_LABELS = ('subject', 'view', 'condition', 'take', 'setup')


def read_skeleton_pickle(path: str) -> tuple[dict[str, list[str]], list[dict[str, Any]]]:
    r"""Read a skeleton pickle, as of PYSKL and MMAction2.

    The file is :obj:`{'split': {name: [frame_dir, ...]}, 'annotations': [...]}`, each annotation a
    dict with :obj:`keypoint` :math:`(M, T, V, D)`, :obj:`label`, :obj:`frame_dir`, and, where
    there are any, :obj:`keypoint_score` :math:`(M, T, V)`, :obj:`total_frames` and more. It is
    read by :func:`load_pickle`, so that nothing in it can run. A list of annotations without
    splits is read too.

    Args:
        path (str): The file.

    Returns:
        tuple: The names of the samples of each split, and the annotations as they stand.

    Raises:
        FileNotFoundError: If the file is not there.
        ValueError: If it is no such file, or splits name samples that are not in it.
    """
    content = load_pickle(path)
    if isinstance(content, list):
        content = {'split': {}, 'annotations': content}
    for field, kind in (('annotations', list), ('split', dict)):
        found = content.get(field) if isinstance(content, dict) else content
        if not isinstance(found, kind):
            raise MalformedFile(path, field, f'a {kind.__name__}', type(found).__name__)
    annotations, split = content['annotations'], content['split']
    names = set()
    for number, annotation in enumerate(annotations):
        name = annotation.get('frame_dir') if isinstance(annotation, dict) else None
        if not isinstance(name, str):
            raise MalformedFile(
                path, f'annotations[{number}]', 'a dict with the text frame_dir', _kind(annotation)
            )
        names.add(name)
    for part, members in split.items():
        if not isinstance(members, list | tuple) or not all(isinstance(m, str) for m in members):
            raise MalformedFile(path, f'split[{part!r}]', 'a list of frame_dir', _kind(members))
        unknown = [member for member in members if member not in names]
        if unknown:
            raise MalformedFile(
                path,
                f'split[{part!r}]',
                'names of samples of the file',
                f'{len(unknown)} others, such as {unknown[0]!r}',
            )
    return {part: list(members) for part, members in split.items()}, annotations


def read_annotation(
    annotation: dict[str, Any], path: str, num_joints: int
) -> tuple[np.ndarray, np.ndarray, dict[str, int]]:
    r"""The arrays and labels of one annotation of a skeleton pickle.

    Scores above 1, as heatmaps have them, count as 1. A joint without a finite position has the
    score 0.

    Args:
        annotation (dict): The annotation.
        path (str): The file that it is from, for messages.
        num_joints (int): Number of joints :math:`V`.

    Returns:
        tuple: Positions :math:`(M, T, V, D)` and scores :math:`(M, T, V)` in single precision, and
        :obj:`y` with those of :obj:`subject`, :obj:`view`, :obj:`condition`, :obj:`take` and
        :obj:`setup` that it has.

    Raises:
        ValueError: If a field is missing, has another shape or is not a number.
    """
    path = f'{path}: annotation {annotation.get("frame_dir")!r}'
    keypoint = annotation.get('keypoint')
    if np.ndim(keypoint) == 3:  # type: ignore[arg-type]
        keypoint = np.asarray(keypoint)[None]
    dims = 2 if np.shape(keypoint)[-1:] == (2,) else 3  # type: ignore[arg-type]
    shape: tuple[int | str, ...] = ('M', 'T', num_joints, dims)
    pos = numbers(keypoint, path, 'keypoint', shape, finite=False)
    score = np.ones(pos.shape[:3], np.float32)
    if annotation.get('keypoint_score') is not None:
        score = np.asarray(annotation['keypoint_score'])
        score = score[None] if score.ndim == 2 else score
        score = numbers(score, path, 'keypoint_score', pos.shape[:3], finite=False)
    score = np.where(np.isfinite(pos).all(axis=-1) & (score > 0), np.minimum(score, 1), 0)
    frames = annotation.get('total_frames', pos.shape[1])
    if frames != pos.shape[1]:
        raise MalformedFile(path, 'total_frames', 'the number of frames of keypoint', f'{frames!r}')
    labels = {
        name: int(annotation[name])
        for name in _LABELS
        if isinstance(annotation.get(name), int | np.integer)
    }
    label = annotation.get('label')
    if not isinstance(label, int | np.integer) or label < 0:
        raise MalformedFile(path, 'label', 'a number of a class', f'{label!r}')
    return pos, score, {'y': int(label), **labels}


def write_skeleton_pickle(
    path: str,
    dataset: Iterable[Data],
    split: Mapping[str, Iterable[int]] | None = None,
    names: Sequence[str] | None = None,
    skeleton: str | Skeleton | None = None,
) -> None:
    r"""Write samples as a skeleton pickle, which :class:`~graphmotion.datasets.SkeletonPickle` and
    the libraries PYSKL and MMAction2 read; see :func:`read_skeleton_pickle` for the form.

    Labels besides :obj:`y`, such as :obj:`subject`, are written under their names. The file
    appears when it is complete, or not at all.

    .. code-block:: python

        dataset = NWUCLA('data/nw_ucla')
        train, test = dataset.official_split('cross_view')
        split = {'cross_view_train': train.indices(), 'cross_view_val': test.indices()}
        write_skeleton_pickle('nw_ucla.pkl', dataset, split, dataset.names())

    Args:
        path (str): The file.
        dataset (iterable of Data): The samples.
        split (dict, optional): For each part its samples, by their number in :obj:`dataset`.
            (default: :obj:`None`)
        names (sequence of str, optional): The :obj:`frame_dir` of each sample; by default its
            number. (default: :obj:`None`)
        skeleton (str or Skeleton, optional): The layout of one person; by default that of the
            dataset. (default: :obj:`None`)

    Raises:
        ValueError: If a sample has no class, names are not one a sample and all different, or a
            split has a number that no sample has.
    """
    layout: Any = getattr(dataset, 'skeleton', None) if skeleton is None else skeleton
    num_joints = get_skeleton(layout).num_joints
    annotations: list[dict[str, Any]] = []
    for data in dataset:
        number = len(annotations)
        if data.get('y') is None:
            raise ValueError(f"sample {number} has no class in the field 'y'")
        pos, score = to_array(data, num_joints)
        annotation = {'keypoint': pos, 'label': int(data.y), 'total_frames': pos.shape[1]}
        if data.get('score') is not None:
            annotation['keypoint_score'] = score
        for field, value in data.to_dict().items():
            # What is no label has no place in the file.
            if field not in _OWN and value.numel() == 1 and not value.is_floating_point():
                annotation[field] = int(value)
        annotations.append(annotation)
    if names is None:
        names = [f'{number:06d}' for number in range(len(annotations))]
    if len(names) != len(annotations) or len(set(names)) != len(names):
        raise ValueError(
            f'names are {len(annotations)} different ones, one a sample, got {len(set(names))} '
            f'different ones of {len(names)}'
        )
    parts = {}
    for part, samples in (split or {}).items():
        numbers_of_part = [int(sample) for sample in samples]
        wrong = [n for n in numbers_of_part if not 0 <= n < len(names)]
        if wrong:
            raise ValueError(f'split {part!r} has the sample {wrong[0]} of {len(names)} samples')
        parts[part] = [str(names[n]) for n in numbers_of_part]
    for name, annotation in zip(names, annotations):
        annotation['frame_dir'] = str(name)
    with whole_file(path) as file:
        # The last protocol that all readers know.
        pickle.dump({'split': parts, 'annotations': annotations}, file, protocol=4)


def _kind(value: Any) -> str:
    return f'{value!r:.60}' if value is not None else 'nothing'
