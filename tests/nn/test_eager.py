import io

import pytest
import torch

from graphmotion.nn import SpatialConv
from graphmotion.nn.attention.attend import attend
from graphmotion.nn.temporal.convolve_frames import convolve_frames


def graph_convolution():
    torch.manual_seed(0)
    conv = SpatialConv(3, 4, num_partitions=2).double().requires_grad_(False)
    adj = torch.rand(2, 5, 5, dtype=torch.float64)
    return lambda x: conv(x, adj)


def frame_convolution():
    torch.manual_seed(0)
    weight = torch.randn(4, 3, 1, 3, dtype=torch.float64)
    return lambda x: convolve_frames(x, weight)


FUNCTIONS = {
    'graph convolution': graph_convolution,
    'frame convolution': frame_convolution,
    'attention': lambda: lambda x: attend(x, x, x),
}


@pytest.mark.filterwarnings('ignore:There is a performance drop')
@pytest.mark.filterwarnings('ignore::torch.jit.TracerWarning')
@pytest.mark.parametrize('name', FUNCTIONS)
def test_functions_for_cpus_can_be_transformed_and_traced(name, monkeypatch, products):
    monkeypatch.setattr('graphmotion.nn.temporal.convolve_frames.MIN_WEIGHTS', 0)
    function = FUNCTIONS[name]()
    x = torch.randn(2, 5, 6, 3, dtype=torch.float64)
    torch.testing.assert_close(torch.func.vmap(function)(x), torch.stack([*map(function, x)]))
    forward, reverse = (jac(function)(x[0]) for jac in (torch.func.jacfwd, torch.func.jacrev))
    torch.testing.assert_close(forward, reverse)
    torch.testing.assert_close(
        reverse, torch.autograd.functional.jacobian(function, x[0]), rtol=1e-9, atol=1e-9
    )
    file = io.BytesIO()
    torch.jit.save(torch.jit.trace(function, (x[0],)), file)
    file.seek(0)
    torch.testing.assert_close(torch.jit.load(file)(x[0]), function(x[0]))
