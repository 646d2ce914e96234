import pytest
import torch
from torch_geometric.data import Data

from graphmotion.transforms import DownsampleSilhouettes


@pytest.mark.parametrize('dtype', [torch.uint8, torch.bool])
@pytest.mark.parametrize('factor', [1, 2, 3])
def test_a_pixel_is_set_if_half_of_its_square_is(factor, dtype):
    images = (torch.rand(1, 4, 12, 6) < 0.5).to(dtype)
    out = DownsampleSilhouettes(factor)(Data(silhouettes=images)).silhouettes
    assert out.shape == (1, 4, 12 // factor, 6 // factor)
    assert out.dtype == dtype
    for t, y, x in torch.cartesian_prod(*map(torch.arange, out.shape[1:])).tolist():
        square = images[0, t, factor * y : factor * (y + 1), factor * x : factor * (x + 1)]
        assert int(out[0, t, y, x]) == int(2 * int(square.sum()) >= factor**2)


def test_a_soft_pixel_is_the_part_of_its_square_that_is_set():
    images = torch.zeros(1, 1, 2, 6, dtype=torch.uint8)
    images[..., 2] = images[0, 0, 0, 4] = 1
    out = DownsampleSilhouettes(soft=True)(Data(silhouettes=images)).silhouettes
    assert out.tolist() == [[[[0, 0.5, 0.25]]]]


def test_invalid_arguments():
    with pytest.raises(ValueError, match='factor must be an integer >= 1'):
        DownsampleSilhouettes(0)
    with pytest.raises(ValueError, match='must be multiples of 2, got 12 x 7'):
        DownsampleSilhouettes()(Data(silhouettes=torch.zeros(1, 4, 12, 7).byte()))
