import pytest
import torch
from torch_geometric.data import Data

from graphmotion.inference.windows import count_frames, cut_frames, window_starts


@pytest.mark.parametrize('num_frames', range(1, 30))
@pytest.mark.parametrize(('window', 'hop'), [(1, 1), (5, 5), (5, 2), (4, 7), (30, 3)])
def test_windows_are_regular_and_reach_the_end(num_frames, window, hop):
    starts = window_starts(num_frames, window, hop)
    last = max(num_frames - window, 0)
    assert starts[0] == 0
    assert starts[-1] == last
    assert starts == sorted(set(starts))
    assert all(start % hop == 0 for start in starts[:-1])
    assert len(starts) == -(-last // hop) + 1
    if hop <= window:
        covered = {frame for start in starts for frame in range(start, start + window)}
        assert covered >= set(range(num_frames))


def test_frames_of_all_fields_are_cut():
    data = Data(
        pos=torch.randn(3, 8, 2),
        score=torch.rand(3, 8),
        silhouettes=torch.rand(1, 8, 4, 4),
        y=torch.tensor([1]),
        num_frames=torch.tensor([7]),
    )
    part = cut_frames(data, 2, 9)
    assert torch.equal(part.pos, data.pos[:, 2:7])
    assert torch.equal(part.score, data.score[:, 2:7])
    assert torch.equal(part.silhouettes, data.silhouettes[:, 2:7])
    assert part.num_frames.tolist() == [5]
    assert part.y is data.y
    assert data.pos.size(1) == 8
    assert data.num_frames.tolist() == [7]


def test_samples_with_and_without_frames():
    assert count_frames(Data(pos=torch.zeros(3, 8, 2), num_frames=torch.tensor([5]))) == 5
    assert count_frames(Data(x=torch.zeros(3, 8, 2))) == 8
    assert count_frames(Data(silhouettes=torch.zeros(1, 6, 4, 4))) == 6
    assert count_frames(Data(x=torch.zeros(3, 2), pos=torch.zeros(3, 2))) is None
    assert count_frames(Data(image=torch.zeros(1, 8, 8))) is None
