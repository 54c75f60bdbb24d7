"""Intervals by resampling days: labels of one day share the market, so days, not rows, are drawn. Pure numpy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, Any]

DRAWS = 1_000
LEVEL = 0.95


class Interval(NamedTuple):
    """A difference and the ends of its 95 % interval."""

    value: float
    low: float
    high: float


def day_weights(days: Array, draws: int = DRAWS, seed: int = 0) -> Array:
    """How often each row is drawn when days are drawn with replacement: (draws, rows) int64."""
    unique, places = np.unique(days, return_inverse=True)
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(len(unique), np.full(len(unique), 1 / len(unique)), size=draws)
    return np.asarray(counts[:, places])


def mean_difference(days: Array, one: Array, other: Array, draws: int = DRAWS) -> Interval:
    """Mean of `one` less mean of `other` (rows), paired, and its interval."""
    difference = one - other
    weights = day_weights(days, draws)
    return interval(float(difference.mean()), (weights @ difference) / weights.sum(axis=1))


def precision_difference(days: Array, truth: Array, ones: Sequence[Array], other: Array, draws: int = DRAWS) -> Interval:
    """Average precision of scores `ones` (its mean over seeds) less that of `other`, and its interval."""

    def gap(weights: Array) -> float:
        return float(np.mean([average_precision(truth, one, weights) for one in ones])) - average_precision(truth, other, weights)

    sample = [gap(weights) for weights in day_weights(days, draws)]
    return interval(gap(np.ones(len(truth))), np.array(sample))


def average_precision(truth: Array, scores: Array, weights: Array) -> float:
    """Mean precision over the positives, in order of falling score; rows of one score count together. Rows are weighted."""
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum((truth * weights)[order])
    seen = np.cumsum(weights[order])
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)
    gained = np.diff(hits[last], prepend=0.0)
    precision = hits[last] / np.maximum(seen[last], 1e-12)
    return float((gained * precision).sum() / max(hits[-1], 1e-12))


def interval(value: float, sample: Array) -> Interval:
    """A value with the ends of the interval that the sample (draws) of it gives."""
    low, high = np.quantile(sample, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(value, float(low), float(high))
