from graphmotion.inference.answer import Answer, Answers
from graphmotion.inference.checkpoint import load_weights
from graphmotion.inference.export import export
from graphmotion.inference.predict import embed, predict
from graphmotion.inference.recognizer import Recognizer

__all__ = [
    'Answer',
    'Answers',
    'Recognizer',
    'embed',
    'export',
    'load_weights',
    'predict',
]
