"""Samples as the pickle in which skeleton libraries exchange data sets."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch_geometric.data import Data

from graphmotion.data.samples import to_array
from graphmotion.io import atomic_write
from graphmotion.skeletons import Skeleton, get_skeleton

# Fields of a sample that have a name of their own in the file, or are made from others.
_OWN = {'pos', 'score', 'y', 'edge_index', 'num_frames'}


def write_skeleton_pickle(
    path: str | Path,
    dataset: Iterable[Data],
    split: Mapping[str, Iterable[int]] | None = None,
    names: Sequence[str] | None = None,
    skeleton: str | Skeleton | None = None,
) -> None:
    r"""Write samples as a skeleton pickle, which :class:`~graphmotion.datasets.SkeletonPickle` and
    the libraries PYSKL and MMAction2 read; see :func:`read_skeleton_pickle` for the form.

    Labels besides :obj:`y`, such as :obj:`subject`, are written under their names. Scores are
    written as :obj:`keypoint_score` in 2D and as :obj:`joint_score` in 3D, where those libraries
    reject the former and ignore the latter: they see a missing joint at the origin. The file is
    written atomically.

    .. code-block:: python

        dataset = NWUCLA('data/nw_ucla')
        train, test = dataset.official_split('cross_view')
        split = {'cross_view_train': train.indices(), 'cross_view_val': test.indices()}
        write_skeleton_pickle('nw_ucla.pkl', dataset, split, dataset.names())

    Args:
        path (str or Path): The file.
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
            annotation['keypoint_score' if pos.shape[-1] == 2 else 'joint_score'] = score
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
    with atomic_write(str(path)) as file:
        # The last protocol that all readers know.
        pickle.dump({'split': parts, 'annotations': annotations}, file, protocol=4)
