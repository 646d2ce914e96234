import pytest
import torch
from torch_geometric.data import Batch

from graphmotion.transforms import FrameDropout


def test_always_and_never(make, assert_same):
    data = make(silhouettes=True)
    out = FrameDropout(p=1)(data)
    assert not out.pos.any()
    assert not out.score.any()
    assert not out.silhouettes.any()
    assert torch.equal(out.num_frames, data.num_frames)
    assert_same(FrameDropout(p=0)(data), data, atol=0)


def test_frames_are_dropped_with_probability_p(make):
    torch.manual_seed(0)
    samples = [make(missing=None, seed=i, silhouettes=True, people=2) for i in range(100)]
    batch = Batch.from_data_list(samples)
    batch.silhouettes = torch.ones_like(batch.silhouettes)
    out = FrameDropout(p=0.3)(batch)
    dropped = (out.score == 0).view(100, 34, 12)
    assert torch.equal(dropped, dropped[:, :1].expand_as(dropped))
    assert torch.equal(out.pos, batch.pos * (out.score > 0).unsqueeze(-1))
    frames = dropped[:, 0]
    assert abs(float(frames.float().mean()) - 0.3) < 0.05
    assert frames.unique(dim=0).size(0) > 90
    assert torch.equal(~out.silhouettes.any(-1).any(-1), frames)


def test_silhouettes_alone(make):
    data = make(silhouettes=True)
    del data.pos, data.score
    data.num_nodes = 16
    out = FrameDropout(p=1)(data)
    assert not out.silhouettes.any()
    assert 'score' not in out


def test_invalid_probability():
    with pytest.raises(ValueError, match=r'p must be in \[0, 1\]'):
        FrameDropout(-1)
