"""Loading of published weights, which have other names and shapes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor


class LoadsPublishedWeights(torch.nn.Module):
    r"""A module that loads the published checkpoints of its network."""

    def convert_reference_state_dict(
        self, state_dict: Mapping[str, Tensor], strict: bool = True
    ) -> dict[str, Tensor]:
        r"""Returns the weights of a published checkpoint with the names and shapes of this model.

        With :obj:`strict=False`, weights of another size keep their shape, for
        :func:`create_model`.

        Raises:
            ValueError: With :obj:`strict`, if a name or a shape does not match.
        """
        raise NotImplementedError

    def load_reference_state_dict(self, state_dict: Mapping[str, Tensor]) -> None:
        r"""Loads a published checkpoint. Outputs match the published network.

        Raises:
            ValueError: If a name or a shape does not match. The model is then unchanged.
        """
        self.load_state_dict(self.convert_reference_state_dict(state_dict))


def match_state_dict(
    weights: Iterable[tuple[str, str | None, Tensor]],
    state_dict: Mapping[str, Tensor],
    strict: bool = True,
) -> dict[str, Tensor]:
    """Returns published weights with the names and shapes of a model.

    Args:
        weights (iterable of tuples): Name in the checkpoint, name in the model or :obj:`None`, and
            value. Shapes may differ in dimensions of size 1.
        state_dict (mapping): State of the model.
        strict (bool, optional): If set to :obj:`False`, weights without a counterpart keep their
            published name, and weights of another shape their published shape.
            (default: :obj:`True`)

    Raises:
        ValueError: With :obj:`strict`, if a name or shape does not match, or weights are missing.
    """
    out: dict[str, Tensor] = {}
    for name, key, value in weights:
        if key is None or key not in state_dict:
            if strict:
                raise ValueError(f'the checkpoint holds {name!r}, which this model does not have')
            out[name] = value
            continue
        shape = state_dict[key].shape
        same = [n for n in value.shape if n != 1] == [n for n in shape if n != 1]
        if strict and not same:
            raise ValueError(
                f'the checkpoint holds {name!r} of shape {list(value.shape)}, expected '
                f'{list(shape)}'
            )
        out[key] = value.reshape(shape) if same else value
    missing = sorted(state_dict.keys() - out.keys())
    if strict and missing:
        raise ValueError(f'the checkpoint does not hold {missing}, which this model has')
    return out
