"""The benchmarked operators; importing this package registers all cases."""

from benchmarks.operators.cases import (
    attention,
    batches,
    conv,
    fusion,
    linear,
    norm,
    pool,
    temporal,
)

__all__ = ['attention', 'batches', 'conv', 'fusion', 'linear', 'norm', 'pool', 'temporal']
