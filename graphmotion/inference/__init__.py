from graphmotion.inference.answer import Answer, Answers
from graphmotion.inference.checkpoint import load_weights
from graphmotion.inference.gallery import Gallery, Identification, Verification
from graphmotion.inference.predict import embed, predict
from graphmotion.inference.recognizer import Recognizer

__all__ = [
    'Answer',
    'Answers',
    'Gallery',
    'Identification',
    'Recognizer',
    'Verification',
    'embed',
    'load_weights',
    'predict',
]
