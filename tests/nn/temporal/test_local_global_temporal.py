import pytest
import torch

from graphmotion.nn import LocalGlobalTemporal
from graphmotion.skeletons import get_skeleton

T = 6
TEMPORAL = {'heads': 2, 'feedforward_channels': 12, 'num_blocks': (1, 1)}


def receptive_field(module, frame, branch):
    """Frames that the features of one frame depend on."""
    x = torch.randn(1, 9, 4, requires_grad=True)
    (gradient,) = torch.autograd.grad(module.branches(x)[branch, 0, frame].sum(), x)
    return gradient[0].abs().sum(dim=-1).nonzero().flatten().tolist()


def test_receptive_fields_of_branches():
    own = LocalGlobalTemporal(4, 64, share_weights=False, fusion=None, **TEMPORAL)
    assert [receptive_field(own, 4, i) for i in range(3)] == [[4], [3, 4, 5], [2, 3, 4, 5, 6]]
    shared = LocalGlobalTemporal(4, 64, fusion=None, **TEMPORAL)
    assert [receptive_field(shared, 4, i) for i in range(3)] == [[4], [3, 4, 5], [2, 4, 6]]
    fused = LocalGlobalTemporal(4, 64, **TEMPORAL)
    assert [receptive_field(fused, 4, i) for i in range(3)] == [[4], [3, 4, 5], [2, 3, 4, 5, 6]]
    reverse = LocalGlobalTemporal(4, 64, reverse=True, **TEMPORAL)
    assert [receptive_field(reverse, 4, i) for i in range(3)] == [[2, 3, 4, 5, 6]] * 2 + [[2, 4, 6]]


def test_fusion_of_branches():
    apart = LocalGlobalTemporal(4, 8, fusion=None, **TEMPORAL).eval()
    x = torch.randn(5, T, 4)
    one, two, three = apart.branches(x)
    for reverse, expected in (
        (False, [one, one + two, one + two + three]),
        (True, [one + two + three, two + three, three]),
    ):
        fused = LocalGlobalTemporal(4, 8, reverse=reverse, **TEMPORAL).eval()
        fused.load_state_dict(apart.state_dict())
        torch.testing.assert_close(fused.branches(x), torch.stack(expected))


def test_maxima_and_decoded_features_of_each_branch():
    module = LocalGlobalTemporal(4, 8, **TEMPORAL).eval()
    x = torch.randn(5, T, 4)
    branches = module.branches(x)
    maxima, decoded = module(x)
    assert maxima.shape == decoded.shape == (3, 5, 8)
    torch.testing.assert_close(maxima, branches.max(dim=2).values)
    for branch in range(3):
        torch.testing.assert_close(decoded[branch], module.decoder(branches[branch]))
    without = LocalGlobalTemporal(4, 8, **TEMPORAL | {'num_blocks': None})
    assert without(x)[1] is None
    with pytest.raises(ValueError, match='num_blocks must be given to decode frames, got None'):
        without.decode(branches)


def test_nodes_do_not_mix():
    module = LocalGlobalTemporal(4, 8, fusion='attention', **TEMPORAL).eval()
    x = torch.randn(5, T, 4)
    moved = x.clone()
    moved[2] += 1
    for before, after in zip(module(x), module(moved)):
        changed = (after - before).abs().amax(dim=(0, 2)) > 1e-6
        assert changed.tolist() == [False, False, True, False, False]


def test_runs_on_the_joints_of_skeletons():
    """A batch of two skeletons with sequences of different lengths."""
    module = LocalGlobalTemporal(3, 8, **TEMPORAL).eval()
    joints = get_skeleton('coco17').num_joints
    first, second = torch.randn(joints, 9, 3), torch.randn(joints, 4, 3)
    x = torch.zeros(2 * joints, 9, 3)
    x[:joints], x[joints:, :4] = first, second
    mask = torch.ones(2 * joints, 9, dtype=torch.bool)
    mask[joints:, 4:] = False
    for both, one, two in zip(module(x, mask), module(first), module(second)):
        torch.testing.assert_close(both, torch.cat([one, two], dim=1))
