import torch

from graphmotion.nn import MotionBatchNorm


def test_normalises_each_channel_over_nodes_and_frames():
    norm = MotionBatchNorm(3)
    x = 5 + 2 * torch.randn(8, 6, 3)
    mean, var = x.mean(dim=(0, 1)), x.var(dim=(0, 1), unbiased=False)
    torch.testing.assert_close(norm(x), (x - mean) / (var + 1e-5).sqrt(), atol=1e-5, rtol=1e-5)


def test_normalises_each_node_separately():
    norm = MotionBatchNorm(3, num_nodes=4)
    x = torch.randn(2 * 4, 6, 3) + torch.arange(4.0).repeat(2).view(-1, 1, 1)
    graphs = x.view(2, 4, 6, 3)
    mean = graphs.mean(dim=(0, 2), keepdim=True)
    var = graphs.var(dim=(0, 2), unbiased=False, keepdim=True)
    expected = ((graphs - mean) / (var + 1e-5).sqrt()).view(x.shape)
    torch.testing.assert_close(norm(x), expected, atol=1e-5, rtol=1e-5)


def test_can_be_synchronised_between_processes():
    norm = torch.nn.SyncBatchNorm.convert_sync_batchnorm(MotionBatchNorm(3, num_nodes=4))
    assert isinstance(norm, MotionBatchNorm)
    assert isinstance(norm.norm, torch.nn.SyncBatchNorm)


def test_padded_frames_do_not_change_the_statistics():
    for num_nodes in (None, 4):
        x = torch.randn(2 * 4, 6, 3)
        frames = torch.tensor([2, 6]).repeat_interleave(4)
        mask = torch.arange(6) < frames.unsqueeze(1)
        norm, expected = (MotionBatchNorm(3, num_nodes) for _ in range(2))
        out = norm(x, mask)
        # The same frames in a sequence without padding.
        joined = expected(torch.cat([x[:4, :2], x[4:]], dim=1))
        torch.testing.assert_close(out[:4, :2], joined[:, :2])
        torch.testing.assert_close(out[4:], joined[:, 2:])
        assert out[:4, 2:].count_nonzero() == 0
        torch.testing.assert_close(norm.state_dict(), expected.state_dict())
        torch.testing.assert_close(norm.eval()(x, mask), norm(x))
