import pytest
import torch
from torch_geometric.data import Batch, Data

from graphmotion.transforms import SkipFrames


def sample(frames):
    return Data(
        pos=torch.randn(2, frames, 3),
        silhouettes=(torch.rand(1, frames, 4, 2) < 0.5).byte(),
        num_frames=torch.tensor([frames]),
        num_nodes=2,
    )


@pytest.mark.parametrize(('frames', 'step'), [(7, 3), (6, 3), (2, 3), (5, 1)])
def test_keeps_every_few_frames(frames, step):
    data = sample(frames)
    out = SkipFrames(step)(data.clone())
    assert torch.equal(out.pos, data.pos[:, ::step])
    assert torch.equal(out.silhouettes, data.silhouettes[:, ::step])
    assert out.num_frames.tolist() == [-(-frames // step)]


def test_counts_the_frames_of_each_sequence_of_a_batch():
    data = Batch.from_data_list([sample(7), sample(7)])
    data.num_frames = torch.tensor([7, 4])
    out = SkipFrames(2)(data.clone())
    assert torch.equal(out.pos, data.pos[:, ::2])
    assert out.num_frames.tolist() == [4, 2]


def test_bad_arguments_raise():
    with pytest.raises(ValueError, match='step must be an integer >= 1, got 0'):
        SkipFrames(0)
