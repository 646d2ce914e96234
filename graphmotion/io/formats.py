"""Registry of the formats in which pose estimators write recordings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from graphmotion.io.files import MalformedFileError
from graphmotion.io.tracks import Track
from graphmotion.skeletons import Skeleton, get_skeleton, list_skeletons
from graphmotion.skeletons.sides import find_moved_joint, joint_key

Reader = Callable[..., list[Track]]


class PoseFormat(NamedTuple):
    r"""A format of recordings of people, registered by :func:`register_format`.

    .. code-block:: python

        alphapose = get_format('alphapose')
        print(alphapose.suffixes, alphapose.layouts[17])  # ('.json',) coco17

    Args:
        name (str): Name of the format.
        read (callable): Reads the recording at a path and returns its people.
        suffixes (tuple of str): Endings of the format's files.
        in_folder (bool): Whether a recording is a folder with one file per frame.
        read_frame_rate (callable, optional): Reads the frames per second of the recording at a
            path, if the format has them.
        layouts (mapping, optional): Name of the layout for each number of joints that is always in
            this layout.
        read_joints (callable, optional): Reads the names of the joints of the recording at a path,
            or :obj:`None` if it has none, if the format has them.
    """

    name: str
    read: Reader
    suffixes: tuple[str, ...]
    in_folder: bool
    read_frame_rate: Callable[[str], float] | None = None
    layouts: Mapping[int, str] = {}
    read_joints: Callable[[str], Sequence[str] | None] | None = None

    def check_joints(self, path: str, skeleton: Skeleton) -> None:
        r"""Checks that a skeleton has the joints of a recording in the same order, as far as the
        recording or the format tells.

        Args:
            path (str): Path of the recording.
            skeleton (Skeleton): A skeleton with as many joints as the recording.

        Raises:
            ValueError: If a joint of the recording has a different index in the skeleton.
        """
        names = self.read_joints(path) if self.read_joints is not None else None
        layout = self.layouts.get(skeleton.num_joints)
        if names is None and layout is not None:
            names = get_skeleton(layout).joints
        if names is None or len(names) != skeleton.num_joints:
            return
        moved = find_moved_joint(names, skeleton.joints)
        if moved is not None:
            index, expected = moved
            raise MalformedFileError(
                path,
                'joints',
                f'the order of {skeleton.name!r}{_describe_layout(names)}, '
                'unless columns are given',
                f'{names[index]!r} as joint {index} instead of {expected}',
            )


def _describe_layout(names: Sequence[str]) -> str:
    keys = [*map(joint_key, names)]
    layouts = [
        layout
        for layout in list_skeletons()
        if keys == [*map(joint_key, get_skeleton(layout).joints)]
    ]
    return f' instead of {" or ".join(map(repr, layouts))}' if layouts else ''


_FORMATS: dict[str, PoseFormat] = {}


def register_format(
    name: str,
    suffixes: tuple[str, ...] = ('.json',),
    in_folder: bool = False,
    read_frame_rate: Callable[[str], float] | None = None,
    layouts: Mapping[int, str] | None = None,
    read_joints: Callable[[str], Sequence[str] | None] | None = None,
) -> Callable[[Reader], Reader]:
    r"""Registers a reader of recordings, so that :func:`read_poses` and
    :class:`~graphmotion.datasets.PoseFolder` find it by name.

    .. code-block:: python

        @register_format('my_tracker', suffixes=('.csv',))
        def read_my_tracker(path: str) -> list[Track]: ...

    Args:
        name (str): Name of the format.
        suffixes (tuple of str, optional): Endings of the format's files.
            (default: :obj:`(".json",)`)
        in_folder (bool, optional): Whether a recording is a folder with one file per frame.
            (default: :obj:`False`)
        read_frame_rate (callable, optional): Reads the frames per second of the recording at a
            path, if the format has them. (default: :obj:`None`)
        layouts (mapping, optional): Name of the layout for each number of joints that is always in
            this layout. (default: :obj:`None`)
        read_joints (callable, optional): Reads the names of the joints of the recording at a path,
            or :obj:`None` if it has none. (default: :obj:`None`)

    Raises:
        ValueError: If another reader is registered under this name.
    """

    def register(read: Reader) -> Reader:
        if name in _FORMATS:
            raise ValueError(f'the format {name!r} is already registered')
        _FORMATS[name] = PoseFormat(
            name, read, suffixes, in_folder, read_frame_rate, dict(layouts or {}), read_joints
        )
        return read

    return register


def list_formats() -> list[str]:
    r"""Returns the names of all formats that :func:`read_poses` reads, sorted.

    .. code-block:: python

        >>> 'openpose' in list_formats()
        True
    """
    return sorted(_FORMATS)


def get_format(name: str) -> PoseFormat:
    r"""Returns the registered format of this name.

    .. code-block:: python

        tracks = get_format('alphapose').read('alphapose-results.json')

    Raises:
        ValueError: If there is no such format.
    """
    if name not in _FORMATS:
        raise ValueError(f'format must be one of {list_formats()}, got {name!r}')
    return _FORMATS[name]


def read_poses(path: str, format: str, **options: Any) -> list[Track]:
    r"""Reads the people of a recording in a registered format.

    .. code-block:: python

        tracks = read_poses('alphapose-results.json', 'alphapose')
        pos, score = stack_tracks(tracks, num_people=1)

    Args:
        path (str): The file of the recording, or its folder if the format has one file per frame.
        format (str): Name of the format; see :func:`list_formats`.
        **options (optional): Additional arguments of the format's reader, such as
            :obj:`world=True` of :func:`read_mediapipe`.

    Returns:
        list of Track: The people, most visible person first.

    Raises:
        FileNotFoundError: If the recording does not exist.
        ValueError: If the format is unknown or the recording is malformed.
    """
    return get_format(format).read(path, **options)
