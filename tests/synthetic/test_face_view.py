import torch

from graphmotion.synthetic.face_view import head_rotation


def test_head_rotation():
    torch.manual_seed(0)
    matrix = head_rotation(*(30 * torch.randn(3, 5, dtype=torch.double)))
    torch.testing.assert_close(matrix @ matrix.mT, torch.eye(3).double().expand(5, 3, 3))
    torch.testing.assert_close(torch.linalg.det(matrix), torch.ones(5).double())
