"""Samples from files, folders and arrays."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data

from graphmotion.config import class_name
from graphmotion.data import from_array
from graphmotion.data.layouts import flatten_transform
from graphmotion.io import (
    MalformedFileError,
    Track,
    align_silhouettes,
    get_format,
    list_files,
    list_formats,
    load_pickle,
    read_color_image,
    read_gray_image,
    read_landmarks,
    read_mask,
    stack_tracks,
)
from graphmotion.io.frame_numbers import numbers_in_name
from graphmotion.io.images import IMAGE_SUFFIXES, crop_window, resize_image
from graphmotion.io.landmarks import LANDMARK_SUFFIXES
from graphmotion.io.numpy_files import read_npy
from graphmotion.skeletons import Skeleton, get_skeleton, list_skeletons
from graphmotion.transforms import ConvertSkeleton, ToLandmarkGraph, ToPixelGraph, ToStream

#: The joints that replace a joint which a layout lacks, by its name.
Substitutes = Mapping[str, str | Sequence[str]] | None

# Layouts that the formats write, by their number of joints.
_LAYOUTS = {
    'openpose': ('body25', 'openpose18'),
    'alphapose': ('coco17',),
    'coco': ('coco17',),
    'mmpose': ('coco17',),
    'ultralytics': ('coco17',),
    'yolo_txt': ('coco17',),
    'mediapipe': ('mediapipe33',),
    'azure_kinect': ('azure_kinect32',),
    'kinetics_skeleton': ('openpose18',),
    'ntu_skeleton': ('ntu25',),
}


class Recording(NamedTuple):
    r"""A sample that was read.

    Args:
        data (Data): The sample.
        person (int, optional): Number of the person in a recording of several people.
        source (str, optional): Path of the file.
    """

    data: Data
    person: int | None = None
    source: str | None = None


@dataclass(frozen=True)
class InputFormat:
    r"""What a network reads.

    Args:
        kind (str): :obj:`"poses"`, :obj:`"silhouettes"`, :obj:`"images"` or :obj:`"graphs"`.
        skeleton (Skeleton, optional): The layout of poses. (default: :obj:`None`)
        num_people (int, optional): Number of people in a sample. (default: :obj:`1`)
        num_dims (int, optional): Number of coordinates of a joint, or :obj:`None` if it is unknown.
            (default: :obj:`None`)
        size (tuple, optional): Height and width of silhouettes or images. (default: :obj:`None`)
        color (bool, optional): Whether images have red, green and blue. (default: :obj:`False`)
        landmarks (bool, optional): Whether images have facial landmarks. (default: :obj:`False`)
    """

    kind: str
    skeleton: Skeleton | None = None
    num_people: int = 1
    num_dims: int | None = None
    size: tuple[int, int] | None = None
    color: bool = False
    landmarks: bool = False

    @classmethod
    def of_network(
        cls,
        model: torch.nn.Module,
        transforms: Sequence[Any],
        skeleton: Skeleton | None,
        size: tuple[int, int] | None,
    ) -> InputFormat:
        r"""Returns what a network reads after its transforms."""
        people = getattr(model, 'num_people', 1)
        inputs: Any = getattr(model, 'inputs', ())
        if 'silhouettes' in inputs:
            return cls('silhouettes', size=size or (64, 44))
        parts = [part for transform in transforms for part in flatten_transform(transform)]
        for part in parts:
            if isinstance(part, (ToPixelGraph, ToLandmarkGraph)):
                landmarks = isinstance(part, ToLandmarkGraph)
                if size is None and isinstance(part, ToPixelGraph):
                    size = part.graph.image_size
                color = _reads_color(model, part)
                return cls('images', size=size, color=color, landmarks=landmarks)
        if skeleton is None:
            converted = [part.source for part in parts if isinstance(part, ConvertSkeleton)]
            skeleton = converted[0] if converted else getattr(model, 'skeleton', None)
        dims = None if skeleton is None else _read_dims(model, parts)
        return cls('graphs' if skeleton is None else 'poses', skeleton, people, dims)

    def check_dims(self, data: Data, source: str | None) -> None:
        r"""Raises an error if the joints of a sample have too many or too few coordinates."""
        found = None if data.get('pos') is None else data.pos.size(-1)
        if None not in (found, self.num_dims) and found != self.num_dims:
            where = '' if source is None else f'{source}: '
            raise ValueError(
                f'{where}joints must have {self.num_dims} coordinates, as in the training of the '
                f'network, got {found}'
            )


def _read_dims(model: Any, transforms: Sequence[Any]) -> int | None:
    """Returns the number of coordinates of joints, or None if it cannot be inferred."""
    streams = [transform for transform in transforms if isinstance(transform, ToStream)]
    foreign = any(class_name(type(transform)) is None for transform in transforms)
    if len(streams) != 1 or foreign:  # foreign transforms may change it
        return None
    channels = getattr(model, 'in_channels', None)
    found = [dim for dim in (2, 3) if streams[0].num_channels(dim) == channels]
    return found[0] if len(found) == 1 else None


def _reads_color(model: Any, transform: ToPixelGraph | ToLandmarkGraph) -> bool:
    """Returns whether three of the input features of a network are colours."""
    in_channels = (model if hasattr(model, 'in_channels') else model.spatial).in_channels
    if isinstance(transform, ToPixelGraph):
        other = 2 * transform.coordinates + (transform.num_distances or 0)
    else:
        sizes = {'coordinates': 2, 'distances': transform.k, 'intensity': 0}
        other = sum(sizes[name] for name in transform.features)
    return in_channels - other == 3


def split_sources(source: Any) -> list[Any]:
    r"""Returns the files or arrays of a list, or any other source in a list."""
    single = (str, os.PathLike, np.ndarray, Tensor)
    is_list = isinstance(source, (list, tuple)) and len(source) > 0
    return list(source) if is_list and isinstance(source[0], single) else [source]


def read_array(
    array: np.ndarray | Tensor,
    wanted: InputFormat,
    skeleton: str | Skeleton | None = None,
    axes: str | None = None,
    score: np.ndarray | Tensor | None = None,
    substitutes: Substitutes = None,
) -> list[Recording]:
    r"""Makes samples from an array: keypoints, silhouettes :math:`(T, H, W)` or an image
    :math:`(H, W)` or :math:`(3, H, W)`.

    Raises:
        ValueError: If the shape does not fit, or the layout cannot be converted.
    """
    if wanted.kind == 'silhouettes':
        return [Recording(_silhouettes(np.asarray(array), wanted, 'the array'))]
    if wanted.kind == 'images':
        return [Recording(_face(np.asarray(array), None, wanted))]
    if wanted.kind == 'graphs':
        raise TypeError('source must be a Data, a Batch, a list or a dataset for this network')
    layout = wanted.skeleton if skeleton is None else get_skeleton(skeleton)
    assert layout is not None
    data = from_array(array, layout, score, axes)
    num_people = data.pos.size(0) // layout.num_joints
    if num_people == wanted.num_people:
        return [Recording(_convert(data, layout, wanted, substitutes))]
    pos = data.pos.view(num_people, layout.num_joints, *data.pos.shape[1:]).transpose(1, 2)
    points = data.get('score')
    if points is not None:
        points = points.view(num_people, layout.num_joints, -1).transpose(1, 2)
    tracks = [
        Track(p.numpy(), np.ones(p.shape[:2], np.float32) if points is None else points[i].numpy())
        for i, p in enumerate(pos)
    ]
    return _from_tracks(tracks, layout, wanted, substitutes)


def read_path(
    path: str,
    wanted: InputFormat,
    skeleton: str | Skeleton | None = None,
    format: str | None = None,
    substitutes: Substitutes = None,
    **options: Any,
) -> list[Recording]:
    r"""Reads a file, or a folder with a file for each frame.

    Raises:
        FileNotFoundError: If the path does not exist.
        ValueError: If the file is malformed, the format is not found or the layout cannot be
            converted.
    """
    if not os.path.exists(path):
        raise FileNotFoundError(f'{path}: no such file or folder')
    if wanted.kind == 'silhouettes':
        return [Recording(_silhouettes(_read_frames(path), wanted, path), source=path)]
    if wanted.kind == 'images':
        return [Recording(_read_face(path, wanted), source=path)]
    if wanted.kind == 'graphs':
        raise TypeError('source must be a Data, a Batch, a list or a dataset for this network')
    format, tracks = _read_tracks(path, format, options)
    layout = None if skeleton is None else get_skeleton(skeleton)
    layout = layout or _find_layout(format, tracks[0].pos.shape[1], wanted, path, options)
    read_rate = get_format(format).read_frame_rate
    rate = None if read_rate is None else read_rate(path)
    return _from_tracks(tracks, layout, wanted, substitutes, path, rate)


# Poses #########################################################################


def _read_tracks(path: str, format: str | None, options: dict[str, Any]) -> tuple[str, list[Track]]:
    """Returns the format of a recording, found by trial if not given, and its people."""
    if format is not None:
        return format, get_format(format).read(path, **options)
    in_folder = os.path.isdir(path)
    names = [path] if not in_folder else list(list_files(path))
    found: dict[str, list[Track]] = {}
    heard: dict[str, Any] = {}  # warnings, of which only those of the right format matter
    errors = []
    for name in list_formats():
        known = get_format(name)
        if known.in_folder != in_folder:
            continue
        if not any(file.lower().endswith(known.suffixes) for file in names):
            continue
        with warnings.catch_warnings(record=True) as heard[name]:
            warnings.simplefilter('always')
            try:
                found[name] = known.read(path, **options)
            except (MalformedFileError, TypeError) as error:  # another format, or other options
                errors.append((name, error))
    if not found:
        tried = '; '.join(f'{name}: {error}' for name, error in errors[:8])
        raise ValueError(
            f'{path}: the format must be one of {list_formats()}, found none that reads it'
            + (f' ({tried})' if tried else '')
        )
    first, *others = found.values()
    if any(not _same_tracks(first, other) for other in others):
        raise ValueError(f'{path}: pass format=, one of {list(found)}, which read it differently')
    name = next(iter(found))
    for warning in heard[name]:
        warnings.warn(warning.message, stacklevel=2)
    return name, first


def _same_tracks(one: Sequence[Track], other: Sequence[Track]) -> bool:
    return len(one) == len(other) and all(
        np.array_equal(a.pos, b.pos) and np.array_equal(a.score, b.score)
        for a, b in zip(one, other)
    )


def _find_layout(
    format: str, num_joints: int, wanted: InputFormat, path: str, options: dict[str, Any]
) -> Skeleton:
    """Returns the layout of a file, whose format may have several."""
    own = wanted.skeleton
    assert own is not None
    fits = own.num_joints == num_joints
    if fits and own.name not in list_skeletons():
        return own
    for name in _LAYOUTS.get(format, ()):
        layout = get_skeleton(name)
        if layout.num_joints == num_joints:
            # Layouts such as ntu25_st_gcn connect the same joints differently.
            return own if own.joints == layout.joints else layout
    if fits:
        return own
    raise ValueError(
        f'{path}: skeleton must be given for {num_joints} joints in the format {format!r}; the '
        f'network reads the {own.num_joints} joints of {own.name!r}'
    )


def _from_tracks(
    tracks: Sequence[Track],
    layout: Skeleton,
    wanted: InputFormat,
    substitutes: Substitutes,
    path: str | None = None,
    frame_rate: float | None = None,
) -> list[Recording]:
    """Returns a sample for each person, or one if samples have several people."""
    several = wanted.num_people > 1
    parts = [stack_tracks(tracks, wanted.num_people)] if several else tracks
    out = []
    for number, (pos, score) in enumerate(parts):
        data = from_array(pos, layout, score, 'MTVC' if several else 'TVC', frame_rate=frame_rate)
        person = number if len(tracks) > 1 and not several else None
        out.append(Recording(_convert(data, layout, wanted, substitutes), person, path))
    return out


def _convert(data: Data, layout: Skeleton, wanted: InputFormat, substitutes: Substitutes) -> Data:
    own = wanted.skeleton
    assert own is not None
    return data if layout.joints == own.joints else ConvertSkeleton(layout, own, substitutes)(data)


# Images ########################################################################


def _read_face(path: str, wanted: InputFormat) -> Data:
    image = read_color_image(path) if wanted.color else read_gray_image(path)
    points = None
    if wanted.landmarks:
        stem = os.path.splitext(path)[0]
        files = [stem + end + suffix for suffix in LANDMARK_SUFFIXES for end in ('', '_landmarks')]
        existing = [file for file in files if os.path.isfile(file)]
        if not existing:
            raise MalformedFileError(path, 'landmarks', 'a file next to the image', 'none')
        points = read_landmarks(existing[0])
    return _face(image, points, wanted)


def _face(image: np.ndarray, points: np.ndarray | None, wanted: InputFormat) -> Data:
    if wanted.size is not None and image.shape[-2:] != wanted.size:
        if points is not None:
            top, left, rows, columns = crop_window(image.shape[-2:], wanted.size)
            scale = wanted.size[1] / columns, wanted.size[0] / rows
            points = (points - (left, top)) * scale
        image = resize_image(image, wanted.size)
    data = Data(image=torch.from_numpy(np.ascontiguousarray(image)).unsqueeze(0))
    if points is not None:
        data.landmarks = torch.from_numpy(points).float()
    return data


# Silhouettes ###################################################################


def _read_frames(path: str) -> list[np.ndarray]:
    """Returns the frames of a folder of images, sorted by number, or of a pickle or array."""
    if os.path.isdir(path):
        files = [file for file in list_files(path) if file.lower().endswith(IMAGE_SUFFIXES)]
        if not files:
            raise MalformedFileError(path, 'frames', 'images', 'none')
        return [read_mask(f) for f in sorted(files, key=lambda f: (numbers_in_name(f), f))]
    if path.lower().endswith('.pkl'):
        return list(load_pickle(path))
    return list(read_npy(path))


def _silhouettes(frames: Any, wanted: InputFormat, where: str) -> Data:
    assert wanted.size is not None
    images, kept = align_silhouettes(frames, wanted.size)
    if not kept.any():
        raise ValueError(f'{where}: silhouettes must have a body in at least one frame, found none')
    return Data(
        silhouettes=torch.from_numpy(images).unsqueeze(0),
        num_frames=torch.tensor([len(images)]),
        num_nodes=1,
    )
