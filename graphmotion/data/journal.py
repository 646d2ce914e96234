"""The results of a processing that was interrupted."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from contextlib import suppress

import torch
from torch import Tensor

from graphmotion.data.tensor_files import load_tensors, save_tensors

# Results are written after this time or at this size.
_SECONDS = 10.0
_NUM_BYTES = 2**26


class Journal:
    r"""Keeps results in files in a folder, so that an interrupted processing can continue.

    Each file is written atomically and holds the results of about ten seconds, so that a short
    processing writes none. Several processes may share the folder.

    .. code-block:: python

        import os
        import tempfile

        journal = Journal(os.path.join(tempfile.mkdtemp(), 'parts'))
        if 'a' not in journal:
            journal.add('a', b'result')
        journal.remove()

    Args:
        folder (str): The folder, which need not exist.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._known: dict[str, Tensor] = {}
        self._new: dict[str, bytes] = {}
        self._num_bytes = 0
        self._written = time.monotonic()
        self._load()

    def __len__(self) -> int:
        return len(self._known)

    def __contains__(self, key: str) -> bool:
        return key in self._known

    def get(self, key: str) -> bytes | None:
        r"""Returns the result of a key from an earlier processing, or :obj:`None`."""
        content = self._known.get(key)
        return None if content is None else content.numpy().tobytes()

    def add(self, key: str, content: bytes) -> None:
        r"""Adds a result, and writes the results since the last file if it is time."""
        self._new[key] = content
        self._num_bytes += len(content)
        if time.monotonic() - self._written >= _SECONDS or self._num_bytes >= _NUM_BYTES:
            self._write()

    def remove(self) -> None:
        r"""Deletes the folder."""
        self._known.clear()
        self._new.clear()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _write(self) -> None:
        content = b''.join(self._new.values())
        part = {
            'keys': list(self._new),
            'sizes': torch.tensor([len(value) for value in self._new.values()]),
            'content': torch.frombuffer(bytearray(content), dtype=torch.uint8),
        }
        try:
            # The folder is missing if another process has just finished.
            with suppress(FileNotFoundError):
                os.makedirs(self.folder, exist_ok=True)
                save_tensors(part, os.path.join(self.folder, f'{secrets.token_hex(8)}.pt'))
        except (OSError, RuntimeError):  # the latter from PyTorch
            self.remove()  # the disk is full: leave its space to the result
        self._new.clear()
        self._num_bytes, self._written = 0, time.monotonic()

    def _load(self) -> None:
        if not os.path.isdir(self.folder):
            return
        for name in sorted(os.listdir(self.folder)):
            if name.endswith('.pt'):
                # Deleted by another process that has finished, or damaged.
                with suppress(FileNotFoundError, ValueError, KeyError, TypeError, RuntimeError):
                    part = load_tensors(os.path.join(self.folder, name), mmap=True)
                    contents = part['content'].split(part['sizes'].tolist())
                    self._known.update(zip(part['keys'], contents))
