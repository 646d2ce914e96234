"""Predictions of a trained model."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from graphmotion.datasets import MotionDataset
from graphmotion.training.data import motion_loader


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
    """
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    total: Tensor | None = None
    inputs = model.inputs
    for view in range(views):
        loader = motion_loader(dataset, batch_size, transform, seed=seed + view)
        rows = []
        for batch in loader:
            batch = batch.to(device)
            logits = model(*(batch[name] for name in inputs))  # type: ignore[union-attr]
            rows.append(logits.float().softmax(dim=-1).cpu())
        probabilities = torch.cat(rows)
        total = probabilities if total is None else total + probabilities
    model.train(was_training)
    assert total is not None
    return total / views
