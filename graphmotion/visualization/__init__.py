from graphmotion.visualization.accuracy import plot_accuracy_against, plot_cross_dataset
from graphmotion.visualization.adjacency import (
    plot_adjacency,
    plot_adjacency_on_body,
    plot_cross_scale,
)
from graphmotion.visualization.animation import animate_skeleton
from graphmotion.visualization.body import draw_body
from graphmotion.visualization.classes import plot_class_comparison
from graphmotion.visualization.confusion import plot_confusion_matrix
from graphmotion.visualization.curves import plot_initial_loss, plot_training_curves
from graphmotion.visualization.embedding import plot_embedding
from graphmotion.visualization.error_curves import plot_det, plot_open_set
from graphmotion.visualization.faces import (
    plot_eigenvectors,
    plot_face_graph,
    plot_node_weights,
)
from graphmotion.visualization.focal import plot_focal_joints
from graphmotion.visualization.grad_cam import class_logit, cosine_to, grad_cam
from graphmotion.visualization.grad_cam_plots import plot_grad_cam, plot_grad_cam_on_body
from graphmotion.visualization.pose import plot_pose_gallery, plot_pose_strip
from graphmotion.visualization.projection import project
from graphmotion.visualization.recognition_curves import plot_cmc, plot_rank_by_view
from graphmotion.visualization.rest_pose import rest_pose
from graphmotion.visualization.retrieval import plot_retrieval
from graphmotion.visualization.score_histogram import plot_scores
from graphmotion.visualization.spectrum import feature_spectrum, plot_feature_spectrum
from graphmotion.visualization.timeline import plot_timeline
from graphmotion.visualization.trajectories import plot_landmark_trajectories

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
    'plot_det',
    'plot_eigenvectors',
    'plot_embedding',
    'plot_face_graph',
    'plot_feature_spectrum',
    'plot_focal_joints',
    'plot_grad_cam',
    'plot_grad_cam_on_body',
    'plot_initial_loss',
    'plot_landmark_trajectories',
    'plot_node_weights',
    'plot_open_set',
    'plot_pose_gallery',
    'plot_pose_strip',
    'plot_rank_by_view',
    'plot_retrieval',
    'plot_scores',
    'plot_timeline',
    'plot_training_curves',
    'project',
    'rest_pose',
]
