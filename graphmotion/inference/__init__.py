from graphmotion.inference.checkpoint import load_weights
from graphmotion.inference.export import export
from graphmotion.inference.predict import embed, predict

__all__ = [
    'embed',
    'export',
    'load_weights',
    'predict',
]
