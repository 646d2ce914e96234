"""Two-dimensional Fourier spectra of features over joints and frames."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from graphmotion.checks import check_int
from graphmotion.visualization._figure import (
    Figure,
    Normalize,
    PathLike,
    ScalarMappable,
    add_colorbar,
    finish_figure,
    new_figure,
)
from graphmotion.visualization._inputs import (
    ArrayLike,
    as_mapping,
    check_indices,
    entry_name,
    to_array,
)

_RELATIVE_FLOOR = 1e-6
_DECIBELS_PER_NEPER = 20 / math.log(10)
_COLORMAP = 'viridis'


def feature_spectrum(x: Tensor) -> Tensor:
    r"""Computes the logarithmic magnitude spectrum of features over joints and frames.

    .. math::
        \mathbf{S}_{u,w,c} = \log \left| \frac{1}{\sqrt{V T}} \sum_{v,t} \mathbf{X}_{v,t,c} \,
        e^{-2 \pi i (u v / V + w t / T)} \right|

    The transform is orthonormal, so that the squared magnitudes sum to the energy of the features.
    Frequency zero is at the centre. Magnitudes are clamped to a millionth of the largest magnitude
    of their channel.

    Frequencies along joints depend on the order of the joints. Only compare spectra of models with
    the same skeleton.

    .. code-block:: python

        waves = torch.sin(torch.arange(60) / 2).expand(17, 60)  # the same in all 17 joints
        plt.imshow(feature_spectrum(waves).numpy())

    Args:
        x (Tensor): The features of one sample, or one channel of them.

    Shapes:
        - **x:** :math:`(V, T)` or :math:`(V, T, C)`
        - **output:** the shape of :obj:`x`; frequency zero is at
          :math:`(\lfloor V / 2 \rfloor, \lfloor T / 2 \rfloor)`

    Raises:
        ValueError: If :obj:`x` does not have two or three dimensions, is empty or is not finite.
    """
    if x.dim() not in (2, 3) or x.numel() == 0:
        raise ValueError(f'x must have shape [V, T] or [V, T, C], got {list(x.shape)}')
    if not bool(torch.isfinite(x).all()):
        raise ValueError('x must be finite, got non-finite values')
    x = x.detach()
    # Not all devices support the FFT of reduced precision.
    x = x if x.dtype == torch.float64 else x.float()
    magnitude = torch.fft.fft2(x, dim=(0, 1), norm='ortho').abs()
    floor = _RELATIVE_FLOOR * magnitude.amax(dim=(0, 1), keepdim=True)
    magnitude = magnitude.maximum(floor).clamp_min(torch.finfo(x.dtype).tiny)
    return torch.fft.fftshift(magnitude.log(), dim=(0, 1))


def plot_feature_spectrum(
    features: ArrayLike | Mapping[str, ArrayLike],
    channels: Sequence[int] | Mapping[str, Sequence[int]] | None = None,
    num_channels: int = 4,
    decibels: float = 60.0,
    title: str | None = None,
    path: PathLike | None = None,
) -> Figure:
    r"""Plots the spectra of selected channels, one row for each model.

    The figure follows Fig. 3 of the `"GaitMixer: Skeleton-based Gait Representation Learning via
    Wide-spectrum Multi-axial Mixer" <https://arxiv.org/abs/2210.15491>`_ paper. Colours are
    decibels relative to the largest magnitude of the channel; see :func:`feature_spectrum`.

    .. code-block:: python

        data = SyntheticGait(skeleton='coco17', num_subjects=1, num_takes=1)[0]
        features = gaitmixer('coco17', in_channels=3).features(data.pos).detach()
        plot_feature_spectrum({'GaitMixer': features})

    Args:
        features (Tensor or mapping): The features of one sample, or the features of several models
            by name.
        channels (sequence of int or mapping, optional): The channels to draw, for all models or
            for each model by name. If set to :obj:`None`, the :obj:`num_channels` channels with
            the largest variance are drawn. (default: :obj:`None`)
        num_channels (int, optional): The number of channels to draw if :obj:`channels` is not
            given. (default: :obj:`4`)
        decibels (float, optional): The range of the colour scale. (default: :obj:`60.0`)
        title (str, optional): The title of the figure. (default: :obj:`None`)
        path (str, optional): The file to save the figure to; its suffix sets the format.
            (default: :obj:`None`)

    Shapes:
        - **features:** :math:`(V, T, C)` or, for one channel, :math:`(V, T)`

    Raises:
        ValueError: If features have another shape or are not finite, or a channel is out of range.
    """
    if not decibels > 0:
        raise ValueError(f'decibels must be positive, got {decibels}')
    rows = _read_features(features, channels, check_int('num_channels', num_channels, 1))
    num_columns = max(len(selected) for _, selected in rows.values())
    label_width = 0.8 + 0.085 * max(map(len, rows))
    figure = new_figure(
        2.0 * num_columns + label_width + 0.9, 1.75 * len(rows) + (0.9 if title else 0.6)
    )
    axes = figure.subplots(len(rows), num_columns, squeeze=False)
    for row_axes, (name, (x, selected)) in zip(axes, rows.items()):
        for ax in row_axes[len(selected) :]:
            figure.delaxes(ax)
        spectra = feature_spectrum(x[..., selected])
        levels = _DECIBELS_PER_NEPER * (spectra - spectra.amax(dim=(0, 1)))
        (bottom, top), (left, right) = (_frequency_range(size) for size in x.shape[:2])
        for i, (ax, channel) in enumerate(zip(row_axes, selected)):
            ax.imshow(
                levels[..., i].numpy(),
                cmap=_COLORMAP,
                vmin=-decibels,
                vmax=0,
                extent=(left, right, bottom, top),
                origin='lower',
                aspect='auto',
                interpolation='nearest',
            )
            ax.set_xticks([-0.4, -0.2, 0, 0.2, 0.4])
            ax.set_yticks([-0.4, 0, 0.4])
            ax.tick_params(labelsize='x-small', length=2, labelleft=i == 0)
            ax.set_title(f'channel {channel}', fontsize='small')
            ax.spines[:].set_visible(False)
        heading = f'{name}\n' if name else ''
        row_axes[0].set_ylabel(f'{heading}cycles per joint', fontsize='small')
    figure.supxlabel('cycles per frame', fontsize='small')
    mappable = ScalarMappable(Normalize(-decibels, 0), _COLORMAP)
    add_colorbar(figure, mappable, np.array(figure.axes), label='dB relative to maximum')
    return finish_figure(figure, path, title)


def _frequency_range(size: int) -> tuple[float, float]:
    """Returns the outer edges of the lowest and the highest frequency bin."""
    lowest = -(size // 2)
    return (lowest - 0.5) / size, (lowest + size - 0.5) / size


def _read_features(
    features: ArrayLike | Mapping[str, ArrayLike],
    channels: Sequence[int] | Mapping[str, Sequence[int]] | None,
    num_channels: int,
) -> dict[str, tuple[Tensor, list[int]]]:
    """Returns the features of each model and the channels to draw."""
    out = {}
    for model, values in as_mapping(features, 'features').items():
        name = entry_name('features', model)
        x = torch.from_numpy(to_array(values, name, ndim=(2, 3), finite=True))
        x = x if x.dim() == 3 else x.unsqueeze(2)
        if isinstance(channels, Mapping) and model not in channels:
            raise ValueError(f'channels must have an entry for {model!r}, got {list(channels)}')
        selected = channels[model] if isinstance(channels, Mapping) else channels
        if selected is None:
            order = x.flatten(0, 1).var(dim=0, correction=0).argsort(descending=True, stable=True)
            selected = order[:num_channels].sort().values.tolist()
        out[model] = x, check_indices(selected, f'channels of {name}', x.size(2))
    return out
