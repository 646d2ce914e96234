import pytest
import torch
from torch_geometric.data import Batch

from graphmotion.transforms import PadFrames


@pytest.mark.parametrize('padding', [0, 2])
def test_loop_repeats_and_counts_as_frames(padding, make):
    data = make(num_frames=5, padding=padding, missing=0.2, silhouettes=True)
    data.x = torch.randn(17, 5 + padding, 4)
    out = PadFrames(12)(data)
    assert out.num_frames.tolist() == [12]
    for name in ('pos', 'score', 'x', 'silhouettes'):
        assert out[name].size(1) == 12
        for t in range(12):
            assert torch.equal(out[name][:, t], data[name][:, t % 5])


def test_edge_repeats_the_last_frame(make):
    data = make(num_frames=5, padding=1, missing=0.2)
    out = PadFrames(9, 'edge')(data)
    assert out.num_frames.tolist() == [5]
    for name in ('pos', 'score'):
        assert torch.equal(out[name][:, :5], data[name][:, :5])
        assert torch.equal(out[name][:, 5:], data[name][:, 4:5].expand_as(out[name][:, 5:]))


def test_zero_fills_with_zeros(make):
    data = make(num_frames=5, padding=1, missing=0.2, silhouettes=True)
    out = PadFrames(9, 'zero')(data)
    assert out.num_frames.tolist() == [5]
    for name in ('pos', 'score', 'silhouettes'):
        assert torch.equal(out[name][:, :5], data[name][:, :5])
        assert not out[name][:, 5:].any()


def test_sets_missing_frame_counts(make):
    data = make(num_frames=5)
    del data.num_frames
    assert PadFrames(9, 'edge')(data).num_frames.tolist() == [5]
    assert PadFrames(9, 'loop')(data).num_frames.tolist() == [9]


def test_stored_padding_is_removed_but_frames_are_kept(make):
    samples = [make(num_frames=4, padding=6), make(num_frames=7, padding=3, seed=1)]
    out = PadFrames(8, 'edge')(Batch.from_data_list(samples))
    assert out.pos.shape == (34, 8, 3)
    assert out.num_frames.tolist() == [4, 7]
    with pytest.raises(ValueError, match='at least the 7 frames of the longest sequence, got 6'):
        PadFrames(6)(Batch.from_data_list(samples))


def test_invalid_arguments():
    with pytest.raises(ValueError, match=r"\['loop', 'edge', 'zero'\], got 'reflect'"):
        PadFrames(6, 'reflect')
    with pytest.raises(ValueError, match='must be an integer >= 1'):
        PadFrames(6.0)
