import pytest
import torch
from torch_geometric.data import Batch, Data

from graphmotion.transforms import RandomSilhouetteErasing


def white(number=500, frames=2, height=32, width=20):
    images = torch.ones(1, frames, height, width, dtype=torch.uint8)
    return Batch.from_data_list([Data(silhouettes=images) for _ in range(number)])


def test_clears_one_rectangle_of_the_right_size():
    batch = white()
    out = RandomSilhouetteErasing((0.1, 0.3), (0.5, 2), p=0.4)(batch).silhouettes
    assert torch.equal(out[:, 0], out[:, 1])
    assert batch.silhouettes.all()
    cleared = out[:, 0] == 0
    chosen = cleared.flatten(1).any(dim=1)
    assert 150 < int(chosen.sum()) < 250
    rows, columns = cleared[chosen].any(dim=2), cleared[chosen].any(dim=1)
    assert torch.equal(cleared[chosen], rows.unsqueeze(2) & columns.unsqueeze(1))
    for line in (rows, columns):  # one run
        assert int((line[:, 1:] & ~line[:, :-1]).sum(dim=1).add(line[:, 0]).max()) == 1
    height, width = rows.sum(dim=1), columns.sum(dim=1)
    area = height * width / (32 * 20)
    assert 0.08 < float(area.min()) < 0.12 < 0.27 < float(area.max()) < 0.33
    ratio = height / width
    assert 0.4 < float(ratio.min()) < 0.6 < 1.7 < float(ratio.max()) < 2.4
    for line, size in ((rows, 32), (columns, 20)):  # anywhere
        assert int(line[:, 0].sum()) > 0
        assert int(line[:, size - 1].sum()) > 0
        middle = (line * torch.arange(size)).sum(1) / line.sum(1)
        assert abs(float(middle.mean()) - (size - 1) / 2) < 1


def test_rectangles_are_limited_to_the_image():
    out = RandomSilhouetteErasing((1, 1), (0.001, 1000), p=1)(white(50)).silhouettes
    assert bool((out[:, 0] == 0).flatten(1).any(dim=1).all())
    out = RandomSilhouetteErasing((1, 1), (32 / 20, 32 / 20), p=1)(white(3)).silhouettes
    assert not out.any()
    assert RandomSilhouetteErasing(p=0)(white(3)).silhouettes.all()


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'area': (0, 0.1)}, r'area must be an interval \(low, high\) in \(0, 1\], got \(0, 0.1\)'),
        ({'area': (0.5, 1.1)}, r'area must be an interval \(low, high\) in \(0, 1\]'),
        ({'ratio': (0, 1)}, r'ratio must be an interval \(low, high\) in \(0, inf\), got \(0, 1\)'),
        ({'ratio': (-1, 1)}, r'ratio must be an interval \(low, high\) in \(0, inf\)'),
    ],
)
def test_invalid_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        RandomSilhouetteErasing(**options)
