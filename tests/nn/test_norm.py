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
