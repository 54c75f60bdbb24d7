"""Simulated scopes at minute level: a daily and weekly rhythm, and news that is burstier than Poisson. Pure."""

import numpy as np

from benchmarks.detection.series import DAY, Generator, Pool, Series

MEDIAN_A_DAY = 2.0
SPREAD = 1.3
"""Standard deviation of the logarithm of a scope's level."""
WANDER = 0.5
"""Standard deviation of the hourly rate around its expectation, as a share of it."""
FOLLOW_UPS = 0.16
"""Stories that each story draws after it within the hour, on average: the variance of counts is about 1.34 x their mean."""
NEGATIVE_SHARE = 0.25
POOL = 1_000
SECTORS = 8


def simulated(scopes: int, days: int, rng: Generator, follow_ups: float = FOLLOW_UPS, wander: float = WANDER) -> Series:
    """A series of scopes whose levels are log-normal; with `follow_ups` = `wander` = 0 its items come as a Poisson stream."""
    level = MEDIAN_A_DAY * np.exp(SPREAD * rng.standard_normal(scopes))
    hour = np.arange(days * 24)
    shape = np.exp(1.2 * np.cos(2 * np.pi * (hour % 24 - 15) / 24)) * np.where(hour // 24 % 7 < 5, 1.0, 0.4)
    shape /= shape.mean()
    factor = rng.gamma(1 / wander**2, wander**2, (scopes, len(hour))) if wander else np.ones((scopes, len(hour)))
    counts = rng.poisson(level[:, None] / 24 / (1 + follow_ups) * shape * factor)
    scope, at = (np.repeat(part, counts.ravel()) for part in np.divmod(np.arange(counts.size), len(hour)))
    minute = at * 60 + rng.integers(0, 60, len(at))
    followed = np.repeat(np.arange(len(scope)), rng.poisson(follow_ups, len(scope)))
    scope = np.concatenate([scope, scope[followed]])
    minute = np.concatenate([minute, np.minimum(minute[followed] + rng.integers(0, 60, len(followed)), days * DAY - 1)])
    negative = np.where(rng.random(len(scope)) < NEGATIVE_SHARE, rng.beta(8, 2, len(scope)), rng.beta(1, 12, len(scope)))
    # A follow-up has the tone of what it follows.
    negative[len(at) :] = negative[followed]
    none, nothing = np.empty(0, np.int64), np.empty(0)
    names = tuple(f"sim{number:05d}" for number in range(scopes))
    sectors = tuple(f"sector{number % SECTORS}" for number in range(scopes))
    base = Series(names, sectors, days, 0, none, none, nothing, nothing)
    return base.with_items(scope, minute, rng.uniform(0.3, 1.0, len(scope)), negative)


def simulated_pool(rng: Generator) -> Pool:
    """Negative stories like those that simulated scopes have of themselves."""
    return Pool(np.full(POOL, -1), rng.uniform(0.3, 1.0, POOL), rng.beta(8, 2, POOL))
