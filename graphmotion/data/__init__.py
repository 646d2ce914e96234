from graphmotion.data.action_features import action_features
from graphmotion.data.arrays import from_array, to_array
from graphmotion.data.batching import (
    batch_index,
    field_names,
    from_hetero,
    make_batch,
    make_uniform_batch,
    num_graphs,
    num_nodes_per_graph,
    remove_fields,
    repeat_edge_index,
    set_edges,
    set_field,
    set_nodes,
    set_shared_edges,
    to_hetero,
)
from graphmotion.data.collate import collate
from graphmotion.data.duplicates import find_copies, find_duplicates
from graphmotion.data.gait_features import GaitFeatures, gait_features
from graphmotion.data.graph_dataset import GraphDataset
from graphmotion.data.list_dataset import as_dataset
from graphmotion.data.loader import graph_loader
from graphmotion.data.point_graph_files import load_graph, save_graph
from graphmotion.data.point_samples import graph_to_batch, graph_to_data
from graphmotion.data.read_tasks import ReadTask
from graphmotion.data.samplers import BalancedBatchSampler, BatchSampler, DistributedBatchSampler
from graphmotion.data.samples import (
    TIME_DIMS,
    from_dense,
    num_valid_frames,
    to_dense,
    valid_frames,
    visible_joints,
)
from graphmotion.data.splits import random_split, stratified_folds, stratified_subset
from graphmotion.data.write_skeleton_pickle import write_skeleton_pickle

__all__ = [
    'TIME_DIMS',
    'BalancedBatchSampler',
    'BatchSampler',
    'DistributedBatchSampler',
    'GaitFeatures',
    'GraphDataset',
    'ReadTask',
    'action_features',
    'as_dataset',
    'batch_index',
    'collate',
    'field_names',
    'find_copies',
    'find_duplicates',
    'from_array',
    'from_dense',
    'from_hetero',
    'gait_features',
    'graph_loader',
    'graph_to_batch',
    'graph_to_data',
    'load_graph',
    'make_batch',
    'make_uniform_batch',
    'num_graphs',
    'num_nodes_per_graph',
    'num_valid_frames',
    'random_split',
    'remove_fields',
    'repeat_edge_index',
    'save_graph',
    'set_edges',
    'set_field',
    'set_nodes',
    'set_shared_edges',
    'stratified_folds',
    'stratified_subset',
    'to_array',
    'to_dense',
    'to_hetero',
    'valid_frames',
    'visible_joints',
    'write_skeleton_pickle',
]
