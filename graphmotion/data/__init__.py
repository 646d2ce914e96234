from graphmotion.data.emotion_gait import read_emotion_gait
from graphmotion.data.samples import (
    TIME_DIMS,
    edges_of_bodies,
    frame_counts,
    from_array,
    from_dense,
    graph_of_node,
    num_graphs,
    to_array,
    to_dense,
)
from graphmotion.data.skipped import SkippedSamples
from graphmotion.data.splits import random_split, stratified_folds

__all__ = [
    'TIME_DIMS',
    'SkippedSamples',
    'edges_of_bodies',
    'frame_counts',
    'from_array',
    'from_dense',
    'graph_of_node',
    'num_graphs',
    'random_split',
    'read_emotion_gait',
    'stratified_folds',
    'to_array',
    'to_dense',
]
