"""Cases of fusion of features and decisions."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import Module

from benchmarks.nchw import from_nchw, nchw_linear
from benchmarks.operators.cases.attention import NCHWChannelGate, NCHWSpatialGate
from benchmarks.operators.harness import Call, Setup, case
from graphmotion.nn import BranchFusion, DecisionFusion, ScaleFusion


@case(ScaleFusion, '4 scales')
def scale_fusion(s: Setup) -> tuple[Call, dict[str, Call]]:
    module = ScaleFusion(s.channels, num_scales=4)
    scales = [s.features(s.joints) for _ in range(4)]
    image = Call(NCHWScaleFusion(module), [s.nchw(x) for x in scales], view=from_nchw)
    return Call(module, scales, s.joints), {'the same in NCHW': image}


class NCHWScaleFusion(Module):
    """Scale fusion on images [B, C, T, V]."""

    def __init__(self, module: ScaleFusion) -> None:
        super().__init__()
        self.channel_gate = NCHWChannelGate(module.channel_gate)
        self.spatial_gate = NCHWSpatialGate(module.spatial_gate)

    def forward(self, xs: list[Tensor]) -> Tensor:
        """Maps images to an image."""
        gated = self.channel_gate(torch.cat(xs, dim=1)).unflatten(1, (len(xs), -1))
        return self.spatial_gate(gated.sum(dim=1))


@case(BranchFusion, 'sum of 3 branches')
def branch_sum(s: Setup) -> tuple[Call, dict[str, Call]]:
    branches = [s.features(s.joints) for _ in range(3)]

    def sums(xs: list[Tensor]) -> list[Tensor]:
        return list(torch.stack(xs).cumsum(dim=0).unbind())

    return (
        Call(BranchFusion(s.channels, 3), branches),
        {'stack, then cumsum': Call(sums, branches)},
    )


@case(BranchFusion, 'attention of 3 branches')
def branch_attention(s: Setup) -> tuple[Call, dict[str, Call]]:
    module = BranchFusion(s.channels, 3, 'attention')
    branches = [s.features(s.joints) for _ in range(3)]
    image = Call(NCHWBranchFusion(module), [s.nchw(x) for x in branches], view=from_nchw)
    return Call(module, branches), {'the same in NCHW': image}


class NCHWBranchFusion(Module):
    """Branch fusion by attention on images [B, C, T, V]."""

    def __init__(self, module: BranchFusion) -> None:
        super().__init__()
        self.conv = nchw_linear(module.lin)

    def forward(self, xs: list[Tensor]) -> list[Tensor]:
        """Maps images to images."""
        fused = self.conv(torch.cat(xs, dim=1))
        weights = torch.stack([(fused * x).sum(dim=1, keepdim=True) for x in xs]).softmax(dim=0)
        return [weight * x + x for weight, x in zip(weights, xs)]


@case(DecisionFusion, 'maximum of 2 classifiers')
def decision_fusion(s: Setup) -> tuple[Call, dict[str, Call]]:
    logits = [s.points() for _ in range(2)]

    def maximum(parts: list[Tensor]) -> Tensor:
        best = torch.stack([part.softmax(dim=-1) for part in parts]).amax(dim=0)
        return (best / best.sum(dim=-1, keepdim=True)).log()

    return Call(DecisionFusion(2), logits), {'softmax, maximum, log': Call(maximum, logits)}
