"""Performance targets of the operators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from benchmarks.operators.cases.attention import FUSED_ATTENTION
from benchmarks.operators.cases.conv import BLOCK_DIAGONAL, STATIC_GRAPH
from benchmarks.operators.cases.temporal import DEPTHWISE_CONV1D, NCHW_CONV
from benchmarks.operators.harness import BACKWARD, OURS, SIZES


@dataclass(frozen=True)
class Target:
    """The minimum of a ratio, or of the rate relative to that of the matrix product."""

    operator: str
    variant: str
    label: str
    quantity: str
    at_least: float
    implementation: str = OURS
    batch: int | None = None  # None for any
    device: str = 'cpu'


TARGETS = [
    Target('SpatialConv', 'dense, shared', BACKWARD, 'ratio', 3.2, STATIC_GRAPH),
    Target('SpatialConv', 'dense, shared', BACKWARD, 'ratio', 2, BLOCK_DIAGONAL),
    Target('SpatialConv', 'dense, shared', BACKWARD, 'memory_ratio', 2, BLOCK_DIAGONAL),
    Target('SpatialConv', 'dense, shared', 'forward', 'peak_share', 0.6, batch=16),
    Target('SpatialConv', 'sparse', 'forward', 'ratio', 1, BLOCK_DIAGONAL),
    Target('SpatialConv', 'sparse', BACKWARD, 'ratio', 1, BLOCK_DIAGONAL),
    Target('TemporalConv', 'kernel of 9', 'forward', 'peak_share', 0.6),
    Target('TemporalConv', 'kernel of 9', BACKWARD, 'ratio', 1.2, NCHW_CONV),
    Target('TemporalConv', 'kernel of 9, 128 channels', BACKWARD, 'ratio', 1.15, NCHW_CONV),
    Target('TemporalConv', 'kernel of 9, 256 channels', BACKWARD, 'ratio', 1.15, NCHW_CONV),
    Target('LargeKernelTemporalConv', 'depthwise part', 'forward', 'ratio', 5, DEPTHWISE_CONV1D),
    Target('LargeKernelTemporalConv', 'depthwise part', BACKWARD, 'ratio', 1.8, DEPTHWISE_CONV1D),
    Target('JointAttention', 'heads of 16 channels', BACKWARD, 'ratio', 1.3, FUSED_ATTENTION),
    Target('JointAttention', 'without linear maps', BACKWARD, 'ratio', 1.3, FUSED_ATTENTION),
    Target(
        'JointAttention',
        'heads of 16 channels',
        BACKWARD,
        'ratio',
        1,
        FUSED_ATTENTION,
        device='cuda',
    ),
    Target(
        'JointAttention',
        'without linear maps',
        BACKWARD,
        'ratio',
        1,
        FUSED_ATTENTION,
        device='cuda',
    ),
]
REFERENCES = {
    'ratio': 'time of {}',
    'memory_ratio': 'peak memory of {}',
    'peak_share': "the matrix product's rate",
}


def evaluate_targets(results: list[dict[str, Any]], device: str) -> list[dict[str, Any]]:
    """Compares results with the targets of a type of device."""
    out = []
    for t in TARGETS:
        for result in results:
            key = (result['operator'], result['variant'], result['pass'], result['implementation'])
            if key != (t.operator, t.variant, t.label, t.implementation):
                continue
            if t.batch not in (None, result['batch']) or t.device != device:
                continue
            value = result[t.quantity]
            if value is None:
                continue
            value = value['median'] if isinstance(value, dict) else value
            out.append(
                {
                    **{name: result[name] for name in ('operator', 'variant', *SIZES, 'pass')},
                    'against': REFERENCES[t.quantity].format(t.implementation),
                    'at_least': t.at_least,
                    'measured': value,
                    'met': value >= t.at_least,
                }
            )
    return out
