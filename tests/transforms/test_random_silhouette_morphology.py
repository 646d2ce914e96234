import numpy as np
import pytest
import torch
from scipy.ndimage import binary_dilation, binary_erosion
from torch_geometric.data import Batch, Data

from graphmotion.transforms import RandomSilhouetteMorphology


@pytest.mark.parametrize('radius', [1, 2, 3])
@pytest.mark.parametrize('dtype', [torch.uint8, torch.bool, torch.float32])
def test_matches_scipy(radius, dtype):
    random = np.random.default_rng(0)
    images = random.uniform(size=(64, 2, 12, 9)) < 0.5
    samples = [Data(silhouettes=torch.tensor(image[None]).to(dtype)) for image in images]
    out = RandomSilhouetteMorphology(radius, p=0.8)(Batch.from_data_list(samples)).silhouettes
    assert out.dtype == dtype
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    disc = (y**2 + x**2 <= radius**2)[None]
    counts = [0, 0, 0]
    for image, found in zip(images, out.numpy()):
        # Outside of the image is body to erosion, and none to dilation.
        expected = (
            image,
            binary_erosion(image, disc, border_value=1),
            binary_dilation(image, disc),
        )
        same = [bool((found == e).all()) for e in expected]
        assert any(same)
        counts[same.index(True)] += 1
    assert counts[0] < 25
    assert min(counts[1:]) > 10  # 26 expected, deviation 4


def test_constant_clips_are_unchanged():
    for value in (0, 1):
        images = torch.full((1, 1, 3, 1), value, dtype=torch.uint8)
        for _ in range(5):
            out = RandomSilhouetteMorphology(2, p=1)(Data(silhouettes=images.clone()))
            assert torch.equal(out.silhouettes, images)


def test_invalid_arguments():
    with pytest.raises(ValueError, match='radius must be an integer >= 1, got 0'):
        RandomSilhouetteMorphology(0)
    with pytest.raises(ValueError, match=r'p must be in \[0, 1\]'):
        RandomSilhouetteMorphology(p=-1)
