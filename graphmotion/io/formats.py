"""Registry of the formats in which pose estimators write recordings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from graphmotion.io.tracks import Track

Reader = Callable[..., list[Track]]


class PoseFormat(NamedTuple):
    r"""A format of recordings of people, registered by :func:`register_format`.

    Args:
        name (str): Name of the format.
        read (callable): Reads the recording at a path and returns its people.
        suffixes (tuple of str): Endings of the format's files.
        in_folder (bool): Whether a recording is a folder with one file per frame.
        read_frame_rate (callable, optional): Reads the frames per second of the recording at a
            path, if the format has them.
    """

    name: str
    read: Reader
    suffixes: tuple[str, ...]
    in_folder: bool
    read_frame_rate: Callable[[str], float] | None = None


_FORMATS: dict[str, PoseFormat] = {}


def register_format(
    name: str,
    suffixes: tuple[str, ...] = ('.json',),
    in_folder: bool = False,
    read_frame_rate: Callable[[str], float] | None = None,
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

    Raises:
        ValueError: If another reader is registered under this name.
    """

    def register(read: Reader) -> Reader:
        if name in _FORMATS:
            raise ValueError(f'the format {name!r} is already registered')
        _FORMATS[name] = PoseFormat(name, read, suffixes, in_folder, read_frame_rate)
        return read

    return register


def list_formats() -> list[str]:
    r"""Returns the names of all formats that :func:`read_poses` reads, sorted."""
    return sorted(_FORMATS)


def get_format(name: str) -> PoseFormat:
    r"""Returns the registered format of this name.

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
