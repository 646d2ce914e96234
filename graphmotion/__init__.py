"""Graph learning on human bodies and faces with PyTorch Geometric.

Subpackages are imported on first use: after :obj:`import graphmotion`,
:obj:`graphmotion.nn.SpatialConv` works, and what is not used costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = '0.1.0'

_SUBPACKAGES = (
    'data',
    'datasets',
    'graphs',
    'inference',
    'io',
    'metrics',
    'models',
    'nn',
    'skeletons',
    'synthetic',
    'training',
    'transforms',
    'visualization',
)

if TYPE_CHECKING:
    from graphmotion import data as data
    from graphmotion import datasets as datasets
    from graphmotion import graphs as graphs
    from graphmotion import inference as inference
    from graphmotion import io as io
    from graphmotion import metrics as metrics
    from graphmotion import models as models
    from graphmotion import nn as nn
    from graphmotion import skeletons as skeletons
    from graphmotion import synthetic as synthetic
    from graphmotion import training as training
    from graphmotion import transforms as transforms
    from graphmotion import visualization as visualization
else:  # hidden from type checkers, which would take any name for a subpackage

    def __getattr__(name):
        if name in _SUBPACKAGES:
            import importlib

            return importlib.import_module(f'{__name__}.{name}')
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')

    def __dir__():
        return sorted({*globals(), *_SUBPACKAGES})
