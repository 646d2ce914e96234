import networkx as nx
import pytest
import torch
from torch_geometric.data import Batch, Data

from graphmotion.graphs import PointGraph, face_edges, landmark_graph


def to_networkx(layout, **options):
    edge_index = face_edges(layout, **options)
    edges = list(map(tuple, edge_index.t().tolist()))
    assert edges == sorted(set(edges))
    assert all((j, i) in set(edges) and i != j for i, j in edges)
    graph = nx.Graph()
    graph.add_nodes_from(range(int(layout[-3:].lstrip('g'))))
    graph.add_edges_from(edges)
    return graph


def test_the_lines_of_68_landmarks():
    graph = to_networkx('ibug68')
    parts = sorted(sorted(part) for part in nx.connected_components(graph))
    ends = [(0, 16), (17, 21), (22, 26), (27, 30), (31, 35), (36, 41), (42, 47), (48, 59), (60, 67)]
    assert [(part[0], part[-1], len(part)) for part in parts] == [
        (a, b, b - a + 1) for a, b in ends
    ]
    # Eyes and lips are closed.
    assert graph.number_of_edges() == 68 - 5
    assert (36, 41) in graph.edges
    assert (0, 16) not in graph.edges


def test_the_face_mesh_is_a_triangulation_with_three_holes():
    graph = to_networkx('facemesh468')
    assert (graph.number_of_nodes(), graph.number_of_edges()) == (468, 1322)
    assert nx.is_connected(graph)
    embedding = nx.check_planarity(graph)[1]
    seen = set()
    faces = [embedding.traverse_face(*edge, seen) for edge in embedding.edges if edge not in seen]
    # The outline of the face, both eyes and the mouth.
    assert sorted(len(face) for face in faces) == [3] * 852 + [16, 16, 20, 36]


def test_contours_are_edges_of_the_mesh():
    mesh, contours = (to_networkx('facemesh468', contours=c) for c in (False, True))
    assert contours.number_of_edges() == 124
    assert set(contours.edges) <= set(mesh.edges)


def test_irises():
    graph, mesh = to_networkx('facemesh478'), to_networkx('facemesh468')
    assert graph.number_of_edges() == mesh.number_of_edges() + 16
    parts = sorted(sorted(part) for part in nx.connected_components(graph))[1:]
    assert parts == [list(range(468, 473)), list(range(473, 478))]
    assert graph.degree[468] == graph.degree[473] == 4


def test_graphs_of_landmarks_with_given_edges():
    class Faces(list):
        def get_batch(self, samples):
            return Batch.from_data_list([self[int(i)] for i in samples])

    points = torch.rand(3, 68, 2)
    edge_index = face_edges('ibug68')
    graph = landmark_graph(Faces(Data(landmarks=p) for p in points), edge_index=edge_index)
    assert torch.equal(graph.edge_index, edge_index)
    assert graph.edge_weight.shape == (126,)
    with pytest.raises(ValueError, match=r'edge_index must be in \[0, 9\]'):
        PointGraph.from_points(torch.rand(10, 2), edge_index=edge_index)


def test_unknown_layouts_raise():
    with pytest.raises(ValueError, match=r"layout must be one of \['ibug68', .*got 'ibug98'"):
        face_edges('ibug98')
