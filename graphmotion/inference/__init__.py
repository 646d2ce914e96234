from graphmotion.inference.gallery import Gallery, Identification, Verification

__all__ = [
    'Gallery',
    'Identification',
    'Verification',
]
