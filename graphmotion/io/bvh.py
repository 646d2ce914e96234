"""Motion capture in BVH files."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from graphmotion.io.files import MalformedFileError, as_float_array, read_file
from graphmotion.io.formats import register_format
from graphmotion.io.tracks import Track
from graphmotion.skeletons import Skeleton

_CHANNELS = {f'{axis}{kind}' for axis in 'XYZ' for kind in ('position', 'rotation')}


@dataclass
class _Joint:
    name: str
    parent: int
    offset: np.ndarray = field(default_factory=lambda: np.zeros(3))
    channels: list[str] = field(default_factory=list)


@dataclass
class BVH:
    r"""A recording of one person by motion capture.

    .. code-block:: python

        motion = read_bvh('walk.bvh')
        print(motion.skeleton, motion.pos.shape, motion.frame_rate)

    Args:
        skeleton (Skeleton): Joints of the file in its order, centred on the root.
        pos (array): Joint positions :math:`(T, V, 3)` in the unit of the file.
        frame_rate (float): Frames per second.
    """

    skeleton: Skeleton
    pos: np.ndarray
    frame_rate: float

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}(joints={self.skeleton.num_joints}, '
            f'pos={list(self.pos.shape)}, frame_rate={self.frame_rate:g})'
        )


def read_bvh(path: str, end_sites: bool = False) -> BVH:
    r"""Reads a BVH (Biovision hierarchy) file and computes joint positions by forward kinematics.

    With the rotation :math:`\mathbf{R}_i` of joint :math:`i` by its channels in the order of the
    file, and its translation :math:`\mathbf{t}_i`, which is its offset unless it has position
    channels,

    .. math::
        \mathbf{p}_i = \mathbf{p}_{\mathrm{parent}(i)} +
        \mathbf{G}_{\mathrm{parent}(i)} \mathbf{t}_i, \qquad
        \mathbf{G}_i = \mathbf{G}_{\mathrm{parent}(i)} \mathbf{R}_i.

    .. code-block:: python

        motion = read_bvh('walk.bvh')
        data = from_array(
            motion.pos, motion.skeleton, axes='TVC', frame_rate=motion.frame_rate
        )

    Args:
        path (str): Path of the file.
        end_sites (bool, optional): If :obj:`True`, the ends of the chains are also joints, named
            after their parents, such as :obj:`"Head_end"`. (default: :obj:`False`)

    Returns:
        BVH: Skeleton, positions and frame rate.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is malformed, truncated, or has several roots.
    """
    hierarchy, motion = _read_sections(path)
    joints = _read_hierarchy(path, hierarchy)
    values, frame_time = _read_motion(path, motion, sum(len(joint.channels) for joint in joints))
    pos = _forward_kinematics(joints, values)
    kept = [i for i, joint in enumerate(joints) if end_sites or not _is_end(joint)]
    names = [joints[i].name for i in kept]
    if len(set(names)) < len(names):
        duplicate = next(name for name in names if names.count(name) > 1)
        raise MalformedFileError(path, 'joints', 'unique names', f'{duplicate!r} twice')
    bones = [(joints[joints[i].parent].name, joints[i].name) for i in kept if joints[i].parent >= 0]
    skeleton = Skeleton(names, bones, name='bvh', center=names[0])
    pos = as_float_array(pos[:, kept], path, 'positions', ('T', 'V', 3))
    return BVH(skeleton, pos, 1 / frame_time)


def _read_frame_rate(path: str) -> float:
    """Returns the frames per second of a file without its motion."""
    return 1 / _read_header(path, _read_sections(path)[1])[1]


def _read_joint_names(path: str) -> list[str]:
    """Returns the names of the joints of a file without its motion."""
    joints = _read_hierarchy(path, _read_sections(path)[0])
    return [joint.name for joint in joints if not _is_end(joint)]


@register_format(
    'bvh',
    suffixes=('.bvh',),
    read_frame_rate=_read_frame_rate,
    read_joints=_read_joint_names,
)
def read_bvh_track(path: str, end_sites: bool = False) -> list[Track]:
    r"""Reads the joint positions of a BVH file as a recording with one person.

    Args:
        path (str): Path of the file.
        end_sites (bool, optional): See :func:`read_bvh`. (default: :obj:`False`)

    Returns:
        list of Track: The person, with all scores 1.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is malformed.
    """
    pos = read_bvh(path, end_sites).pos
    return [Track(pos, np.ones(pos.shape[:2], np.float32))]


def _is_end(joint: _Joint) -> bool:
    return not joint.channels and joint.name.endswith('_end')


def _read_sections(path: str) -> tuple[str, str]:
    """Returns the text of the hierarchy and of the motion."""
    try:
        text = read_file(path).decode('utf-8-sig')
    except UnicodeDecodeError as error:
        raise MalformedFileError(path, 'content', 'text', str(error)) from None
    hierarchy, found, motion = text.partition('MOTION')
    if not found:
        raise MalformedFileError(path, 'content', 'HIERARCHY and MOTION', f'{text!r:.60}')
    return hierarchy, motion


def _read_hierarchy(path: str, text: str) -> list[_Joint]:
    words = iter(text.split())

    def read(expected: str | None = None) -> str:
        word = next(words, None)
        if word is None:
            raise MalformedFileError(path, 'HIERARCHY', expected or 'more', 'the end') from None
        if expected is not None and word != expected:
            raise MalformedFileError(path, 'HIERARCHY', expected, repr(word))
        return word

    def read_number(kind: type) -> float:
        word = read()
        try:
            return kind(word)
        except ValueError:
            raise MalformedFileError(path, 'HIERARCHY', 'a number', repr(word)) from None

    read('HIERARCHY')
    joints: list[_Joint] = []
    stack: list[int] = []
    while True:
        word = next(words, None)
        if word is None:
            break
        if word in ('ROOT', 'JOINT', 'End'):
            if (word == 'ROOT') != (not stack) or (word == 'ROOT' and joints):
                raise MalformedFileError(path, 'HIERARCHY', 'one ROOT with JOINTs', repr(word))
            name = read() if word != 'End' else f'{joints[stack[-1]].name}_end'
            if word == 'End':
                read('Site')
            joints.append(_Joint(name, stack[-1] if stack else -1))
            stack.append(len(joints) - 1)
            read('{')
        elif word == 'OFFSET' and stack:
            joints[stack[-1]].offset = np.array([read_number(float) for _ in range(3)])
        elif word == 'CHANNELS' and stack:
            count = int(read_number(int))
            channels = [read() for _ in range(min(count, 7))]
            if count > 6 or not set(channels) <= _CHANNELS:
                expected = f'up to 6 of {sorted(_CHANNELS)}'
                raise MalformedFileError(path, 'CHANNELS', expected, f'{count}: {channels}')
            joints[stack[-1]].channels = channels
        elif word == '}' and stack:
            stack.pop()
        else:
            raise MalformedFileError(path, 'HIERARCHY', 'a joint or its fields', repr(word))
    if stack or not joints:
        raise MalformedFileError(path, 'HIERARCHY', '}', 'the end')
    return joints


def _read_header(path: str, text: str) -> tuple[int, float, str]:
    """Returns the number of frames, the time between frames in seconds and the rest of the text."""
    head, _, rest = text.partition('Frame Time:')
    word, *numbers = rest.split(maxsplit=1) or ['']
    try:
        num_frames = int(head.replace('Frames:', ' '))
        frame_time = float(word)
    except ValueError as error:
        raise MalformedFileError(
            path, 'MOTION', 'Frames, Frame Time and numbers', str(error)
        ) from None
    if not frame_time > 0 or not np.isfinite(frame_time):
        raise MalformedFileError(path, 'Frame Time', 'a positive number', word)
    return num_frames, frame_time, ''.join(numbers)


def _read_motion(path: str, text: str, num_channels: int) -> tuple[np.ndarray, float]:
    """Returns the channels of all frames [T, C] and the time between frames in seconds."""
    num_frames, frame_time, rest = _read_header(path, text)
    try:
        values = np.array(rest.split(), np.float64)
    except ValueError as error:
        raise MalformedFileError(
            path, 'MOTION', 'Frames, Frame Time and numbers', str(error)
        ) from None
    if num_frames < 1 or len(values) != num_frames * num_channels:
        expected = f'{num_frames} frames of {num_channels} channels'
        raise MalformedFileError(path, 'MOTION', expected, f'{len(values)} numbers')
    if not np.isfinite(values).all():
        raise MalformedFileError(path, 'MOTION', 'finite numbers', 'NaN or infinite values')
    return values.reshape(num_frames, num_channels), frame_time


def _forward_kinematics(joints: list[_Joint], values: np.ndarray) -> np.ndarray:
    """Computes the joint positions [T, V, 3]."""
    num_frames = len(values)
    pos = np.zeros((num_frames, len(joints), 3))
    turns = np.zeros((len(joints), num_frames, 3, 3))
    column = 0
    for i, joint in enumerate(joints):
        shift = np.tile(joint.offset, (num_frames, 1))
        turn = np.tile(np.eye(3), (num_frames, 1, 1))
        for channel in joint.channels:
            axis = 'XYZ'.index(channel[0])
            if channel.endswith('position'):
                shift[:, axis] = values[:, column]
            else:
                turn = turn @ _rotation(axis, np.radians(values[:, column]))
            column += 1
        if joint.parent >= 0:
            shift = pos[:, joint.parent] + np.einsum('tij,tj->ti', turns[joint.parent], shift)
            turn = turns[joint.parent] @ turn
        pos[:, i], turns[i] = shift, turn
    return pos


def _rotation(axis: int, angle: np.ndarray) -> np.ndarray:
    """Rotations [T, 3, 3] about a coordinate axis."""
    out = np.tile(np.eye(3), (len(angle), 1, 1))
    j, k = (axis + 1) % 3, (axis + 2) % 3
    out[:, j, j] = out[:, k, k] = np.cos(angle)
    out[:, k, j] = np.sin(angle)
    out[:, j, k] = -out[:, k, j]
    return out
