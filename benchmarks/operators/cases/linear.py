"""Cases of linear maps."""

from __future__ import annotations

import torch

from benchmarks.operators.harness import Call, Setup, case
from graphmotion.nn import Linear


@case(Linear, 'all channels')
def linear(s: Setup) -> tuple[Call, dict[str, Call]]:
    lin = Linear(s.channels, s.channels)
    plain = torch.nn.Linear(s.channels, s.channels)
    plain.load_state_dict(lin.state_dict())
    return Call(lin, s.x), {'torch.nn.Linear': Call(plain, s.x)}
