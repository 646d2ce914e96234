from graphmotion.transforms.add_eigenbasis import AddEigenbasis
from graphmotion.transforms.center_joint import CenterJoint
from graphmotion.transforms.convert_skeleton import ConvertSkeleton
from graphmotion.transforms.crop_frames import CropFrames
from graphmotion.transforms.face_forward import FaceForward
from graphmotion.transforms.fill_missing import FillMissing
from graphmotion.transforms.frame_dropout import FrameDropout
from graphmotion.transforms.from_multi_scale import FromMultiScale
from graphmotion.transforms.gait_recipe import (
    center_crops,
    gait_test_transforms,
    gait_train_transform,
)
from graphmotion.transforms.image_noise import ImageNoise
from graphmotion.transforms.joint_dropout import JointDropout
from graphmotion.transforms.joint_noise import JointNoise
from graphmotion.transforms.min_max_normalize import MinMaxNormalize
from graphmotion.transforms.pad_frames import PadFrames
from graphmotion.transforms.random_affine_images import RandomAffineImages
from graphmotion.transforms.random_affine_silhouettes import RandomAffineSilhouettes
from graphmotion.transforms.random_brightness import RandomBrightness
from graphmotion.transforms.random_erasing import RandomErasing
from graphmotion.transforms.random_flip_images import RandomFlipImages
from graphmotion.transforms.random_ground import RandomGround
from graphmotion.transforms.random_mirror import RandomMirror
from graphmotion.transforms.random_morphology import RandomMorphology
from graphmotion.transforms.random_rotate_axes import RandomRotateAxes
from graphmotion.transforms.random_scaling import RandomScaling
from graphmotion.transforms.random_speed import RandomSpeed
from graphmotion.transforms.random_time_reversal import RandomTimeReversal
from graphmotion.transforms.random_time_shift import RandomTimeShift
from graphmotion.transforms.resample_frames import ResampleFrames
from graphmotion.transforms.scale_by_body_size import ScaleByBodySize
from graphmotion.transforms.scale_by_image_size import ScaleByImageSize
from graphmotion.transforms.shrink_silhouettes import ShrinkSilhouettes
from graphmotion.transforms.silhouette_noise import SilhouetteNoise
from graphmotion.transforms.skip_frames import SkipFrames
from graphmotion.transforms.strip_dropout import StripDropout
from graphmotion.transforms.to_landmark_graph import ToLandmarkGraph
from graphmotion.transforms.to_multi_scale import ToMultiScale
from graphmotion.transforms.to_pixel_graph import ToPixelGraph
from graphmotion.transforms.to_random_pixel_graph import ToRandomPixelGraph
from graphmotion.transforms.to_stream import ToStream

__all__ = [
    'AddEigenbasis',
    'CenterJoint',
    'ConvertSkeleton',
    'CropFrames',
    'FaceForward',
    'FillMissing',
    'FrameDropout',
    'FromMultiScale',
    'ImageNoise',
    'JointDropout',
    'JointNoise',
    'MinMaxNormalize',
    'PadFrames',
    'RandomAffineImages',
    'RandomAffineSilhouettes',
    'RandomBrightness',
    'RandomErasing',
    'RandomFlipImages',
    'RandomGround',
    'RandomMirror',
    'RandomMorphology',
    'RandomRotateAxes',
    'RandomScaling',
    'RandomSpeed',
    'RandomTimeReversal',
    'RandomTimeShift',
    'ResampleFrames',
    'ScaleByBodySize',
    'ScaleByImageSize',
    'ShrinkSilhouettes',
    'SilhouetteNoise',
    'SkipFrames',
    'StripDropout',
    'ToLandmarkGraph',
    'ToMultiScale',
    'ToPixelGraph',
    'ToRandomPixelGraph',
    'ToStream',
    'center_crops',
    'gait_test_transforms',
    'gait_train_transform',
]
