"""Files of tensors: written whole or not at all, and read without running what is in them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from graphmotion.io.files import atomic_write


def save_tensors(content: Any, path: str | Path) -> None:
    r"""Write plain containers of tensors and numbers, replacing a file that is there."""
    with atomic_write(os.fspath(path)) as file:
        torch.save(content, file)


def load_tensors(path: str | Path, mmap: bool = False) -> Any:
    r"""Read what :func:`save_tensors` wrote, onto the CPU; with :obj:`mmap` when it is needed.

    Raises:
        FileNotFoundError: If there is no file.
        ValueError: If it is damaged or of another kind.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'{path}: there is no such file')
    try:
        return torch.load(path, weights_only=True, map_location='cpu', mmap=mmap)
    except Exception as error:
        raise ValueError(
            f'{path}: damaged or not written by this library ({type(error).__name__})'
        ) from error
