from graphmotion.transforms.add_eigenbasis import AddEigenbasis
from graphmotion.transforms.align_heading import AlignHeading
from graphmotion.transforms.center_joint import CenterJoint
from graphmotion.transforms.convert_skeleton import ConvertSkeleton
from graphmotion.transforms.crop_fraction import CropFraction
from graphmotion.transforms.crop_frames import CropFrames
from graphmotion.transforms.ctr_gcn_recipe import ctr_gcn_test_transform, ctr_gcn_train_transform
from graphmotion.transforms.downsample_silhouettes import DownsampleSilhouettes
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
from graphmotion.transforms.pad_people import PadPeople
from graphmotion.transforms.random_image_affine import RandomImageAffine
from graphmotion.transforms.random_image_brightness import RandomImageBrightness
from graphmotion.transforms.random_image_flip import RandomImageFlip
from graphmotion.transforms.random_image_hsv import RandomImageHSV
from graphmotion.transforms.random_mirror import RandomMirror
from graphmotion.transforms.random_rotate_axes import RandomRotateAxes
from graphmotion.transforms.random_scaling import RandomScaling
from graphmotion.transforms.random_silhouette_affine import RandomSilhouetteAffine
from graphmotion.transforms.random_silhouette_erasing import RandomSilhouetteErasing
from graphmotion.transforms.random_silhouette_ground import RandomSilhouetteGround
from graphmotion.transforms.random_silhouette_morphology import RandomSilhouetteMorphology
from graphmotion.transforms.random_speed import RandomSpeed
from graphmotion.transforms.random_time_reversal import RandomTimeReversal
from graphmotion.transforms.random_time_shift import RandomTimeShift
from graphmotion.transforms.remove_score import RemoveScore
from graphmotion.transforms.resample_frames import ResampleFrames
from graphmotion.transforms.scale_by_body_size import ScaleByBodySize
from graphmotion.transforms.scale_by_image_size import ScaleByImageSize
from graphmotion.transforms.silhouette_noise import SilhouetteNoise
from graphmotion.transforms.silhouette_strip_dropout import SilhouetteStripDropout
from graphmotion.transforms.skip_frames import SkipFrames
from graphmotion.transforms.to_landmark_graph import ToLandmarkGraph
from graphmotion.transforms.to_multi_scale import ToMultiScale
from graphmotion.transforms.to_pixel_graph import ToPixelGraph
from graphmotion.transforms.to_random_pixel_graph import ToRandomPixelGraph
from graphmotion.transforms.to_stream import ToStream

__all__ = [
    'AddEigenbasis',
    'AlignHeading',
    'CenterJoint',
    'ConvertSkeleton',
    'CropFraction',
    'CropFrames',
    'DownsampleSilhouettes',
    'FillMissing',
    'FrameDropout',
    'FromMultiScale',
    'ImageNoise',
    'JointDropout',
    'JointNoise',
    'MinMaxNormalize',
    'PadFrames',
    'PadPeople',
    'RandomImageAffine',
    'RandomImageBrightness',
    'RandomImageFlip',
    'RandomImageHSV',
    'RandomMirror',
    'RandomRotateAxes',
    'RandomScaling',
    'RandomSilhouetteAffine',
    'RandomSilhouetteErasing',
    'RandomSilhouetteGround',
    'RandomSilhouetteMorphology',
    'RandomSpeed',
    'RandomTimeReversal',
    'RandomTimeShift',
    'RemoveScore',
    'ResampleFrames',
    'ScaleByBodySize',
    'ScaleByImageSize',
    'SilhouetteNoise',
    'SilhouetteStripDropout',
    'SkipFrames',
    'ToLandmarkGraph',
    'ToMultiScale',
    'ToPixelGraph',
    'ToRandomPixelGraph',
    'ToStream',
    'center_crops',
    'ctr_gcn_test_transform',
    'ctr_gcn_train_transform',
    'gait_test_transforms',
    'gait_train_transform',
]
