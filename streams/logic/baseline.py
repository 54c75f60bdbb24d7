"""What a scope's past makes expected: its own level, shrunk to its group's, and the shape of its group's week. Pure.

The level is the rate of a Gamma posterior over whole days. Days that stand out are down-weighted by their Anscombe residuals, as
in the flexible method of Noufaily et al., "An improved algorithm for outbreak detection in multiple surveillance systems" (2013).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streams.logic.e_detector import Floats

Ints = NDArray[np.int64]

# What a scope of a group without history is expected to bring in a day, believed as much as so many days of one scope.
PRIOR_DAY = 0.5
PRIOR_DAYS = 10.0
# Shape of the Gamma prior of a scope's level: how alike the scopes of a group are.
PRIOR_SHAPE = 0.25
RESIDUAL = 2.58
SLOTS = 168
# So much mass is worth as much as what the coarser shape says of an hour of the week.
SHAPE_MASS = 20.0
WANDER = (0.25, 1.0)
"""Least and highest squared coefficient of variation of an hour's rate about its expectation."""


class Level(NamedTuple):
    """Gamma posteriors of the mass a day, one a scope; and how much hours wander about it."""

    alpha: Floats
    beta: Floats
    weights: Floats
    """How much each day counted, 0 to 1; shape (scopes, days)."""
    group_mean: Floats
    """Mass a day of a group's scope; shape (groups,)."""
    wander: float

    @property
    def mean(self) -> Floats:
        """Mass a day."""
        return self.alpha / self.beta


def gamma_quantile(variance: Floats, z: float) -> Floats:
    """Quantile of a Gamma variable of mean 1 (Wilson and Hilferty's approximation)."""
    ninth = variance / 9.0
    cube: Floats = np.maximum(1.0 - ninth + z * np.sqrt(ninth), 1.0) ** 3
    return cube


def fit_level(masses: Floats, exposure: Floats, group: Ints, groups: int) -> Level:
    """Posterior of each scope's level.

    Args:
        masses: mass of each whole day; shape (scopes, days).
        exposure: how much of a mean day each was for the group, 0 for a day not observed; shape (groups, days).
        group: number of each scope's group.
    """
    days = exposure[group]
    flat = np.ones_like(masses)
    mean = _shrunk(masses, days, flat, group, groups)[2]
    expected = mean[:, None] * days
    weights = _farrington(masses, expected)
    alpha, beta, _, group_mean = _shrunk(masses, days, weights, group, groups)
    return Level(alpha, beta, weights, group_mean, _wander(masses, (alpha / beta)[:, None] * days, weights))


def _shrunk(masses: Floats, days: Floats, weights: Floats, group: Ints, groups: int) -> tuple[Floats, Floats, Floats, Floats]:
    mass, observed = (masses * weights).sum(axis=1), (days * weights).sum(axis=1)
    total = np.bincount(group, mass, groups)
    group_mean = (PRIOR_DAY * PRIOR_DAYS + total) / (PRIOR_DAYS + np.bincount(group, observed, groups))
    alpha = PRIOR_SHAPE + mass
    beta = PRIOR_SHAPE / group_mean[group] + observed
    return alpha, beta, alpha / beta, group_mean


def residual(masses: Floats, expected: Floats) -> Floats:
    """Anscombe residual of counts against their expectation, about standard normal."""
    safe = np.maximum(expected, 1e-9)
    value: Floats = 1.5 * (np.cbrt(masses) ** 2 * safe ** (-1 / 6) - np.sqrt(safe))
    return value


def _farrington(masses: Floats, expected: Floats) -> Floats:
    busy = np.maximum(expected, 1e-3)
    spread = max(1.0, float(((masses - expected) ** 2).sum() / max(1.0, float(expected.sum()))))
    far = residual(masses, busy) / np.sqrt(min(spread, 3.0))
    weights: Floats = np.where((far > RESIDUAL) & (expected > 0), np.maximum(far, 1.0) ** -2.0, 1.0)
    return weights


def _wander(masses: Floats, expected: Floats, weights: Floats) -> float:
    """Squared coefficient of variation of quiet days beyond Poisson's, between the bounds of `WANDER`."""
    quiet = np.where(weights == 1.0, 1.0, 0.0)
    beyond = (quiet * ((masses - expected) ** 2 - masses)).sum() / max(1.0, float((quiet * expected**2).sum()))
    return float(np.clip(beyond, *WANDER))


def fit_shape(
    hours: Floats, observed: NDArray[np.bool_], slots: Ints, open_days: NDArray[np.bool_], believed: float = SHAPE_MASS
) -> Floats:
    """How much of a mean hour each hour of the week is, shape (groups, 168); means over the observed hours are 1.

    Args:
        hours: mass of each hour; shape (groups, hours).
        observed: whether the stream ran in the hour; shape (hours,).
        slots: local hour of the week of each hour, holidays counted as Sundays; shape (hours,).
        open_days: whether each of the 168 slots lies on a day of the working week. Its hour on all such days, or on all others,
            is what a slot with little mass is shrunk to, and that in turn to 1.
        believed: mass that what a slot is shrunk to is worth.
    """
    if not observed.any():
        return np.ones((len(hours), SLOTS))
    hours, slots = hours[:, observed], slots[observed]
    mean = hours.mean(axis=1, keepdims=True)
    coarse_of = np.arange(SLOTS) % 24 + 24 * open_days
    coarse = _ratio(hours, coarse_of[slots], 48, mean, np.ones((len(hours), 48)), believed)
    fine = _ratio(hours, slots, SLOTS, mean, coarse[:, coarse_of], believed)
    shape: Floats = fine / fine[:, slots].mean(axis=1, keepdims=True)
    return shape


def _ratio(hours: Floats, slots: Ints, count: int, mean: Floats, prior: Floats, believed: float) -> Floats:
    seen = np.bincount(slots, minlength=count)
    mass = np.stack([np.bincount(slots, row, count) for row in hours])
    ratio: Floats = (mass + believed * prior) / (seen * mean + believed)
    return ratio
