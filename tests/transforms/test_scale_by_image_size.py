import pytest
import torch
from torch_geometric.data import Batch

from graphmotion.transforms import ScaleByImageSize


@pytest.mark.parametrize('dims', [2, 3])
def test_one_size_for_all_axes(dims, make):
    data = make(dims=dims, missing=0.3)
    out = ScaleByImageSize(320)(data)
    torch.testing.assert_close(out.pos * 320, data.pos)
    assert torch.equal(out.score, data.score)


def test_width_and_height(make):
    data = make(dims=2)
    out = ScaleByImageSize((320, 240))(data)
    torch.testing.assert_close(out.pos[..., 0] * 320, data.pos[..., 0])
    torch.testing.assert_close(out.pos[..., 1] * 240, data.pos[..., 1])
    assert torch.equal(ScaleByImageSize([320])(data).pos, ScaleByImageSize(320)(data).pos)


@pytest.mark.parametrize('size', [0, -1, float('inf'), (1, 2, 3), (), 'big', (320, 0), None])
def test_other_sizes_raise(size):
    with pytest.raises(ValueError, match=r'size must be a positive width or \(width, height\)'):
        ScaleByImageSize(size)


def test_height_for_3d_positions_raises(make):
    with pytest.raises(
        ValueError, match=r'size must be a width for 3D positions, got \(320, 240\)'
    ):
        ScaleByImageSize((320, 240))(make(dims=3))


def test_images_of_different_sizes(make):
    samples = [make(dims=2) for _ in range(3)]
    sizes = [(480, 640), (1080, 1920), (100, 50)]
    for data, size in zip(samples, sizes):
        data.image_size = torch.tensor([size])
    expected = [
        (data.pos / width, data.pos / torch.tensor([width, height]))
        for data, (height, width) in zip(samples, sizes)
    ]
    for column, size in enumerate(('width', 'both')):
        out = ScaleByImageSize(size)(Batch.from_data_list([data.clone() for data in samples]))
        torch.testing.assert_close(out.pos, torch.cat([pos[column] for pos in expected]))
        one = ScaleByImageSize(size)(samples[1].clone())
        torch.testing.assert_close(one.pos, expected[1][column])
    assert torch.equal(ScaleByImageSize()(samples[0].clone()).pos, expected[0][0])


def test_missing_sizes_raise(make):
    with pytest.raises(ValueError, match="must have the field 'image_size'"):
        ScaleByImageSize()(make())
    with pytest.raises(ValueError, match='size must be a width for 3D positions'):
        ScaleByImageSize('both')(make(dims=3))
