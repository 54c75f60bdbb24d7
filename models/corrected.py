"""Heads that begin with what is known without a network and are corrected by the fused vector only as far as dev bears out."""

from __future__ import annotations

import torch
from torch import Tensor, nn

DROPOUT = 0.2
IMPACT_WIDTH = 8
RIDGE = 1e-3
NEWTON_STEPS = 25


class Correction(nn.Module):
    """What the fused vector adds to a logit: nothing before it is trained, and afterwards times a trust between 0 and 1."""

    trust: Tensor

    def __init__(self, *layers: nn.Module, last: nn.Linear) -> None:
        super().__init__()
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.layers = nn.Sequential(nn.Dropout(DROPOUT), *layers, last)
        self.register_buffer("trust", torch.tensor(1.0))

    def forward(self, fused: Tensor) -> Tensor:
        """(rows, width) to (rows)."""
        return self.trust * torch.as_tensor(self.layers(fused)).squeeze(1)


class DirectionHead(nn.Module):
    """P(up): how often it was so in training, corrected."""

    base_rate: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("base_rate", torch.tensor(0.0))
        self.correction = Correction(last=nn.Linear(width, 1))

    def fit(self, direction: Tensor) -> None:
        """Take the log odds of labels (rows) 1, 0, or nan for none."""
        self.base_rate.copy_(_log_odds(direction[~direction.isnan()]))

    def forward(self, fused: Tensor) -> Tensor:
        """Logits (rows)."""
        return self.base_rate + torch.as_tensor(self.correction(fused))


class ImpactHead(nn.Module):
    """P(fall): a logistic regression on volatilities over several horizons (as in HAR; Corsi 2009), corrected.

    The regression is fitted once, in closed form but for Newton's steps, and does not move afterwards: gradient descent at the
    network's pace would hardly move its weights from where they happened to start.
    """

    mean: Tensor
    std: Tensor
    weight: Tensor
    bias: Tensor
    base_rate: Tensor

    def __init__(self, width: int, volatilities: int) -> None:
        super().__init__()
        for name, start in (("mean", 0.0), ("std", 1.0), ("weight", 0.0)):
            self.register_buffer(name, torch.full((volatilities,), start))
        for name in ("bias", "base_rate"):
            self.register_buffer(name, torch.tensor(0.0))
        self.correction = Correction(nn.Linear(width, IMPACT_WIDTH), nn.Tanh(), last=nn.Linear(IMPACT_WIDTH, 1))

    def fit(self, volatilities: Tensor, fall: Tensor) -> None:
        """Fit the regression on training rows: logarithms (rows, volatilities), nan where unknown, and labels (rows)."""
        labelled = ~fall.isnan()
        self.base_rate.copy_(_log_odds(fall[labelled]))
        known = labelled & ~volatilities.isnan().any(dim=1)
        if known.sum() <= volatilities.shape[1]:
            self.bias.copy_(self.base_rate)
            return
        levels = volatilities[known]
        self.mean.copy_(levels.mean(dim=0))
        self.std.copy_(levels.std(dim=0).clamp_min(1e-3))
        solved = _logistic_regression(((levels - self.mean) / self.std).double(), fall[known].double())
        self.weight.copy_(solved[:-1])
        self.bias.copy_(solved[-1])

    def base(self, volatilities: Tensor, known: Tensor) -> Tensor:
        """Logits (rows) from volatilities alone; the base rate where these are not `known`."""
        standard = (volatilities - self.mean) / self.std
        told = torch.where(known.unsqueeze(1), standard, torch.zeros_like(standard)) @ self.weight + self.bias
        return torch.where(known, told, self.base_rate)

    def forward(self, fused: Tensor, volatilities: Tensor, known: Tensor) -> Tensor:
        """Logits (rows)."""
        return self.base(volatilities, known) + torch.as_tensor(self.correction(fused))


def _logistic_regression(inputs: Tensor, truth: Tensor) -> Tensor:
    """Weights and, last, the bias (inputs + 1) of a ridge logistic regression by Newton's method."""
    rows = torch.cat([inputs, torch.ones_like(inputs[:, :1])], dim=1)
    penalty = torch.full((rows.shape[1],), RIDGE, dtype=rows.dtype)
    penalty[-1] = 0
    solved = torch.zeros(rows.shape[1], dtype=rows.dtype)
    for _ in range(NEWTON_STEPS):
        told = torch.sigmoid(rows @ solved)
        slope = rows.T @ (told - truth) / len(rows) + penalty * solved
        curve = (rows * (told * (1 - told)).unsqueeze(1)).T @ rows / len(rows) + torch.diag(penalty + 1e-9)
        step = torch.linalg.solve(curve, slope)
        solved = solved - step
        if step.abs().max() < 1e-8:
            break
    return solved


def _log_odds(truth: Tensor) -> Tensor:
    """Log odds of labels, one of each added so that they are finite."""
    return torch.log((truth.sum() + 1) / (len(truth) - truth.sum() + 1))
