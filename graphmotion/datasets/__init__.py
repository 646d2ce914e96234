from graphmotion.datasets.emotion_gait import EmotionGait
from graphmotion.datasets.motion_dataset import MotionDataset

__all__ = [
    'EmotionGait',
    'MotionDataset',
]
