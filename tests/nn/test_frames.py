import pytest
import torch

from graphmotion.nn.frames import frame_mask, frame_mean, mask_padding, stride_mask
from graphmotion.nn.temporal import TemporalConv


def test_mask_of_num_frames():
    mask = frame_mask(torch.tensor([2, 3, 1]), num_graphs=3, length=3)
    assert mask.int().tolist() == [[1, 1, 0], [1, 1, 1], [1, 0, 0]]
    assert frame_mask(torch.tensor([3, 3]), 2, 3) is None
    assert frame_mask(None, 2, 3) is None
    assert frame_mask(torch.empty(0, dtype=torch.long), 0, 3).shape == (0, 3)


def test_padding_becomes_zero():
    x = torch.full((2 * 2, 3, 1), torch.nan)
    x[:2, :2], x[2:, :1] = 1.0, 2.0
    out, mask = mask_padding(x, torch.tensor([2, 1]), num_nodes=2)
    assert out[..., 0].tolist() == [[1, 1, 0]] * 2 + [[2, 0, 0]] * 2
    assert mask.int().tolist() == [[1, 1, 0]] * 2 + [[1, 0, 0]] * 2
    assert mask_padding(x, None, num_nodes=2)[0] is x


def test_mean_over_valid_frames():
    x, counts = torch.randn(4, 7, 3), torch.tensor([7, 1, 4, 5])
    out = frame_mean(x, frame_mask(counts, 4, 7))
    expected = torch.stack([part[:n].mean(dim=0) for part, n in zip(x, counts)])
    torch.testing.assert_close(out, expected)
    torch.testing.assert_close(frame_mean(x), x.mean(dim=1))


@pytest.mark.parametrize('stride', [1, 2, 3])
def test_mask_after_a_stride(stride):
    conv = TemporalConv(1, 1, 3, stride)
    for n in range(1, 8):
        mask = stride_mask(frame_mask(torch.tensor([n, 8]), 2, 8), stride)
        assert mask.sum(dim=1).tolist() == [conv(torch.randn(1, k, 1)).size(1) for k in (n, 8)]


@pytest.mark.parametrize('counts', [[0, 3], [3, 4]])
def test_invalid_num_frames_raises(counts):
    with pytest.raises(ValueError, match=r'num_frames must be in \[1, 3\], got .* must set it'):
        frame_mask(torch.tensor(counts), 2, 3)
    with pytest.raises(ValueError, match=r'num_frames must have shape \[3\], .* got \[2\]'):
        frame_mask(torch.tensor(counts), 3, 3)
