from graphmotion.io.alphapose import read_alphapose
from graphmotion.io.azure_kinect import read_azure_kinect
from graphmotion.io.bvh import BVH, read_bvh
from graphmotion.io.checkpoint import read_weights
from graphmotion.io.coco_keypoints import read_coco_keypoints
from graphmotion.io.files import (
    FoundFile,
    MalformedFileError,
    atomic_write,
    find_files,
    list_files,
    load_json,
    read_files,
)
from graphmotion.io.formats import (
    PoseFormat,
    get_format,
    list_formats,
    read_poses,
    register_format,
)
from graphmotion.io.gaitgraph import read_gaitgraph
from graphmotion.io.images import read_color_image, read_gray_image, read_mask
from graphmotion.io.kinect_v2 import read_kinect_v2
from graphmotion.io.kinetics_skeleton import read_kinetics_skeleton
from graphmotion.io.landmarks import read_landmarks
from graphmotion.io.linking import Detection, link_tracks
from graphmotion.io.matlab import read_matlab
from graphmotion.io.mediapipe import read_face_mesh, read_mediapipe
from graphmotion.io.mmpose import read_mmpose, read_mmpose_images
from graphmotion.io.ntu_skeleton import (
    Body,
    read_ntu_skeleton,
    remove_spurious_bodies,
    select_bodies,
)
from graphmotion.io.numpy_keypoints import read_numpy
from graphmotion.io.opengait_pose import read_opengait_pose
from graphmotion.io.openpose import read_openpose
from graphmotion.io.pickles import load_pickle
from graphmotion.io.silhouettes import align_silhouettes, read_opengait_silhouettes
from graphmotion.io.skeleton_arrays import ArrayPart, read_skeleton_arrays
from graphmotion.io.skeleton_json import read_skeleton
from graphmotion.io.skeleton_pickle import read_annotation, read_skeleton_pickle
from graphmotion.io.skipped import SkippedSamples
from graphmotion.io.tracks import Track, stack_tracks
from graphmotion.io.ultralytics import read_ultralytics, read_yolo_txt

__all__ = [
    'BVH',
    'ArrayPart',
    'Body',
    'Detection',
    'FoundFile',
    'MalformedFileError',
    'PoseFormat',
    'SkippedSamples',
    'Track',
    'align_silhouettes',
    'atomic_write',
    'find_files',
    'get_format',
    'link_tracks',
    'list_files',
    'list_formats',
    'load_json',
    'load_pickle',
    'read_alphapose',
    'read_annotation',
    'read_azure_kinect',
    'read_bvh',
    'read_coco_keypoints',
    'read_color_image',
    'read_face_mesh',
    'read_files',
    'read_gaitgraph',
    'read_gray_image',
    'read_kinect_v2',
    'read_kinetics_skeleton',
    'read_landmarks',
    'read_mask',
    'read_matlab',
    'read_mediapipe',
    'read_mmpose',
    'read_mmpose_images',
    'read_ntu_skeleton',
    'read_numpy',
    'read_opengait_pose',
    'read_opengait_silhouettes',
    'read_openpose',
    'read_poses',
    'read_skeleton',
    'read_skeleton_arrays',
    'read_skeleton_pickle',
    'read_ultralytics',
    'read_weights',
    'read_yolo_txt',
    'register_format',
    'remove_spurious_bodies',
    'select_bodies',
    'stack_tracks',
]
