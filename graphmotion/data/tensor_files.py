"""Files of tensors, written atomically and read without executing any content."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from graphmotion.io.files import atomic_write
from graphmotion.io.torch_files import load_torch


def save_tensors(content: Any, path: str | Path) -> None:
    r"""Writes plain containers of tensors and numbers, and replaces an existing file."""
    with atomic_write(os.fspath(path)) as file:
        torch.save(content, file)


def load_tensors(path: str | Path, mmap: bool = False) -> Any:
    r"""Reads a file of :func:`save_tensors` to the CPU; with :obj:`mmap`, tensors stay on disk
    until they are accessed.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is damaged or invalid.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'{path}: no such file')
    try:
        return load_torch(os.fspath(path), mmap)
    except Exception as error:
        raise ValueError(
            f'{path}: damaged or not written by this library ({type(error).__name__})'
        ) from error
