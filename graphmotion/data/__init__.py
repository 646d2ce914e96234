from graphmotion.data.alphapose import read_alphapose
from graphmotion.data.coarsening import Coarsening, coarsening_hierarchy
from graphmotion.data.coco_keypoints import read_coco_keypoints
from graphmotion.data.eigenbasis import laplacian_eigenbasis
from graphmotion.data.emotion_gait import read_emotion_gait
from graphmotion.data.files import (
    MalformedFile,
    find_files,
    list_files,
    load_json,
    read_files,
    whole_file,
)
from graphmotion.data.gait_features import GaitFeatures, gait_features
from graphmotion.data.gaitgraph import read_gaitgraph
from graphmotion.data.images import read_gray_image
from graphmotion.data.laplacian import laplacian
from graphmotion.data.matlab import read_matlab
from graphmotion.data.mediapipe import read_mediapipe
from graphmotion.data.neighbors import edge_weights, knn_graph
from graphmotion.data.ntu_skeleton import (
    Body,
    read_ntu_skeleton,
    remove_spurious_bodies,
    select_bodies,
)
from graphmotion.data.numpy_keypoints import read_numpy
from graphmotion.data.nw_ucla import read_nw_ucla
from graphmotion.data.opengait_pose import read_opengait_pose
from graphmotion.data.openpose import read_openpose
from graphmotion.data.pickles import load_pickle
from graphmotion.data.pixel_graph import pixel_graph
from graphmotion.data.point_graph import PointGraph, sample_pixels
from graphmotion.data.samples import (
    TIME_DIMS,
    edges_of_bodies,
    frame_counts,
    from_array,
    from_dense,
    graph_of_node,
    num_graphs,
    seen_joints,
    to_array,
    to_dense,
    valid_frames,
)
from graphmotion.data.silhouettes import align_silhouettes, read_opengait_silhouettes
from graphmotion.data.skeleton_json import read_skeleton
from graphmotion.data.skeleton_pickle import (
    read_annotation,
    read_skeleton_pickle,
    write_skeleton_pickle,
)
from graphmotion.data.skipped import SkippedSamples
from graphmotion.data.splits import random_split, stratified_folds, stratified_subset
from graphmotion.data.tracks import Detection, Track, link_tracks, stack_tracks
from graphmotion.data.ucalgary_gait import read_ucalgary_gait
from graphmotion.data.utd_mhad import read_utd_mhad

__all__ = [
    'TIME_DIMS',
    'Body',
    'Coarsening',
    'Detection',
    'GaitFeatures',
    'MalformedFile',
    'PointGraph',
    'SkippedSamples',
    'Track',
    'align_silhouettes',
    'coarsening_hierarchy',
    'edge_weights',
    'edges_of_bodies',
    'find_files',
    'frame_counts',
    'from_array',
    'from_dense',
    'gait_features',
    'graph_of_node',
    'knn_graph',
    'laplacian',
    'laplacian_eigenbasis',
    'link_tracks',
    'list_files',
    'load_json',
    'load_pickle',
    'num_graphs',
    'pixel_graph',
    'random_split',
    'read_alphapose',
    'read_annotation',
    'read_coco_keypoints',
    'read_emotion_gait',
    'read_files',
    'read_gaitgraph',
    'read_gray_image',
    'read_matlab',
    'read_mediapipe',
    'read_ntu_skeleton',
    'read_numpy',
    'read_nw_ucla',
    'read_opengait_pose',
    'read_opengait_silhouettes',
    'read_openpose',
    'read_skeleton',
    'read_skeleton_pickle',
    'read_ucalgary_gait',
    'read_utd_mhad',
    'remove_spurious_bodies',
    'sample_pixels',
    'seen_joints',
    'select_bodies',
    'stack_tracks',
    'stratified_folds',
    'stratified_subset',
    'to_array',
    'to_dense',
    'valid_frames',
    'whole_file',
    'write_skeleton_pickle',
]
