"""Recordings in folders with one file per frame."""

from __future__ import annotations

import os
from collections.abc import Callable

from graphmotion.io.files import MalformedFileError, split_frame_name
from graphmotion.io.skipped import SkippedSamples
from graphmotion.io.tracks import Detection, Track, fill_gaps, make_tracks, one_recording


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
            :obj:`recording` is not given, if no frame can be read, or if there are no people.
    """
    if not os.path.isdir(folder):
        raise FileNotFoundError(f'{folder}: no such folder')
    word, _, suffix = ending.lower().rpartition('.')
    names: dict[str, tuple[str, int]] = {}
    others = []
    for file in sorted(os.listdir(folder)):
        stem, end = os.path.splitext(file)
        if word and stem.lower().endswith(word):
            stem = stem[: -len(word)]
        name, number = split_frame_name(f'{stem}.{suffix}')
        if end.lower() == f'.{suffix}' and number is not None and stem[-1].isdigit():
            names[file] = name, number
        else:
            others.append(file)
    if not names:
        found = f'{", ".join(others[:3])}' if others else 'none'
        raise MalformedFileError(folder, 'files', f'*{ending} with frame numbers', found)
    chosen = one_recording({name for name, _ in names.values()}, recording, folder, 'files')
    skipped = SkippedSamples(folder)
    frames: dict[int, list[Detection]] = {}
    files = {file: number for file, (name, number) in names.items() if name == chosen}
    for file, number in files.items():
        if number in frames:
            skipped.add('with the number of another frame', file)
            continue
        frames[number] = []
        try:
            frames[number] = read_frame(os.path.join(folder, file))
        except MalformedFileError as error:
            skipped.add(error.reason, file)
    skipped.report(len(files))
    return make_tracks(fill_gaps(frames, folder), folder, max_gap)
