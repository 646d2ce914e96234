"""Targets of the operators, and what was measured for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from benchmarks.operators.alternatives import (
    BLOCKS,
    FUSED,
    IMAGE,
    LINE,
    STATIC,
)
from benchmarks.operators.harness import (
    FORWARD_BACKWARD,
    OURS,
    SIZES,
)


@dataclass(frozen=True)
class Target:
    """What an operator has to reach: a ratio, or a share of the matrix product's rate."""

    operator: str
    variant: str
    label: str
    what: str
    at_least: float
    side: str = OURS
    batch: int | None = None  # any
    device: str = 'cpu'


TARGETS = [
    Target('SpatialConv', 'dense, shared', FORWARD_BACKWARD, 'ratio', 3, STATIC),
    Target('SpatialConv', 'dense, shared', FORWARD_BACKWARD, 'ratio', 2, BLOCKS),
    Target('SpatialConv', 'dense, shared', FORWARD_BACKWARD, 'memory_ratio', 2, BLOCKS),
    Target('SpatialConv', 'dense, shared', 'forward', 'peak_share', 0.6, batch=16),
    Target('SpatialConv', 'sparse', 'forward', 'ratio', 1, BLOCKS),
    Target('SpatialConv', 'sparse', FORWARD_BACKWARD, 'ratio', 1, BLOCKS),
    Target('TemporalConv', 'kernel of 9', 'forward', 'peak_share', 0.6),
    Target('TemporalConv', 'kernel of 9', FORWARD_BACKWARD, 'ratio', 1.2, IMAGE),
    Target('LargeKernelTemporalConv', 'depthwise part', 'forward', 'ratio', 5, LINE),
    Target('LargeKernelTemporalConv', 'depthwise part', FORWARD_BACKWARD, 'ratio', 1.8, LINE),
    Target('JointAttention', 'heads of 16 channels', FORWARD_BACKWARD, 'ratio', 1.3, FUSED),
    Target('JointAttention', 'without its linear maps', FORWARD_BACKWARD, 'ratio', 1.3, FUSED),
    Target(
        'JointAttention', 'heads of 16 channels', FORWARD_BACKWARD, 'ratio', 1, FUSED, device='cuda'
    ),
    Target(
        'JointAttention',
        'without its linear maps',
        FORWARD_BACKWARD,
        'ratio',
        1,
        FUSED,
        device='cuda',
    ),
]
WHAT = {
    'ratio': 'time of {}',
    'memory_ratio': 'peak memory of {}',
    'peak_share': "the matrix product's rate",
}


def targets(results: list[dict[str, Any]], device: str) -> list[dict[str, Any]]:
    """Each target for that kind of device with what was measured for it, for each size."""
    out = []
    for t in TARGETS:
        for result in results:
            key = (result['operator'], result['variant'], result['pass'], result['implementation'])
            if key != (t.operator, t.variant, t.label, t.side):
                continue
            if t.batch not in (None, result['batch']) or t.device != device:
                continue
            value = result[t.what]
            if value is None:
                continue
            value = value['median'] if isinstance(value, dict) else value
            out.append(
                {
                    **{name: result[name] for name in ('operator', 'variant', *SIZES, 'pass')},
                    'against': WHAT[t.what].format(t.side),
                    'at_least': t.at_least,
                    'measured': value,
                    'met': value >= t.at_least,
                }
            )
    return out
