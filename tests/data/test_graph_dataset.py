from pathlib import Path

import numpy as np
import pytest
import torch
from torch_geometric.data import Batch, Data

from graphmotion.data import GraphDataset


class Faces(GraphDataset):
    """Images without nodes."""

    protocols = {'given': ('part', (0,)), 'subjects': ('subject', (1, 2))}

    def __init__(self, root=None, sizes=(6, 6, 6, 6), **options):
        self.sizes = sizes
        super().__init__(root, **options)

    def read(self):
        random = np.random.default_rng(0)
        for i, size in enumerate(self.sizes):
            image = torch.from_numpy(random.integers(0, 256, (1, size, 5), dtype=np.uint8))
            numbers = {'y': i % 3, 'subject': i, 'part': i % 2}
            yield Data(image=image, **{k: torch.tensor([v]) for k, v in numbers.items()})


class Clips(GraphDataset):
    """Silhouettes, whose nodes are strips."""

    frame_fields = ('silhouettes',)

    def __init__(self, root=None, widths=(11, 11, 11), values=2, shape=None, **options):
        self.widths, self.values, self.shape = widths, values, shape
        super().__init__(root, **options)

    def read(self):
        random = np.random.default_rng(0)
        for i, width in enumerate(self.widths):
            shape = self.shape or (1, 2 + i, 4, width)
            clip = torch.from_numpy(random.integers(0, self.values, shape, dtype=np.uint8))
            yield Data(
                silhouettes=clip, y=torch.tensor([i]), num_frames=torch.tensor([clip.size(1)])
            )

    def count_nodes(self, samples):
        return torch.full_like(samples, 4)


@pytest.mark.parametrize('stored', [False, True])
def test_images_without_nodes(tmp_path, stored):
    dataset = Faces(str(tmp_path) if stored else None)
    assert dataset[1].image.shape == (1, 6, 5)
    batch = dataset.get_batch([3, 1])
    expected = Batch.from_data_list([dataset[3], dataset[1]])
    assert set(batch.keys()) == set(expected.keys())
    assert torch.equal(batch.image, expected.image)
    assert batch.y.tolist() == [0, 1]
    assert torch.equal(batch[1].image, dataset[1].image)
    assert (batch.num_graphs, dataset.num_classes) == (2, 3)


@pytest.mark.parametrize('stored', [False, True])
def test_silhouettes_are_stored_as_bits(tmp_path, stored):
    dataset = Clips(str(tmp_path) if stored else None)
    assert dataset._data.silhouettes.shape == (2 + 3 + 4, 4, 2)
    clips = list(Clips().read())
    for sample, clip in zip(dataset, clips):
        assert torch.equal(sample.silhouettes, clip.silhouettes)
        assert sample.num_nodes == 4
    batch = dataset.get_batch([0, 2])
    assert batch.silhouettes.shape == (2, 4, 4, 11)
    assert torch.equal(batch.silhouettes[0, :2], clips[0].silhouettes[0])
    assert torch.equal(batch.silhouettes[0, 2], clips[0].silhouettes[0, 1])  # its last frame
    assert torch.equal(batch.silhouettes[1:], clips[2].silhouettes)
    assert (batch.num_nodes, batch.batch.tolist()) == (8, [0] * 4 + [1] * 4)
    assert [data.num_nodes for data in batch.to_data_list()] == [4, 4]
    assert torch.equal(dataset.copy([1])[0].silhouettes, clips[1].silhouettes)


def test_invalid_silhouettes_raise():
    for options, message in (
        ({'values': 3}, "sample 0: 'silhouettes' must hold no values other than 0 and 1"),
        (
            {'widths': (11, 12)},
            "sample 1: 'silhouettes' must be 11 pixels wide as in the first sample, got 12",
        ),
        (
            {'shape': (2, 3, 4, 5)},
            r"sample 0: 'silhouettes' must have shape \[1, T, H, W\], got \[2, 3, 4, 5\]",
        ),
        ({'shape': (1, 3, 0, 5)}, r'sample 0: .*, got \[1, 3, 0, 5\]'),
    ):
        with pytest.raises(ValueError, match=message):
            Clips(**options)


def test_images_of_different_sizes_raise():
    with pytest.raises(ValueError, match="sample 1: the shape of 'image' must match"):
        Wide()


class Wide(Faces):
    """The second image is wider."""

    def read(self):
        for width in (5, 6):
            yield Data(image=torch.zeros(1, 8, width).byte(), y=torch.tensor([0]))


def test_fingerprints_distinguish_datasets():
    dataset = Faces()
    assert dataset.fingerprint() == Faces().fingerprint()
    other = [dataset[1:], dataset.index_select([0, 2, 1, 3]), Faces(sizes=(6,) * 5), Clips()]
    prints = {d.fingerprint() for d in [dataset, *other]}
    assert len(prints) == 5
    assert dataset.device == torch.device('cpu')


def test_fingerprints_depend_on_all_samples(monkeypatch):
    changed = Faces()
    changed._data.image[-1, -1, -1] ^= 1
    assert changed.fingerprint() != Faces().fingerprint()
    labels = Faces()
    labels._data.subject[-1] = 9
    assert labels.fingerprint() != Faces().fingerprint()
    # Of what is large, pieces are read, the first and the last among them.
    monkeypatch.setattr('graphmotion.data.flat_storage._HASHED', 64)
    assert changed.fingerprint() != Faces().fingerprint()
    assert Faces().fingerprint() == Faces().fingerprint()


class Ages(Faces):
    """The first number of a field is an integer, the second is not."""

    def read(self):
        for i, data in enumerate(super().read()):
            data.age = torch.tensor([i if i == 0 else i + 0.5])
            yield data


@pytest.mark.parametrize('stored', [False, True])
def test_fields_of_different_types_raise(tmp_path, stored):
    with pytest.raises(
        ValueError, match=r"Ages: sample 1: 'age' must be of torch.int64 .*, got torch.float32"
    ):
        Ages(str(tmp_path) if stored else None)


def test_files_processed_by_another_dataset_raise(tmp_path):
    Faces(str(tmp_path))

    class Portraits(Faces):
        pass

    with pytest.raises(ValueError, match=r'data\.pt: processed by Faces, not by Portraits; use'):
        Portraits(str(tmp_path))
    assert len(Portraits(str(tmp_path), force_reload=True)) == 4


@pytest.mark.parametrize('kind', [str, Path])
def test_the_home_directory_is_expanded(tmp_path, monkeypatch, kind):
    monkeypatch.setenv('HOME', str(tmp_path))
    monkeypatch.chdir(tmp_path)
    Faces(kind('~/faces'))
    assert (tmp_path / 'faces' / 'processed' / 'data.pt').is_file()


class Named(Faces):
    class_names = ('a', 'b')


def test_labels_without_a_class_name_raise(tmp_path):
    for root in (None, tmp_path):
        with pytest.raises(ValueError, match=r'Named: y must be less than 2, .*got 0 to 2'):
            Named(root)
    assert Named(sizes=(6, 6)).num_classes == 2
