"""The marked Shiryaev-Roberts e-detector, for many scopes at once. Pure; all of it in logarithms, so that nothing overflows.

Source: Shin, Ramdas and Rinaldo, "E-detectors: a nonparametric framework for sequential change detection" (2023). A surge of
strength d brings d more mass a minute than the intensity lambda that the past makes expected. For each d and minute,
R_d <- (1 + rho R_d) * prod(1 + w^1.5 d / lambda) * exp(-d), the product over the minute's marks w: one sure story tells more
than several doubtful ones. Where marks come at an intensity of lambda at most, R_d less the minutes gone is a supermartingale,
and R passes A once in A minutes on average at most. That holds for every rho up to 1: with rho = 1 it is Shiryaev and Roberts',
below it a surge may also end, and R forgets it.

News is burstier than Poisson, so lambda follows it as in Hawkes, "Spectra of some self-exciting and mutually exciting point
processes" (1971): what has just come makes more of it expected. It is known before each mark, so that the bound holds.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

EXTRA = np.array([1.0, 8.0]) / 60
"""Mass a minute that surges of different strength bring beside what is expected, in scopes of up to `BUSY` a minute."""
BUSY = float(EXTRA[-1])
"""In a scope that is busier, surges are in proportion: the strongest doubles what comes."""
NOTHING = -np.inf
"""log R before the first minute."""
HALF_LIFE_MIN = 240.0
FADING = float(np.log(2.0)) / HALF_LIFE_MIN
"""-log rho a minute. It also bounds where R of a quiet scope rests: at 1 / (1 - rho), a surprise of 2.5."""
SURE = 1.5
"""Power of a mark that evidence goes by; not below 1, or the bound would not hold."""
ECHO_MIN = 60.0
"""Minutes for which a mark makes others expected: they fade as exp(-t / ECHO_MIN)."""
ECHO = 0.03
"""Mass that a mark of 1 draws after it, whatever the scope's level."""
_LN10 = float(np.log(10.0))


class Gains(NamedTuple):
    """What the marks of a minute do to scopes."""

    log: Floats
    """log of prod(1 + w^1.5 d / lambda) for each strength; shape (scopes, 2)."""
    echo: Floats
    """Mass of late, the minute included; shape (scopes,)."""


def faded(echo: Floats, minutes: NDArray[np.int64] | int) -> Floats:
    """Mass of late, so many minutes on without marks."""
    left: Floats = echo * np.exp(-np.asarray(minutes) / ECHO_MIN)
    return left


def strengths(level: Floats) -> Floats:
    """Mass a minute that surges bring beside what is expected, shape (..., 2), where the mean minute brings `level`."""
    extra: Floats = EXTRA * np.maximum(level / BUSY, 1.0)[..., None]
    return extra


def gains(marks: Sequence[Sequence[float]], extra: Floats, rate: Floats, wander: float, echo: Floats) -> Gains:
    """What marks do, one after the other.

    Args:
        marks: of each scope, each 0 to 1.
        extra: `strengths` of the scopes; shape (scopes, 2).
        rate: mass a minute that the past makes expected, above 0; shape (scopes,).
        wander: squared coefficient of variation of a scope's rate about that.
        echo: mass of late; shape (scopes,).
    """
    lengths = np.array([len(one) for one in marks])
    owner = np.repeat(np.arange(len(marks)), lengths)
    place = np.arange(len(owner)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    table = np.zeros((len(marks), max(1, int(lengths.max(initial=0)))))
    table[owner, place] = np.fromiter((mark for one in marks for mark in one), np.float64, len(owner))
    late = echo[:, None] + np.cumsum(table, axis=1)
    before = (late - table)[owner, place]
    mine = rate[owner]
    # The posterior of a rate with a Gamma prior that has just brought `before`, and what the marks draw after them.
    likely = (1.0 + wander * before) / (1.0 + wander * mine * ECHO_MIN)
    intensity = mine * np.maximum(likely, 1.0) + ECHO * before / ECHO_MIN
    each = np.log1p((table[owner, place] ** SURE / intensity)[:, None] * extra[owner])
    total: Floats = np.zeros((len(marks), len(EXTRA)))
    np.add.at(total, owner, each)
    return Gains(total, late[:, -1])


def after_quiet(log_r: Floats, extra: Floats, minutes: NDArray[np.int64]) -> Floats:
    """log R after minutes without marks, in closed form: p^n R + q (1 - p^n) / (1 - p) with q = exp(-d), p = rho q.

    Args:
        log_r: shape (..., scopes, 2).
        extra: `strengths` of the scopes; the same shape.
        minutes: how many, 0 or more; shape (scopes,).
    """
    count = minutes[:, None].astype(np.float64)
    rate = extra + FADING
    with np.errstate(divide="ignore"):
        grown = np.log(-np.expm1(-rate * count)) - extra - np.log(-np.expm1(-rate))
    after: Floats = np.logaddexp(log_r - rate * count, grown)
    return after


def after_marks(log_r: Floats, extra: Floats, gain: Floats) -> Floats:
    """log R after a minute whose marks have this `Gains.log`; all of one shape."""
    after: Floats = np.logaddexp(0.0, log_r - FADING) + gain - extra
    return after


def log_mean(log_r: Floats) -> Floats:
    """log of the mean of R over the strengths, shape (...,)."""
    total: Floats = np.logaddexp.reduce(log_r, axis=-1)
    return total - float(np.log(len(EXTRA)))


def surprise(log_r: Floats) -> Floats:
    """log10 of the mean of R over the strengths, shape (...,), to 4 digits; at least 0."""
    least_zero: Floats = np.maximum(log_mean(log_r) / _LN10, 0.0)
    return least_zero.round(4)
