from graphmotion.visualization.adjacency import (
    plot_adjacency,
    plot_adjacency_on_body,
    plot_cross_scale,
)
from graphmotion.visualization.body import draw_body, project, rest_pose
from graphmotion.visualization.classes import plot_class_comparison
from graphmotion.visualization.confusion import plot_confusion_matrix
from graphmotion.visualization.curves import plot_training_curves
from graphmotion.visualization.focal import plot_focal_joints
from graphmotion.visualization.pose import animate_skeleton, plot_pose_gallery, plot_pose_strip

__all__ = [
    'animate_skeleton',
    'draw_body',
    'plot_adjacency',
    'plot_adjacency_on_body',
    'plot_class_comparison',
    'plot_confusion_matrix',
    'plot_cross_scale',
    'plot_focal_joints',
    'plot_pose_gallery',
    'plot_pose_strip',
    'plot_training_curves',
    'project',
    'rest_pose',
]
