"""The frequencies in feature maps, over joints and over frames."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from graphmotion.visualization._figure import (
    Figure,
    Normalize,
    PathLike,
    ScalarMappable,
    finish,
    new_figure,
    to_array,
)
from graphmotion.visualization.adjacency import color_bar

_FLOOR = 1e-6  # of the largest magnitude: what is less is rounding
_DECIBEL = 20 / math.log(10)
_COLORS = 'viridis'


def feature_spectrum(x: Tensor) -> Tensor:
    r"""The magnitude of the two-dimensional Fourier transform of features over joints and frames,
    on a logarithmic scale, with the frequency zero in the middle.

    .. math::
        \mathbf{S}_{u,w,c} = \log \left| \frac{1}{\sqrt{V T}} \sum_{v,t} \mathbf{X}_{v,t,c} \,
        e^{-2 \pi i (u v / V + w t / T)} \right|

    The factor makes it keep energy: the squares of magnitudes have the sum of those of the
    features. Magnitudes below a millionth of the channel's largest are raised to that.

    The order of the joints decides about their frequencies, so that only models of the same
    skeleton compare.

    Args:
        x (Tensor): Features of a sample, or one channel of them.

    Shapes:
        - **x:** :math:`(V, T)` or :math:`(V, T, C)`
        - **output:** as **x**; zero is at :math:`(\lfloor V / 2 \rfloor, \lfloor T / 2 \rfloor)`

    Raises:
        ValueError: If :obj:`x` has another number of dimensions, is empty or not finite.
    """
    if x.dim() not in (2, 3) or x.numel() == 0:
        raise ValueError(f'x has the shape {list(x.shape)}, expected [V, T] or [V, T, C]')
    if not bool(torch.isfinite(x).all()):
        raise ValueError('x has values that are not finite')
    x = x.detach()
    # Not all devices transform reduced precision.
    x = x if x.dtype == torch.float64 else x.float()
    magnitude = torch.fft.fft2(x, dim=(0, 1), norm='ortho').abs()
    lowest = _FLOOR * magnitude.amax(dim=(0, 1), keepdim=True)
    magnitude = magnitude.maximum(lowest).clamp_min(torch.finfo(x.dtype).tiny)
    return torch.fft.fftshift(magnitude.log(), dim=(0, 1))


def plot_feature_spectrum(
    features: Tensor | np.ndarray | Mapping[str, Tensor | np.ndarray],
    channels: Sequence[int] | Mapping[str, Sequence[int]] | None = None,
    num_channels: int = 4,
    decibels: float = 60.0,
    title: str | None = None,
    path: PathLike | None = None,
) -> Figure:
    r"""Draw the spectra of some channels, those of several models below each other, as in Fig. 3
    of the `"GaitMixer: Skeleton-based Gait Representation Learning via Wide-spectrum Multi-axial
    Mixer" <https://arxiv.org/abs/2210.15491>`_ paper.

    Colours are decibels below the largest magnitude of the channel.

    .. code-block:: python

        x = model.features(data.x)  # of one sample [V, T, C]
        plot_feature_spectrum({'GaitMixer': x, 'ST-GCN': other}, path='spectrum.png')

    Args:
        features (Tensor or mapping): The features of a sample, or those of several models by
            their names.
        channels (sequence of int, optional): The channels to draw, or those of each model by its
            name. By default :obj:`num_channels` with the largest variance.
            (default: :obj:`None`)
        num_channels (int, optional): The number of channels if they are not given.
            (default: :obj:`4`)
        decibels (float, optional): The range of the colours. (default: :obj:`60.0`)
        title (str, optional): The title. (default: :obj:`None`)
        path (str, optional): The file to write; its suffix says the format.
            (default: :obj:`None`)

    Shapes:
        - **features:** each :math:`(V, T, C)`, or :math:`(V, T)` of one channel

    Raises:
        ValueError: If a shape is another, values are not finite, or a channel is not there.
    """
    if not decibels > 0:
        raise ValueError(f'decibels is a range above 0, got {decibels}')
    rows = _read(features, channels, num_channels)
    most = max(len(chosen) for _, chosen in rows.values())
    beside = 0.8 + 0.085 * max(map(len, rows))
    figure = new_figure(2.0 * most + beside + 0.9, 1.75 * len(rows) + (0.9 if title else 0.6))
    axes = figure.subplots(len(rows), most, squeeze=False)
    for beginning, (name, (x, chosen)) in zip(axes, rows.items()):
        for ax in beginning[len(chosen) :]:
            figure.delaxes(ax)
        spectra = feature_spectrum(x[..., chosen])
        levels = _DECIBEL * (spectra - spectra.amax(dim=(0, 1)))
        (low, high), (first, last) = (_edges(size) for size in x.shape[:2])
        for i, (ax, channel) in enumerate(zip(beginning, chosen)):
            ax.imshow(
                levels[..., i].numpy(),
                cmap=_COLORS,
                vmin=-decibels,
                vmax=0,
                extent=(first, last, low, high),
                origin='lower',
                aspect='auto',
                interpolation='nearest',
            )
            ax.set_xticks([-0.4, -0.2, 0, 0.2, 0.4])
            ax.set_yticks([-0.4, 0, 0.4])
            ax.tick_params(labelsize='x-small', length=2, labelleft=i == 0)
            ax.set_title(f'channel {channel}', fontsize='small')
            ax.spines[:].set_visible(False)
        label = f'{name}\n' if name else ''
        beginning[0].set_ylabel(f'{label}cycles per joint', fontsize='small')
    figure.supxlabel('cycles per frame', fontsize='small')
    values = ScalarMappable(Normalize(-decibels, 0), _COLORS)
    color_bar(figure, values, np.array(figure.axes), label='dB of the largest')
    return finish(figure, path, title)


def _edges(size: int) -> tuple[float, float]:
    """Where the picture of so many frequencies begins and ends."""
    lowest = -(size // 2)
    return (lowest - 0.5) / size, (lowest + size - 0.5) / size


def _read(
    features: Tensor | np.ndarray | Mapping[str, Tensor | np.ndarray],
    channels: Sequence[int] | Mapping[str, Sequence[int]] | None,
    num_channels: int,
) -> dict[str, tuple[Tensor, list[int]]]:
    """The features of each model, with the channels to draw."""
    if num_channels < 1:
        raise ValueError(f'num_channels is at least 1, got {num_channels}')
    models = features if isinstance(features, Mapping) else {'': features}
    if not models:
        raise ValueError('there are no features to draw')
    out = {}
    for name, values in models.items():
        what = f'features {name!r}' if name else 'features'
        x = torch.from_numpy(to_array(values, what, dims=(2, 3), finite=True))
        x = x if x.dim() == 3 else x.unsqueeze(2)
        if isinstance(channels, Mapping) and name not in channels:
            raise ValueError(f'channels are given for {list(channels)}, not for {name!r}')
        wanted = channels[name] if isinstance(channels, Mapping) else channels
        if wanted is None:
            order = x.flatten(0, 1).var(dim=0, correction=0).argsort(descending=True, stable=True)
            wanted = order[:num_channels].sort().values.tolist()
        chosen = [int(channel) for channel in wanted]
        outside = [channel for channel in chosen if not 0 <= channel < x.size(2)]
        if outside or not chosen:
            raise ValueError(
                f'channels of {what} are some of 0..{x.size(2) - 1}, got {outside or "none"}'
            )
        out[name] = x, chosen
    return out
