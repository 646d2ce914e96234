from graphmotion.datasets.camera import Camera
from graphmotion.datasets.emotion_gait import EmotionGait
from graphmotion.datasets.motion_dataset import MotionDataset
from graphmotion.datasets.synthetic_gait import SyntheticGait

__all__ = [
    'Camera',
    'EmotionGait',
    'MotionDataset',
    'SyntheticGait',
]
