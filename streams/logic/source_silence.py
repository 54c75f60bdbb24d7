"""Whether a source that should speak by its past and its calendar is silent. Pure.

As for scopes: what the hours of the week mostly bring is awaited, and surprising is that nothing of it came (`metrics.silence`).
Sources publish in clumps, which makes their gaps longer than single articles at random times would have. So the surprise of a gap
is measured against the source's own past gaps.
"""

from collections.abc import Sequence
from math import log10
from typing import NamedTuple

import numpy as np

from streams.logic import baseline
from streams.logic.baseline import Ints
from streams.logic.e_detector import Floats
from streams.logic.expectation import AWAITED_MASS, DAY, HOUR, day_slots
from streams.logic.metrics import silence

LEAST_DAYS = 14
"""A source that is younger has no week to go by."""
LEAST_DAY = 1.0
"""Nor has one that brings fewer articles on a mean day."""
TAIL = 0.99
"""The past gap of this quantile says how far gaps go beyond chance: by chance it has a surprise of 2."""


class Rhythm(NamedTuple):
    """What a source brings by its past."""

    level: float
    """Articles of a mean day."""
    shape: Floats
    """How much of a mean hour each hour of the week is, (168,)."""
    wander: float
    """Squared coefficient of variation of a day's rate."""
    clumps: float
    """How many times as surprising its longest gaps are as gaps by chance, at least 1."""

    def awaited(self, minutes: Sequence[int], exchange: str) -> Floats:
        """Articles that should have come between each two of these minutes since 1970, ascending."""
        at = np.asarray(minutes, np.int64)
        first = int(at[0]) // HOUR
        rates = self.level / 24 * self.shape[slots_of(np.arange(first, int(at[-1]) // HOUR + 1), exchange)]
        before = np.concatenate([[0.0], np.cumsum(rates)])
        place, rest = at // HOUR - first, at % HOUR / HOUR
        awaited: Floats = np.diff(before[place] + rest * rates[place])
        return awaited

    def surprise(self, minutes: Sequence[int], exchange: str) -> Floats:
        """-log10 of the probability that nothing came between each two of these minutes."""
        return silence(self.awaited(minutes, exchange), np.array([self.level]), self.wander) / self.clumps


def rhythm_of(minutes: Sequence[int], until: int, exchange: str) -> Rhythm | None:
    """What a source's articles of some weeks say; None where they are too few to say anything.

    Args:
        minutes: those (since 1970) of its articles, ascending; whole days up to `until`, the first minute of a day, are read.
    """
    if not minutes or until // DAY - (minutes[0] // DAY + 1) < LEAST_DAYS:
        return None
    start = minutes[0] // DAY + 1
    days = until // DAY - start
    hours = np.bincount(
        [minute // HOUR - start * 24 for minute in minutes if start <= minute // DAY < until // DAY], minlength=days * 24
    ).astype(float)
    slots = slots_of(start * 24 + np.arange(days * 24), exchange)
    working = np.arange(baseline.SLOTS) < 5 * 24
    shape = baseline.fit_shape(hours[None], np.ones(days * 24, np.bool_), slots, working, AWAITED_MASS)
    exposure = shape[:, slots].reshape(1, days, 24).sum(axis=2) / 24
    level = baseline.fit_level(hours.reshape(1, days, 24).sum(axis=2), exposure, np.zeros(1, np.int64), 1)
    rhythm = Rhythm(float(level.mean[0]), shape[0], level.wander, 1.0)
    if rhythm.level < LEAST_DAY:
        return None
    gaps = rhythm.surprise(np.unique(minutes).tolist(), exchange)
    clumps = float(np.quantile(gaps, TAIL)) / -log10(1 - TAIL)
    return rhythm._replace(clumps=max(1.0, clumps))


def line(rhythm: Rhythm, sources: int, budget: float) -> float:
    """The surprise from which a source counts as silent: each of its gaps is one chance, and all sources share the budget.

    Args:
        sources: how many are listened to.
        budget: false incidents a day over all of them.
    """
    return log10(max(1.0, rhythm.level) * sources / budget)


def slots_of(hours: Ints, exchange: str) -> Ints:
    """The hour of the week of each hour since 1970, ascending."""
    days = np.arange(hours[0] // 24, hours[-1] // 24 + 1)
    slots: Ints = np.concatenate([day_slots(int(day), exchange) for day in days])[hours - days[0] * 24]
    return slots
