from graphmotion.transforms.center_joint import CenterJoint
from graphmotion.transforms.convert_skeleton import ConvertSkeleton
from graphmotion.transforms.crop_frames import CropFrames
from graphmotion.transforms.face_forward import FaceForward
from graphmotion.transforms.fill_missing import FillMissing
from graphmotion.transforms.frame_dropout import FrameDropout
from graphmotion.transforms.from_multi_scale import FromMultiScale
from graphmotion.transforms.joint_dropout import JointDropout
from graphmotion.transforms.joint_noise import JointNoise
from graphmotion.transforms.min_max_normalize import MinMaxNormalize
from graphmotion.transforms.pad_frames import PadFrames
from graphmotion.transforms.random_mirror import RandomMirror
from graphmotion.transforms.random_rotate_axes import RandomRotateAxes
from graphmotion.transforms.random_scaling import RandomScaling
from graphmotion.transforms.random_speed import RandomSpeed
from graphmotion.transforms.random_time_reversal import RandomTimeReversal
from graphmotion.transforms.random_time_shift import RandomTimeShift
from graphmotion.transforms.resample_frames import ResampleFrames
from graphmotion.transforms.scale_by_body_size import ScaleByBodySize
from graphmotion.transforms.to_multi_scale import ToMultiScale
from graphmotion.transforms.to_stream import ToStream

__all__ = [
    'CenterJoint',
    'ConvertSkeleton',
    'CropFrames',
    'FaceForward',
    'FillMissing',
    'FrameDropout',
    'FromMultiScale',
    'JointDropout',
    'JointNoise',
    'MinMaxNormalize',
    'PadFrames',
    'RandomMirror',
    'RandomRotateAxes',
    'RandomScaling',
    'RandomSpeed',
    'RandomTimeReversal',
    'RandomTimeShift',
    'ResampleFrames',
    'ScaleByBodySize',
    'ToMultiScale',
    'ToStream',
]
