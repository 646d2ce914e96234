import numpy as np
import pytest
import torch

from graphmotion.metrics import discriminant_projection


def samples(num=90, features=12, classes=4, seed=0):
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, num)
    x = random.normal(size=(num, features)) @ random.normal(size=(features, features))
    return torch.from_numpy(x + 2 * random.normal(size=(classes, features))[labels]), labels


@pytest.mark.parametrize('features', [12, 200])  # fewer and more than samples
@pytest.mark.parametrize('shrinkage', [0.0, 0.2])
def test_matches_scikit_learn(features, shrinkage):
    decomposition = pytest.importorskip('sklearn.decomposition')
    discriminant_analysis = pytest.importorskip('sklearn.discriminant_analysis')
    x, labels = samples(features=features)
    z = decomposition.PCA(8, svd_solver='full').fit_transform(x.numpy())
    other = discriminant_analysis.LinearDiscriminantAnalysis(solver='eigen').fit(z, labels)
    if shrinkage:  # sklearn shrinks the total scatter; the equation is solved here
        from scipy.linalg import eigh

        centers = np.stack([z[labels == c].mean(axis=0) for c in range(4)])[labels]
        within = np.cov((z - centers).T, bias=True)
        within = 0.8 * within + 0.2 * np.trace(within) / 8 * np.eye(8)
        expected = z @ eigh(np.cov(centers.T, bias=True), within)[1][:, :-4:-1]
    else:
        expected = other.transform(z)
    project = discriminant_projection(x, torch.from_numpy(labels), 8, shrinkage=shrinkage)
    out = project(x).numpy()
    sign = np.sign((out * expected).sum(axis=0))
    np.testing.assert_allclose(out * sign, expected - expected.mean(axis=0), atol=1e-8)


def test_directions_have_unit_scatter_within_classes_and_are_in_order():
    x, labels = samples()
    out = discriminant_projection(x, torch.from_numpy(labels), shrinkage=0)(x).numpy()
    centers = np.stack([out[labels == c].mean(axis=0) for c in range(4)])[labels]
    np.testing.assert_allclose(np.cov((out - centers).T, bias=True), np.eye(3), atol=1e-8)
    ratios = centers.var(axis=0)
    assert (np.diff(ratios) < 0).all()


def test_numbers_of_components_are_limited_and_labels_are_arbitrary():
    x, labels = samples()
    project = discriminant_projection(x.float(), torch.from_numpy(100 - 7 * labels), 5, 2)
    assert project.matrix.shape == (12, 2)
    assert project(x.float()).dtype == torch.float32
    same = discriminant_projection(x.float(), torch.from_numpy(labels), 5, 2)
    torch.testing.assert_close(project(x).abs(), same(x).abs())
    assert discriminant_projection(x, torch.from_numpy(labels), 2).matrix.shape == (12, 2)
    bits = (x > 0).byte()
    projected = discriminant_projection(bits, torch.from_numpy(labels))(bits)
    assert projected.dtype == torch.float64


def test_features_without_spread_and_repeated_samples():
    x, labels = samples(num=20, features=40)
    x = torch.cat([x, x])
    x[:, 3] = 1.0
    out = discriminant_projection(x, torch.from_numpy(np.tile(labels, 2)), 100)(x)
    assert out.isfinite().all()
    torch.testing.assert_close(out[:20], out[20:])


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (
            lambda x, y: (x, y[:-1]),
            r'\[N, F\] and labels \[N\], got \[90, 12\] and \[89\]',
        ),
        (lambda x, y: (x, y * 0), 'at least two classes, got 1'),
        (lambda x, y: (x / 0, y), 'x must be finite'),
        (lambda x, y: (x, y, 0), 'num_principal must be an integer >= 1, got 0'),
        (lambda x, y: (x, y, 5, 0), 'num_components must be an integer >= 1, got 0'),
        (lambda x, y: (x, y, 5, 2, 1.5), r'shrinkage must be in \[0, 1\], got 1.5'),
        (lambda x, y: (torch.eye(4), torch.tensor([0, 0, 1, 2]), 3, 2, 0), 'must be invertible'),
    ],
)
def test_bad_input_raises(change, message):
    x, labels = samples()
    with pytest.raises(ValueError, match=message):
        discriminant_projection(*change(x, torch.from_numpy(labels)))
    project = discriminant_projection(x, torch.from_numpy(labels))
    with pytest.raises(ValueError, match=r'shape \[N, 12\], got \[90, 11\]'):
        project(x[:, 1:])
