"""Cases of normalisation."""

from __future__ import annotations

from torch.nn import BatchNorm1d, BatchNorm2d

from benchmarks.nchw import from_nchw
from benchmarks.operators.harness import Call, Setup, as_leaf, case
from graphmotion.data import to_dense
from graphmotion.nn import MotionBatchNorm


@case(MotionBatchNorm)
def norm(s: Setup) -> tuple[Call, dict[str, Call]]:
    image = Call(BatchNorm2d(s.channels), s.nchw(s.x), view=from_nchw)
    return Call(MotionBatchNorm(s.channels), s.x), {'BatchNorm2d in NCHW': image}


@case(MotionBatchNorm, 'per node')
def norm_per_node(s: Setup) -> tuple[Call, dict[str, Call]]:
    size = s.joints * s.channels
    rows = as_leaf(to_dense(s.x, s.joints).mT.flatten(1, 2))
    line = Call(
        BatchNorm1d(size),
        rows,
        view=lambda out: out.unflatten(1, (s.joints, -1)).mT.flatten(0, 1),
    )
    return Call(MotionBatchNorm(s.channels, s.joints), s.x), {'BatchNorm1d on [B, V*C, T]': line}
