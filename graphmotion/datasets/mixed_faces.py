"""Several sets of faces as one."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor
from torch_geometric.data import Data

from graphmotion.datasets.expressions import class_key
from graphmotion.datasets.face_dataset import FaceDataset
from graphmotion.datasets.face_files import check_size, face_sample
from graphmotion.io.images import resize_image

_AT_ONCE = 1024


class MixedFaces(FaceDataset):
    r"""Faces of several sets with the same classes, which may be merged ones.

    .. code-block:: python

        jaffe, ck = JAFFE('data/jaffe', size=48), CKPlus('data/ck', size=48)
        mixed = MixedFaces([jaffe, ck])  # the six classes that both have
        # Trained on one set and tested on another, with three classes:
        train = MixedFaces([jaffe], MixedFaces.THREE_CLASSES)
        test = MixedFaces([ck], MixedFaces.THREE_CLASSES)

    Samples have the fields :obj:`image` :math:`(1, H, W)`, bytes, :obj:`y`, :obj:`source`, the
    position of their set, and, if one of the sets has them, :obj:`subject`, numbered anew so that
    subjects of two sets differ, and those of two parts of one set do not. Faces of sets without
    subjects then count as one of their own each, with a warning. Samples are kept in memory. Faces
    of other classes are left out.

    Args:
        datasets (sequence of FaceDataset): The sets, or parts of sets.
        classes (sequence of str or mapping, optional): The classes, or for each class the names of
            those that are merged in it; by default those that all sets have, in the order of the
            first. Case does not matter, nor does the form of a word: :obj:`"Happy"` is
            :obj:`"happiness"`. (default: :obj:`None`)
        size (int or tuple, optional): Height and width to which images are resized, one number for
            both, after they were cut about their middle to its proportions; without it, all have to
            be of one size. (default: :obj:`None`)
        transform (callable, optional): Applied to each sample on access. (default: :obj:`None`)
        pre_transform (callable, optional): Applied to each sample once. (default: :obj:`None`)
        pre_filter (callable, optional): Samples for which it is false are left out.
            (default: :obj:`None`)

    Raises:
        ValueError: If there is no set or no class, a class is merged in two, one of the sets has
            none of a class, or images differ in size and none is given.
    """

    #: Negative, positive and surprise, as in the comparison across sets of "SSGNN: A Macro and
    #: Microfacial Expression Recognition Graph Neural Network Combining Spatial and Spectral
    #: Domain Features". They are the classes of SMIC; those of CASME II include repression.
    THREE_CLASSES: Mapping[str, Sequence[str]] = {
        'negative': (
            'negative',
            'anger',
            'contempt',
            'disgust',
            'fear',
            'repression',
            'sadness',
        ),
        'positive': ('positive', 'happiness'),
        'surprise': ('surprise',),
    }

    def __init__(
        self,
        datasets: Sequence[FaceDataset],
        classes: Sequence[str] | Mapping[str, Sequence[str]] | None = None,
        size: int | Sequence[int] | None = None,
        transform: Callable | None = None,
        pre_transform: Callable | None = None,
        pre_filter: Callable | None = None,
    ) -> None:
        self._sources = list(datasets)
        if not self._sources:
            raise ValueError('there is no set of faces to mix')
        merged = self._merged(classes)
        self.class_names = tuple(merged)
        self._class_of = {old: y for y, names in enumerate(merged.values()) for old in names}
        if not merged or len(self._class_of) != sum(len(names) for names in merged.values()):
            raise ValueError(f'classes are different ones, one at least, got {merged}')
        for number, dataset in enumerate(self._sources):
            for name, members in merged.items():
                if not set(members) & set(map(class_key, dataset.class_names)):
                    raise ValueError(
                        f'set {number} has the classes {list(dataset.class_names)}, none of '
                        f'{list(members)} for {name!r}'
                    )
        sizes = sorted({dataset.size for dataset in self._sources})
        if size is None and len(sizes) > 1:
            raise ValueError(f'images are of the sizes {sizes}; pass size to resize them')
        self._image_size = sizes[0] if size is None else check_size(size)
        super().__init__(None, transform, pre_transform, pre_filter)
        del self._sources

    def _merged(
        self, classes: Sequence[str] | Mapping[str, Sequence[str]] | None
    ) -> dict[str, tuple[str, ...]]:
        """The keys of the names that each class stands for."""
        if isinstance(classes, Mapping):
            return {
                name: tuple(dict.fromkeys(map(class_key, members)))
                for name, members in classes.items()
            }
        if classes is None:
            keys = [set(map(class_key, dataset.class_names)) for dataset in self._sources]
            common = set.intersection(*keys)
            classes = [name for name in self._sources[0].class_names if class_key(name) in common]
        return {name: (class_key(name),) for name in classes}

    def read(self) -> Iterator[Data]:
        r"""The faces, set by set."""
        subjects = self._subjects()
        for source, dataset in enumerate(self._sources):
            y = torch.tensor(
                [self._class_of.get(class_key(name), -1) for name in dataset.class_names]
            )
            y = y[dataset.labels('y').cpu()]
            labels = {'y': y, 'source': torch.full_like(y, source)}
            if subjects:
                labels['subject'] = subjects[source]
            for part in (y >= 0).nonzero().view(-1).split(_AT_ONCE):
                images = dataset.get_batch(part).image.cpu().numpy()
                for image, number in zip(images, part):
                    fields = {name: int(value[number]) for name, value in labels.items()}
                    yield face_sample(resize_image(image, self._image_size), **fields)

    def _subjects(self) -> list[Tensor]:
        """The subject of each face of each set; nothing if no set has them."""
        known = [_has_subjects(dataset) for dataset in self._sources]
        if not any(known):
            return []
        if not all(known):
            count = sum(len(d) for d, has in zip(self._sources, known) if not has)
            warnings.warn(
                f'{count} of {sum(map(len, self._sources))} faces are of sets without subjects, '
                f'and each counts as one of its own: people may be in training and in test',
                stacklevel=2,
            )
        out: list[Tensor] = []
        numbers: dict[tuple[int, int], int] = {}
        for dataset, has in zip(self._sources, known):
            # Parts of one set share their storage.
            storage = id(dataset._data)
            values = dataset.labels('subject').tolist() if has else list(dataset.indices())
            keys = [(storage, int(value)) for value in values]
            out.append(torch.tensor([numbers.setdefault(key, len(numbers)) for key in keys]))
        return out


def _has_subjects(dataset: FaceDataset) -> bool:
    return 'subject' in dataset.get_batch([0])
