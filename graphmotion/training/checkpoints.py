"""Files of the checkpoints of a run."""

from __future__ import annotations

import glob
import io
import os
from contextlib import suppress
from typing import Any

import torch

from graphmotion.extras import requires_extra
from graphmotion.io.checkpoint import read_checkpoint
from graphmotion.io.files import atomic_write

with requires_extra('train'):
    from lightning.pytorch.callbacks import ModelCheckpoint
    from lightning.pytorch.plugins.io import TorchCheckpointIO
    from lightning.pytorch.utilities.rank_zero import rank_zero_only, rank_zero_warn

LAST, PREVIOUS = 'last.ckpt', 'previous.ckpt'


class AtomicCheckpointIO(TorchCheckpointIO):
    r"""Replaces a checkpoint once the new one is complete on the disk, and keeps the earlier
    :obj:`last.ckpt` as :obj:`previous.ckpt`.

    Lightning writes to the temporary directory of the system instead. If that is on another disk,
    the checkpoint is then copied over the earlier one, and both are lost if the copy is interrupted
    or the disk is full.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | os.PathLike, storage_options: Any = None
    ) -> None:
        """Writes a checkpoint."""
        path = os.fspath(path)
        directory, name = os.path.split(path)
        for partial in glob.glob(f'{glob.escape(path)}.*.tmp'):  # of a process that was killed
            os.unlink(partial)
        buffer = io.BytesIO()  # torch.save hides the error of a full disk
        torch.save(checkpoint, buffer)
        with atomic_write(path) as file:
            file.write(buffer.getbuffer())
            file.flush()
            os.fsync(file.fileno())
            if name == LAST:
                with suppress(FileNotFoundError):
                    os.replace(path, os.path.join(directory, PREVIOUS))


class MovableCheckpoint(ModelCheckpoint):
    r"""Finds its checkpoints in its own directory after they were moved or copied there."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Reads the state of a checkpoint."""

        def moved(path: str) -> str:
            return os.path.join(str(self.dirpath), os.path.basename(path)) if path else path

        paths = ('best_model_path', 'kth_best_model_path', 'last_model_path')
        best = {moved(path): score for path, score in state_dict['best_k_models'].items()}
        super().load_state_dict(
            state_dict
            | {name: moved(state_dict[name]) for name in paths}
            | {'dirpath': self.dirpath, 'best_k_models': best}
        )


def find_checkpoint(directory: str) -> tuple[str, dict[str, Any]] | None:
    r"""Returns the path of the last checkpoint that is not damaged and its entry
    :obj:`"callbacks"`, or :obj:`None` if there are no checkpoints.

    A damaged one is removed with a warning if the previous one can be read.

    Raises:
        ValueError: If all checkpoints are damaged.
    """
    last, previous = (os.path.join(directory, name) for name in (LAST, PREVIOUS))
    if os.path.exists(last):
        try:
            return last, read_checkpoint(last, 'callbacks')
        except ValueError as error:
            if not os.path.exists(previous):
                raise
            found = previous, read_checkpoint(previous, 'callbacks')
            rank_zero_warn(f'{error}; the run continues from {previous}')
            _remove(last)
            return found
    if os.path.exists(previous):  # the run was interrupted while it replaced the last one
        return previous, read_checkpoint(previous, 'callbacks')
    return None


def remove_checkpoints(directory: str) -> None:
    """Removes the checkpoints from which a run could be resumed."""
    for name in (LAST, PREVIOUS):
        _remove(os.path.join(directory, name))


@rank_zero_only
def _remove(path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)
