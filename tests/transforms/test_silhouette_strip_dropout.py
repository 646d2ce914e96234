import itertools

import pytest
import torch
from torch_geometric.data import Batch, Data

from graphmotion.transforms import SilhouetteStripDropout


def white(number, height):
    images = torch.ones(1, 2, height, 5, dtype=torch.uint8)
    return Batch.from_data_list([Data(silhouettes=images) for _ in range(number)])


@pytest.mark.parametrize(('height', 'num_strips'), [(32, 16), (16, 16), (10, 4)])
def test_clears_strips(height, num_strips):
    out = SilhouetteStripDropout(num_strips, p=0.25)(white(300, height)).silhouettes
    kept = out[:, 0, :, 0]
    assert torch.equal(out, kept[:, None, :, None].expand_as(out))
    starts = [-(-k * height // num_strips) for k in range(num_strips + 1)]
    for begin, end in itertools.pairwise(starts):
        assert end > begin
        strip = kept[:, begin:end]
        assert torch.equal(strip, strip[:, :1].expand_as(strip))
        assert 40 < int((strip[:, 0] == 0).sum()) < 115  # 75 expected, deviation 7.5


def test_invalid_arguments():
    with pytest.raises(
        ValueError, match='num_strips must be at most the 10 rows of the silhouettes, got 16'
    ):
        SilhouetteStripDropout()(white(2, 10))
    with pytest.raises(ValueError, match='num_strips must be an integer >= 1'):
        SilhouetteStripDropout(0)
    with pytest.raises(ValueError, match=r'p must be in \[0, 1\]'):
        SilhouetteStripDropout(p=1.5)
