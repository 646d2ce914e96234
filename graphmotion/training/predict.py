"""Predictions and embeddings of a trained model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Batch

from graphmotion.checks import check_choice, check_int
from graphmotion.data import as_dataset, graph_loader
from graphmotion.data.list_dataset import Samples
from graphmotion.metrics.fusion import KINDS

# What a model of PyG's kind is called with.
_INPUTS = ('x', 'edge_index', 'batch')


def model_inputs(model: torch.nn.Module, batch: Batch) -> list[Tensor]:
    r"""The fields of a batch that the attribute :obj:`inputs` of a model names;
    :obj:`("x", "edge_index", "batch")` for a model without it.

    Raises:
        ValueError: If the batch lacks one of them.
    """
    inputs: Any = getattr(model, 'inputs', _INPUTS)
    missing = [name for name in inputs if name not in batch]
    if missing:
        raise ValueError(
            f'{type(model).__name__} reads the fields {list(inputs)}, the batch lacks {missing}; '
            f'make them by a transform, such as ToStream'
        )
    # Lightning's true half and double precision convert the model and leave a PyG batch as it is.
    parameter = next(model.parameters(), None)
    fields = [batch[name] for name in inputs]
    if parameter is None:
        return fields
    return [f.to(parameter.dtype) if f.is_floating_point() else f for f in fields]


def call_model(model: torch.nn.Module, batch: Batch) -> Tensor:
    r"""Call a model with the fields of a batch; see :func:`model_inputs`.

    Raises:
        ValueError: If the batch lacks one of them.
    """
    fields = model_inputs(model, batch)
    if hasattr(model, 'inputs'):
        return model(*fields)
    # By name: the third argument of PyG's own models is the weight of the edges.
    return model(**dict(zip(_INPUTS, fields)))


def check_rows(model: torch.nn.Module, out: Tensor, num_samples: int, what: str) -> Tensor:
    """Return what a model gave if it is a row for each sample."""
    if out.dim() != 2 or len(out) != num_samples:
        raise ValueError(
            f'{type(model).__name__} gives a tensor of shape {list(out.shape)}, expected '
            f'{what} [{num_samples}, D]'
        )
    return out


def predict(
    model: torch.nn.Module,
    dataset: Samples,
    transform: Callable | None = None,
    batch_size: int = 64,
    views: int = 1,
    seed: int = 0,
    kind: str = 'probabilities',
) -> Tensor:
    r"""Class probabilities, or logits, of all samples of a dataset.

    Args:
        model (torch.nn.Module): Gives logits; its attribute :obj:`inputs` names the fields of a
            batch that it is called with, by default :obj:`x`, :obj:`edge_index` and :obj:`batch`,
            by keyword. It is put into evaluation mode and left as it was.
        dataset (GraphDataset, Dataset, Subset, sequence of Data, Data or Batch): The samples; see
            :func:`~graphmotion.data.as_dataset`. Its own :obj:`transform` comes first.
        transform (callable, optional): Applied to each batch. (default: :obj:`None`)
        batch_size (int, optional): Samples of a batch. (default: :obj:`64`)
        views (int, optional): How often each sample is transformed anew; probabilities, or logits,
            are averaged over these views. (default: :obj:`1`)
        seed (int, optional): Of the random draws of the transform. (default: :obj:`0`)
        kind (str, optional): :obj:`"probabilities"` or :obj:`"logits"`, which
            :func:`~graphmotion.metrics.fuse_streams` adds. (default: :obj:`"probabilities"`)

    Returns:
        Tensor: Probabilities or logits :math:`(N, \text{num\_classes})` on the CPU.

    Raises:
        ValueError: If there are no samples or views, the kind is unknown, batches lack a field
            that the model reads, or the model does not return logits for each sample.
    """
    check_choice('kind', kind, KINDS)
    check_int('views', views, 1)
    dataset = as_dataset(dataset)
    outputs = _outputs(model, dataset, [transform] * views, batch_size, seed)
    logits = (check_rows(model, out, len(dataset), 'logits') for out in outputs)
    return _mean(logits if kind == 'logits' else (out.softmax(dim=-1) for out in logits))


def embed(
    model: torch.nn.Module,
    dataset: Samples,
    transforms: Callable | Sequence[Callable | None] | None = None,
    batch_size: int = 64,
    normalize: bool = False,
    seed: int = 0,
) -> Tensor:
    r"""Embeddings of all samples of a dataset, each the mean of those of several transforms of the
    sample, such as three windows of a walk and their reversals.

    The mean is as it is, without regard to its length, as in the `"GaitMixer: Skeleton-based Gait
    Representation Learning via Wide-spectrum Multi-axial Mixer"
    <https://arxiv.org/abs/2210.15491>`_ paper, which ranks by cosine similarity; a ranking by
    Euclidean distance depends on it, and may want :obj:`normalize`.

    A batch is as long as its longest sample, and shorter ones stay in their last frame; a
    transform that cuts samples to one length keeps the padding from a model that does not know of
    it.

    Args:
        model (torch.nn.Module): Gives embeddings :math:`(B, D)`; its attribute :obj:`inputs` names
            the fields of a batch that it is called with, by default :obj:`x`, :obj:`edge_index` and
            :obj:`batch`, by keyword. It is put into evaluation mode and left as it was.
        dataset (GraphDataset, Dataset, Subset, sequence of Data, Data or Batch): The samples; see
            :func:`~graphmotion.data.as_dataset`. Its own :obj:`transform` comes first.
        transforms (callable or sequence of callable, optional): Applied to each batch; several are
            averaged over. (default: :obj:`None`)
        batch_size (int, optional): Samples of a batch. (default: :obj:`64`)
        normalize (bool, optional): If set to :obj:`True`, the mean is given length one.
            (default: :obj:`False`)
        seed (int, optional): Of the random draws of transforms. (default: :obj:`0`)

    Returns:
        Tensor: Embeddings :math:`(N, D)` on the CPU.

    Raises:
        ValueError: If there is no sample, the sequence of transforms is empty, batches lack a field
            that the model reads, or it gives anything but an embedding for each sample.
    """
    if transforms is None or callable(transforms):
        transforms = [transforms]
    if not len(transforms):
        raise ValueError('embeddings are the mean over transforms, got an empty sequence of them')
    dataset = as_dataset(dataset)
    outputs = _outputs(model, dataset, transforms, batch_size, seed)
    embeddings = _mean(check_rows(model, o, len(dataset), 'embeddings') for o in outputs)
    return torch.nn.functional.normalize(embeddings, dim=1) if normalize else embeddings


@torch.no_grad()
def _outputs(
    model: torch.nn.Module,
    dataset: Samples,
    transforms: Sequence[Callable | None],
    batch_size: int,
    seed: int,
) -> Iterator[Tensor]:
    """What a model, in evaluation mode, makes of all samples by each transform, on the CPU."""
    parameter = next(model.parameters(), None)
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        for number, transform in enumerate(transforms):
            loader = graph_loader(dataset, batch_size, transform, seed=seed + number)
            batches = loader if parameter is None else (b.to(parameter.device) for b in loader)
            yield torch.cat([call_model(model, batch).float().cpu() for batch in batches])
    finally:
        for module, mode in modes:
            module.training = mode


def _mean(tensors: Iterable[Tensor]) -> Tensor:
    total, count = torch.zeros(()), 0
    for tensor in tensors:
        total, count = total + tensor, count + 1
    return total / count
