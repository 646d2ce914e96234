import pytest
import torch
from torch_geometric.data import Batch

from graphmotion.transforms import RandomSpeed, ResampleFrames


def line(make, num_frames, padding=0, seed=0):
    """Returns a sample whose positions are the time."""
    data = make(num_frames=num_frames, padding=padding, missing=None, seed=seed)
    time = torch.arange(num_frames + padding).clamp(max=num_frames - 1)
    data.pos = time.view(1, -1, 1).expand(17, -1, 3).clone().float()
    return data


def test_times_are_evenly_spaced_in_one_window_per_graph(make):
    torch.manual_seed(0)
    data = Batch.from_data_list([line(make, 21), line(make, 11, padding=10), line(make, 21)])
    out = RandomSpeed((0.3, 0.8))(data)
    assert out.num_frames.tolist() == [21, 11, 21]
    windows = []
    for graph, n in enumerate((21, 11, 21)):
        times = out.pos[17 * graph : 17 * (graph + 1), :n, :]
        assert torch.equal(times, times[:1, :, :1].expand_as(times))
        time = times[0, :, 0]
        step = (time[-1] - time[0]) / (n - 1)
        torch.testing.assert_close(time.diff(), step.expand(n - 1), atol=1e-5, rtol=0)
        assert 0.3 - 1e-6 <= step <= 0.8 + 1e-6
        assert time[0] >= 0
        assert time[-1] <= n - 1
        windows.append((float(time[0]), float(step)))
    assert len(set(windows)) == 3


def test_windows_reach_both_ends(make):
    torch.manual_seed(0)
    data = Batch.from_data_list([line(make, 21, seed=i) for i in range(300)])
    out = RandomSpeed((0.5, 1.0))(data).pos[::17, :, 0]
    assert out.min() < 0.1
    assert out.max() > 19.9
    lengths = (out[:, -1] - out[:, 0]) / 20
    assert lengths.min() < 0.51
    assert lengths.max() > 0.99
    assert abs(float(lengths.mean()) - 0.75) < 0.03


def test_starts_are_uniform(make):
    torch.manual_seed(0)
    data = Batch.from_data_list([line(make, 21, seed=i) for i in range(300)])
    start = RandomSpeed((0.5, 0.5))(data).pos[::17, 0, 0]
    assert start.min() < 0.3
    assert 9.7 < start.max() <= 10
    assert abs(float(start.mean()) - 5) < 0.5


def test_padding_repeats_the_last_frame(make):
    data = line(make, 6, padding=5)
    out = RandomSpeed((0.3, 0.9))(data).pos
    assert torch.equal(out[:, 6:], out[:, 5:6].expand(-1, 5, -1))


def test_whole_window_is_resampling(make, assert_same):
    data = make(num_frames=10, padding=2, missing=0.2, silhouettes=True)
    assert_same(RandomSpeed((1, 1), num_frames=17)(data), ResampleFrames(17)(data), atol=0)
    out = RandomSpeed((1, 1))(data)
    assert torch.equal(out.pos[:, :10], data.pos[:, :10])


@pytest.mark.parametrize('window', [(0, 1), (0.5, 1.5), (0.9, 0.5), 0.5])
def test_bad_windows_raise(window):
    with pytest.raises(ValueError, match='window must be an interval'):
        RandomSpeed(window)
