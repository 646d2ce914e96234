"""Folders of faces."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from graphmotion.datasets.face_files import PART_FOLDERS, FaceFiles, Labels
from graphmotion.datasets.subjects import find_subjects
from graphmotion.io import MalformedFileError, find_files
from graphmotion.io.files import FoundFile
from graphmotion.io.images import IMAGE_SUFFIXES


class FaceFolder(FaceFiles):
    r"""Your own images of faces, in one folder for each class.

    .. code-block:: text

        root/raw/happy/1.png              the class happy
        root/raw/happy/anna/2.png         of the subject anna
        root/raw/sad/1.png                the class sad

    PNG, JPEG, PGM, TIFF, GIF and BMP files are read. Without :obj:`raw/`, the folders of the
    classes are those in :obj:`root` itself. They may also be in a zip archive there, and a folder
    that alone holds all of them is passed over. Classes are numbered in the order of their
    names, and so are subjects.

    Samples have the fields :obj:`image` :math:`(1, H, W)`, bytes, :obj:`y`, :obj:`file`, the
    position of their name in the sorted list of all, :obj:`subject`, if the images have one, and,
    with :obj:`parts`, :obj:`part`. What was added, removed or renamed is noticed; after a
    change within a file pass :obj:`force_reload=True`.

    .. code-block:: python

        dataset = FaceFolder('data/mine', size=48)
        dataset = FaceFolder('data/theirs', size=100, parts=('train', 'test'))
        train, test = dataset.official_split()  # train/happy/1.png, test/happy/2.png, ...

    Args:
        root (str or Path): The folder.
        size (int or tuple, optional): Height and width to which images are resized, one number for
            both, after they were cut about their middle to its proportions. By default they stay as
            they are, and have to be of one size. (default: :obj:`None`)
        subject (str, optional): A regular expression that begins to match at the beginning of a
            name without that of its class, as :obj:`anna/2.png`; its group is the name of the
            subject. By default the folder in that of the class, if there is one; write
            :obj:`r"(\w+?)_"` for files named :obj:`anna_2.png`. (default: :obj:`None`)
        parts (sequence of str, optional): Names of folders above those of the classes; the
            protocol :obj:`"given"` then trains on the first and tests on all others.
            (default: :obj:`None`)
        transform (callable, optional): Applied to each sample on access. (default: :obj:`None`)
        pre_transform (callable, optional): Applied to each sample once, before it is stored.
            (default: :obj:`None`)
        pre_filter (callable, optional): Samples for which it is false are not stored.
            (default: :obj:`None`)
        force_reload (bool, optional): Process again what was processed before.
            (default: :obj:`False`)

    Raises:
        FileNotFoundError: If the folder is not there.
        ImportError: If pillow is not installed.
        ValueError: If :obj:`size` is not positive, images differ in size and it is not given,
            there is no folder of a class, an image is in none, all folders are called as parts are
            (train, test) and :obj:`parts` is not given, only some images have a subject, or no
            image can be used; single images that cannot are left out with one warning that
            counts them.
    """

    num_folders = None

    def __init__(
        self,
        root: str | Path,
        size: int | Sequence[int] | None = None,
        subject: str | None = None,
        parts: Sequence[str] | None = None,
        transform: Callable | None = None,
        pre_transform: Callable | None = None,
        pre_filter: Callable | None = None,
        force_reload: bool = False,
    ) -> None:
        root = os.path.normpath(os.path.expanduser(root))
        raw = os.path.join(root, 'raw')
        self._folder = raw if os.path.isdir(raw) else root
        if not os.path.isdir(self._folder):
            raise FileNotFoundError(f'{self._folder}: no such folder')
        self.parts = () if parts is None else tuple(parts)
        if self.parts:
            self.protocols = {'given': ('part', (0,))}
        with find_files(self._folder, IMAGE_SUFFIXES, None) as files:
            names = _below_classes(self._folder, files, 2 + bool(self.parts))
        self._parts_of, self._names = self._part(names)
        self.class_names = tuple(sorted({name.split('/')[0] for name in self._names.values()}))
        self._subjects = find_subjects(self._folder, self._names.values(), subject, 'images')
        #: The names of the subjects, in the order of their numbers.
        self.subject_names = tuple(sorted(set(self._subjects.values())))
        super().__init__(root, size, transform, pre_transform, pre_filter, force_reload)

    @property
    def raw_dir(self) -> str:
        r"""The folder that holds those of the classes."""
        return self._folder

    @property
    def processed_file_names(self) -> list[str]:
        r"""One file for each set of images and options."""
        options = (self.image_size, self.parts, sorted(self._names), sorted(self._subjects.items()))
        return [f'faces_{hashlib.sha256(repr(options).encode()).hexdigest()[:16]}.pt']

    def label_files(self, files: Mapping[str, FoundFile]) -> dict[str, Labels]:
        r"""Class, subject and part of each file, by its folders."""
        out: dict[str, Labels] = {}
        for number, file in enumerate(files):
            name = self._names[file]
            labels = {'y': self.class_names.index(name.split('/')[0]), 'file': number}
            if self._subjects:
                labels['subject'] = self.subject_names.index(self._subjects[name])
            if self.parts:
                labels['part'] = self._parts_of[file]
            out[file] = labels
        return out

    def names(self) -> list[str]:
        r"""The name of each sample: that of its file with all folders above it."""
        names = sorted(self._names)
        return [names[number] for number in self.labels('file').tolist()]

    def _part(self, names: dict[str, str]) -> tuple[dict[str, int], dict[str, str]]:
        """The part of each file, and its name from its class on."""
        if not self.parts:
            found = sorted({name.split('/')[0] for name in names.values()})
            if all(name.lower() in PART_FOLDERS for name in found):
                raise ValueError(
                    f'{self._folder}: expected the folders of classes, found those of parts, '
                    f'{found}; pass parts={tuple(found)!r}, the one to train on first'
                )
            return {}, names
        parts, out = {}, {}
        for file, name in names.items():
            part, _, below = name.partition('/')
            if part not in self.parts:
                path = os.path.join(self._folder, file)
                raise MalformedFileError(
                    path, 'folder', f'one of the parts {list(self.parts)}', part
                )
            parts[file], out[file] = self.parts.index(part), below
        return parts, out


def _below_classes(folder: str, files: Iterable[str], least: int) -> dict[str, str]:
    """The names of files without the folders that alone hold all the others.

    A name has to keep ``least`` parts: the folders of part and class, and the file.
    """
    names = {file: file.split('/') for file in files}
    if not names:
        raise MalformedFileError(folder, 'images', 'folders of them, one for each class', 'none')
    while len({parts[0] for parts in names.values()}) == 1 and all(
        len(parts) > least for parts in names.values()
    ):
        names = {file: parts[1:] for file, parts in names.items()}
    for file, parts in names.items():
        if len(parts) < least:
            found = 'an image beside them' if len(parts) == 1 else 'no folder between'
            raise MalformedFileError(os.path.join(folder, file), 'folder', 'that of a class', found)
    return {file: '/'.join(parts) for file, parts in names.items()}
