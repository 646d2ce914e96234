"""The parts of a dataset for Lightning."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch.utils.data import DataLoader

from graphmotion.data import GraphDataset, as_dataset, graph_loader
from graphmotion.data.list_dataset import Samples
from graphmotion.extras import requires_extra

with requires_extra('train'):
    from lightning.pytorch import LightningDataModule


class GraphDataModule(LightningDataModule):
    r"""Training, validation and test parts of a dataset for Lightning.

    Each part is a :class:`~graphmotion.data.GraphDataset`, another dataset of PyG or torch, a
    :class:`~torch.utils.data.Subset`, a list of :class:`~torch_geometric.data.Data`, one of them or
    a batch; see :func:`~graphmotion.data.as_dataset`.

    Args:
        train (GraphDataset, ...): Training samples.
        val (GraphDataset, ..., optional): Validation samples. (default: :obj:`None`)
        test (GraphDataset, ..., optional): Test samples. (default: :obj:`None`)
        batch_size (int, optional): Samples of a batch, those of all processes together.
            (default: :obj:`16`)
        transform (callable, optional): Applied to batches of validation and test samples.
            (default: :obj:`None`)
        train_transform (callable, optional): Applied to training batches; :obj:`transform` if not
            given. (default: :obj:`None`)
        seed (int, optional): Of the order and the transforms. (default: :obj:`0`)
        num_workers (int, optional): Number of worker processes of each loader.
            (default: :obj:`0`)
        balance (str, optional): A field, such as :obj:`"subject"`, by which training batches are
            balanced; see :func:`graph_loader`. (default: :obj:`None`)
        samples_per_class (int, optional): Samples of each value of that field in a training batch.
            (default: :obj:`4`)
        batches_per_epoch (int, optional): Number of balanced batches in an epoch; by default as
            many as hold all training samples once. (default: :obj:`None`)

    Raises:
        TypeError: If a part is of another type.
        ValueError: If a part has no sample.
    """

    def __init__(
        self,
        train: Samples,
        val: Samples | None = None,
        test: Samples | None = None,
        batch_size: int = 16,
        transform: Callable | None = None,
        train_transform: Callable | None = None,
        seed: int = 0,
        num_workers: int = 0,
        balance: str | None = None,
        samples_per_class: int = 4,
        batches_per_epoch: int | None = None,
    ) -> None:
        super().__init__()
        self.train = as_dataset(train)
        self.val = None if val is None else as_dataset(val)
        self.test = None if test is None else as_dataset(test)
        self.batch_size = batch_size
        self.transform = transform
        self.train_transform = train_transform or transform
        self.seed = seed
        self.num_workers = num_workers
        self.balance = balance
        self.samples_per_class = samples_per_class
        self.batches_per_epoch = batches_per_epoch

    def _loader(
        self, dataset: GraphDataset | None, transform: Callable | None, **options: Any
    ) -> DataLoader | list:
        if dataset is None:
            return []
        return graph_loader(
            dataset,
            self.batch_size,
            transform,
            seed=self.seed,
            num_workers=self.num_workers,
            num_replicas=self.trainer.world_size if self.trainer else 1,
            rank=self.trainer.global_rank if self.trainer else 0,
            **options,
        )

    def train_dataloader(self) -> DataLoader | list:
        r"""Shuffled or balanced batches of the training samples."""
        return self._loader(
            self.train,
            self.train_transform,
            shuffle=True,
            balance=self.balance,
            samples_per_class=self.samples_per_class,
            batches_per_epoch=self.batches_per_epoch,
        )

    def val_dataloader(self) -> DataLoader | list:
        r"""Batches of the validation samples, in order; none if there are none."""
        return self._loader(self.val, self.transform)

    def test_dataloader(self) -> DataLoader | list:
        r"""Batches of the test samples, in order; none if there are none."""
        return self._loader(self.test, self.transform)
