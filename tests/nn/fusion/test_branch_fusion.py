import pytest
import torch

from graphmotion.nn import BranchFusion

V, T, C = 6, 4, 3


def branches(num, dtype=torch.float32):
    return [torch.randn(V, T, C, dtype=dtype) for _ in range(num)]


def test_sums_run_from_the_first_branch_to_the_last():
    a, b, c = branches(3)
    fusion = BranchFusion(C, 3)
    assert not list(fusion.parameters())
    for out, expected in zip(fusion([a, b, c]), [a, a + b, a + b + c], strict=True):
        torch.testing.assert_close(out, expected)
    backward = BranchFusion(C, 3, reverse=True)
    for out, expected in zip(backward([a, b, c]), [a + b + c, b + c, c], strict=True):
        torch.testing.assert_close(out, expected)


def test_reverse_sums_start_at_the_last_branch():
    xs = branches(4)
    mirrored = BranchFusion(C, 4)(xs[::-1])[::-1]
    for out, expected in zip(BranchFusion(C, 4, reverse=True)(xs), mirrored, strict=True):
        assert torch.equal(out, expected)


def test_zero_branches_have_no_effect():
    zero, x = torch.zeros(V, T, C), torch.randn(V, T, C)
    assert torch.equal(BranchFusion(C, 3)([zero, zero, x])[2], x)


def test_attention_against_a_loop():
    fusion = BranchFusion(C, 3, 'attention').double()
    xs = branches(3, torch.float64)
    outs = fusion(xs)
    for v in range(V):
        for t in range(T):
            together = torch.cat([x[v, t] for x in xs])
            fused = fusion.lin.weight @ together + fusion.lin.bias
            weights = torch.stack([fused.dot(x[v, t]) for x in xs]).exp()
            weights = weights / weights.sum()
            for out, x, weight in zip(outs, xs, weights, strict=True):
                torch.testing.assert_close(out[v, t], weight * x[v, t] + x[v, t])


def test_weights_sum_to_one_and_equal_branches_share():
    fusion = BranchFusion(C, 3, 'attention')
    total = fusion.attention(branches(3)).sum(dim=0)
    torch.testing.assert_close(total, torch.ones(V, T, 1))
    x = torch.randn(V, T, C)
    for out in fusion([x, x, x]):
        torch.testing.assert_close(out, x * 4 / 3)


@pytest.mark.parametrize('mode', ['sum', 'attention'])
def test_static_graphs(mode):
    fusion, xs = BranchFusion(C, 2, mode), branches(2)
    for out, expected in zip(fusion([x[:, 0] for x in xs]), fusion(xs), strict=True):
        torch.testing.assert_close(out, expected[:, 0])


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
def test_autocast_keeps_the_type(dtype):
    fusion = BranchFusion(C, 2, 'attention')
    with torch.autocast('cpu', dtype=torch.bfloat16):
        outs = fusion([x.to(dtype) for x in branches(2)])
    assert {out.dtype for out in outs} == {dtype}


def test_wrong_input_raises():
    with pytest.raises(ValueError, match='must be 3 tensors of the same shape'):
        BranchFusion(C, 3)(branches(2))
    with pytest.raises(ValueError, match='must be 2 tensors of the same shape'):
        BranchFusion(C, 2)([torch.randn(V, T, C), torch.randn(1, T, C)])
    with pytest.raises(ValueError, match=r"\['sum', 'attention'\], got 'mean'"):
        BranchFusion(C, 2, 'mean')
    with pytest.raises(ValueError, match="reverse requires mode='sum'"):
        BranchFusion(C, 2, 'attention', reverse=True)
    with pytest.raises(ValueError, match="requires mode='attention'"):
        BranchFusion(C, 2).attention(branches(2))
