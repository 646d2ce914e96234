import torch
from torch_geometric.data import Batch

from graphmotion.transforms import RandomTimeShift


def shift_of(out, data, frames):
    """The number of frames by which a sample was shifted, or None."""
    for shift in range(frames):
        if torch.equal(out.pos[:, :frames], data.pos[:, :frames].roll(-shift, dims=1)):
            return shift
    return None


def test_rolls_all_fields_and_leaves_the_padding(make):
    data = make(num_frames=7, padding=3, missing=0.2, silhouettes=True)
    data.x = torch.randn(17, 10, 4)
    out = RandomTimeShift()(data)
    shift = shift_of(out, data, 7)
    assert shift is not None
    for name in ('pos', 'score', 'x', 'silhouettes'):
        assert torch.equal(out[name][:, :7], data[name][:, :7].roll(-shift, dims=1)), name
        assert torch.equal(out[name][:, 7:], data[name][:, 7:]), name


def test_first_frame_is_uniform(make):
    samples = [make(num_frames=4, seed=i, missing=None) for i in range(400)]
    out = RandomTimeShift()(Batch.from_data_list(samples))
    shifts = [shift_of(after, before, 4) for after, before in zip(out.to_data_list(), samples)]
    counts = torch.bincount(torch.tensor(shifts), minlength=4)
    assert len(counts) == 4
    assert counts.min() > 70
