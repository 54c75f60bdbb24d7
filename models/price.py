"""The price encoder: a dilated causal convolution over the last 60 bars.

Of the small temporal networks this one fits: with kernels of 3 and dilations 1 to 16 the last position sees 63 bars, exactly the
window; it has a tenth of the weights of an LSTM of its width, no state to carry, and runs as five matrix products on a CPU.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from models.windows import FEATURES

CHANNELS = 32
DILATIONS = (1, 2, 4, 8, 16)
PRICE_WIDTH = 2 * CHANNELS


class PriceEncoder(nn.Module):
    """60 bars in, one vector out; a head forecasts each next bar inside the window, which is what it is pre-trained on."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Conv1d(len(FEATURES), CHANNELS, 1)
        self.blocks = nn.ModuleList(nn.Conv1d(CHANNELS, CHANNELS, 3, dilation=d) for d in DILATIONS)
        self.forecast = nn.Conv1d(CHANNELS, len(FEATURES) + 1, 1)

    def states(self, windows: Tensor) -> Tensor:
        """(rows, bars, features) to (rows, channels, bars); a position sees itself and what came before."""
        states: Tensor = self.enter(windows.transpose(1, 2))
        for block, dilation in zip(self.blocks, DILATIONS, strict=True):
            states = states + torch.relu(block(pad(states, (2 * dilation, 0))))
        return states

    def forward(self, windows: Tensor) -> Tensor:
        """(rows, 60, 6) to (rows, 64): the last position, and the mean over all."""
        states = self.states(windows)
        return torch.cat([states[:, :, -1], states.mean(dim=2)], dim=1)

    def loss(self, windows: Tensor) -> Tensor:
        """How badly each bar, and the size of its return, is foretold from those before it in the window (Huber)."""
        told = self.forecast(self.states(windows))[:, :, :-1]
        following = windows.transpose(1, 2)[:, :, 1:]
        target = torch.cat([following, following[:, :1].abs()], dim=1)
        return nn.functional.smooth_l1_loss(told, target)
