"""Loading of checkpoints without Lightning."""

from __future__ import annotations

import torch

from graphmotion.io.checkpoint import read_checkpoint, read_weights


def load_weights(module: torch.nn.Module, path: str) -> None:
    r"""Loads the weights of a checkpoint written by :func:`~graphmotion.training.fit`.

    .. code-block:: python

        model = st_gcn('coco17', num_classes=4)
        torch.save(model.state_dict(), 'weights.pt')
        load_weights(model, 'weights.pt')

    Weights of a model with another head are loaded by
    :func:`create_model(..., weights=path) <graphmotion.models.create_model>`.

    Args:
        module (torch.nn.Module): The trained module, such as a
            :class:`~graphmotion.training.ClassificationModule`, or its model.
        path (str): Path of the checkpoint. Only tensors and plain containers are unpickled.

    Raises:
        ValueError: If the file is not a checkpoint or holds the weights of a different model.
    """
    if any(name.startswith('model.') for name in module.state_dict()):
        state = read_checkpoint(path, 'state_dict')
    else:  # without the other weights and the metrics of the trained module
        state = read_weights(path)
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        raise ValueError(f'{path}: the weights do not fit the model: {error}') from error
