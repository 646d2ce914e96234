"""The base class of face datasets."""

from __future__ import annotations

import torch
from torch_geometric.data import Data

from graphmotion.data.graph_dataset import GraphDataset


class FaceDataset(GraphDataset):
    r"""The base class of datasets of face images of the same size.

    A subclass sets :obj:`class_names` before it calls this constructor, and yields its samples in
    :meth:`read`.

    :obj:`dataset[i]` is a :class:`~torch_geometric.data.Data` with the field :obj:`image`
    :math:`(1, H, W)` of bytes, or :math:`(1, 3, H, W)` in colour, the class :obj:`y`, and other
    fields such as :obj:`subject` and :obj:`landmarks` :math:`(L, 2)`. Landmarks are in pixels, with
    :math:`x` to the right and :math:`y` down, and the first pixel extends from 0 to 1. A sample has
    no nodes until a transform creates them. :meth:`get_batch` returns the images of a batch as
    :math:`(B, H, W)` or :math:`(B, 3, H, W)`.

    .. code-block:: python

        faces = SyntheticFaces(num_subjects=2, num_takes=1)
        print(isinstance(faces, FaceDataset), faces[0].image.shape)

    Args:
        root (str or Path, optional): The folder that contains :obj:`raw/` and :obj:`processed/`.
            (default: :obj:`None`)
        transform (callable, optional): Applied to each sample on access. (default: :obj:`None`)
        pre_transform (callable, optional): Applied to each sample once, before it is stored.
            (default: :obj:`None`)
        pre_filter (callable, optional): Samples for which it returns :obj:`False` are not stored.
            (default: :obj:`None`)
        force_reload (bool, optional): If :obj:`True`, processes the raw files again.
            (default: :obj:`False`)

    Raises:
        ValueError: If a processed file is damaged or invalid, or images differ in size.
    """

    def check(self, data: Data, where: str) -> None:
        r"""Checks that a sample has a grayscale or colour image of bytes."""
        image = data.get('image')
        shape = () if image is None else tuple(image.shape)
        valid = shape[:-2] in ((1,), (1, 3)) and len(shape) > 2
        if image is None or not valid or image.dtype != torch.uint8:
            found = 'none' if image is None else f'{image.dtype} {list(shape)}'
            raise ValueError(
                f"{where} must have a field 'image' [1, H, W] or [1, 3, H, W] of bytes, got {found}"
            )

    @property
    def size(self) -> tuple[int, int]:
        r"""Height and width of the images."""
        assert self._data is not None
        return tuple(self._data.image.shape[-2:])
