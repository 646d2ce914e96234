import torch
from torch.nn import Linear

from graphmotion.nn import MotionBatchNorm, TemporalConv
from graphmotion.nn.frame_sequential import FrameSequential


def test_masks_convolutions_and_normalisations():
    x, mask = torch.randn(4, 7, 3), torch.arange(7) < torch.tensor([[5]] * 4)
    modules = FrameSequential(
        TemporalConv(3, 5, 3, stride=2), MotionBatchNorm(5), Linear(5, 4), TemporalConv(4, 2, 3)
    )
    torch.testing.assert_close(modules(x, mask)[:, :3], modules(x[:, :5]))
    assert not torch.allclose(modules(x)[:, :3], modules(x[:, :5]))


def test_without_modules_is_the_identity():
    x = torch.randn(4, 7, 3)
    assert FrameSequential()(x, torch.ones(4, 7, dtype=torch.bool)) is x
