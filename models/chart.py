"""The chart encoder: a small convolutional network on an image, and heads that say what the chart shows."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models.windows import ATTRIBUTES
from squall.errors import UserError

Array = np.ndarray[Any, Any]

SIZE = 224
CHART_WIDTH = 64
MAX_PIXELS = 4096 * 4096


class ChartError(UserError):
    """The image cannot be read as a chart; the message says why."""


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


def read_image(content: bytes) -> Array:
    """A PNG or JPEG as the encoder reads it, (3, 224, 224) uint8; what is transparent becomes white.

    Raises:
        ChartError: it is neither, damaged, or has more than 16 million pixels.
    """
    from PIL import Image

    try:
        with Image.open(BytesIO(content), formats=("PNG", "JPEG")) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ChartError(f"the image has {image.width} x {image.height} pixels, more than {MAX_PIXELS}")
            shown = image.convert("RGBA")
    except ChartError:
        raise
    except Exception as error:
        raise ChartError(f"no PNG or JPEG image that can be read: {error}") from None
    page = Image.new("RGBA", shown.size, "white")
    page.alpha_composite(shown)
    small = page.convert("RGB").resize((SIZE, SIZE), Image.Resampling.BILINEAR)
    return np.asarray(small).transpose(2, 0, 1).copy()
