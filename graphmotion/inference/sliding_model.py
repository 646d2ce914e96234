"""Evaluation of a model on a window that slides over a sequence."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor

from graphmotion.nn.sliding import SlidingCache


class SlidingModel:
    r"""Evaluates a skeleton model on windows that slide over a sequence.

    Outputs equal those of the model on the same windows up to rounding. Models that implement
    ``forward_sliding``, see :class:`~graphmotion.nn.sliding.SlidingFrames`, reuse features of the
    previous windows where this saves time; other models are evaluated on every window.

    .. list-table::
        :header-rows: 1

        * - model
          - reused between windows
          - evaluated for each window
        * - ``st_gcn``
          - all layers, except for frames near the ends, whose zero padding changes
          - the mean
        * - ``agcn(similarity=False)``, ``ctr_gcn(refine=False)``
          - as ``st_gcn``
          - the mean
        * - ``agcn``, ``ctr_gcn``
          - input normalisation
          - everything else, as topologies depend on all frames
        * - ``gaitmixer``
          - attention over joints; temporal convolutions, except for frames that the reflection at
            the start affects, which is :math:`k - 1` more frames in each layer
          - the mean
        * - ``gaitformer``
          - attention over joints
          - attention over frames
        * - ``fg_stformer``
          - input layer and the first attention over joints
          - everything after the first attention over frames
        * - ``msa_gcn``
          - nothing
          - everything, as kernels are selected by the mean over all frames

    The more the receptive field of a network exceeds its window, the less can be reused. With
    strides, results are kept for each phase.

    .. code-block:: python

        model, x = st_gcn('coco17', num_classes=4, channels=(8, 16)).eval(), torch.randn(17, 100, 3)
        sliding = SlidingModel(model)
        for first in range(0, 40, 5):
            out = sliding(x[:, first : first + 60], first)  # equal to model(x[:, first:first + 60])

    Args:
        model (torch.nn.Module): The model, in evaluation mode. Its weights must not change.
        min_flops (float, optional): See :class:`~graphmotion.nn.sliding.SlidingCache`.
            (default: :obj:`None`)

    Raises:
        ValueError: If the model is in training mode.
    """

    def __init__(self, model: torch.nn.Module, min_flops: float | None = None) -> None:
        if model.training:
            raise ValueError('model must be in evaluation mode; call model.eval() first')
        self.model = model
        self.cache = SlidingCache(min_flops)
        self.reset()

    def reset(self) -> None:
        """Starts another sequence."""
        self.cache.clear()
        self._length = 0  # frames of the previous window
        # Up to this number of frames, nothing can be reused.
        self._plain_length: float = 0 if hasattr(self.model, 'forward_sliding') else torch.inf

    @torch.inference_mode()
    def __call__(self, x: Tensor, first: int) -> Tensor:
        r"""Returns the output of the model for the next window.

        Args:
            x (Tensor): Features of the window :math:`(|\mathcal{V}|, T, C)`, which must not be
                modified afterwards. The number of frames may change.
            first (int): The frame of the sequence at which the window starts; must not decrease.
        """
        if x.size(1) <= self._plain_length:
            return self.model(x)
        out = cast(Any, self.model).forward_sliding(self.cache.slide(x, first))
        if x.size(1) == self._length and not self.cache.is_used:
            self._plain_length = self._length
            self.cache.clear()
        self._length = x.size(1)
        return out
