"""Comparison of the joints of a dataset with those of its transforms and its model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch_geometric.transforms import Compose

from graphmotion.skeletons import Skeleton
from graphmotion.skeletons.sides import find_moved_joint

_KNOWN_TRANSFORMS = ('graphmotion.transforms.', 'torch_geometric.transforms.')


def check_layout(dataset: Any, transform: Callable | None = None, model: Any = None) -> None:
    r"""Checks that transforms and a model have the joints of a dataset in the same order.

    Layouts with different numbers of joints are left to the transforms and models themselves.
    Joints are compared by name as far as both layouts have them, until a transform that may change
    the layout in an unknown way.

    Args:
        dataset (GraphDataset): The samples, whose transform is applied first. It is compared if it
            has the attribute :obj:`skeleton`.
        transform (callable, optional): The transform of batches. (default: :obj:`None`)
        model (torch.nn.Module, optional): The model, compared if it has the attribute
            :obj:`skeleton`. (default: :obj:`None`)

    Raises:
        ValueError: If a joint has a different index in the layout of a transform or the model.
    """
    layout: Any = getattr(dataset, 'skeleton', None)
    if not isinstance(layout, Skeleton):
        return
    parts = flatten_transform(getattr(dataset, 'transform', None)) + flatten_transform(transform)
    for part in parts:
        if not type(part).__module__.startswith(_KNOWN_TRANSFORMS):
            return
        _compare(layout, getattr(part, 'skeleton', getattr(part, 'source', None)), part)
        layout = getattr(part, 'target', layout)
    _compare(layout, getattr(model, 'skeleton', None), model)


def flatten_transform(transform: Any) -> list[Any]:
    r"""Returns the transforms of nested :class:`Compose`, in their order."""
    if not isinstance(transform, Compose):
        return [] if transform is None else [transform]
    return [part for child in transform.transforms for part in flatten_transform(child)]


def _compare(layout: Skeleton, other: Any, owner: Any) -> None:
    if not isinstance(other, Skeleton) or other.num_joints != layout.num_joints:
        return
    moved = find_moved_joint(layout.joints, other.joints)
    if moved is not None:
        index, found = moved
        raise ValueError(
            f'skeleton of {type(owner).__name__} must have the joints of the samples, '
            f'{layout.name!r}, in the same order, got {other.name!r} with '
            f'{layout.joints[index]!r} as joint {found} instead of {index}; apply '
            f'ConvertSkeleton first'
        )
