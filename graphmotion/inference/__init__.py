from graphmotion.inference.checkpoint import load_weights
from graphmotion.inference.predict import embed, predict

__all__ = [
    'embed',
    'load_weights',
    'predict',
]
