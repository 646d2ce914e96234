"""Writer of the pickle format of skeleton libraries."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Data

from graphmotion.data.arrays import to_array
from graphmotion.io import atomic_write
from graphmotion.skeletons import Skeleton, get_skeleton

# Fields of a sample that have another name in the file or follow from other fields.
_CONVERTED = {'pos', 'score', 'y', 'edge_index', 'num_frames'}


def write_skeleton_pickle(
    path: str | Path,
    dataset: Iterable[Data],
    split: Mapping[str, Iterable[int]] | None = None,
    names: Sequence[str] | None = None,
    skeleton: str | Skeleton | None = None,
) -> None:
    r"""Writes samples to a skeleton pickle, the format of PYSKL and MMAction2.

    It is read by :class:`~graphmotion.datasets.SkeletonPickle`;
    :func:`~graphmotion.io.read_skeleton_pickle` describes the format. Labels other than :obj:`y`,
    such as :obj:`subject`, are written under their own names, and :obj:`image_size` as
    :obj:`img_shape` and :obj:`original_shape`. Scores are written as
    :obj:`keypoint_score` in 2D and as :obj:`joint_score` in 3D, because PYSKL and MMAction2 reject
    :obj:`keypoint_score` in 3D; they ignore :obj:`joint_score` and read missing joints as joints
    at the origin. The file is written atomically.

    .. code-block:: python

        dataset = SyntheticActions(num_subjects=2, num_takes=1)
        train, test = dataset.official_split('cross_subject')
        split = {'train': train.indices(), 'test': test.indices()}
        write_skeleton_pickle('actions.pkl', dataset, split)

    Args:
        path (str or Path): Path of the file.
        dataset (iterable of Data): The samples.
        split (dict, optional): Sample numbers of each part. (default: :obj:`None`)
        names (sequence of str, optional): Name of each sample, its :obj:`frame_dir`; by default
            its number. (default: :obj:`None`)
        skeleton (str or Skeleton, optional): Skeleton of one person; by default the skeleton of
            the dataset. (default: :obj:`None`)

    Raises:
        ValueError: If a sample has no class, the names are not distinct names of all samples, or a
            part of the split has an invalid sample number.
    """
    layout: Any = getattr(dataset, 'skeleton', None) if skeleton is None else skeleton
    num_joints = get_skeleton(layout).num_joints
    annotations: list[dict[str, Any]] = []
    for data in dataset:
        number = len(annotations)
        if data.get('y') is None:
            raise ValueError(f"field 'y' of sample {number} must be its class, got None")
        pos, score = to_array(data, num_joints)
        annotation = {'keypoint': pos, 'label': int(data.y), 'total_frames': pos.shape[1]}
        if data.get('score') is not None:
            annotation['keypoint_score' if pos.shape[-1] == 2 else 'joint_score'] = score
        for field, value in data.to_dict().items():
            # The format has no place for fields other than labels.
            if field in _CONVERTED or not isinstance(value, (int, Tensor)):
                continue
            value = torch.as_tensor(value)
            if value.numel() == 1 and not value.is_floating_point():
                annotation[field] = int(value)
        if data.get('image_size') is not None:
            height, width = data.image_size.view(2).tolist()
            annotation['img_shape'] = annotation['original_shape'] = (height, width)
        annotations.append(annotation)
    if names is None:
        names = [f'{number:06d}' for number in range(len(annotations))]
    if len(names) != len(annotations) or len(set(names)) != len(names):
        raise ValueError(
            f'names must be {len(annotations)} distinct names, got {len(names)} names, '
            f'{len(set(names))} of them distinct'
        )
    parts = {}
    for part, samples in (split or {}).items():
        members = [int(sample) for sample in samples]
        wrong = [n for n in members if not 0 <= n < len(names)]
        if wrong:
            raise ValueError(
                f'split[{part!r}] must hold numbers in [0, {len(names) - 1}], got {wrong[0]}'
            )
        parts[part] = [str(names[n]) for n in members]
    for name, annotation in zip(names, annotations):
        annotation['frame_dir'] = str(name)
    with atomic_write(str(path)) as file:
        # Protocol 4 is supported by all readers.
        pickle.dump({'split': parts, 'annotations': annotations}, file, protocol=4)
