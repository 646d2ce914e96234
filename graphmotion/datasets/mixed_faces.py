"""Combination of face datasets."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor
from torch_geometric.data import Data

from graphmotion.checks import check_size
from graphmotion.datasets.expressions import class_key
from graphmotion.datasets.face_dataset import FaceDataset
from graphmotion.datasets.face_files import face_sample
from graphmotion.io.images import resize_image

_CHUNK_SIZE = 1024


class MixedFaces(FaceDataset):
    r"""Combines the faces of several datasets, whose classes may be merged.

    .. code-block:: python

        jaffe, ck = JAFFE('data/jaffe', size=48), CKPlus('data/ck', size=48)
        mixed = MixedFaces([jaffe, ck])  # the six classes of both datasets
        # Training on one dataset and test on another one, with three classes:
        train = MixedFaces([jaffe], MixedFaces.THREE_CLASSES)
        test = MixedFaces([ck], MixedFaces.THREE_CLASSES)

    Samples have the fields :obj:`image` :math:`(1, H, W)` of bytes, :obj:`y`, :obj:`source`, the
    position of their dataset, and, if one of the datasets has subjects, :obj:`subject`. Subjects
    are renumbered such that those of different datasets differ, while parts of one dataset share
    their subjects. Each face of a dataset without subjects then counts as a subject of its own,
    with a warning. Faces of other classes are dropped. Samples are kept in memory.

    Args:
        datasets (sequence of FaceDataset): The datasets, or parts of datasets.
        classes (sequence of str or mapping, optional): The classes, or a mapping from each class to
            the names of the classes that are merged into it; by default the classes that all
            datasets have, in the order of the first dataset. Case and the form of a word are
            ignored: :obj:`"Happy"` equals :obj:`"happiness"`. (default: :obj:`None`)
        size (int or tuple, optional): Height and width, or one number for both, to which images are
            resized after a center crop to its aspect ratio. By default, images are not resized and
            must have the same size. (default: :obj:`None`)
        transform (callable, optional): Applied to each sample on access. (default: :obj:`None`)
        pre_transform (callable, optional): Applied to each sample once, before it is stored.
            (default: :obj:`None`)
        pre_filter (callable, optional): Samples for which it returns :obj:`False` are not stored.
            (default: :obj:`None`)

    Raises:
        ValueError: If there are no datasets or no classes, a class is merged into two classes, a
            dataset has no faces of a class, or images differ in size and :obj:`size` is not given.
    """

    #: Negative, positive and surprise, as in the comparison across datasets of "SSGNN: A Macro and
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
            raise ValueError('datasets must hold at least one dataset, got none')
        merged = self._merge_classes(classes)
        self.class_names = tuple(merged)
        self._class_of = {old: y for y, names in enumerate(merged.values()) for old in names}
        if not merged or len(self._class_of) != sum(len(names) for names in merged.values()):
            raise ValueError(f'classes must be at least one and distinct, got {merged}')
        for number, dataset in enumerate(self._sources):
            for name, members in merged.items():
                if not set(members) & set(map(class_key, dataset.class_names)):
                    raise ValueError(
                        f'each dataset must have one of the classes {list(members)} of {name!r}, '
                        f'got {list(dataset.class_names)} in dataset {number}'
                    )
        sizes = sorted({dataset.size for dataset in self._sources})
        if size is None and len(sizes) > 1:
            raise ValueError(f'size must be given for images of different sizes, got {sizes}')
        self._image_size = sizes[0] if size is None else check_size('size', size)
        super().__init__(None, transform, pre_transform, pre_filter)
        del self._sources

    def _merge_classes(
        self, classes: Sequence[str] | Mapping[str, Sequence[str]] | None
    ) -> dict[str, tuple[str, ...]]:
        """Returns the keys of the original classes that are merged into each class."""
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
        r"""Yields the faces of one dataset after another."""
        subjects = self._subjects()
        for source, dataset in enumerate(self._sources):
            y = torch.tensor(
                [self._class_of.get(class_key(name), -1) for name in dataset.class_names]
            )
            y = y[dataset.labels('y').cpu()]
            labels = {'y': y, 'source': torch.full_like(y, source)}
            if subjects:
                labels['subject'] = subjects[source]
            for part in (y >= 0).nonzero().view(-1).split(_CHUNK_SIZE):
                images = dataset.get_batch(part).image.cpu().numpy()
                for image, number in zip(images, part):
                    fields = {name: int(value[number]) for name, value in labels.items()}
                    yield face_sample(resize_image(image, self._image_size), **fields)

    def _subjects(self) -> list[Tensor]:
        """Returns the subject of each face of each dataset, or an empty list without subjects."""
        known = [_has_subjects(dataset) for dataset in self._sources]
        if not any(known):
            return []
        if not all(known):
            count = sum(len(d) for d, has in zip(self._sources, known) if not has)
            warnings.warn(
                f'{count} of {sum(map(len, self._sources))} faces are from datasets without '
                f'subjects; each counts as a subject, so a split by subject may separate faces of '
                f'one person',
                stacklevel=2,
            )
        out: list[Tensor] = []
        numbers: dict[tuple[int, int], int] = {}
        for dataset, has in zip(self._sources, known):
            # Parts of a dataset share their storage.
            storage = id(dataset._data)
            values = dataset.labels('subject').tolist() if has else list(dataset.indices())
            keys = [(storage, int(value)) for value in values]
            out.append(torch.tensor([numbers.setdefault(key, len(numbers)) for key in keys]))
        return out


def _has_subjects(dataset: FaceDataset) -> bool:
    return 'subject' in dataset.get_batch([0])
