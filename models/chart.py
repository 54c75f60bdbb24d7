"""The chart encoder: a small convolutional network on an image, and heads that say what the chart shows."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.windows import ATTRIBUTES

CHART_WIDTH = 64


class ChartEncoder(nn.Module):
    """An image in, one vector out. The grid before the last layer keeps where on the chart something stands."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_block(3, 12, 8, stride=4, padding=2),
            *_block(12, 24, 3, stride=2, padding=1),
            *_block(24, 32, 3, stride=2, padding=1),
            *_block(32, 32, 3, stride=2, padding=1),
            nn.Flatten(),
            nn.Linear(32 * 7 * 7, CHART_WIDTH),
            nn.LayerNorm(CHART_WIDTH),
        )
        self.heads = nn.ModuleDict({name: nn.Linear(CHART_WIDTH, len(classes)) for name, classes in ATTRIBUTES.items()})

    def forward(self, images: Tensor) -> Tensor:
        """Images (rows, 3, 224, 224), uint8, to (rows, 64)."""
        vectors: Tensor = self.layers(images.float() / 127.5 - 1)
        return vectors

    def attributes(self, vectors: Tensor) -> dict[str, Tensor]:
        """Logits of each attribute's classes."""
        return {name: head(torch.relu(vectors)) for name, head in self.heads.items()}


def _block(channels: int, wider: int, kernel: int, stride: int, padding: int) -> tuple[nn.Module, ...]:
    """A convolution, normalised: without that a few hundred batches of light and dark charts teach it nothing."""
    return nn.Conv2d(channels, wider, kernel, stride, padding, bias=False), nn.BatchNorm2d(wider), nn.ReLU()
