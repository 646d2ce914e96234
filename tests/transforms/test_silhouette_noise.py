import pytest
import torch
from torch_geometric.data import Batch, Data

from graphmotion.transforms import SilhouetteNoise


def test_flip_rate_differs_between_clips():
    images = (torch.rand(40, 5, 40, 30) < 0.3).byte()
    batch = Batch.from_data_list([Data(silhouettes=i[None], num_nodes=1) for i in images])
    turned = SilhouetteNoise(0.2)(batch).silhouettes != images
    rates = turned.float().mean(dim=(1, 2, 3))
    assert float(rates.min()) < 0.04
    assert 0.16 < float(rates.max()) < 0.21
    assert float(rates.mean()) == pytest.approx(0.1, abs=0.03)
    one = turned[rates.argmax()]  # 1200 pixels a frame
    assert not torch.equal(one[0], one[1])
    body, rate = images[rates.argmax()] == 1, rates.max()
    for part in (body, ~body):
        assert float(one[part].float().mean()) == pytest.approx(float(rate), abs=0.03)


def test_rate_is_a_probability():
    images = torch.ones(1, 2, 4, 3).byte()
    assert torch.equal(SilhouetteNoise(0)(Data(silhouettes=images)).silhouettes, images)
    with pytest.raises(ValueError, match=r'max_p must be in \[0, 1\]'):
        SilhouetteNoise(1.2)
