import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from graphmotion.metrics import gallery_probe, match_sequences, relative_spread, retrieve
from graphmotion.metrics.recognition.similarity import Similarity

from .nearly_equal import LABELS, TAKES, nearly_equal

# Embeddings that lie close together ###########################################


@pytest.mark.parametrize('distance', ['cosine', 'euclidean'])
@pytest.mark.parametrize('num_parts', [1, 4])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
@pytest.mark.filterwarnings('ignore:.*have collapsed')
def test_nearly_equal_embeddings_are_ranked_in_single_precision(distance, num_parts, dtype):
    embedding = nearly_equal(num_parts).to(dtype)
    scores = gallery_probe(embedding, LABELS, TAKES, distance)
    assert scores.mean_accuracy() == 1
    assert scores.mean_average_precision.item() == 1
    assert match_sequences(embedding, LABELS, TAKES, distance) == {'later': 1}
    assert retrieve(embedding, LABELS, TAKES, k=1, distance=distance).correct.all()


@pytest.mark.parametrize('distance', ['cosine', 'euclidean'])
@pytest.mark.parametrize('num_parts', [1, 4])
def test_distances_of_nearly_equal_embeddings_match_double_precision(distance, num_parts):
    embedding = nearly_equal(num_parts)
    samples, gallery = torch.arange(1, 400, 2), torch.arange(0, 400, 2)
    parts = embedding.view(400, num_parts, -1).numpy()
    expected = np.mean(
        [cdist(parts[1::2, p], parts[::2, p], distance) for p in range(num_parts)], 0
    )
    similarity = Similarity(embedding.float(), gallery, distance)
    found = similarity.distance_matrix(samples)
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found, expected, rtol=1e-2)
    others = torch.randint(200, (200, 5))
    np.testing.assert_allclose(
        similarity.distances(samples, others),
        np.take_along_axis(expected, others.numpy(), 1),
        rtol=1e-2,
    )


# Similarities and distances ###################################################


@pytest.mark.parametrize('distance', ['cosine', 'euclidean'])
@pytest.mark.parametrize('shape', [(6,), (3, 6)])
def test_distances_match_scipy(distance, shape):
    embedding = torch.randn(30, *shape, dtype=torch.float64) + 2
    samples, gallery = torch.tensor([4, 0, 29, 7]), torch.arange(5, 25)
    similarity = Similarity(embedding, gallery, distance)
    parts = embedding.view(30, -1, 6).numpy()
    expected = np.mean(
        [cdist(parts[samples, p], parts[gallery, p], distance) for p in range(parts.shape[1])], 0
    )
    np.testing.assert_allclose(similarity.distance_matrix(samples), expected, atol=1e-7)
    others = torch.randint(20, (4, 8))
    np.testing.assert_allclose(
        similarity.distances(samples, others), np.take_along_axis(expected, others.numpy(), 1)
    )
    ranked = similarity(samples).argsort(dim=1, descending=True)
    np.testing.assert_array_equal(ranked, expected.argsort(axis=1))
    room = similarity.empty(4)
    assert similarity(samples, out=room) is room


def test_equal_euclidean_distances_of_integers_stay_equal():
    embedding = torch.randint(-5, 6, (300, 40)).float()
    similarity = Similarity(embedding, torch.arange(100), 'euclidean')(torch.arange(100, 300))
    exact = (embedding[100:, None] - embedding[:100]).square().sum(dim=-1)
    for row, far in zip(similarity, exact):
        assert len(row.unique()) == len(far.unique())


def test_cosine_distance_of_zero_vectors_is_one():
    parts = torch.randn(20, 3, 5, dtype=torch.float64)
    parts[4, 1] = parts[11, 1] = parts[11, 2] = parts[17] = 0
    samples, gallery = torch.tensor([3, 4, 17]), torch.arange(5, 20)
    similarity = Similarity(parts, gallery)
    unit = parts / parts.norm(dim=-1, keepdim=True).clamp(min=1e-9)
    expected = 1 - torch.einsum('cpd,gpd->cg', unit[samples], unit[gallery]) / 3
    torch.testing.assert_close(similarity.distance_matrix(samples), expected)
    others = torch.arange(15).expand(3, -1)
    torch.testing.assert_close(similarity.distances(samples, others), expected)
    rows = similarity(samples)
    torch.testing.assert_close(rows - rows[:, :1], expected[:, :1].sub(expected).mul(3))
    assert len(rows[2].unique()) == 1  # all tie


def test_short_vectors_have_a_direction():
    embedding = torch.randn(30, 4, dtype=torch.float64)
    gallery, samples = torch.arange(10), torch.arange(10, 30)
    short = Similarity(embedding * 1e-30, gallery).distance_matrix(samples)
    torch.testing.assert_close(short, Similarity(embedding, gallery).distance_matrix(samples))


# Spread #######################################################################


@pytest.mark.parametrize('distance', ['cosine', 'euclidean'])
@pytest.mark.parametrize('shape', [(5,), (3, 5)])
def test_relative_spread_follows_the_equation(distance, shape):
    embedding = torch.randn(40, *shape, dtype=torch.float64) + 1
    x = embedding.numpy()
    if distance == 'cosine':
        x = x / np.sqrt((x**2).sum(-1, keepdims=True))
    x = x.reshape(40, -1)
    mean = sum(x) / 40
    spread = np.sqrt(sum(((row - mean) ** 2).sum() for row in x) / 40)
    expected = spread / np.sqrt((mean**2).sum())
    assert float(relative_spread(embedding, distance)) == pytest.approx(expected)
    assert float(relative_spread(embedding.float(), distance)) == pytest.approx(expected, rel=1e-5)


def test_relative_spread_of_special_embeddings():
    assert relative_spread(torch.zeros(4, 3)) == relative_spread(torch.ones(4, 3)) == 0
    assert relative_spread(torch.tensor([[1.0, 0.0], [-1.0, 0.0]])) == torch.inf
    assert relative_spread(torch.full((4, 3), torch.nan)).isnan()
    lengths = torch.tensor([[1.0], [9.0]]) * torch.ones(2, 3)
    assert relative_spread(lengths) < 1e-6
    assert float(relative_spread(lengths, 'euclidean')) == pytest.approx(4 / 5)
    collapsed = nearly_equal().float()
    assert float(relative_spread(collapsed)) == pytest.approx(3e-4 * 8 * 1.09**0.5 / 8, rel=0.05)


@pytest.mark.parametrize('distance', ['cosine', 'euclidean'])
def test_a_collapsed_gallery_raises_a_warning(distance):
    protocols = {'embedding': nearly_equal(), 'labels': LABELS, 'protocol': TAKES}
    for function in (gallery_probe, retrieve, match_sequences):
        with pytest.warns(UserWarning, match=r'relative_spread is 0\.0003.*at least 0\.01') as told:
            function(**protocols, distance=distance)
        assert told[0].filename == __file__
    gallery_probe(nearly_equal(spread=0.02), LABELS, TAKES, distance)  # a warning is an error here


def test_a_gallery_of_one_sample_has_not_collapsed():
    labels = {'subject': [0, 0], 'take': [1, 2]}
    assert gallery_probe(torch.ones(2, 3), labels, TAKES).mean_accuracy() == 1


@pytest.mark.parametrize(
    ('embedding', 'distance', 'error', 'message'),
    [
        (torch.ones(3, 2), 'l1', ValueError, r"must be one of .*'euclidean'.*got 'l1'"),
        (torch.ones(3), 'cosine', ValueError, r'must have shape .*, got \[3\]'),
        (torch.ones(0, 3), 'cosine', ValueError, r'not be empty, got \[0, 3\]'),
        (torch.ones(3, 2).long(), 'cosine', TypeError, 'floating-point tensor, got torch.int64'),
    ],
)
def test_bad_input_raises(embedding, distance, error, message):
    with pytest.raises(error, match=message):
        relative_spread(embedding, distance)
    with pytest.raises(error, match=message):
        Similarity(embedding, torch.zeros(1, dtype=torch.long), distance)
