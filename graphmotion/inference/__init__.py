from graphmotion.inference.answer import Answer, Answers
from graphmotion.inference.checkpoint import load_weights
from graphmotion.inference.export import export
from graphmotion.inference.fuse import fuse_for_inference
from graphmotion.inference.gallery import Gallery
from graphmotion.inference.identification import Identification, Verification
from graphmotion.inference.predict import embed, predict
from graphmotion.inference.recognizer import Recognizer
from graphmotion.inference.sliding_model import SlidingModel
from graphmotion.inference.streaming import FrameStream

__all__ = [
    'Answer',
    'Answers',
    'FrameStream',
    'Gallery',
    'Identification',
    'Recognizer',
    'SlidingModel',
    'Verification',
    'embed',
    'export',
    'fuse_for_inference',
    'load_weights',
    'predict',
]
