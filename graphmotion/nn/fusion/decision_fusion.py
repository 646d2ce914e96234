"""Fusion of the decisions of several classifiers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import Module, Parameter

from graphmotion.checks import check_choice


class DecisionFusion(Module):
    r"""Fuses the decisions of several classifiers, given their logits.

    With :math:`p_{mc}` the probability that classifier :math:`m` assigns to class :math:`c`, the
    fused probability :math:`p_c` is computed by one of these rules:

    - :obj:`"max"`: :math:`p_c \propto \max_m p_{mc}`, the decision of the most confident
      classifier;
    - :obj:`"mean"`: :math:`p_c = \frac{1}{M} \sum_m p_{mc}`;
    - :obj:`"product"`: :math:`p_c \propto \prod_m p_{mc}`;
    - :obj:`"learned"`: :math:`p_c = \sum_m a_m p_{mc}` with learned weights :math:`\mathbf{a}`,
      which are positive, sum to one and are initially equal.

    .. code-block:: python

        fusion = DecisionFusion(num_parts=2, mode='mean')
        print(fusion([torch.randn(4, 7), torch.randn(4, 7)]).shape)  # [4, 7]

    Args:
        num_parts (int): Number of classifiers :math:`M`.
        mode (str, optional): Fusion rule. (default: :obj:`"max"`)

    Shapes:
        - **logits:** :math:`M` tensors :math:`(B, \text{num\_classes})`
        - **output:** logarithm of the fused probabilities :math:`(B, \text{num\_classes})`, which
          are logits of the fused distribution

    Raises:
        ValueError: If the mode is unknown.
    """

    modes = ('max', 'mean', 'product', 'learned')

    def __init__(self, num_parts: int, mode: str = 'max') -> None:
        super().__init__()
        check_choice('mode', mode, self.modes)
        self.mode = mode
        self.weight = Parameter(torch.zeros(num_parts)) if mode == 'learned' else None

    def reset_parameters(self) -> None:
        r"""Resets all learnable parameters of the module."""
        if self.weight is not None:
            torch.nn.init.zeros_(self.weight)

    @torch.no_grad()
    def fit(self, logits: Sequence[Tensor], y: Tensor, num_steps: int = 1000) -> None:
        r"""Fits the weights :math:`\mathbf{a}` to the logits of trained classifiers.

        Maximises the likelihood of the classes :obj:`y` by expectation-maximisation, starting from
        equal weights:

        .. math::
            a_m \leftarrow \frac{1}{B} \sum_b \frac{a_m \, p_{mb}}{\sum_{m'} a_{m'} \, p_{m'b}}

        where :math:`p_{mb}` is the probability that classifier :math:`m` assigns to the class of
        sample :math:`b`.

        Args:
            logits (sequence of Tensor): Logits of each classifier :math:`(B, \text{num\_classes})`
                for held-out or augmented samples.
            y (Tensor): Classes of the samples :math:`(B)`.
            num_steps (int, optional): Maximum number of steps. (default: :obj:`1000`)

        Raises:
            ValueError: If the mode is not :obj:`"learned"`.
        """
        if self.weight is None:
            raise ValueError(f"mode must be 'learned' to fit weights, got {self.mode!r}")
        log = torch.stack(tuple(logits)).double().log_softmax(dim=-1)
        log = log.gather(2, y.view(1, -1, 1).expand(len(log), -1, 1)).squeeze(2)
        share = log.new_full((len(log), 1), 1 / len(log))
        for _ in range(num_steps):
            before = share
            share = (log + share.log()).softmax(dim=0).mean(dim=1, keepdim=True)
            if bool((share - before).abs().max() < 1e-7):
                break
        self.weight.copy_(share.clamp(min=1e-12).log().squeeze(1))

    def forward(self, logits: Sequence[Tensor]) -> Tensor:
        """Returns the fused logits."""
        log = torch.stack(tuple(logits)).log_softmax(dim=-1)
        if self.mode == 'max':
            fused = log.amax(dim=0)
        elif self.mode == 'product':
            fused = log.sum(dim=0)
        else:
            if self.weight is not None:
                log = log + self.weight.log_softmax(dim=0).view(-1, 1, 1)
            fused = log.logsumexp(dim=0)
        return fused.log_softmax(dim=-1)

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}({self.mode!r})'
