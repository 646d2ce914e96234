"""Skeleton pickles of PYSKL and MMAction2."""

from __future__ import annotations

import reprlib
from typing import Any

import numpy as np

from graphmotion.io.files import LARGEST_BYTES, MalformedFileError, as_float_array, shape_of
from graphmotion.io.pickles import load_pickle
from graphmotion.io.scores import scale_scores

# Score fields of 2D and 3D positions.
SCORE_FIELDS = ('keypoint_score', 'joint_score')
_LABELS = ('subject', 'view', 'condition', 'take', 'setup')


def read_skeleton_pickle(path: str) -> tuple[dict[str, list[str]], list[dict[str, Any]]]:
    r"""Reads a skeleton pickle in the format of PYSKL and MMAction2.

    The file is :obj:`{'split': {name: [frame_dir, ...]}, 'annotations': [...]}`. Each annotation is
    a dict with :obj:`keypoint` :math:`(M, T, V, D)`, :obj:`label`, :obj:`frame_dir`, and
    optionally :obj:`keypoint_score` :math:`(M, T, V)`, :obj:`total_frames`, :obj:`img_shape`
    (height and width of the images) and further labels. It is read by :func:`load_pickle`, which
    never runs code. A list of annotations without splits is also accepted.

    PYSKL and MMAction2 reject :obj:`keypoint_score` for 3D positions. 3D scores are in the field
    :obj:`joint_score`, which they ignore.

    .. code-block:: python

        splits, annotations = read_skeleton_pickle('ntu60_3danno.pkl')
        print(list(splits), annotations[0]['frame_dir'])

    Args:
        path (str): Path of the file.

    Returns:
        tuple: The sample names of each split, and the annotations unchanged.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is malformed or a split names samples that are not in the file.
    """
    content = load_pickle(path)
    if isinstance(content, list):
        content = {'split': {}, 'annotations': content}
    for field, kind in (('annotations', list), ('split', dict)):
        found = content.get(field) if isinstance(content, dict) else content
        if not isinstance(found, kind):
            raise MalformedFileError(path, field, f'a {kind.__name__}', type(found).__name__)
    annotations, split = content['annotations'], content['split']
    names = set()
    for number, annotation in enumerate(annotations):
        name = annotation.get('frame_dir') if isinstance(annotation, dict) else None
        if not isinstance(name, str):
            raise MalformedFileError(
                path, f'annotations[{number}]', 'a dict with the text frame_dir', _kind(annotation)
            )
        names.add(name)
    for part, members in split.items():
        if not isinstance(members, list | tuple) or not all(isinstance(m, str) for m in members):
            raise MalformedFileError(
                path, f'split[{part!r}]', 'a list of frame_dir', _kind(members)
            )
        unknown = [member for member in members if member not in names]
        if unknown:
            raise MalformedFileError(
                path,
                f'split[{part!r}]',
                'names of samples of the file',
                f'{len(unknown)} others, such as {unknown[0]!r}',
            )
    return {part: list(members) for part, members in split.items()}, annotations


def read_annotation(
    annotation: dict[str, Any], path: str, num_joints: int
) -> tuple[np.ndarray, np.ndarray, dict[str, int]]:
    r"""Extracts arrays and labels from an annotation of a skeleton pickle.

    Percentages are divided by 100 with a warning, and other scores above 1, which heatmaps may
    have, are clipped to 1. Joints without a finite position have score 0. In 3D, if an annotation
    has no scores, a person whose joints are all at the origin in a frame has score 0, which is how
    PYSKL's files of NTU RGB+D mark absent people.

    .. code-block:: python

        splits, annotations = read_skeleton_pickle('ntu60_3danno.pkl')
        pos, score, labels = read_annotation(annotations[0], 'ntu60_3danno.pkl', num_joints=17)
        print(pos.shape)  # (M, T, 17, 2)

    Args:
        annotation (dict): The annotation.
        path (str): Path of the file, for error messages.
        num_joints (int): Number of joints :math:`V`.

    Returns:
        tuple: Single-precision positions :math:`(M, T, V, D)`, scores :math:`(M, T, V)`, and a dict
        with :obj:`y` and, if present, :obj:`subject`, :obj:`view`, :obj:`condition`, :obj:`take`
        and :obj:`setup`.

    Raises:
        ValueError: If a field is missing, has a different shape or is not numeric.
    """
    file, path = path, f'{path}: annotation {annotation.get("frame_dir")!r}'
    for name in ('keypoint', *SCORE_FIELDS):
        if _num_values(annotation.get(name), {}) > LARGEST_BYTES // 4:
            expected = f'at most {LARGEST_BYTES // 4} numbers'
            raise MalformedFileError(path, name, expected, 'lists that repeat others')
    keypoint = annotation.get('keypoint')
    if len(shape_of(keypoint)) == 3:
        keypoint = np.asarray(keypoint)[None]
    dims = 2 if shape_of(keypoint)[-1:] == (2,) else 3
    shape: tuple[int | str, ...] = ('M', 'T', num_joints, dims)
    pos = as_float_array(keypoint, path, 'keypoint', shape, finite=False)
    score = np.ones(pos.shape[:3], np.float32)
    field = next((name for name in SCORE_FIELDS if annotation.get(name) is not None), None)
    if field is not None:
        score = annotation[field]
        score = np.asarray(score)[None] if len(shape_of(score)) == 2 else score
        score = as_float_array(score, path, field, pos.shape[:3], finite=False)
    elif dims == 3:
        score[(pos == 0).all(axis=(2, 3))] = 0
    present = np.isfinite(pos).all(axis=-1) & (score > 0)
    score = scale_scores(np.where(present, score, 0), file, field or 'scores')
    frames = annotation.get('total_frames', pos.shape[1])
    if frames != pos.shape[1]:
        raise MalformedFileError(
            path, 'total_frames', 'the number of frames of keypoint', _kind(frames)
        )
    labels = {
        name: int(annotation[name])
        for name in _LABELS
        if isinstance(annotation.get(name), int | np.integer)
    }
    label = annotation.get('label')
    if not isinstance(label, int | np.integer) or label < 0:
        raise MalformedFileError(path, 'label', 'a class index', _kind(label))
    return pos, score, {'y': int(label), **labels}


def read_image_size(annotation: dict[str, Any], path: str) -> tuple[int, int] | None:
    r"""Returns the height and width of the images of an annotation, its :obj:`img_shape`.

    Args:
        annotation (dict): The annotation.
        path (str): Path of the file, for error messages.

    Returns:
        tuple or None: :obj:`None` if the annotation has none.

    Raises:
        ValueError: If the field does not consist of two positive integers.
    """
    size = annotation.get('img_shape')
    if size is None:
        return None
    array = np.asarray(size if isinstance(size, tuple | list | np.ndarray) else ())
    if array.shape != (2,) or array.dtype.kind not in 'iu' or array.min() < 1:
        path = f'{path}: annotation {annotation.get("frame_dir")!r}'
        raise MalformedFileError(path, 'img_shape', 'height and width in pixels', _kind(size))
    return int(array[0]), int(array[1])


def _num_values(value: Any, done: dict[int, int]) -> int:
    """Counts the values in nested lists, which may hold the same list many times."""
    if not isinstance(value, list | tuple):
        return value.size if isinstance(value, np.ndarray) else 1
    if id(value) not in done:
        done[id(value)] = 0  # of a list that contains itself
        done[id(value)] = sum(_num_values(item, done) for item in value)
    return done[id(value)]


def _kind(value: Any) -> str:
    # Containers may hold one another many times, so that their complete text would be endless.
    return f'{reprlib.repr(value):.60}' if value is not None else 'nothing'
