"""The marked Shiryaev-Roberts e-detector, for many scopes at once. Pure; all of it in logarithms, so that nothing overflows.

Source: Shin, Ramdas and Rinaldo, "E-detectors: a nonparametric framework for sequential change detection" (2023). For each lift k
and minute, R_k <- (1 + rho R_k) * prod(1 + w (k - 1)) * exp(-c_k mu), the product over the minute's marks w. Where c_k and mu
hold, R_k less the minutes gone is a supermartingale, and R passes A not more often than once in A minutes on average. That holds
for every rho up to 1: with rho = 1 it is Shiryaev and Roberts', below it a surge may also end, and R forgets it.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LIFTS = np.array([2.0, 4.0, 8.0, 16.0, 32.0])
NOTHING = -np.inf
"""log R before the first minute."""
HALF_LIFE_MIN = 120.0
FADING = float(np.log(2.0)) / HALF_LIFE_MIN
"""-log rho a minute. It also bounds where R of a quiet scope rests: at 1 / (1 - rho), a surprise of 2.2."""
_LN10 = float(np.log(10.0))


def log_gain(marks: Floats) -> Floats:
    """log of prod(1 + w (k - 1)) for each lift, shape (5,); `marks` has shape (stories,), each 0 to 1."""
    gains: Floats = np.log1p(marks[:, None] * (LIFTS - 1.0)).sum(axis=0)
    return gains


def after_quiet(log_r: Floats, cost: Floats, minutes: NDArray[np.int64]) -> Floats:
    """log R after minutes without marks, in closed form: p^n R + q (1 - p^n) / (1 - p) with q = exp(-cost), p = rho q.

    Args:
        log_r: shape (..., scopes, 5).
        cost: c_k mu of one minute, above 0; the same shape.
        minutes: how many, 0 or more; shape (scopes,).
    """
    count = minutes[:, None].astype(np.float64)
    rate = cost + FADING
    with np.errstate(divide="ignore"):
        grown = np.log(-np.expm1(-rate * count)) - cost - np.log(-np.expm1(-rate))
    after: Floats = np.logaddexp(log_r - rate * count, grown)
    return after


def after_marks(log_r: Floats, cost: Floats, gain: Floats) -> Floats:
    """log R after a minute whose marks have this `log_gain`; all of one shape."""
    after: Floats = np.logaddexp(0.0, log_r - FADING) + gain - cost
    return after


def surprise(log_r: Floats) -> Floats:
    """log10 of the mean of R over the lifts, shape (...,), to 4 digits; at least 0."""
    mean = (np.logaddexp.reduce(log_r, axis=-1) - np.log(len(LIFTS))) / _LN10
    rounded: Floats = np.round(np.maximum(mean, 0.0), 4)
    return rounded
