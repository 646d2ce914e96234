"""Face images in folders."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from graphmotion.datasets.class_folders import ClassFolders, find_class_folders
from graphmotion.datasets.face_files import FaceFiles, Labels
from graphmotion.datasets.processed_files import hashed_name
from graphmotion.io import find_files
from graphmotion.io.files import FoundFile
from graphmotion.io.images import IMAGE_SUFFIXES


class FaceFolder(FaceFiles):
    r"""Your own face images in one folder per class.

    .. code-block:: text

        root/raw/happy/1.png              class happy
        root/raw/happy/anna/2.png         class happy, subject anna
        root/raw/sad/1.png                class sad

    PNG, JPEG, PGM, TIFF, GIF, BMP and WebP files are read. If :obj:`raw/` does not exist, the class
    folders are expected in :obj:`root`. They may be in a zip archive or inside other folders that
    contain all of them. Classes and subjects are numbered by name in natural order, 2 before 10.

    Samples have the fields :obj:`image` :math:`(1, H, W)` of bytes, :obj:`y`, :obj:`file`, the
    position of their file in the sorted list of files, :obj:`subject`, if the images have subjects,
    and :obj:`part`, if :obj:`parts` is given. Images are processed again if files are added,
    removed, renamed or changed.

    .. code-block:: python

        dataset = FaceFolder('data/mine', size=48)
        dataset = FaceFolder('data/theirs', size=100, parts=('train', 'test'))
        train, test = dataset.official_split()  # train/happy/1.png, test/happy/2.png, ...

    Args:
        root (str or Path): Root directory.
        size (int or tuple, optional): Height and width, or one number for both, to which images are
            resized after a center crop to its aspect ratio. By default, images are not resized and
            must have the same size. (default: :obj:`None`)
        subject (str, optional): Regular expression whose group is the name of the subject, matched
            at the start of names without their class, such as :obj:`"anna/2.png"`. Use
            :obj:`r"(\w+?)_"` for files named :obj:`anna_2.png`. By default, the subject is the
            folder inside the folder of the class, if there is one. (default: :obj:`None`)
        parts (sequence of str, optional): Names of folders that contain the class folders, such as
            :obj:`("train", "test")`. The protocol :obj:`"given"` trains on the first part and tests
            on the others. (default: :obj:`None`)
        subfolder (str, optional): Path of the class folders, or of those of the parts, inside the
            folder or archive, such as :obj:`"dataset"`. By default, leading folders that contain
            all images are skipped, with a warning if there are no parts, since a single class with
            folders of subjects looks the same. (default: :obj:`None`)
        transform (callable, optional): Applied to each sample on access. (default: :obj:`None`)
        pre_transform (callable, optional): Applied to each sample once, before it is stored.
            (default: :obj:`None`)
        pre_filter (callable, optional): Samples for which it returns :obj:`False` are not stored.
            (default: :obj:`None`)
        force_reload (bool, optional): If :obj:`True`, processes the raw files again.
            (default: :obj:`False`)
        color (bool, optional): If :obj:`True`, images are red, green and blue.
            (default: :obj:`False`)
        landmarks (bool, optional): If :obj:`True`, samples have the field :obj:`landmarks`
            :math:`(68, 2)`, read from a file next to the image, such as :obj:`happy/1.pts`; see
            :func:`~graphmotion.io.read_landmarks`. Images without landmarks are skipped with a
            warning. (default: :obj:`False`)
        max_value (float, optional): Value of white in images of more than eight bits, such as 4095
            for 12 bits; see :func:`~graphmotion.io.read_gray_image`. (default: :obj:`None`)
        num_workers (int, optional): Number of processes that read the raw files; :obj:`0` reads
            them in this process. (default: :obj:`0`)

    Raises:
        FileNotFoundError: If the folder does not exist.
        ImportError: If pillow is not installed.
        ValueError: If an option is invalid, images differ in size and :obj:`size` is not given, an
            image is not in a class folder, a class folder has no images, names of classes or
            subjects differ only in case, surrounding spaces or Unicode normalization, all folders
            have names of parts such as :obj:`train` and :obj:`parts` is not given, only some images
            have a subject, or no image is valid. Invalid images are skipped with a warning.
    """

    num_folders = None

    def __init__(
        self,
        root: str | Path,
        size: int | Sequence[int] | None = None,
        subject: str | None = None,
        parts: Sequence[str] | None = None,
        subfolder: str | None = None,
        transform: Callable | None = None,
        pre_transform: Callable | None = None,
        pre_filter: Callable | None = None,
        force_reload: bool = False,
        color: bool = False,
        landmarks: bool = False,
        max_value: float | None = None,
        num_workers: int = 0,
    ) -> None:
        self._folder, self._processed = find_class_folders(root)
        with find_files(self._folder, IMAGE_SUFFIXES, None) as files:
            self._names = [name for name, file in files.items() if self._is_raw(file.path)]
        contents = f'images ({", ".join(IMAGE_SUFFIXES)})'
        self._classes = ClassFolders(
            self._folder,
            self._names,
            'images',
            contents,
            subject,
            parts,
            subfolder,
            self._processed,
        )
        if self._classes.parts:
            self.protocols = {'given': ('part', (0,))}
        self.class_names = self._classes.class_names
        #: Names of the subjects.
        self.subject_names = self._classes.subject_names
        super().__init__(
            root,
            size,
            transform,
            pre_transform,
            pre_filter,
            force_reload,
            color,
            landmarks,
            max_value,
            num_workers,
        )

    @property
    def raw_dir(self) -> str:
        r"""The folder of the class folders."""
        return self._folder

    @property
    def processed_file_names(self) -> list[str]:
        r"""A file for each combination of images and options."""
        subjects = sorted(self._classes.subjects.items())
        options = (self.size_name, self._classes.parts, self._names, subjects)
        return [hashed_name('faces', options)]

    def label_files(self, files: Mapping[str, FoundFile]) -> dict[str, Labels]:
        r"""Returns the class, subject and part of each file."""
        return {
            name: {**self._classes.labels(name), 'file': number}
            for number, name in enumerate(self._names)
        }

    def source_files(self) -> list[str]:
        r"""Returns the paths of the files from which the samples are read."""
        return [path for path in super().source_files() if self._is_raw(path)]

    def _is_raw(self, path: str) -> bool:
        return not path.startswith(os.path.join(self._processed, ''))

    def names(self) -> list[str]:
        r"""Returns the path of the file of each sample, relative to the folder of classes."""
        return [self._names[number] for number in self.labels('file').tolist()]
