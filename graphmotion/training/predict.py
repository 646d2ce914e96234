"""Predictions of a trained model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Batch

from graphmotion.datasets import MotionDataset
from graphmotion.training.data import graph_loader


def call_model(model: torch.nn.Module, batch: Batch) -> Tensor:
    r"""Call a model with the fields of a batch that its attribute :obj:`inputs` names.

    Raises:
        ValueError: If the batch lacks one of them.
    """
    inputs: Any = model.inputs
    missing = [name for name in inputs if name not in batch]
    if missing:
        raise ValueError(
            f'{type(model).__name__} reads the fields {list(inputs)}, the batch lacks {missing}; '
            f'make them by a transform, such as ToStream'
        )
    # Lightning's true half and double precision convert the model and leave a PyG batch as it is.
    dtype = next(model.parameters()).dtype
    fields = [batch[name] for name in inputs]
    return model(*(f.to(dtype) if f.is_floating_point() else f for f in fields))


@torch.no_grad()
def predict(
    model: torch.nn.Module,
    dataset: MotionDataset,
    transform: Callable | None = None,
    batch_size: int = 64,
    views: int = 1,
    seed: int = 0,
) -> Tensor:
    r"""Class probabilities of all samples of a dataset.

    Args:
        model (torch.nn.Module): Gives logits; its attribute :obj:`inputs` names the fields of a
            batch that it is called with. It is put into evaluation mode and left as it was.
        dataset (MotionDataset): The samples.
        transform (callable, optional): Applied to each batch. (default: :obj:`None`)
        batch_size (int, optional): Samples of a batch. (default: :obj:`64`)
        views (int, optional): How often each sample is transformed anew; probabilities are
            averaged over these views. (default: :obj:`1`)
        seed (int, optional): Of the random draws of the transform. (default: :obj:`0`)

    Returns:
        Tensor: Probabilities :math:`(N, \text{num\_classes})` on the CPU.

    Raises:
        ValueError: If there is no view, or batches lack a field that the model reads.
    """
    if views < 1:
        raise ValueError(f'views is at least 1, got {views}')
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    total: Tensor | None = None
    for view in range(views):
        loader = graph_loader(dataset, batch_size, transform, seed=seed + view)
        rows = []
        for batch in loader:
            batch = batch.to(device)
            rows.append(call_model(model, batch).float().softmax(dim=-1).cpu())
        probabilities = torch.cat(rows)
        total = probabilities if total is None else total + probabilities
    model.train(was_training)
    assert total is not None
    return total / views
