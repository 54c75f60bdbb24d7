"""Calibration by one number: logits divided by a temperature (Guo et al., "On Calibration of Modern Neural Networks", 2017)."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.heads import softmax

Array = np.ndarray[Any, Any]

TEMPERATURES = np.geomspace(0.5, 3.0, 200)


def best_temperature(logits: Array, labels: Array) -> tuple[float, float]:
    """The temperature of a grid with the least negative log-likelihood, and that."""
    losses = [negative_log_likelihood(logits / temperature, labels) for temperature in TEMPERATURES]
    best = int(np.argmin(losses))
    return round(float(TEMPERATURES[best]), 4), losses[best]


def negative_log_likelihood(logits: Array, labels: Array) -> float:
    """Mean negative log-likelihood of the labels."""
    return float(-np.log(softmax(logits)[np.arange(len(labels)), labels]).mean())
