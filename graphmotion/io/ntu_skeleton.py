"""Reader of the skeleton files of NTU RGB+D, and the choice of the people in them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from graphmotion.io.files import MalformedFileError, read_file

_NUM_JOINTS = 25
_BODY_FIELDS = 10  # before the number of joints
_JOINT_FIELDS = 12  # of which the first three are the position


class Body(NamedTuple):
    r"""A body that a sensor saw in some of the frames of a recording.

    Args:
        frames (array): The frames in which it was seen, rising, :math:`(F)`.
        pos (array): Its joints in them, :math:`(F, V, 3)`.
    """

    frames: np.ndarray
    pos: np.ndarray

    @property
    def motion(self) -> float:
        r"""Variance of its joints over joints and frames, summed over the coordinates."""
        return float(self.pos.astype(np.float64).var(axis=(0, 1)).sum())


def read_ntu_skeleton(path: str, content: bytes | None = None) -> tuple[int, list[Body]]:
    r"""Read a :obj:`.skeleton` file of NTU RGB+D, from the `"NTU RGB+D: A Large Scale Dataset for
    3D Human Activity Analysis" <https://arxiv.org/abs/1604.02808>`_ paper.

    The file is text: the number of frames; for each frame the number of bodies; for each body a
    line that begins with its number, the number of joints, and for each joint a line that begins
    with its position in metres from the sensor. Joints are those of the layout :obj:`ntu25`.

    Args:
        path (str): The file.
        content (bytes, optional): Its bytes, if they were read before. (default: :obj:`None`)

    Returns:
        tuple: The number of frames, and the bodies as they stand in the file, which also has
        bodies that are no people; see :func:`select_bodies`.

    Raises:
        FileNotFoundError: If the file is not there.
        ValueError: If it is empty, cut off, or holds something else.
    """
    words = (read_file(path) if content is None else content).split()
    if not words:
        raise MalformedFileError(path, 'content', 'the text of a .skeleton file', 'an empty file')
    seen: dict[bytes, tuple[list[int], list[list[float]]]] = {}
    frame, at = 0, 1
    try:
        num_frames = int(words[0])
        for frame in range(num_frames):
            num_bodies = int(words[at])
            at += 1
            for _ in range(num_bodies):
                # The number of a body is too large for a floating-point number: kept as text.
                frames, coordinates = seen.setdefault(words[at], ([], []))
                at += _BODY_FIELDS + 1
                if int(words[at - 1]) != _NUM_JOINTS:
                    raise MalformedFileError(
                        path, 'joints of a body', f'{_NUM_JOINTS}', words[at - 1].decode()
                    )
                end = at + _NUM_JOINTS * _JOINT_FIELDS
                if end > len(words):
                    raise IndexError
                if not frames or frames[-1] != frame:  # the first of two with one number
                    frames.append(frame)
                    row = [words[at + k : end : _JOINT_FIELDS] for k in range(3)]
                    coordinates.append([float(word) for column in row for word in column])
                at = end
    except IndexError:
        found = f'the end of the file in frame {frame + 1}'
        raise MalformedFileError(path, 'frames', f'{num_frames}', found) from None
    except (ValueError, UnicodeDecodeError) as error:
        if isinstance(error, MalformedFileError):
            raise
        found = f'{error} in frame {frame + 1}'
        raise MalformedFileError(path, 'content', 'the text of a .skeleton file', found) from None
    if at != len(words) or num_frames < 1:
        found = f'{len(words) - at} words behind them'
        raise MalformedFileError(path, 'frames', f'{num_frames}', found)
    bodies = []
    for frames, coordinates in seen.values():
        # Read coordinate by coordinate.
        pos = np.array(coordinates, np.float32).reshape(-1, 3, _NUM_JOINTS).transpose(0, 2, 1)
        if not np.isfinite(pos).all():
            raise MalformedFileError(path, 'positions', 'finite numbers', 'NaN or infinite values')
        bodies.append(Body(np.array(frames), np.ascontiguousarray(pos)))
    return num_frames, bodies


def remove_spurious_bodies(
    bodies: list[Body],
    min_frames: int = 12,
    max_width: float = 0.8,
    max_wide_share: float = 0.69754,
    motion_range: tuple[float, float] | None = None,
) -> list[Body]:
    r"""Remove what a sensor mistook for a body: furniture, shadows, reflections.

    Two rules, with the thresholds that are used for NTU RGB+D since the code of the `"View
    Adaptive Neural Networks for High Performance Skeleton-based Human Action Recognition"
    <https://arxiv.org/abs/1804.07453>`_ paper:

    * A body is seen for a while: in at least :obj:`min_frames` frames.
    * A body is taller than wide: the share of frames in which its width is more than
      :obj:`max_width` of its height is below :obj:`max_wide_share`.

    A rule that no body meets is skipped; where all are too wide, that code keeps the last one of
    the file. The bodies left are sorted by their :attr:`Body.motion`,
    computed without the frames in which they are too wide if that makes it smaller.

    With :obj:`motion_range` there is a third rule: a body whose motion is outside that range is
    removed, unless it is the one that moves most. The same code defines it with the range
    :obj:`(0.089925, 2.0)` but returns before it gets there, as do the copies in the code of SGN and
    CTR-GCN; PYSKL does not have it. It removes people who cross a room: at 5 m their motion is
    above 2.

    Args:
        bodies (list of Body): The bodies of a recording; :math:`y` is up.
        min_frames (int, optional): Number of frames. (default: :obj:`12`)
        max_width (float, optional): Width by height. (default: :obj:`0.8`)
        max_wide_share (float, optional): Share of frames. (default: :obj:`0.69754`)
        motion_range (tuple, optional): The least and the greatest motion, in square units.
            (default: :obj:`None`)

    Returns:
        list of Body: Those left, the one that moves most first.
    """
    if len(bodies) > 1:
        bodies = [b for b in bodies if len(b.frames) >= min_frames] or bodies
    wide = [_wide(body, max_width) for body in bodies]
    kept = [i for i, w in enumerate(wide) if w.mean() < max_wide_share] if len(bodies) > 1 else []
    kept = kept or list(range(len(bodies)))
    motion = {}
    for i in kept:
        body, usual = bodies[i], ~wide[i]
        usual = usual if usual.any() else ~usual
        motion[i] = min(body.motion, Body(body.frames[usual], body.pos[usual]).motion)
    kept.sort(key=lambda i: -motion[i])
    if motion_range is not None:
        low, high = motion_range
        kept = kept[:1] + [i for i in kept[1:] if low <= motion[i] <= high]
    return [bodies[i] for i in kept]


def select_bodies(
    num_frames: int, bodies: list[Body], num_persons: int = 2
) -> tuple[np.ndarray, np.ndarray]:
    r"""Make people of bodies: in their order, each becomes a person, or continues one that was not
    seen at the same time, for a person whom the sensor lost and found again is two bodies.

    Frames in which there is nobody are left out. A body for which no person is left is left out.
    The code of VA-NN, SGN and CTR-GCN compares the first and the last frames of bodies instead, and
    lets two of one person share a frame.

    Args:
        num_frames (int): Number of frames of the recording.
        bodies (list of Body): The bodies, the most important one first.
        num_persons (int, optional): Number of people :math:`M`. (default: :obj:`2`)

    Returns:
        tuple: Positions :math:`(M, T, V, 3)` and scores :math:`(M, T, V)`: 1 where the person was
        seen, else 0. There may be no frame, and people who are never seen.
    """
    num_joints = bodies[0].pos.shape[1] if bodies else _NUM_JOINTS
    pos = np.zeros((num_persons, num_frames, num_joints, 3), np.float32)
    seen = np.zeros((num_persons, num_frames), bool)
    for body in bodies:
        free = ~seen[:, body.frames].any(axis=1)
        if free.any():
            person = int(free.argmax())
            pos[person, body.frames], seen[person, body.frames] = body.pos, True
    anybody = seen.any(axis=0)
    score = np.repeat(seen[:, anybody, None].astype(np.float32), num_joints, axis=2)
    return pos[:, anybody], score


def _wide(body: Body, max_width: float) -> np.ndarray:
    """For every frame whether the body is wider than that, by its height."""
    size = body.pos.max(axis=1) - body.pos.min(axis=1)
    return size[:, 0] > max_width * size[:, 1]
