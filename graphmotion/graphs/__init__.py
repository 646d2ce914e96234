from graphmotion.graphs.coarsening import Coarsening, coarsening_hierarchy
from graphmotion.graphs.eigenbasis import laplacian_eigenbasis
from graphmotion.graphs.face_edges import face_edges
from graphmotion.graphs.grid_hierarchy import grid_hierarchy
from graphmotion.graphs.landmark_graph import landmark_graph
from graphmotion.graphs.laplacian import laplacian
from graphmotion.graphs.neighbors import edge_weights, knn_graph
from graphmotion.graphs.pixel_graph import pixel_graph
from graphmotion.graphs.point_graph import PointGraph, sample_pixels

__all__ = [
    'Coarsening',
    'PointGraph',
    'coarsening_hierarchy',
    'edge_weights',
    'face_edges',
    'grid_hierarchy',
    'knn_graph',
    'landmark_graph',
    'laplacian',
    'laplacian_eigenbasis',
    'pixel_graph',
    'sample_pixels',
]
