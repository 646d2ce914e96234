import math

import pytest
import torch

from graphmotion.nn.encoding import sinusoidal_encoding


@pytest.mark.parametrize('channels', [1, 6, 7])
def test_against_the_formula(channels):
    encoding = sinusoidal_encoding(40, channels, dtype=torch.float64)
    assert encoding.shape == (40, channels)
    for i in range(40):
        for c in range(channels):
            angle = i / 10000 ** ((c - c % 2) / channels)
            expected = math.cos(angle) if c % 2 else math.sin(angle)
            assert encoding[i, c].item() == pytest.approx(expected, abs=1e-12)


def test_no_positions_and_half_precision():
    assert sinusoidal_encoding(0, 4).shape == (0, 4)
    half = sinusoidal_encoding(300, 8, dtype=torch.bfloat16)
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.float(), sinusoidal_encoding(300, 8), atol=4e-3, rtol=0)
    assert sinusoidal_encoding(3, 4).dtype == torch.get_default_dtype()
