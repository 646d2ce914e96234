from graphmotion.nn.pool.cluster_pooling import ClusterPooling
from graphmotion.nn.pool.horizontal_pyramid_pooling import HorizontalPyramidPooling
from graphmotion.nn.pool.part_pooling import PartPooling
from graphmotion.nn.pool.top_k_joint_pooling import TopKJointPooling, TopKJoints

__all__ = [
    'ClusterPooling',
    'HorizontalPyramidPooling',
    'PartPooling',
    'TopKJointPooling',
    'TopKJoints',
]
