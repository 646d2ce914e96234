"""Reader of NTU RGB+D skeleton files, and selection of the people in them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from graphmotion.io.files import MalformedFileError, read_file
from graphmotion.io.formats import register_format
from graphmotion.io.tracks import Track

_NUM_JOINTS = 25
_BODY_FIELDS = 10  # before the number of joints
_JOINT_FIELDS = 12  # of which the first three are the position


class Body(NamedTuple):
    r"""A body that the sensor detected in some frames of a recording.

    .. code-block:: python

        num_frames, bodies = read_ntu_skeleton('S001C001P001R001A001.skeleton')
        print(bodies[0].frames, bodies[0].pos.shape)  # [num_frames], [num_frames, 25, 3]

    Args:
        frames (array): Sorted numbers of its frames :math:`(F)`.
        pos (array): Joint positions in these frames :math:`(F, V, 3)`.
    """

    frames: np.ndarray
    pos: np.ndarray

    @property
    def motion(self) -> float:
        r"""Returns the variance of positions over joints and frames, summed over coordinates."""
        return float(self.pos.astype(np.float64).var(axis=(0, 1)).sum())


def read_ntu_skeleton(path: str, content: bytes | None = None) -> tuple[int, list[Body]]:
    r"""Reads a :obj:`.skeleton` file of NTU RGB+D, from the `"NTU RGB+D: A Large Scale Dataset for
    3D Human Activity Analysis" <https://arxiv.org/abs/1604.02808>`_ paper.

    The file is text: the number of frames; for each frame the number of bodies; for each body a
    line that starts with its ID, the number of joints, and for each joint a line that starts with
    its position in metres from the sensor. The joints are those of the skeleton :obj:`ntu25`.

    .. code-block:: python

        num_frames, bodies = read_ntu_skeleton('S001C001P001R001A001.skeleton')
        pos, score = select_bodies(num_frames, remove_spurious_bodies(bodies))
        data = from_array(pos, 'ntu25', score, axes='MTVC')

    Args:
        path (str): Path of the file.
        content (bytes, optional): Content of the file if already read. (default: :obj:`None`)

    Returns:
        tuple: The number of frames and the list of bodies. Some bodies may be false detections;
        see :func:`remove_spurious_bodies`.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is empty, truncated or in another format.
    """
    words = (read_file(path) if content is None else content).split()
    if not words:
        raise MalformedFileError(path, 'content', 'the text of a .skeleton file', 'an empty file')
    found_bodies: dict[bytes, tuple[list[int], list[list[float]]]] = {}
    frame, at = 0, 1
    try:
        num_frames = int(words[0])
        for frame in range(num_frames):
            num_bodies = int(words[at])
            at += 1
            for _ in range(num_bodies):
                # Body IDs exceed the precision of floating-point numbers and are kept as text.
                frames, coordinates = found_bodies.setdefault(words[at], ([], []))
                at += _BODY_FIELDS + 1
                if int(words[at - 1]) != _NUM_JOINTS:
                    raise MalformedFileError(
                        path, 'joints of a body', f'{_NUM_JOINTS}', words[at - 1].decode()
                    )
                end = at + _NUM_JOINTS * _JOINT_FIELDS
                if end > len(words):
                    raise IndexError
                if not frames or frames[-1] != frame:  # the first of two with the same ID
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
        found = f'{len(words) - at} words after the last frame'
        raise MalformedFileError(path, 'frames', f'{num_frames}', found)
    bodies = []
    for frames, coordinates in found_bodies.values():
        # In each frame, all x coordinates come first.
        pos = np.array(coordinates, np.float32).reshape(-1, 3, _NUM_JOINTS).transpose(0, 2, 1)
        if not np.isfinite(pos).all():
            raise MalformedFileError(path, 'positions', 'finite numbers', 'NaN or infinite values')
        bodies.append(Body(np.array(frames), np.ascontiguousarray(pos)))
    return num_frames, bodies


def remove_spurious_bodies(
    bodies: list[Body],
    min_frames: int = 12,
    max_width: float = 0.8,
    max_wide_fraction: float = 0.69754,
    motion_range: tuple[float, float] | None = None,
) -> list[Body]:
    r"""Removes false detections, such as furniture, shadows and reflections.

    Two rules are applied, with the thresholds of the code of the `"View Adaptive Neural Networks
    for High Performance Skeleton-based Human Action Recognition"
    <https://arxiv.org/abs/1804.07453>`_ paper, which are common for NTU RGB+D:

    * A body is detected in at least :obj:`min_frames` frames.
    * A body is taller than wide: the fraction of frames in which its width exceeds
      :obj:`max_width` times its height is below :obj:`max_wide_fraction`.

    A rule that no body satisfies is skipped; if all bodies are too wide, the code of the paper
    keeps the last body of the file instead. The remaining bodies are sorted by
    :attr:`Body.motion`, computed without the frames in which they are too wide if that is smaller.

    With :obj:`motion_range`, a third rule removes bodies whose motion is outside the range, except
    the one that moves most. The code of the paper defines this rule with the range
    :obj:`(0.089925, 2.0)` but returns before applying it, as do its copies in the code of SGN and
    CTR-GCN; PYSKL does not have it. The rule removes people who cross a room: over 5 m, their
    motion exceeds 2.

    .. code-block:: python

        num_frames, bodies = read_ntu_skeleton('S001C001P001R001A001.skeleton')
        bodies = remove_spurious_bodies(bodies)

    Args:
        bodies (list of Body): The bodies of a recording; :math:`y` points up.
        min_frames (int, optional): Minimum number of frames. (default: :obj:`12`)
        max_width (float, optional): Maximum ratio of width to height. (default: :obj:`0.8`)
        max_wide_fraction (float, optional): Maximum fraction of frames with a larger ratio.
            (default: :obj:`0.69754`)
        motion_range (tuple, optional): Minimum and maximum motion, in square units.
            (default: :obj:`None`)

    Returns:
        list of Body: The remaining bodies, the one with the most motion first.
    """
    if len(bodies) > 1:
        bodies = [b for b in bodies if len(b.frames) >= min_frames] or bodies
    wide = [_is_wide(body, max_width) for body in bodies]
    kept = list(range(len(bodies)))
    if len(bodies) > 1:
        kept = [i for i in kept if wide[i].mean() < max_wide_fraction] or kept
    motion = {}
    for i in kept:
        body, narrow = bodies[i], ~wide[i]
        narrow = narrow if narrow.any() else ~narrow
        motion[i] = min(body.motion, Body(body.frames[narrow], body.pos[narrow]).motion)
    kept.sort(key=lambda i: -motion[i])
    if motion_range is not None:
        low, high = motion_range
        kept = kept[:1] + [i for i in kept[1:] if low <= motion[i] <= high]
    return [bodies[i] for i in kept]


def select_bodies(
    num_frames: int, bodies: list[Body], num_people: int = 2
) -> tuple[np.ndarray, np.ndarray]:
    r"""Assigns bodies to people.

    Each body, in the given order, is assigned to the first person without a body in the same
    frames, because a person whom the sensor lost and detected again has two bodies. Bodies without
    such a person and frames without people are dropped. The code of VA-NN, SGN and CTR-GCN compares
    only the first and last frames of bodies, so that two bodies of a person may share a frame.

    .. code-block:: python

        num_frames, bodies = read_ntu_skeleton('S001C001P001R001A001.skeleton')
        pos, score = select_bodies(num_frames, bodies, num_people=2)
        print(pos.shape)  # (2, num_frames, 25, 3)

    Args:
        num_frames (int): Number of frames of the recording.
        bodies (list of Body): The bodies, the most important one first.
        num_people (int, optional): Number of people :math:`M`. (default: :obj:`2`)

    Returns:
        tuple: Positions :math:`(M, T, V, 3)` and scores :math:`(M, T, V)`, which are 1 where the
        person is visible and 0 elsewhere. Some people may be missing in all frames, and
        :math:`T` may be 0.
    """
    num_joints = bodies[0].pos.shape[1] if bodies else _NUM_JOINTS
    pos = np.zeros((num_people, num_frames, num_joints, 3), np.float32)
    visible = np.zeros((num_people, num_frames), bool)
    for body in bodies:
        free = ~visible[:, body.frames].any(axis=1)
        if free.any():
            person = int(free.argmax())
            pos[person, body.frames], visible[person, body.frames] = body.pos, True
    kept = visible.any(axis=0)
    score = np.repeat(visible[:, kept, None].astype(np.float32), num_joints, axis=2)
    return pos[:, kept], score


@register_format(
    'ntu_skeleton',
    ('.skeleton',),
    read_frame_rate=lambda path: 30.0,
    layouts={_NUM_JOINTS: 'ntu25'},
)
def read_ntu_tracks(path: str, num_people: int | None = None) -> list[Track]:
    r"""Reads the people of a :obj:`.skeleton` file of NTU RGB+D, without spurious bodies, as
    :class:`~graphmotion.datasets.NTURGBD` does for up to two people.

    Args:
        path (str): Path of the file.
        num_people (int, optional): Maximum number of people; by default all.
            (default: :obj:`None`)

    Returns:
        list of Track: The people, the most important one first.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is malformed or there are no people.
    """
    num_frames, bodies = read_ntu_skeleton(path)
    if not bodies:
        raise MalformedFileError(path, 'bodies', 'at least one', 'none')
    bodies = remove_spurious_bodies(bodies)
    people = zip(*select_bodies(num_frames, bodies, num_people or len(bodies)))
    return [Track(pos, score) for pos, score in people if score.any()]


def _is_wide(body: Body, max_width: float) -> np.ndarray:
    """Returns whether the ratio of width to height exceeds a maximum in each frame."""
    size = body.pos.max(axis=1) - body.pos.min(axis=1)
    return size[:, 0] > max_width * size[:, 1]
