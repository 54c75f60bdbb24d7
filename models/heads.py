"""From pooled features to calibrated probabilities, in numpy, one passage at a time in effect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

DIGITS = 4


class Head:
    """A linear classifier with a temperature."""

    def __init__(self, name: str, tensors: Mapping[str, Array], temperature: float) -> None:
        self.weight, self.bias = tensors[f"{name}.weight"], tensors[f"{name}.bias"]
        self.temperature = temperature

    def logits(self, inputs: Array) -> Array:
        """Logits (rows, classes) of inputs (rows, width), to the bit the same for a row alone and among others.

        A matrix product would not do: libraries take another path, with other roundings, for a single row.
        """
        return np.asarray((inputs[:, None, :] * self.weight).sum(axis=2) + self.bias)

    def probabilities(self, logits: Array) -> Array:
        """Calibrated probabilities (rows, classes), rounded to 4 digits."""
        return np.round(softmax(logits / self.temperature), DIGITS)


def head_inputs(features: Array) -> dict[str, Array]:
    """What each head reads of the features (rows, 2, hidden): the text and the company, or the text alone."""
    return {"sentiment": np.concatenate([features[:, 0], features[:, 1]], axis=1), "topic": features[:, 0]}


def softmax(logits: Array) -> Array:
    """Softmax over the last axis in float64."""
    exponent = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    return np.asarray(exponent / exponent.sum(axis=-1, keepdims=True))
