import pytest
import torch

from graphmotion.models.published_weights import match_state_dict

STATE = {'conv.weight': torch.zeros(2, 1, 3), 'conv.bias': torch.zeros(2)}
WEIGHT, BIAS = torch.arange(6.0).view(2, 3), torch.ones(2)


def test_names_and_shapes_of_the_model():
    weights = [('b', 'conv.bias', BIAS), ('w', 'conv.weight', WEIGHT)]
    out = match_state_dict(weights, STATE)
    assert out.keys() == STATE.keys()
    assert torch.equal(out['conv.weight'], WEIGHT.view(2, 1, 3))
    assert torch.equal(out['conv.bias'], BIAS)


@pytest.mark.parametrize(
    ('weights', 'message'),
    [
        ([('w', None, WEIGHT)], "holds 'w', which this model does not have"),
        ([('w', 'lin.weight', WEIGHT)], "holds 'w', which this model does not have"),
        (
            [('w', 'conv.weight', WEIGHT.t())],
            r"holds 'w' of shape \[3, 2\], expected \[2, 1, 3\]",
        ),
        ([('b', 'conv.bias', BIAS)], r"does not hold \['conv.weight'\], which this model has"),
    ],
)
def test_other_weights_raise(weights, message):
    with pytest.raises(ValueError, match=message):
        match_state_dict(weights, STATE)
