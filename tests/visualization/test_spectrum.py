import cmath
import math

import numpy as np
import pytest
import torch

from graphmotion.visualization import feature_spectrum, plot_feature_spectrum

from .conftest import check_nothing_is_clipped

V, T, C = 5, 8, 3


@pytest.mark.parametrize(('nodes', 'frames'), [(V, T), (6, 7)])
def test_against_the_definition(nodes, frames):
    torch.manual_seed(0)
    x = torch.randn(nodes, frames, 2, dtype=torch.float64)
    spectrum = feature_spectrum(x)
    assert spectrum.shape == x.shape
    for u in range(nodes):
        for w in range(frames):
            for c in range(2):
                total = sum(
                    float(x[v, t, c])
                    * cmath.exp(-2j * math.pi * (
                        (u - nodes // 2) * v / nodes + (w - frames // 2) * t / frames
                    ))
                    for v in range(nodes)
                    for t in range(frames)
                )  # fmt: skip
                wanted = math.log(abs(total) / math.sqrt(nodes * frames))
                assert float(spectrum[u, w, c]) == pytest.approx(wanted)
    torch.testing.assert_close(feature_spectrum(x[..., 1]), spectrum[..., 1])


def test_energy_is_preserved():
    x = torch.randn(17, 60, 4, dtype=torch.float64)
    energy = (2 * feature_spectrum(x)).exp().sum(dim=(0, 1))
    torch.testing.assert_close(energy, x.square().sum(dim=(0, 1)))


@pytest.mark.parametrize(('nodes', 'frames'), [(17, 60), (4, 5)])
def test_constant_features_have_frequency_zero(nodes, frames):
    spectrum = feature_spectrum(torch.full((nodes, frames), -3.0))
    middle = float(spectrum[nodes // 2, frames // 2])
    assert middle == pytest.approx(math.log(3 * math.sqrt(nodes * frames)))
    spectrum[nodes // 2, frames // 2] = -math.inf
    assert float(spectrum.max()) <= middle + math.log(1.1e-6)


def test_cosine_has_two_frequencies():
    t = torch.arange(60.0)
    spectrum = feature_spectrum(torch.cos(2 * math.pi * 9 * t / 60).expand(17, -1))
    found = (spectrum > spectrum.max() - 1).nonzero().tolist()
    assert found == [[8, 30 - 9], [8, 30 + 9]]


def test_zeros_half_precision_and_gradients():
    assert torch.isfinite(feature_spectrum(torch.zeros(4, 5))).all()
    x = torch.randn(V, T, requires_grad=True)
    out = feature_spectrum(x)
    assert not out.requires_grad
    half = feature_spectrum(x.bfloat16())
    assert half.dtype == torch.float32
    torch.testing.assert_close(half.exp(), out.exp(), atol=0.1, rtol=0.1)


@pytest.mark.parametrize(
    ('x', 'message'),
    [
        (torch.zeros(4), r'x must have shape \[V, T\] or .*, got \[4\]'),
        (torch.zeros(1, 2, 3, 4), r'x must have shape \[V, T\] or'),
        (torch.zeros(0, 5), r'\[0, 5\]'),
        (torch.full((2, 2), torch.inf), 'must be finite'),
    ],
)
def test_invalid_features(x, message):
    with pytest.raises(ValueError, match=message):
        feature_spectrum(x)


def test_panels_of_models_and_channels(tmp_path):
    torch.manual_seed(0)
    scale = torch.tensor([1.0, 3.0, 2.0])
    first, second = scale * torch.randn(V, T, C), torch.randn(V, 2 * T).numpy()
    path = tmp_path / 'new' / 'spectrum.png'
    figure = plot_feature_spectrum(
        {'one': first, 'two': second}, num_channels=2, decibels=40, title='spectra', path=path
    )
    assert path.stat().st_size > 0
    panels = figure.axes[:-1]
    assert [ax.get_title() for ax in panels] == ['channel 1', 'channel 2', 'channel 0']
    assert [ax.get_ylabel() for ax in panels] == [
        'one\ncycles per joint', '', 'two\ncycles per joint',
    ]  # fmt: skip
    assert figure.get_supxlabel() == 'cycles per frame'
    assert figure.axes[-1].get_ylabel() == 'dB relative to maximum'
    image = panels[0].images[0]
    magnitude = np.abs(np.fft.fftshift(np.fft.fft2(first[..., 1].double())))
    wanted = 20 * np.log10(magnitude / magnitude.max())
    np.testing.assert_allclose(np.asarray(image.get_array()), wanted, atol=1e-4)
    assert image.get_clim() == (-40, 0)
    # The first of 8 frequencies is -4/8, the last 3/8; the first of 5 is -2/5.
    np.testing.assert_allclose(image.get_extent(), [-4.5 / 8, 3.5 / 8, -0.5, 0.5])
    assert not panels[0].yaxis_inverted()
    check_nothing_is_clipped(figure)


def test_channels_for_all_or_each_model():
    x = {'one': torch.randn(V, T, C), 'two': torch.randn(V, T, C)}
    for channels, wanted in (([2, 0], [2, 0, 2, 0]), ({'one': [1], 'two': [0, 2]}, [1, 0, 2])):
        panels = plot_feature_spectrum(x, channels).axes[:-1]
        assert [ax.get_title() for ax in panels] == [f'channel {c}' for c in wanted]


@pytest.mark.parametrize(
    ('features', 'options', 'message'),
    [
        (torch.zeros(4), {}, r'features must be 2D or 3D, got shape \[4\]'),
        (
            {'a': torch.full((2, 3), torch.nan)},
            {},
            r"features\['a'\] must be finite, got 6 non-finite",
        ),
        (
            torch.zeros(4, 5, 2),
            {'channels': [2]},
            r'channels of features must be .* in \[0, 1\], got \[2\]',
        ),
        (torch.zeros(4, 5, 2), {'channels': []}, r'got \[\]'),
        (
            {'a': torch.zeros(4, 5)},
            {'channels': {'b': [0]}},
            r"channels must have an entry for 'a', got \['b'\]",
        ),
        (torch.zeros(4, 5), {'num_channels': 0}, 'num_channels must be an integer >= 1'),
        (torch.zeros(4, 5), {'decibels': 0}, 'decibels must be positive'),
        ({}, {}, 'features must not be empty'),
    ],
)
def test_invalid_figures(features, options, message):
    with pytest.raises(ValueError, match=message):
        plot_feature_spectrum(features, **options)
