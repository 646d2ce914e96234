"""A small convolutional network on face images, a baseline."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import BatchNorm2d, Conv2d, Dropout, Flatten, Linear, MaxPool2d, Module, ReLU
from torch.nn import Sequential as Layers


class FaceCNN(Module):
    """Convolutions of 3 x 3 in blocks that halve the image, then a fully connected layer.

    Reads the field ``image`` of a batch, [B, H, W] or [B, 3, H, W] of bytes, and standardises each
    image.
    """

    inputs = ('image',)

    def __init__(
        self,
        size: Sequence[int],
        num_classes: int,
        in_channels: int = 1,
        channels: Sequence[int] = (32, 64, 128),
        num_layers: Sequence[int] = (1, 2, 2),
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        layers: list[Module] = []
        for width, count in zip(channels, num_layers):
            for _ in range(count):
                conv = Conv2d(in_channels, width, 3, padding=1, bias=False)
                layers += [conv, BatchNorm2d(width), ReLU()]
                in_channels = width
            layers.append(MaxPool2d(2))
            size = [side // 2 for side in size]
        num_features = in_channels * size[0] * size[1]
        self.layers = Layers(*layers, Flatten(), Dropout(dropout))
        self.head = Linear(num_features, num_classes)

    def forward(self, image: Tensor) -> Tensor:
        """Returns the logits of each image."""
        x = (image.unsqueeze(1) if image.dim() == 3 else image).float() / 255
        x = x - x.mean(dim=(2, 3), keepdim=True)
        x = x * (x.square().mean(dim=(2, 3), keepdim=True) + 1e-3).rsqrt()
        return self.head(self.layers(x))
