import pytest
import torch
from torch_geometric.data import Batch

from graphmotion.transforms import JointDropout


@pytest.mark.parametrize('missing', [None, 0.2])
def test_always_and_never(missing, make):
    data = make(missing=missing)
    out = JointDropout(p=1)(data)
    assert not out.pos.any()
    assert not out.score.any()
    out = JointDropout(p=0)(data)
    assert torch.equal(out.pos, data.pos)
    assert torch.equal(out.score, torch.ones(17, 12) if missing is None else data.score)


@pytest.mark.parametrize('per_frame', [False, True])
def test_drops_with_probability_p(per_frame, make):
    torch.manual_seed(0)
    batch = Batch.from_data_list([make(missing=None, seed=i) for i in range(40)])
    out = JointDropout(p=0.3, per_frame=per_frame)(batch)
    dropped = out.score == 0
    assert torch.equal(out.pos, batch.pos * ~dropped.unsqueeze(-1))
    assert bool((out.score[~dropped] == 1).all())
    rate = dropped.float()
    assert abs(float(rate.mean()) - 0.3) < (0.01 if per_frame else 0.06)
    constant = bool((dropped == dropped[:, :1]).all())
    assert constant is not per_frame
    by_graph = dropped.view(40, 17, 12)[:, :, 0].int()
    assert by_graph.unique(dim=0).size(0) > 35  # other joints in other graphs


def test_invalid_probability():
    with pytest.raises(ValueError, match=r'p must be in \[0, 1\]'):
        JointDropout(1.5)
