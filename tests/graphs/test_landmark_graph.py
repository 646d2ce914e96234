import sys

import pytest
import torch
from torch_geometric.data import Batch, Data

from graphmotion.graphs import PointGraph, landmark_graph


class Faces(list):
    """Samples collated by PyG."""

    def get_batch(self, samples):
        return Batch.from_data_list([self[int(i)] for i in samples])


@pytest.mark.parametrize('batch_size', [2, 1024])
def test_the_graph_of_the_mean_face(monkeypatch, batch_size):
    module = sys.modules['graphmotion.graphs.landmark_graph']  # the function has its name
    monkeypatch.setattr(module, '_BATCH_SIZE', batch_size)
    points = 9 * torch.rand(5, 12, 2, dtype=torch.float64)
    faces = Faces(Data(landmarks=face) for face in points)
    graph = landmark_graph(faces, k=3, num_modes=4)
    mean = torch.stack([sum(points[:, i]) / 5 for i in range(12)]).float() - 0.5
    expected = PointGraph.from_points(mean, 3, num_modes=4)
    torch.testing.assert_close(graph.pos, mean)
    assert torch.equal(graph.edge_index, expected.edge_index)
    assert graph.eigenvectors.shape == (12, 4)


def test_faces_without_enough_landmarks():
    faces = Faces([Data(landmarks=torch.rand(4, 2)), Data(landmarks=torch.rand(5, 2))])
    with pytest.raises(ValueError, match="must have a field 'landmarks' of the same size"):
        landmark_graph(faces, k=3)
    with pytest.raises(ValueError, match="field 'landmarks'"):
        landmark_graph(Faces([Data(y=torch.zeros(1))]))
    with pytest.raises(ValueError, match=r'points .*k ?= ?4 neighbours'):
        landmark_graph(Faces(faces[:1]), k=4)
