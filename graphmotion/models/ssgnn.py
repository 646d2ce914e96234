"""SSGNN: facial expressions in the spatial and the spectral domain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor
from torch.nn import Module, ModuleList

from graphmotion.config import Configurable
from graphmotion.models.face_network import SharedGraph
from graphmotion.models.registry import register_model
from graphmotion.models.spagnn import SPAGNN
from graphmotion.models.spegnn import SPEGNN
from graphmotion.nn import DecisionFusion
from graphmotion.nn.resettable import ResettableModule


class SSGNN(Configurable, ResettableModule):
    r"""Facial expressions in the spatial and the spectral domain, from "SSGNN: A Macro and
    Microfacial Expression Recognition Graph Neural Network Combining Spatial and Spectral Domain
    Features".

    It fuses the decisions of :class:`SPAGNN` and :class:`SPEGNN`. The paper takes their maximum,
    interpreted here as the maximum of the probabilities. Each part has its own cross-entropy loss,
    so the parts can be trained separately,

    .. code-block:: python

        graph = pixel_graph((48, 48))
        model = SSGNN(spagnn(graph, 7), spegnn(graph, 7))
        x, y = torch.rand(4 * graph.num_nodes, 1), torch.tensor([0, 1, 2, 3])
        for part in (model.spatial, model.spectral):
            cross_entropy(part(x), y).backward()

    or jointly with the sum of both losses, which has the same gradients:

    .. code-block:: python

        model = ssgnn(pixel_graph((48, 48)), num_classes=7)
        logits, parts = model(torch.rand(2 * 921, 1), return_parts=True)
        loss = sum(cross_entropy(part, torch.tensor([0, 1])) for part in parts)

    Learned fusion weights require a loss on the fused :obj:`logits`, or
    :meth:`~graphmotion.nn.DecisionFusion.fit` after training the parts.

    Args:
        spatial (SPAGNN): The spatial part.
        spectral (SPEGNN): The spectral part.
        fusion (str, optional): Mode of :class:`~graphmotion.nn.DecisionFusion`.
            (default: :obj:`"max"`)

    Shapes:
        - **x:** node features :math:`(B \cdot N, F_{in})`
        - **eigenvectors:** those that :obj:`spectral` requires
        - **output:** logits :math:`(B, \text{num\_classes})`, and with :obj:`return_parts` a tuple
          of the logits of the spatial and the spectral part

    Raises:
        ValueError: If the parts differ in their classes, nodes or input features.
    """

    def __init__(self, spatial: SPAGNN, spectral: SPEGNN, fusion: str = 'max') -> None:
        super().__init__()
        for name in ('num_classes', 'num_nodes', 'in_channels'):
            found = getattr(spatial, name), getattr(spectral, name)
            if found[0] != found[1]:
                raise ValueError(
                    f'{name} must be equal in both parts, got {found[0]} (spatial) and {found[1]} '
                    f'(spectral)'
                )
        self.spatial = spatial
        self.spectral = spectral
        self.fusion = DecisionFusion(2, fusion)
        self.inputs = spectral.inputs

    @property
    def head(self) -> Module:
        r"""The layers of both parts that map features to logits."""
        return ModuleList([self.spatial.head, self.spectral.head])

    def forward(
        self, x: Tensor, eigenvectors: Tensor | None = None, return_parts: bool = False
    ) -> Tensor | tuple[Tensor, tuple[Tensor, Tensor]]:
        """Returns the fused logits of each sample and, if requested, the logits of both parts."""
        parts = self.spatial(x), self.spectral(x, eigenvectors)
        fused = self.fusion(parts)
        return (fused, parts) if return_parts else fused


@register_model('ssgnn', task='expression')
def ssgnn(
    graph: SharedGraph,
    num_classes: int,
    in_channels: int = 1,
    fusion: str = 'max',
    spatial: Mapping[str, Any] | None = None,
    spectral: Mapping[str, Any] | None = None,
) -> SSGNN:
    r"""Builds SSGNN with both parts.

    .. code-block:: python

        graph = PointGraph.from_points(
            sample_pixels(48, 48), k=8, num_modes=921, levels=2, ratio=0.25
        )
        model = ssgnn(graph, num_classes=7, fusion='mean', spectral={'num_knots': 16})

    Args:
        graph (PointGraph): The graph that all samples share, with eigenvectors and a hierarchy.
        num_classes (int): Number of classes.
        in_channels (int, optional): Size of each input feature. (default: :obj:`1`)
        fusion (str, optional): Mode of :class:`~graphmotion.nn.DecisionFusion`.
            (default: :obj:`"max"`)
        spatial (mapping, optional): Options of :class:`SPAGNN`. (default: :obj:`None`)
        spectral (mapping, optional): Options of :class:`SPEGNN`. (default: :obj:`None`)
    """
    return SSGNN(
        SPAGNN(graph, num_classes, in_channels, **(spatial or {})),
        SPEGNN(graph, num_classes, in_channels, **(spectral or {})),
        fusion,
    )
