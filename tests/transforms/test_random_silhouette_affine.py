import math

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates
from torch_geometric.data import Batch, Data

from graphmotion.transforms import RandomSilhouetteAffine


def clip(height=32, width=20, frames=2):
    image = torch.zeros(1, frames, height, width, dtype=torch.uint8)
    image[..., 6:26, 5:15] = 1
    image[..., 8:12, 7:9] = 0
    image[:, 1:, 20:, 9:11] = 0
    return image


class Fixed(RandomSilhouetteAffine):
    """A transform with given random values."""

    def __init__(self, drawn, **options):
        super().__init__(p=1, **options)
        self.drawn = torch.tensor([drawn])

    def forward(self, data):
        data.silhouettes = self._warp(data.silhouettes, self.drawn)
        return data


@pytest.mark.parametrize('per_axis', [False, True])
def test_follows_the_definition(per_axis):
    images = clip()
    drawn = [0.9, 0.7, 0.2, 0.35, 0.8]
    transform = Fixed(drawn, degrees=30, scales=(0.7, 1.2), translate=(0.3, 0.1), per_axis=per_axis)
    out = transform(Data(silhouettes=images)).silhouettes
    angle = math.radians(30) * 0.8
    wide = 0.7 + 0.5 * 0.7
    tall = 0.7 + 0.5 * 0.2 if per_axis else wide
    y, x = np.mgrid[:32, :20].astype(float)
    y = (y - 15.5 - 0.1 * 32 * 0.6) / tall
    x = (x - 9.5 + 0.3 * 20 * 0.3) / wide
    cos, sin = math.cos(angle), math.sin(angle)
    at = [15.5 + cos * y - sin * x, 9.5 + cos * x + sin * y]
    for frame in range(2):
        value = map_coordinates(images[0, frame].numpy().astype(float), at, order=1)
        sure = abs(value - 0.5) > 1e-4
        assert sure.mean() > 0.9
        assert ((out[0, frame].numpy() == (value >= 0.5)) | ~sure).all()


def test_each_parameter_alone():
    images = clip()
    same = Fixed([0.5, 0.5, 0.5, 0.5, 0.5])(Data(silhouettes=images)).silhouettes
    assert torch.equal(same, images)
    down = Fixed([0.5, 0, 0, 0.5, 1], scales=(1, 1), translate=(0, 1 / 32))
    assert torch.equal(down(Data(silhouettes=images)).silhouettes, images.roll(1, 2))
    right = Fixed([0.5, 0, 0, 1, 0.5], scales=(1, 1), translate=(1 / 20, 0))
    assert torch.equal(right(Data(silhouettes=images)).silhouettes, images.roll(1, 3))
    square = clip(20, 20)
    quarter = Fixed([1.0, 0, 0, 0.5, 0.5], degrees=90, scales=(1, 1))
    assert torch.equal(
        quarter(Data(silhouettes=square)).silhouettes, square.rot90(-1, (2, 3))
    )  # clockwise
    larger = Fixed([0.5, 0, 0, 0.5, 0.5], scales=(1.5, 1.5))(Data(silhouettes=images)).silhouettes
    assert abs(larger.sum() / images.sum() - 2.25) < 0.4  # some of it leaves the image


def test_pixels_outside_the_image_are_zero():
    images = torch.ones(1, 1, 10, 10, dtype=torch.uint8)
    out = Fixed([0.5, 0, 0, 1, 0.5], scales=(1, 1), translate=0.4)(Data(silhouettes=images))
    assert out.silhouettes[..., :4].sum() == 0
    assert out.silhouettes[..., 4:].all()


def test_probability_and_range():
    samples = [Data(silhouettes=clip(), num_frames=torch.tensor([2])) for _ in range(400)]
    batch = Batch.from_data_list(samples)
    out = RandomSilhouetteAffine(0, (1, 1), (0.2, 0), p=0.3)(batch).silhouettes
    moved = (out.flatten(2) != batch.silhouettes.flatten(2)).flatten(1).any(dim=1)
    assert 70 < int(moved.sum()) < 150
    first = out[:, 0].any(dim=1).byte().argmax(dim=1)
    assert (int(first.min()), int(first.max())) == (1, 9)  # 5 with at most 4 to either side
    assert torch.equal(RandomSilhouetteAffine(p=0)(batch).silhouettes, batch.silhouettes)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'degrees': -1}, 'degrees must be a number at least 0, got -1'),
        ({'translate': (0.1, -0.1)}, 'translate must be a number at least 0, got -0.1'),
        ({'translate': (0.1, 0.1, 0.1)}, r'translate must be a number or \(horizontal, vertical\)'),
        ({'translate': float('nan')}, 'translate must be a number at least 0, got nan'),
        (
            {'scales': (0, 1)},
            r'scales must be an interval \(low, high\) in \(0, inf\), got \(0, 1\)',
        ),
        ({'scales': (1, 0.5)}, r'scales must be an interval \(low, high\)'),
        ({'p': 2}, r'p must be in \[0, 1\]'),
    ],
)
def test_invalid_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        RandomSilhouetteAffine(**options)
