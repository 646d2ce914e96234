"""The pickle in which skeleton libraries exchange data sets."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphmotion.io.files import MalformedFile, numbers
from graphmotion.io.pickles import load_pickle

# The scores of positions in the plane, and in space.
SCORE_FIELDS = ('keypoint_score', 'joint_score')
_LABELS = ('subject', 'view', 'condition', 'take', 'setup')


def read_skeleton_pickle(path: str) -> tuple[dict[str, list[str]], list[dict[str, Any]]]:
    r"""Read a skeleton pickle, as of PYSKL and MMAction2.

    The file is :obj:`{'split': {name: [frame_dir, ...]}, 'annotations': [...]}`, each annotation a
    dict with :obj:`keypoint` :math:`(M, T, V, D)`, :obj:`label`, :obj:`frame_dir`, and optionally
    :obj:`keypoint_score` :math:`(M, T, V)`, :obj:`total_frames` and more. It is read by
    :func:`load_pickle`, so that nothing in it can run. A list of annotations without splits is read
    too.

    PYSKL and MMAction2 reject :obj:`keypoint_score` beside positions in 3D. Scores of those are in
    the field :obj:`joint_score`, which they ignore.

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
    score 0. In 3D, an annotation without scores has the score 0 for a person whose joints are all
    at the origin in a frame, which is how PYSKL's files of NTU RGB+D mark an absent person.

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
    field = next((name for name in SCORE_FIELDS if annotation.get(name) is not None), None)
    if field is not None:
        score = np.asarray(annotation[field])
        score = score[None] if score.ndim == 2 else score
        score = numbers(score, path, field, pos.shape[:3], finite=False)
    elif dims == 3:
        score[(pos == 0).all(axis=(2, 3))] = 0
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


def _kind(value: Any) -> str:
    return f'{value!r:.60}' if value is not None else 'nothing'
