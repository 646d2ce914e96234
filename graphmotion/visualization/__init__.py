from graphmotion.visualization.accuracy import plot_accuracy_against, plot_cross_dataset
from graphmotion.visualization.adjacency import (
    plot_adjacency,
    plot_adjacency_on_body,
    plot_cross_scale,
)
from graphmotion.visualization.body import draw_body, project, rest_pose
from graphmotion.visualization.classes import plot_class_comparison
from graphmotion.visualization.confusion import plot_confusion_matrix
from graphmotion.visualization.curves import plot_training_curves
from graphmotion.visualization.embedding import plot_embedding
from graphmotion.visualization.faces import (
    plot_eigenvectors,
    plot_face_graph,
    plot_node_weights,
)
from graphmotion.visualization.focal import plot_focal_joints
from graphmotion.visualization.grad_cam import (
    class_logit,
    cosine_to,
    grad_cam,
    plot_grad_cam,
    plot_grad_cam_on_body,
)
from graphmotion.visualization.pose import animate_skeleton, plot_pose_gallery, plot_pose_strip
from graphmotion.visualization.retrieval import plot_cmc, plot_rank_by_view, plot_retrieval
from graphmotion.visualization.spectrum import feature_spectrum, plot_feature_spectrum

__all__ = [
    'animate_skeleton',
    'class_logit',
    'cosine_to',
    'draw_body',
    'feature_spectrum',
    'grad_cam',
    'plot_accuracy_against',
    'plot_adjacency',
    'plot_adjacency_on_body',
    'plot_class_comparison',
    'plot_cmc',
    'plot_confusion_matrix',
    'plot_cross_dataset',
    'plot_cross_scale',
    'plot_eigenvectors',
    'plot_embedding',
    'plot_face_graph',
    'plot_feature_spectrum',
    'plot_focal_joints',
    'plot_grad_cam',
    'plot_grad_cam_on_body',
    'plot_node_weights',
    'plot_pose_gallery',
    'plot_pose_strip',
    'plot_rank_by_view',
    'plot_retrieval',
    'plot_training_curves',
    'project',
    'rest_pose',
]
