"""Predictions and embeddings of trained models."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Batch

from graphmotion.checks import check_choice, check_int
from graphmotion.data import as_dataset, graph_loader
from graphmotion.data.layouts import check_layout
from graphmotion.data.list_dataset import Samples
from graphmotion.metrics.fusion import KINDS

#: Limit of random transforms of a sample, far above useful numbers.
MAX_AUGMENTATIONS = 1000
# Inputs of a model without the attribute `inputs`, such as PyG's models.
_INPUTS = ('x', 'edge_index', 'batch')


def model_inputs(model: torch.nn.Module, batch: Batch) -> list[Tensor]:
    r"""Returns the fields of a batch that a model requires.

    They are named by the attribute :obj:`inputs` of the model, by default
    :obj:`("x", "edge_index", "batch")`. Floating-point fields are cast to the dtype of the model.

    Raises:
        ValueError: If the batch lacks a field.
    """
    inputs: Any = getattr(model, 'inputs', _INPUTS)
    missing = [name for name in inputs if name not in batch]
    if missing:
        raise ValueError(
            f'{type(model).__name__} reads the fields {list(inputs)}, but the batch lacks '
            f'{missing}; create them by a transform, such as ToStream'
        )
    # Lightning's true half and double precision cast the model but not a PyG batch.
    parameter = next(model.parameters(), None)
    fields = [batch[name] for name in inputs]
    if parameter is None:
        return fields
    return [f.to(parameter.dtype) if f.is_floating_point() else f for f in fields]


def call_model(model: torch.nn.Module, batch: Batch) -> Tensor:
    r"""Calls a model with the fields of a batch; see :func:`model_inputs`.

    The fields named by the attribute :obj:`optional_inputs` of the model, such as
    :obj:`num_frames`, are passed by keyword if the batch has them.
    """
    fields = model_inputs(model, batch)
    if hasattr(model, 'inputs'):
        optional: Any = getattr(model, 'optional_inputs', ())
        return model(*fields, **{name: batch[name] for name in optional if name in batch})
    # By keyword, as the third positional argument of PyG's models is edge_weight.
    return model(**dict(zip(_INPUTS, fields)))


def check_rows(model: torch.nn.Module, out: Tensor, num_samples: int, what: str) -> Tensor:
    """Returns the output of a model if it has one row per sample, or raises an error."""
    if out.dim() != 2 or len(out) != num_samples:
        raise ValueError(
            f'{type(model).__name__} must return {what} of shape [{num_samples}, D], got '
            f'{list(out.shape)}'
        )
    return out


def predict(
    model: torch.nn.Module,
    dataset: Samples,
    transform: Callable | None = None,
    batch_size: int = 64,
    num_augmentations: int = 1,
    seed: int = 0,
    kind: str = 'probabilities',
) -> Tensor:
    r"""Returns the class probabilities or logits of all samples of a dataset.

    .. code-block:: python

        probabilities = predict(model, test, transform, num_augmentations=6)

    Args:
        model (torch.nn.Module): Returns logits. Its attribute :obj:`inputs` names the fields of a
            batch that it is called with, by default :obj:`x`, :obj:`edge_index` and :obj:`batch`,
            by keyword; the attribute :obj:`optional_inputs` names fields that it is called with if
            the batch has them. It runs in evaluation mode; its previous mode is restored.
        dataset (GraphDataset, Dataset, Subset, sequence of Data, Data or Batch): The samples; see
            :func:`~graphmotion.data.as_dataset`. The transform of the dataset is applied first.
        transform (callable, optional): Transform of each batch. (default: :obj:`None`)
        batch_size (int, optional): Number of samples in a batch. (default: :obj:`64`)
        num_augmentations (int, optional): Number of times that each sample is transformed at
            random; probabilities or logits are averaged over the transformed samples.
            (default: :obj:`1`)
        seed (int, optional): Seed of the transform. (default: :obj:`0`)
        kind (str, optional): :obj:`"probabilities"` or :obj:`"logits"`; the latter can be fused by
            :func:`~graphmotion.metrics.fuse_streams`. (default: :obj:`"probabilities"`)

    Returns:
        Tensor: Probabilities or logits :math:`(N, \text{num\_classes})` on the CPU.

    Raises:
        ValueError: If there are no samples, :obj:`num_augmentations` is not in
            :math:`[1, 1000]`, :obj:`kind` is unknown, batches lack a field that the model reads,
            the model does not return logits for each sample, or the model or a transform is for a
            skeleton with the joints of the dataset in another order.
    """
    check_choice('kind', kind, KINDS)
    transforms = [transform] * check_int(
        'num_augmentations', num_augmentations, 1, MAX_AUGMENTATIONS
    )
    return mean_outputs(model, dataset, transforms, batch_size, seed, kind)


def embed(
    model: torch.nn.Module,
    dataset: Samples,
    transforms: Callable | Sequence[Callable | None] | None = None,
    batch_size: int = 64,
    normalize: bool = False,
    seed: int = 0,
) -> Tensor:
    r"""Returns the embeddings of all samples of a dataset, averaged over one or more transforms,
    such as three windows of a walk and their reversals.

    The mean is not normalised, as in the `"GaitMixer: Skeleton-based Gait Representation Learning
    via Wide-spectrum Multi-axial Mixer" <https://arxiv.org/abs/2210.15491>`_ paper, which ranks by
    cosine similarity. Set :obj:`normalize` if a ranking by Euclidean distance should not depend on
    the norm.

    Sequences in a batch are padded to the longest one by repeating the last frame, which has no
    effect on models that read :obj:`num_frames`, the number of frames before padding. For other
    models, use transforms that crop all sequences to the same length.

    .. code-block:: python

        crops = [CropFrames(20, 'center', shift=shift) for shift in (-10, 0, 10)]
        embedding = embed(model, test, [Compose([crop, ToStream('joint')]) for crop in crops])

    Args:
        model (torch.nn.Module): Returns embeddings :math:`(B, D)`. Its attribute :obj:`inputs`
            names the fields of a batch that it is called with, by default :obj:`x`,
            :obj:`edge_index` and :obj:`batch`, by keyword; the attribute :obj:`optional_inputs`
            names fields that it is called with if the batch has them. It runs in evaluation mode;
            its previous mode is restored.
        dataset (GraphDataset, Dataset, Subset, sequence of Data, Data or Batch): The samples; see
            :func:`~graphmotion.data.as_dataset`. The transform of the dataset is applied first.
        transforms (callable or sequence of callable, optional): One or more transforms of each
            batch, over which embeddings are averaged. (default: :obj:`None`)
        batch_size (int, optional): Number of samples in a batch. (default: :obj:`64`)
        normalize (bool, optional): If set to :obj:`True`, normalises the mean to unit length.
            (default: :obj:`False`)
        seed (int, optional): Seed of the transforms. (default: :obj:`0`)

    Returns:
        Tensor: Embeddings :math:`(N, D)` on the CPU.

    Raises:
        ValueError: If there are no samples or transforms, batches lack a field that the model
            reads, the model does not return an embedding for each sample, or the model or a
            transform is for a skeleton with the joints of the dataset in another order.
    """
    if transforms is None or callable(transforms):
        transforms = [transforms]
    if not len(transforms):
        raise ValueError('transforms must hold at least one transform, got none')
    embeddings = mean_outputs(model, dataset, transforms, batch_size, seed, 'embeddings')
    return torch.nn.functional.normalize(embeddings, dim=1) if normalize else embeddings


def mean_outputs(
    model: torch.nn.Module,
    dataset: Samples,
    transforms: Sequence[Callable | None],
    batch_size: int,
    seed: int,
    kind: str,
) -> Tensor:
    """Returns the probabilities, logits or embeddings of all samples, averaged over transforms.

    The seed of each transform is its position plus ``seed``.
    """
    what = 'embeddings' if kind == 'embeddings' else 'logits'
    outputs = _outputs(model, as_dataset(dataset), transforms, batch_size, seed, what)
    total, count = torch.zeros(()), 0
    for out in outputs:
        total = total + (out.softmax(dim=-1) if kind == 'probabilities' else out)
        count += 1
    return total / count


@torch.no_grad()
def _outputs(
    model: torch.nn.Module,
    dataset: Samples,
    transforms: Sequence[Callable | None],
    batch_size: int,
    seed: int,
    what: str,
) -> Iterator[Tensor]:
    """Yields the outputs for all samples, on the CPU, for each transform."""
    parameter = next(model.parameters(), None)
    with evaluation_mode(model):
        for number, transform in enumerate(transforms):
            check_layout(dataset, transform, model)
            loader = graph_loader(dataset, batch_size, transform, seed=seed + number)
            batches = loader if parameter is None else (b.to(parameter.device) for b in loader)
            rows = (check_rows(model, call_model(model, b), b.num_graphs, what) for b in batches)
            yield torch.cat([out.float().cpu() for out in rows])


@contextmanager
def evaluation_mode(model: torch.nn.Module) -> Iterator[None]:
    """Puts a model in evaluation mode and restores the mode of each of its modules."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
