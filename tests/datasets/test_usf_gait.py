import os

import numpy as np
import pytest
import torch
from scipy.io import savemat

from graphmotion.datasets import USFGait
from graphmotion.io import MalformedFileError
from graphmotion.metrics import USF

NUMBERS = [[1, 1, 71, 5], [5, 1], [71], [1], [0, 5, 2], [5], [1, 5], [71, 71]]


def images(count, seed):
    random = np.random.default_rng(seed)
    return random.integers(0, 2, (32, 22, 10, count), dtype=np.uint8)


def write(root, numbers=NUMBERS, change=None):
    (root / 'raw').mkdir()
    for probe, row in enumerate(numbers):
        suffix, name = ('g', 'Gal') if probe == 0 else ('', f'Prb{"ABCDEFG"[probe - 1]}')
        ground = np.array(row, np.float64)[:, None]
        content = {f'fea3D{suffix}': images(len(row), probe), f'gnd{suffix}': ground}
        if change and probe == change[0]:
            content |= change[1]
        savemat(root / 'raw' / f'{name}.mat', content, do_compression=True)


def test_reads_gallery_and_probes(tmp_path):
    write(tmp_path)
    with pytest.warns(
        UserWarning,
        match=r'skipped 2 of 16 samples: 2 with a subject that is not in the gallery '
        r'\(PrbD\.mat 1, PrbD\.mat 3\)',
    ):
        dataset = USFGait(str(tmp_path))
    assert dataset.labels('subject').tolist() == [0, 0, 70, 4, 4, 0, 70, 0, 4, 4, 0, 4, 70, 70]
    assert torch.equal(dataset.labels('y'), dataset.labels('subject'))
    assert dataset.labels('probe').tolist() == [0, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 6, 7, 7]
    assert dataset.labels('take').tolist() == [1, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2]
    assert dataset.num_classes == 71
    data = dataset[4]  # the first of probe A
    assert (data.silhouettes.shape, data.num_frames.tolist()) == ((1, 10, 32, 22), [10])
    # The files are white where there is no body.
    expected = 1 - images(2, 1)[..., 0].transpose(2, 0, 1)
    assert (data.silhouettes[0].numpy() == expected).all()
    gallery, probes = dataset.official_split()
    assert (len(gallery), len(probes)) == (4, 10)


def test_fits_the_protocol_of_the_metrics(tmp_path):
    write(tmp_path)
    with pytest.warns(UserWarning, match='2 of 16'):
        dataset = USFGait(str(tmp_path))
    gallery, probes = USF.select(dataset)
    probe = dataset.labels('probe')
    assert torch.equal(gallery, (probe == 0).nonzero().view(-1))
    assert list(probes) == list(USFGait.probe_names[1:])
    for number, positions in enumerate(probes.values(), start=1):
        assert torch.equal(positions, (probe == number).nonzero().view(-1))


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ((0, {'fea3Dg': images(4, 0)[:31]}), r'Gal\.mat: fea3Dg: expected zeros and ones'),
        ((0, {'fea3Dg': 2 * images(4, 0)}), r'Gal\.mat: fea3Dg: .* found values from 0 to 2'),
        ((2, {'fea3D': images(1, 0)[..., 0]}), r'PrbB\.mat: fea3D: .*\[32, 22, 10, N\]'),
        ((2, {'gnd': np.array([[1.0, 2.0]])}), r'PrbB\.mat: gnd: expected 1 numbers in \[0, 71\]'),
        ((0, {'gndg': np.array([1, 2, 3, 72.0])}), r'Gal\.mat: gndg: .* to 72'),
        ((1, {'gnd': np.array([1, 1.5])}), r'PrbA\.mat: gnd: expected'),
    ],
)
def test_bad_files(tmp_path, change, message):
    write(tmp_path, change=change)
    with pytest.raises(MalformedFileError, match=message):
        USFGait(str(tmp_path))


def test_missing_files(tmp_path):
    write(tmp_path)
    os.remove(tmp_path / 'raw' / 'PrbC.mat')
    with pytest.raises(FileNotFoundError, match=r'USFGait needs Gal\.mat, PrbA\.mat.* MPCA paper'):
        USFGait(str(tmp_path))


@pytest.fixture(scope='module')
def real(real_data, tmp_path_factory):
    root = tmp_path_factory.mktemp('usf')
    os.makedirs(root / 'raw')
    for path in (real_data / 'usf_gait').glob('*.mat'):
        os.symlink(path, root / 'raw' / path.name)
    with pytest.warns(UserWarning, match='skipped 131 of 4527 samples'):
        return USFGait(str(root))


def test_real_samples(real):
    counts = real.labels('probe').bincount().tolist()
    assert counts == [731, 727, 423, 420, 639, 413, 641, 402]
    subjects = [len(real.labels('subject')[real.labels('probe') == p].unique()) for p in range(8)]
    assert subjects == [71, 71, 41, 41, 66, 42, 66, 42]
    clips = real.get_batch(range(731)).silhouettes.float()
    # A body is upright in the middle of its image, and its frames are in order.
    assert clips[..., 8:14].mean() > 0.7
    assert clips[..., [0, 1, 20, 21]].mean() < 0.05
    assert clips[..., :4, :].sum() < clips[..., 8:12, :].sum()
    near = (clips[:, 1:] - clips[:, :-1]).abs().mean()
    assert near < 0.8 * (clips[:, 3:] - clips[:, :-3]).abs().mean()


def test_real_rates_of_the_nearest_neighbour(real):
    clips = real.get_batch(range(len(real))).silhouettes.flatten(1).float()
    gallery, probes = USF.select(real)
    subject = real.labels('subject')
    rates = []
    for positions in probes.values():
        nearest = torch.cdist(clips[positions], clips[gallery]).argmin(dim=1)
        rates.append((subject[gallery][nearest] == subject[positions]).double().mean())
    assert abs(100 * float(torch.stack(rates).mean()) - 24.0) < 0.3
