"""Lightning data module of graph samples."""

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
    r"""Training, validation and test samples for Lightning.

    Samples are a :class:`~graphmotion.data.GraphDataset`, another dataset of PyG or torch, a
    :class:`~torch.utils.data.Subset`, a list of :class:`~torch_geometric.data.Data`, a single
    :class:`~torch_geometric.data.Data` or a batch; see :func:`~graphmotion.data.as_dataset`.

    .. code-block:: python

        data = GraphDataModule(train, test=test, batch_size=8, transform=transform)
        batch = next(iter(data.train_dataloader()))
        print(batch.num_graphs)  # 8

    Args:
        train (GraphDataset, ...): Training samples.
        val (GraphDataset, ..., optional): Validation samples. (default: :obj:`None`)
        test (GraphDataset, ..., optional): Test samples. (default: :obj:`None`)
        batch_size (int, optional): Number of samples in a batch, over all processes.
            (default: :obj:`16`)
        transform (callable, optional): Transform of batches in validation and test.
            (default: :obj:`None`)
        train_transform (callable, optional): Transform of training batches; :obj:`transform` if not
            given. (default: :obj:`None`)
        seed (int, optional): Seed of the order of samples and the transforms. (default: :obj:`0`)
        num_workers (int, optional): Number of worker processes of each loader.
            (default: :obj:`0`)
        balance (str, optional): A field, such as :obj:`"subject"`, by which training batches are
            balanced; see :func:`graph_loader`. (default: :obj:`None`)
        samples_per_class (int, optional): Number of samples of each value of :obj:`balance` in a
            training batch. (default: :obj:`4`)
        batches_per_epoch (int, optional): Number of balanced batches in an epoch. By default, the
            number of batches that hold as many samples as the training set. (default: :obj:`None`)

    Raises:
        TypeError: If samples are of an unsupported type.
        ValueError: If there are no samples.
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
        r"""Returns a loader of shuffled or balanced training batches."""
        return self._loader(
            self.train,
            self.train_transform,
            shuffle=True,
            balance=self.balance,
            samples_per_class=self.samples_per_class,
            batches_per_epoch=self.batches_per_epoch,
        )

    def val_dataloader(self) -> DataLoader | list:
        r"""Returns a loader of validation batches in order; empty without validation samples."""
        return self._loader(self.val, self.transform)

    def test_dataloader(self) -> DataLoader | list:
        r"""Returns a loader of test batches in order; empty without test samples."""
        return self._loader(self.test, self.transform)
