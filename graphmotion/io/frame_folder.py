"""Recordings in folders with one file per frame."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import cast

from graphmotion.io.files import MalformedFileError
from graphmotion.io.frame_numbers import FRAME_NAME, fill_gaps, split_frame_names
from graphmotion.io.linking import Detection
from graphmotion.io.skipped import SkippedSamples
from graphmotion.io.tracks import Track, make_tracks, one_recording


def read_frame_folder(
    folder: str,
    ending: str,
    read_frame: Callable[[str], list[Detection]],
    recording: str | None = None,
    max_gap: int = 30,
) -> list[Track]:
    r"""Reads a recording in a folder with one file per frame, :obj:`{recording}_{frame}{ending}`.

    Args:
        folder (str): Folder of the recording.
        ending (str): Ending of the file names after the frame number, such as
            :obj:`"_keypoints.json"`, in upper or lower case. Without the part before the dot, files
            are also accepted.
        read_frame (callable): Returns the people in the file at a path.
        recording (str, optional): Name of the recording to read, if the folder has several.
            (default: :obj:`None`)
        max_gap (int, optional): See :func:`link_tracks`. (default: :obj:`30`)

    Returns:
        list of Track: The people, most visible person first. Frames that cannot be read are
        treated as empty, files with the number of an earlier frame are skipped, and both are
        counted in a single warning.

    Raises:
        FileNotFoundError: If the folder does not exist.
        ValueError: If the folder has no such files, if it has files of several recordings and
            :obj:`recording` is not given, if two files have the same frame number, if no frame can
            be read, or if there are no people.
    """
    if os.path.isfile(folder):
        expected = f'a folder with one file {ending} per frame'
        raise MalformedFileError(folder, 'path', expected, 'a file')
    if not os.path.isdir(folder):
        raise FileNotFoundError(f'{folder}: no such folder')
    word, _, suffix = ending.lower().rpartition('.')
    stems, others = {}, []
    for file in sorted(os.listdir(folder)):
        stem, end = os.path.splitext(file)
        if word and stem.lower().endswith(word):
            stem = stem[: -len(word)]
        if end.lower() == f'.{suffix}' and stem[-1:].isdigit():
            stems[file] = f'{stem}.{suffix}'
        else:
            others.append(file)
    split = split_frame_names(stems.values())
    names = {file: split[stem] for file, stem in stems.items()}
    timed = [file for file, (_, number) in names.items() if number is None]
    if timed:
        raise MalformedFileError(folder, 'files', FRAME_NAME, timed[0])
    if not names:
        found = f'{", ".join(others[:3])}' if others else 'none'
        raise MalformedFileError(folder, 'files', f'*{ending} with frame numbers', found)
    chosen = one_recording({name for name, _ in names.values()}, recording, folder, 'files')
    skipped = SkippedSamples(folder)
    files: dict[int, str] = {}
    for file, (name, number) in names.items():
        if name == chosen and files.setdefault(cast(int, number), file) != file:
            found = f'{files[cast(int, number)]} and {file}'
            raise MalformedFileError(folder, 'files', 'one file per frame', found)
    frames: dict[int, list[Detection]] = {}
    for number, file in files.items():
        frames[number] = []
        try:
            frames[number] = read_frame(os.path.join(folder, file))
        except MalformedFileError as error:
            skipped.add(error.reason, file)
    skipped.report(len(files))
    return make_tracks(fill_gaps(frames, folder), folder, max_gap)
