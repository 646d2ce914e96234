import pytest
import torch

from graphmotion.nn import TopKJointPooling

B, V, T, C, K = 3, 7, 5, 4, 3


@pytest.mark.parametrize('gate', [True, False])
@pytest.mark.parametrize('order', ['index', 'score'])
def test_against_a_loop(gate, order):
    pool = TopKJointPooling(C, K, gate, order).double()
    x = torch.randn(B * V, T, C, dtype=torch.float64)
    out, joint_ids, score = pool(x, V)
    weight = pool.weight.detach() / pool.weight.detach().square().sum().sqrt()
    for b in range(B):
        for t in range(T):
            frame = x[b * V : (b + 1) * V, t]
            scores = [float(torch.sigmoid((joint * weight).sum())) for joint in frame]
            best = sorted(range(V), key=lambda v: -scores[v])[:K]
            best = sorted(best) if order == 'index' else best
            assert joint_ids[b, t].tolist() == best
            for slot, v in enumerate(best):
                assert score[b, t, slot].item() == pytest.approx(scores[v], rel=1e-12)
                expected = frame[v] * (scores[v] if gate else 1)
                torch.testing.assert_close(out[b * K + slot, t], expected)


def test_keeping_all_joints_returns_the_input():
    x = torch.randn(B * V, T, C)
    out, joint_ids, _ = TopKJointPooling(C, V, gate=False)(x, V)
    assert torch.equal(out, x)
    assert torch.equal(joint_ids, torch.arange(V).expand(B, T, V))


def test_the_gate_passes_a_gradient_to_the_weights():
    x = torch.randn(B * V, T, C)
    gated, plain = TopKJointPooling(C, K), TopKJointPooling(C, K, gate=False)
    gated(x, V).x.sum().backward()
    assert gated.weight.grad.abs().min() > 0
    assert not plain(x, V).x.requires_grad
    plain(x, V).score.sum().backward()
    assert plain.weight.grad.abs().min() > 0


def test_the_norm_of_the_weights_has_no_effect():
    pool, x = TopKJointPooling(C, K), torch.randn(B * V, T, C)
    before = pool(x, V)
    with torch.no_grad():
        pool.weight.mul_(3)
    after = pool(x, V)
    assert torch.equal(after.joint_ids, before.joint_ids)
    torch.testing.assert_close(after.x, before.x)


def test_permuting_joints_permutes_their_numbers():
    pool, x = TopKJointPooling(C, K, order='score'), torch.randn(B * V, T, C)
    order = torch.randperm(V)
    permuted = pool(x.view(B, V, T, C)[:, order].flatten(0, 1), V)
    expected = pool(x, V)
    assert torch.equal(order[permuted.joint_ids], expected.joint_ids)
    torch.testing.assert_close(permuted.x, expected.x)


def test_saturated_scores_are_ranked():
    pool = TopKJointPooling(1, 1)
    torch.nn.init.ones_(pool.weight)
    x = torch.tensor([100.0, 300.0, 200.0]).view(3, 1, 1)
    assert pool(x, 3).joint_ids.item() == 1


def test_autocast_keeps_the_same_joints():
    pool = TopKJointPooling(1, 1)
    torch.nn.init.ones_(pool.weight)
    x = torch.tensor([1.0, 1.0001, 0.9999]).view(3, 1, 1)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        kept = pool(x, 3)
        assert pool(x.bfloat16(), 3).x.dtype == torch.bfloat16
    assert kept.joint_ids.item() == 1


def test_unpooling_returns_joints_to_their_nodes():
    pool, x = TopKJointPooling(C, K, gate=False), torch.randn(B * V, T, C)
    kept = pool(x, V)
    out = pool.unpool(kept.x, kept.joint_ids, V).view(B, V, T, C)
    for b in range(B):
        for t in range(T):
            for v in range(V):
                there = v in kept.joint_ids[b, t]
                expected = x.view(B, V, T, C)[b, v, t] if there else torch.zeros(C)
                assert torch.equal(out[b, v, t], expected)
    again = torch.full((B * K, T, 2), 0.7)
    assert pool.unpool(again, kept.joint_ids, V).sum() == pytest.approx(0.7 * again.numel())


@pytest.mark.parametrize('order', ['index', 'score'])
def test_unpooling_is_the_transpose_of_selection(order):
    pool, x = TopKJointPooling(C, K, False, order), torch.randn(B * V, T, C, requires_grad=True)
    kept = pool(x, V)
    y = torch.randn_like(kept.x).requires_grad_()
    out = pool.unpool(y, kept.joint_ids, V)
    (gradient,) = torch.autograd.grad(kept.x, x, y.detach())
    torch.testing.assert_close(out.detach(), gradient)
    (back,) = torch.autograd.grad(out, y, x.detach())
    torch.testing.assert_close(back, kept.x.detach())


def test_static_graphs():
    pool, x = TopKJointPooling(C, K), torch.randn(B * V, C)
    kept, frames = pool(x, V), pool(x.unsqueeze(1), V)
    assert kept.joint_ids.shape == kept.score.shape == (B, K)
    assert torch.equal(kept.x, frames.x.squeeze(1))
    unpooled = pool.unpool(kept.x, kept.joint_ids, V)
    assert torch.equal(unpooled, pool.unpool(frames.x, frames.joint_ids, V).squeeze(1))


def test_wrong_input_raises():
    pool = TopKJointPooling(C, K)
    kept = pool(torch.randn(B * V, T, C), V)
    with pytest.raises(ValueError, match='num_nodes must be at least k=3, got 2'):
        pool(torch.randn(4, T, C), 2)
    with pytest.raises(ValueError, match='multiple of 7 nodes'):
        pool(torch.randn(8, T, C), V)
    with pytest.raises(ValueError, match='must have 9 nodes and the frames'):
        pool.unpool(kept.x[:, 1:], kept.joint_ids, V)
    for k in (0, 0.5, True):
        with pytest.raises(ValueError, match='k must be an integer >= 1'):
            TopKJointPooling(C, k)
    with pytest.raises(ValueError, match=r"\['index', 'score'\], got 'best'"):
        TopKJointPooling(C, K, order='best')
