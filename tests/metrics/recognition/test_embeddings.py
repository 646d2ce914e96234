import sys

import numpy as np
import pytest
import torch

from graphmotion.metrics import GalleryProbeProtocol, gallery_probe, relative_spread, retrieve
from graphmotion.metrics.recognition import embeddings as module
from graphmotion.metrics.recognition.embeddings import Embeddings
from graphmotion.metrics.recognition.similarity import Similarity

PROTOCOL = GalleryProbeProtocol('walks', gallery={'take': 1}, probes={'first': {'take': 0}})


def walks(shape=(8,), dtype=np.float32):
    """Returns embeddings of 12 subjects, two takes and three views, with two equal samples."""
    grid = np.stack(np.meshgrid(np.arange(12), np.arange(2), np.arange(3), indexing='ij'), -1)
    subject, take, view = torch.from_numpy(grid.reshape(-1, 3)).unbind(1)
    rng = np.random.default_rng(0)
    centre = rng.normal(size=(12, *shape))
    x = (centre[subject] + rng.normal(size=(72, *shape))).astype(dtype)
    x[7] = x[40]
    x[11] = 0
    return x, {'subject': subject, 'take': take, 'view': view}


def mapped(path, array, kind):
    if kind == 'memmap':
        np.save(path, array)
        return np.load(path, mmap_mode='r')
    array.tofile(path)
    dtype = torch.from_numpy(array[:0]).dtype
    return torch.from_file(str(path), size=array.size, shared=True, dtype=dtype).view(array.shape)


@pytest.mark.parametrize('kind', ['memmap', 'from_file'])
@pytest.mark.parametrize('distance', ['cosine', 'euclidean'])
@pytest.mark.parametrize(
    ('shape', 'dtype'), [((8,), np.float32), ((3, 4), np.float64), ((8,), np.float16)]
)
def test_mapped_embeddings_in_blocks_have_the_same_scores(
    tmp_path, monkeypatch, kind, distance, shape, dtype
):
    x, labels = walks(shape, dtype)
    expected = gallery_probe(torch.from_numpy(x), labels, PROTOCOL, distance)
    nearest = retrieve(torch.from_numpy(x), labels, PROTOCOL, k=40, distance=distance)
    file = mapped(tmp_path / 'x.npy', x, kind)
    for rows in (72, 5, 1):
        monkeypatch.setattr(module, '_BLOCK_BYTES', rows * 64)
        found = gallery_probe(file, labels, PROTOCOL, distance, chunk_size=4)
        assert found.figures() == pytest.approx(expected.figures(), abs=1e-12)
        again = retrieve(file, labels, PROTOCOL, k=40, distance=distance)
        np.testing.assert_array_equal(again.nearest, nearest.nearest)
        torch.testing.assert_close(again.distance, nearest.distance, equal_nan=True)


def test_ranks_of_blocks_match_a_loop(tmp_path, monkeypatch):
    monkeypatch.setattr(module, '_BLOCK_BYTES', 5 * 32)
    x, labels = walks()
    subject, take, view = (labels[name].numpy() for name in ('subject', 'take', 'view'))
    scores = gallery_probe(mapped(tmp_path / 'x.npy', x, 'memmap'), labels, PROTOCOL, 'euclidean')
    precisions = []
    for probe in np.flatnonzero(take == 0):
        same = subject == subject[probe]
        gallery = np.flatnonzero((take == 1) & ~(same & (view == view[probe])))
        far = np.linalg.norm(x[gallery].astype(float) - x[probe].astype(float), axis=1)
        own = np.sort(far[same[gallery]])
        wrong = far[~same[gallery]]
        rank = [i + (wrong <= d).sum() for i, d in enumerate(own, 1)]
        precisions.append(np.mean([i / r for i, r in enumerate(rank, 1)]))
    assert scores.mean_average_precision.item() == pytest.approx(np.mean(precisions), abs=1e-12)


def test_the_gallery_of_mapped_embeddings_is_in_a_file(tmp_path):
    x, _ = walks()
    gallery = torch.arange(72)
    for values, is_mapped in (
        (mapped(tmp_path / 'a.npy', x, 'memmap'), True),
        (mapped(tmp_path / 'b.bin', x, 'from_file'), True),
        (torch.from_numpy(x), False),
    ):
        stored = Similarity(values, gallery).gallery
        assert bool(stored.untyped_storage().filename) == is_mapped
        assert Embeddings(values).is_mapped == is_mapped


def test_spread_in_blocks(monkeypatch):
    x = torch.from_numpy(walks((3, 4), np.float64)[0])
    expected = relative_spread(x, 'euclidean')
    flat = x.flatten(1).numpy()
    assert expected.item() == pytest.approx(
        np.sqrt(flat.var(axis=0).sum()) / np.linalg.norm(flat.mean(axis=0))
    )
    monkeypatch.setattr(module, '_BLOCK_BYTES', 500)
    torch.testing.assert_close(relative_spread(x, 'euclidean'), expected)


def test_bad_values_in_a_file_are_named(tmp_path):
    x, labels = walks()
    x[60, 3] = np.nan
    with pytest.raises(ValueError, match=r'must be finite, got 1 samples .* position 60'):
        gallery_probe(mapped(tmp_path / 'x.npy', x, 'memmap'), labels, PROTOCOL)
    whole = mapped(tmp_path / 'y.npy', np.nan_to_num(x).astype(int), 'memmap')
    with pytest.raises(TypeError, match='must be a floating-point tensor, got int64'):
        gallery_probe(whole, labels, PROTOCOL)
    with pytest.raises(TypeError, match='must be a floating-point tensor, got float32'):
        gallery_probe(x, labels, PROTOCOL)


# Approximate search ###########################################################################


@pytest.mark.parametrize('distance', ['cosine', 'euclidean'])
def test_a_flat_index_finds_what_the_exact_search_finds(tmp_path, distance):
    pytest.importorskip('faiss')
    x, labels = walks()
    exact = retrieve(torch.from_numpy(x), labels, PROTOCOL, k=5, distance=distance)
    file = mapped(tmp_path / 'x.npy', x, 'memmap')
    found = retrieve(file, labels, PROTOCOL, k=5, distance=distance, index='Flat')
    torch.testing.assert_close(found.distance, exact.distance)
    differs = found.nearest != exact.nearest
    assert differs.float().mean() < 0.1  # samples at the same distance
    found = retrieve(file, labels, PROTOCOL, k=40, distance=distance, index='Flat')
    assert ((found.nearest >= 0).sum(dim=1) == 35).all()  # all but one of the gallery


def test_an_index_that_cannot_be_used_raises():
    pytest.importorskip('faiss')
    x, labels = walks((2, 4))
    x = torch.from_numpy(x)
    with pytest.raises(ValueError, match='index must be None for the Euclidean distance'):
        retrieve(x, labels, PROTOCOL, distance='euclidean', index='Flat')
    with pytest.raises(ValueError, match="index must be a description for faiss, got 'Nothing'"):
        retrieve(x, labels, PROTOCOL, index='Nothing')
    protocol = GalleryProbeProtocol(
        'walks', {'take': 1}, {'first': {'take': 0}}, same_view_impostors=False
    )
    with pytest.raises(ValueError, match="index must be None for protocol 'walks'"):
        retrieve(x, labels, protocol, index='Flat')


@pytest.mark.parametrize(
    ('index', 'match'),
    [
        ('IVF999,Flat', r'must be one .* on {n} gallery samples of {d} values, got .IVF999,Flat.: '
         r'Number of training points \({n}\) should be .* clusters \(999\)'),
        ('PQ1', r"can train on {n} .* got 'PQ1': Number of training points \({n}\) .* \(256\)"),
        ('PCA999,Flat', r"can train on {n} .* got 'PCA999,Flat': .*999 dimensions from {d}$"),
        ('IVF4,PQ7', r"a description for faiss, got 'IVF4,PQ7' for embeddings of {d} values: The "
         r'dimension .* should be a multiple'),
        ('Nothing', r"a description for faiss, got 'Nothing' for embeddings of {d} values: "),
    ],
)  # fmt: skip
def test_an_index_that_does_not_fit_the_gallery_raises(index, match):
    pytest.importorskip('faiss')
    x, labels = walks((8,))
    number = len(PROTOCOL.select(labels)[0])
    with pytest.raises(ValueError, match=match.replace('{n}', f'{number}').replace('{d}', '8')):
        retrieve(torch.from_numpy(x), labels, PROTOCOL, index=index)


def test_without_faiss(monkeypatch):
    monkeypatch.setitem(sys.modules, 'faiss', None)
    x, labels = walks()
    with pytest.raises(ImportError, match=r"install it by: pip install -e '\.\[search\]'"):
        retrieve(torch.from_numpy(x), labels, PROTOCOL, index='Flat')
