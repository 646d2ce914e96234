import torch
from torch.nn import Linear, Parameter, Sequential

from graphmotion.nn.resettable import ResettableModule


class Scaled(ResettableModule):
    """A module with a parameter and submodules, some without parameters to reset."""

    def __init__(self):
        super().__init__()
        self.scale = Parameter(torch.ones(2))
        self.layers = Sequential(Sequential(Linear(2, 3), torch.nn.ReLU()), Linear(3, 2))

    def reset_parameters(self):
        super().reset_parameters()
        torch.nn.init.ones_(self.scale)


def test_all_parameters_are_reset_in_the_order_of_the_modules():
    module = Scaled()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.fill_(9.0)
    torch.manual_seed(0)
    module.reset_parameters()
    torch.manual_seed(0)
    expected = [Linear(2, 3), Linear(3, 2)]
    assert torch.equal(module.scale, torch.ones(2))
    for layer, other in zip((module.layers[0][0], module.layers[1]), expected):
        assert torch.equal(layer.weight, other.weight)
        assert torch.equal(layer.bias, other.bias)


def test_submodules_are_reset_by_their_own_method():
    class Outer(ResettableModule):
        def __init__(self):
            super().__init__()
            self.inner = Scaled()

    outer = Outer()
    torch.nn.init.zeros_(outer.inner.scale)
    outer.reset_parameters()
    assert torch.equal(outer.inner.scale, torch.ones(2))
