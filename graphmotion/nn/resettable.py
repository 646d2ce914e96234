"""Base class of modules whose parameters can be reset."""

from __future__ import annotations

import torch
from torch_geometric.nn.inits import reset


class ResettableModule(torch.nn.Module):
    r"""A module that resets its parameters by resetting its submodules.

    Subclasses with other parameters extend :meth:`reset_parameters`.
    """

    def reset_parameters(self) -> None:
        r"""Resets all learnable parameters of the module."""
        for child in self.children():
            reset(child)
