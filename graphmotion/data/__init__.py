from graphmotion.data.batching import collate
from graphmotion.data.gait_features import GaitFeatures, gait_features
from graphmotion.data.graph_dataset import GraphDataset
from graphmotion.data.list_dataset import as_dataset
from graphmotion.data.loader import graph_loader
from graphmotion.data.point_samples import graph_to_batch, graph_to_data, load_graph, save_graph
from graphmotion.data.samplers import BalancedBatchSampler, BatchSampler, SharedBatches
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
from graphmotion.data.splits import random_split, stratified_folds, stratified_subset
from graphmotion.data.write_skeleton_pickle import write_skeleton_pickle

__all__ = [
    'TIME_DIMS',
    'BalancedBatchSampler',
    'BatchSampler',
    'GaitFeatures',
    'GraphDataset',
    'SharedBatches',
    'as_dataset',
    'collate',
    'edges_of_bodies',
    'frame_counts',
    'from_array',
    'from_dense',
    'gait_features',
    'graph_loader',
    'graph_of_node',
    'graph_to_batch',
    'graph_to_data',
    'load_graph',
    'num_graphs',
    'random_split',
    'save_graph',
    'seen_joints',
    'stratified_folds',
    'stratified_subset',
    'to_array',
    'to_dense',
    'valid_frames',
    'write_skeleton_pickle',
]
