from graphmotion.inference.answer import Answer, Answers
from graphmotion.inference.checkpoint import load_weights
from graphmotion.inference.predict import embed, predict
from graphmotion.inference.recognizer import Recognizer

__all__ = [
    'Answer',
    'Answers',
    'Recognizer',
    'embed',
    'load_weights',
    'predict',
]
