"""Transforms of images, pixel graphs and landmark graphs."""

import colorsys
import math
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import ndimage
from scipy.spatial.distance import cdist
from torch_geometric.data import Batch, Data

import graphmotion.transforms as T
from graphmotion.data import graph_to_batch, graph_to_data
from graphmotion.graphs import (
    PointGraph,
    knn_graph,
    laplacian_eigenbasis,
    pixel_graph,
    sample_pixels,
)

SIZE = (8, 12)
GRAPH = pixel_graph(SIZE, 0.4, k=4, num_modes=6, levels=0)
LANDMARKS = PointGraph.from_points(torch.rand(68, 2, generator=torch.Generator().manual_seed(0)))

IMAGES = [
    T.RandomImageAffine(),
    T.RandomImageAffine((5, 40), (0.8, 0.9), 0.1),
    T.RandomImageFlip(),
    T.RandomImageBrightness(),
    T.RandomImageBrightness((0.1, 0.3), (0.0, 0.5)),
    T.ImageNoise(0.1),
]
GRAPHS = [
    T.ToPixelGraph(GRAPH),
    T.ToPixelGraph(GRAPH, standardize=True, coordinates=True, basis=True),
    T.ToPixelGraph(GRAPH, edges=False),
    T.ToPixelGraph(GRAPH, num_distances=4, patch_size=3),
    T.ToRandomPixelGraph(0.4, k=4),
    T.ToRandomPixelGraph(20, k=3, weight='gaussian', standardize=True, coordinates=True),
    T.ToLandmarkGraph(),
    T.ToLandmarkGraph(5, ('intensity', 'distances'), 'eyes'),
    T.ToLandmarkGraph(graph=LANDMARKS),
]
BASES = [T.AddEigenbasis(5), T.AddEigenbasis(3, 'sym')]
FACES = [*IMAGES, *GRAPHS, *BASES, T.RandomImageHSV()]


def face(seed=0, dtype=torch.uint8, size=SIZE, points=68, channels=()):
    random = np.random.default_rng(seed)
    shape = (1, *channels, *size)
    image = torch.from_numpy(random.integers(0, 256, shape, dtype=np.uint8))
    if dtype != torch.uint8:
        image = image.to(dtype) / 255
    landmarks = torch.from_numpy(random.uniform(0, size[::-1], (points, 2))).float()
    return Data(image=image, landmarks=landmarks, y=torch.tensor([seed]))


def name(value):
    return f'{FACES.index(value)}-{type(value).__name__}'


@pytest.mark.parametrize('transform', IMAGES + GRAPHS, ids=name)
@pytest.mark.parametrize('dtype', [torch.uint8, torch.float32])
def test_batch_matches_its_samples(transform, dtype, assert_alike):
    samples = [face(seed, dtype) for seed in range(5)]
    expected, out = assert_alike(transform, samples, atol=1e-5)
    assert out.y.tolist() == [0, 1, 2, 3, 4]
    assert out.num_graphs == 5
    if transform in GRAPHS:
        assert 'image' not in out
        assert [data.num_nodes for data in expected] == [out.num_nodes // 5] * 5
    else:
        assert out.image.dtype == dtype
        assert (
            0
            <= float(out.image.min())
            <= float(out.image.max())
            <= (255 if dtype == torch.uint8 else 1)
        )


@pytest.mark.parametrize('transform', [*IMAGES, *GRAPHS, FACES[-1]])
def test_batch_of_colour_images_matches_its_samples(transform, assert_alike):
    samples = [face(seed, channels=(3,)) for seed in range(3)]
    _, out = assert_alike(transform, samples, atol=1e-5)
    if transform not in GRAPHS:
        assert out.image.shape == (3, 3, *SIZE)


@pytest.mark.parametrize(
    'transform', [T.RandomImageAffine((20, 20), (0.9, 0.9)), T.RandomImageFlip(1.0)]
)
def test_channels_of_colour_images_move_together(transform):
    data = face(channels=(3,))
    grey = [Data(image=data.image[:, c], landmarks=data.landmarks) for c in range(3)]
    out = transform(data)
    for c, channel in enumerate(grey):
        expected = transform(channel)
        assert torch.equal(out.image[:, c], expected.image)
        assert torch.equal(out.landmarks, expected.landmarks)


def test_nodes_of_colour_images_hold_all_channels():
    data = face(channels=(3,))
    image = data.image.float() / 255
    x, y = GRAPH.pos.long().t()
    out = T.ToPixelGraph(GRAPH)(data)
    assert torch.equal(out.x, image[0, :, y, x].t())


def test_patches_repeat_the_edge():
    data = face(channels=(3,))
    image = data.image[0].double().numpy() / 255
    padded = np.pad(image, ((0, 0), (2, 2), (2, 2)), mode='edge')
    expected = [
        [padded[c, y + dy, x + dx] for dy in range(5) for dx in range(5) for c in range(3)]
        for x, y in GRAPH.pos.long().tolist()
    ]
    out = T.ToPixelGraph(GRAPH, patch_size=5)(data).x
    np.testing.assert_allclose(out, expected, atol=1e-6)
    for size in (0, 2, -1):
        with pytest.raises(ValueError, match=f'patch_size must be odd and positive, got {size}'):
            T.ToPixelGraph(GRAPH, patch_size=size)


def test_distances_of_pixels():
    out = T.ToPixelGraph(GRAPH, num_distances=3)(face()).x
    expected = np.sort(cdist(GRAPH.pos, GRAPH.pos), axis=1)[:, 1:4] / np.hypot(*SIZE)
    np.testing.assert_allclose(out[:, 1:], expected, atol=1e-6)
    with pytest.raises(ValueError, match=r'num_distances must be in \[1, 37\] .*, got 38'):
        T.ToPixelGraph(GRAPH, num_distances=38)


@pytest.mark.parametrize(
    ('hue', 'saturation', 'value'), [(0.1, 1, 1), (0, 0.5, 1), (-0.4, 1.5, 1.3), (0, 0, 0.5)]
)
def test_hsv_against_colorsys(hue, saturation, value):
    data = face(dtype=torch.float64, channels=(3,))
    data.image[0, :, 0, 0] = 0.3  # grey
    data.image[0, :, 0, 1] = 0  # black
    pixels = data.image[0].flatten(1).t().tolist()
    expected = []
    for pixel in pixels:
        h, s, v = colorsys.rgb_to_hsv(*pixel)
        hsv = (h + hue) % 1, min(s * saturation, 1), min(v * value, 1)
        expected.append(colorsys.hsv_to_rgb(*hsv))
    out = T.RandomImageHSV((hue, hue), (saturation,) * 2, (value,) * 2)(data).image
    expected = torch.tensor(expected).double().t().view(1, 3, *SIZE)
    torch.testing.assert_close(out, expected, atol=1e-6, rtol=1e-6)


def test_hsv_of_bytes_and_bad_input():
    data = face(channels=(3,))
    out = T.RandomImageHSV(0, (1, 1), (1, 1))(data.clone())
    assert out.image.dtype == torch.uint8
    assert (out.image.int() - data.image).abs().max() <= 1
    with pytest.raises(ValueError, match=r'must have shape \[1, 3, H, W\] .*, got \[1, 8, 12\]'):
        T.RandomImageHSV()(face())
    with pytest.raises(ValueError, match='saturation and value must be non-negative'):
        T.RandomImageHSV(saturation=(-0.1, 1))


@pytest.mark.parametrize('transform', BASES, ids=name)
def test_bases_of_a_batch_and_of_its_samples(transform, assert_alike):
    samples = [T.ToRandomPixelGraph(30, weight='gaussian')(face(seed)) for seed in range(3)]
    expected, out = assert_alike(transform, samples, atol=1e-4)
    assert out.eigenvalues.shape == (3, transform.num_modes)
    assert out.eigenvectors.shape == (90, transform.num_modes)
    edges = samples[1].edge_index, 30, transform.num_modes, samples[1].edge_weight
    values, vectors = laplacian_eigenbasis(*edges, transform.normalization)
    torch.testing.assert_close(expected[1].eigenvalues[0], values)
    torch.testing.assert_close(expected[1].eigenvectors, vectors)


@pytest.mark.parametrize('transform', FACES, ids=name)
def test_repr_and_pickle(transform):
    assert repr(transform).startswith(f'{type(transform).__name__}(')
    assert repr(pickle.loads(pickle.dumps(transform))) == repr(transform)
    assert [repr(other) for other in FACES].count(repr(transform)) == 1


@pytest.mark.parametrize('transform', FACES, ids=name)
def test_missing_fields_raise(transform):
    with pytest.raises(ValueError, match=r"'(image|landmarks|edge_index)'"):
        transform(Data(y=torch.tensor([0])))
    if transform not in BASES and not isinstance(transform, T.ToLandmarkGraph):
        for image in (torch.zeros(8, 8), torch.zeros(1, 0, 8), torch.zeros(1, 8, 8).long()):
            with pytest.raises(ValueError, match="'image'"):
                transform(Data(image=image))


@pytest.mark.parametrize('transform', IMAGES + GRAPHS, ids=name)
def test_images_without_landmarks(transform):
    data = face()
    del data.landmarks
    if isinstance(transform, T.ToLandmarkGraph):
        with pytest.raises(ValueError, match="must have the field 'landmarks'"):
            transform(data)
    else:
        assert 'landmarks' not in transform(data)


@pytest.mark.parametrize('transform', GRAPHS, ids=name)
@pytest.mark.parametrize('value', [0, 77, 255])
def test_constant_image(transform, value):
    data = face()
    data.image = torch.full_like(data.image, value)
    out = transform(data)
    assert bool(out.x.isfinite().all())
    if getattr(transform, 'standardize', False):
        assert not out.x[:, 0].any()
    elif not isinstance(transform, T.ToLandmarkGraph):
        torch.testing.assert_close(out.x[:, 0], torch.full_like(out.x[:, 0], value / 255))


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA device')
@pytest.mark.parametrize('transform', IMAGES + GRAPHS, ids=name)
def test_stays_on_the_device(transform):
    samples = [face(seed) for seed in range(3)]
    out = transform(Batch.from_data_list(samples).to('cuda'))
    assert all(value.is_cuda for value in out.to_dict().values())
    assert len(out.to_data_list()) == 3
    if isinstance(transform, T.ToPixelGraph | T.ToLandmarkGraph):
        expected = transform(Batch.from_data_list(samples))
        torch.testing.assert_close(out.x.cpu(), expected.x, atol=1e-5, rtol=1e-5)


# Images #######################################################################


def slow_affine(image, degrees, scale, shift):
    """Samples each pixel with SciPy; pixels outside the image repeat the edge."""
    height, width = image.shape
    angle = math.radians(degrees)
    out = np.zeros_like(image)
    for y in range(height):
        for x in range(width):
            u = x + 0.5 - width / 2 - shift[0] * width
            v = y + 0.5 - height / 2 - shift[1] * height
            back = (
                (math.cos(angle) * u + math.sin(angle) * v) / scale + width / 2 - 0.5,
                (-math.sin(angle) * u + math.cos(angle) * v) / scale + height / 2 - 0.5,
            )
            point = np.clip(back[::-1], 0, [height - 1, width - 1])
            out[y, x] = ndimage.map_coordinates(image, point[:, None], order=1)[0]
    return out


@pytest.mark.parametrize(
    ('degrees', 'scale', 'shift'), [(0, 1, 0), (30, 1, 0), (-8, 1.4, 0.1), (90, 0.6, -0.2)]
)
def test_affine_pixels_and_landmarks(degrees, scale, shift, monkeypatch):
    end = torch.full((1, 4), float(shift > 0))  # the lower or the upper end of all intervals
    monkeypatch.setattr('graphmotion.transforms.fields.rand_per_graph', lambda *_: end)
    transform = T.RandomImageAffine((degrees,) * 2, (scale,) * 2, abs(shift))
    data = face(dtype=torch.float64)
    expected = slow_affine(data.image[0].numpy(), degrees, scale, (shift, shift))
    out = transform(data)
    np.testing.assert_allclose(out.image[0], expected, atol=1e-4)
    size = np.array(SIZE[::-1])
    a = math.radians(degrees)
    matrix = scale * np.array([[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]])
    moved = (data.landmarks.numpy() - size / 2) @ matrix.T + size / 2 + shift * size
    np.testing.assert_allclose(out.landmarks, moved, atol=1e-4)
    data.image = (255 * data.image).round().byte()
    expected = slow_affine(data.image[0].numpy().astype(float), degrees, scale, (shift, shift))
    assert abs(transform(data).image[0].numpy() - expected).max() <= 0.51


def test_landmarks_follow_the_image():
    # A bright spot, on which the landmark is.
    spot = np.exp(-((np.indices((40, 60)).T - [12, 40]) ** 2).sum(axis=-1).T / 8)
    for seed in range(5):
        torch.manual_seed(seed)
        data = Data(image=torch.tensor(spot)[None], landmarks=torch.tensor([[40.5, 12.5]]))
        out = T.RandomImageAffine(10, (0.7, 1.1), 0.05)(data)
        weight = out.image[0].numpy()
        center = [(weight * i).sum() / weight.sum() + 0.5 for i in np.indices(weight.shape)]
        np.testing.assert_allclose(out.landmarks[0], center[::-1], atol=0.15)
        out = T.RandomImageFlip(1.0, mirror=[0])(data)
        assert out.landmarks.tolist() == [[19.5, 12.5]]
        assert int(out.image[0, 12].argmax()) == 19


def test_draws_differ_between_images_and_are_within_bounds():
    batch = Batch.from_data_list([face(0) for _ in range(400)])
    flipped = T.RandomImageFlip(0.3)(batch).image
    original = batch.image[0]
    is_flipped = (flipped == original.flip(1)).all(dim=2).all(dim=1)
    assert bool((is_flipped | (flipped == original).all(dim=2).all(dim=1)).all())
    assert 0.2 < is_flipped.float().mean() < 0.4
    spread = T.RandomImageAffine()(batch).landmarks.view(400, 68, 2)
    center = torch.tensor(SIZE[::-1]) / 2
    before, after = batch.landmarks[0] - center, spread[:, 0] - center
    scale = after.norm(dim=1) / before.norm()
    angle = torch.atan2(after[:, 1], after[:, 0]) - torch.atan2(before[1], before[0])
    degrees = (angle * 180 / math.pi + 180) % 360 - 180
    for value, low, high in ((scale, 0.5, 1.5), (degrees, -10, 10)):
        assert low - 1e-3 <= value.min() < low + 0.05 * (high - low)
        assert high - 0.05 * (high - low) < value.max() <= high + 1e-3


def test_translations_of_images_are_within_their_bounds():
    batch = Batch.from_data_list([face(0) for _ in range(400)])
    transform = T.RandomImageAffine(0, (1, 1), translate=(0.2, 0.05))
    shift = transform(batch.clone()).landmarks - batch.landmarks
    for value, limit in zip(shift.view(400, 68, 2)[:, 0].T, (0.2 * SIZE[1], 0.05 * SIZE[0])):
        assert -limit - 1e-4 <= value.min() < -0.9 * limit
        assert 0.9 * limit < value.max() <= limit + 1e-4


def test_flipped_landmarks_swap_sides():
    data = face()
    out = T.RandomImageFlip(1.0)(data)
    width = SIZE[1]
    # The outer corners of the eyes, of the mouth, the chin, the tip of the nose.
    for left, right in ((36, 45), (48, 54), (8, 8), (30, 30), (0, 16), (17, 26), (60, 64)):
        x, y = data.landmarks[right].tolist()
        assert out.landmarks[left].tolist() == pytest.approx([width - x, y])
    back = T.RandomImageFlip(1.0)(out)
    assert torch.equal(back.image, data.image)
    torch.testing.assert_close(back.landmarks, data.landmarks)
    with pytest.raises(
        ValueError, match='mirror must have an entry for each of the 5 landmarks, got 68'
    ):
        T.RandomImageFlip()(face(points=5))
    with pytest.raises(ValueError, match='mirror must be its own inverse'):
        T.RandomImageFlip(mirror=[1, 2, 0])


def test_brightness_and_contrast():
    data = face(dtype=torch.float64)
    data.image = 0.3 + 0.4 * data.image
    out = T.RandomImageBrightness((0.1, 0.1), (0.5, 0.5))(data).image
    mean = data.image.mean()
    torch.testing.assert_close(out, 0.5 * (data.image - mean) + mean + 0.1)
    data = face()
    out = T.RandomImageBrightness((0.5, 0.5), (1, 1))(data).image.int()
    assert abs(out - (data.image.int() + 127.5).clamp(max=255)).max() <= 1
    same = T.RandomImageBrightness((0, 0), (1, 1))(data)
    assert torch.equal(same.image, data.image)


def test_noise():
    data = Data(image=torch.full((1, 100, 100), 128, dtype=torch.uint8))
    noise = T.ImageNoise(0.05)(data).image.double() - 128
    assert noise.mean().abs() < 0.6
    assert 12 < noise.std() < 13.5
    assert torch.equal(T.ImageNoise(0.0)(data).image, data.image)
    assert bool((T.ImageNoise(9.0)(data).image == 255).any())


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (
            lambda: T.RandomImageAffine(scales=(0, 1)),
            r'scales must be an interval \(low, high\) in \(0, inf\)',
        ),
        (lambda: T.RandomImageAffine((3, 1)), 'degrees must be an interval'),
        (lambda: T.RandomImageAffine(translate=-0.1), 'translate must be a number at least 0'),
        (
            lambda: T.RandomImageAffine(translate=(0.1, 0.1, 0.1)),
            r'translate must be a number or \(horizontal, vertical\)',
        ),
        (lambda: T.RandomImageBrightness(contrast=(-1, 1)), 'contrast must be non-negative'),
        (lambda: T.RandomImageBrightness(0.2), 'brightness must be an interval'),
        (lambda: T.ImageNoise(-1), 'std must be a number at least 0'),
        (lambda: T.RandomImageFlip(2), r'p must be in \[0, 1\]'),
        (lambda: T.AddEigenbasis(0), 'num_modes must be an integer >= 1'),
        (lambda: T.AddEigenbasis(2, 'x'), r"normalization must be one of \[None, 'sym'\]"),
        (lambda: T.ToLandmarkGraph(0), 'k must be an integer >= 1'),
        (lambda: T.ToLandmarkGraph(features=[]), 'features must be distinct values of'),
        (lambda: T.ToLandmarkGraph(features=['x']), 'features must be distinct values of'),
        (lambda: T.ToLandmarkGraph(scale='x'), 'scale must be one of'),
        (lambda: T.ToPixelGraph(LANDMARKS), 'columns and rows of pixels'),
        (
            lambda: T.ToPixelGraph(pixel_graph(5, 20, num_modes=None), basis=True),
            'must have an eigenbasis',
        ),
    ],
)
def test_invalid_options(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# Graphs over pixels ###########################################################


def test_the_graph_over_pixels():
    graph = pixel_graph(48)
    assert torch.equal(graph.pos, sample_pixels(48, 48, 0.4))
    assert graph.num_nodes == 921
    assert torch.equal(graph.edge_index, knn_graph(graph.pos, 8))
    assert graph.eigenvectors.shape == (921, 256)
    assert [level.num_clusters for level in graph.hierarchy] == [231, 58]
    small = pixel_graph((5, 6), 30, k=29, num_modes=99, levels=1, seed=3)
    assert small.eigenvectors.shape == (30, 30)  # all there are
    assert small.edge_index.size(1) == 30 * 29
    assert pixel_graph((5, 6), 1.0, num_modes=None).eigenvalues is None
    assert not torch.equal(pixel_graph(9, seed=1).pos, pixel_graph(9, seed=2).pos)
    with pytest.raises(ValueError, match='at least 9 points for k=8 neighbours, got 7'):
        pixel_graph((3, 6), 0.4)
    for num, message in ((1.5, 'ratio must be in'), (31, 'for 5 x 6, got 31'), (0, 'got 0')):
        with pytest.raises(ValueError, match=message):
            pixel_graph((5, 6), num)


def test_pixels_are_sampled_at_the_nodes():
    data = face()
    out = T.ToPixelGraph(GRAPH)(data)
    pairs = [(int(x), int(y)) for x, y in GRAPH.pos]
    expected = [int(data.image[0, y, x]) / 255 for x, y in pairs]
    np.testing.assert_allclose(out.x[:, 0], expected, atol=1e-6)
    expected = graph_to_data(GRAPH, out.x, y=0)
    assert torch.equal(out.edge_index, expected.edge_index)
    assert torch.equal(out.pos, expected.pos)
    assert torch.equal(out.edge_weight, expected.edge_weight)
    assert torch.equal(out.landmarks, data.landmarks)
    full = T.ToPixelGraph(GRAPH, standardize=True, coordinates=True, basis=True)(data)
    x = out.x[:, 0].double().numpy()
    np.testing.assert_allclose(full.x[:, 0], (x - x.mean()) / x.std(), atol=1e-5)
    unit = [((u + 0.5) / 12, (v + 0.5) / 8) for u, v in pairs]
    np.testing.assert_allclose(full.x[:, 1:], unit, atol=1e-6)
    assert torch.equal(full.eigenvalues, GRAPH.eigenvalues[None])
    assert torch.equal(full.eigenvectors, GRAPH.eigenvectors)
    assert 'edge_index' not in T.ToPixelGraph(GRAPH, edges=False)(data)
    with pytest.raises(ValueError, match=r'up to column 11 and row 7, got 8 x 11'):
        T.ToPixelGraph(replace(GRAPH, image_size=None))(face(size=(8, 11)))


def test_batch_matches_the_graph(assert_same):
    batch = Batch.from_data_list([face(seed) for seed in range(3)])
    del batch['landmarks']
    batch = Batch.from_data_list([Data(image=face(s).image, y=face(s).y) for s in range(3)])
    out = T.ToPixelGraph(GRAPH, basis=True)(batch)
    assert_same(out, graph_to_batch(GRAPH, out.x.view(3, -1, 1), basis=True, y=batch.y))


def test_random_pixels_differ_between_images():
    batch = Batch.from_data_list([face(0) for _ in range(3)])
    image = batch.image.clone()
    out = T.ToRandomPixelGraph(0.4, k=4)(batch)
    parts = out.to_data_list()
    assert [part.num_nodes for part in parts] == [38] * 3  # 0.4 of 96, rounded down
    assert not torch.equal(parts[0].pos, parts[1].pos)
    counts = torch.zeros(SIZE)
    for number, part in enumerate(parts):
        column, row = part.pos.long().t()
        assert len(part.pos.unique(dim=0)) == 38
        assert torch.equal(part.x[:, 0], image[number, row, column] / 255)
        assert torch.equal(part.edge_index, knn_graph(part.pos, 4))
        counts[row, column] += 1
    assert counts.max() > 1
    with pytest.raises(ValueError, match='at least 9 points for k=8 neighbours, got 7'):
        T.ToRandomPixelGraph(7)(face())
    with pytest.raises(ValueError, match='for 8 x 12, got 97'):
        T.ToRandomPixelGraph(97)(face())


# Graphs over landmarks ########################################################


def test_features_of_landmarks():
    data = face()
    points = data.landmarks.double().numpy()
    out = T.ToLandmarkGraph(6, ('coordinates', 'distances', 'intensity'))(data)
    size = np.linalg.norm(points.max(axis=0) - points.min(axis=0))
    np.testing.assert_allclose(out.x[:, :2], (points - points.mean(axis=0)) / size, atol=1e-5)
    distance = np.sort(cdist(points, points), axis=1)[:, 1:7]
    np.testing.assert_allclose(out.x[:, 2:8], distance / size, atol=1e-5)
    image = data.image[0].numpy() / 255.0
    at = np.clip(points[:, ::-1] - 0.5, 0, np.array(SIZE) - 1).T
    grey = ndimage.map_coordinates(image, at, order=1)
    np.testing.assert_allclose(out.x[:, 8], grey, atol=1e-4)
    np.testing.assert_allclose(out.pos, points - 0.5, atol=1e-5)
    assert torch.equal(out.edge_index, knn_graph(out.pos, 6))
    assert 'landmarks' not in out
    shared = T.ToLandmarkGraph(graph=LANDMARKS)(data)
    assert torch.equal(shared.edge_index, LANDMARKS.edge_index)


def test_distances_do_not_change_where_a_face_is_moved_turned_and_scaled():
    data = face()
    transform = T.ToLandmarkGraph(8, ['distances'], 'eyes')
    angle = math.radians(25)
    turn = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    moved = data.clone()
    moved.landmarks = 1.7 * data.landmarks @ turn.T + torch.tensor([3.0, -2.0])
    torch.testing.assert_close(transform(moved).x, transform(data).x, atol=1e-4, rtol=1e-4)
    box = T.ToLandmarkGraph(8)
    moved.landmarks = 1.7 * data.landmarks + torch.tensor([3.0, -2.0])
    torch.testing.assert_close(box(moved).x, box(data).x, atol=1e-4, rtol=1e-4)
    # In a mirror, the distances change places as the landmarks do.
    flip = T.RandomImageFlip(1.0)
    mirrored = transform(flip(data)).x
    torch.testing.assert_close(mirrored, transform(data).x[list(flip.mirror)])


def test_invalid_landmarks():
    together = face()
    together.landmarks[:] = 3.0
    assert not T.ToLandmarkGraph()(together).x.any()
    with pytest.raises(ValueError, match='k must be less than the 8 landmarks, got 8'):
        T.ToLandmarkGraph()(face(points=8))
    with pytest.raises(ValueError, match=r'must be the 68 of 300-W .* got 9'):
        T.ToLandmarkGraph(scale='eyes')(face(points=9))
    with pytest.raises(ValueError, match='a node for each of the 9 landmarks, got 68'):
        T.ToLandmarkGraph(graph=LANDMARKS)(face(points=9))
    data = face()
    data.landmarks = data.landmarks.view(-1)
    with pytest.raises(
        ValueError, match=r"'landmarks' must have shape \[L, 2\] per image, got \[136\]"
    ):
        T.ToLandmarkGraph()(data)


def test_pixel_graph_has_one_image_size():
    graph = pixel_graph(np.int64(8), np.int64(20), k=4, num_modes=4, levels=0)
    assert graph.image_size == (8, 8)
    assert torch.equal(graph.pos, pixel_graph((np.int32(8), 8), 20, 4, 4, 0).pos)
    T.ToPixelGraph(graph)(Data(image=torch.rand(1, 8, 8)))
    for size in ((16, 16), (8, 12)):
        message = rf'image must be 8 x 8 pixels for this graph, got {size[0]} x {size[1]}'
        with pytest.raises(ValueError, match=message):
            T.ToPixelGraph(graph)(Data(image=torch.rand(1, *size)))
    seeds = [pixel_graph(8, 20, k=4, num_modes=4, levels=0, seed=seed) for seed in (0, 1)]
    assert repr(T.ToPixelGraph(seeds[0])) != repr(T.ToPixelGraph(seeds[1]))


@pytest.mark.parametrize('transform', [*IMAGES, *GRAPHS[:5]], ids=name)
@pytest.mark.parametrize('value', [255.0, -0.5, math.nan])
def test_intensities_outside_the_unit_interval_raise(transform, value):
    image = torch.full((1, *SIZE), value)
    if isinstance(transform, (T.RandomImageFlip, T.RandomImageAffine)):  # which only move it
        transform(Data(image=image))
    else:
        with pytest.raises(ValueError, match=r"'image' must be uint8 or in \[0, 1\]"):
            transform(Data(image=image))


@pytest.mark.parametrize('transform', [*IMAGES, *GRAPHS[:5]], ids=name)
def test_a_colour_image_without_a_dimension_for_samples_raises(transform):
    with pytest.raises(ValueError, match=r'per sample, got shape \[3, 8, 12\] for 1 samples'):
        transform(Data(image=torch.rand(3, *SIZE)))
