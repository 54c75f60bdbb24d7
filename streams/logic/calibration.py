"""Where the alarm line has to stand so that the budget of false alarms is met: measured on a watch-list's own history. Pure.

The bound of the e-detector holds for every stream whose expectations hold; most streams stay far below it, and a stream that is
burstier than was expected may pass it. So the detector is played over the history with the days of each scope in another order:
what is left of surges is what scopes have by chance and within a day, and its incidents count as false.
"""

from collections.abc import Iterable
from functools import cache
from itertools import pairwise
from math import ceil, exp, log10, sqrt
from typing import NamedTuple

import numpy as np

from squall.lines import FAMILIES, Family, Line, Lines, family_of
from squall.scopes import parse_scope
from squall.settings import DetectionSettings
from streams.logic.e_detector import FADING
from streams.logic.expectation import DAY, HOUR
from streams.logic.past import Past
from streams.logic.surge_detector import SurgeDetector

PERMUTATIONS = 4
HOLD = 6 * HOUR
"""An incident is open until its scope has stayed below the line for so long; only then another may open."""
LEAST_FALSE = 10
"""Incidents that the judged days, each counted once, must allow at the budget: fewer say too little of where the line is."""
CAUTION = 1.645
"""Standard errors of that number by which less is allowed: other weeks have other chances, and the budget is to hold there."""
LEAST_LINE = ceil(-100 * log10(1 - exp(-FADING))) / 100
"""No line stands lower: R of a quiet scope comes to rest below that."""


class Measured(NamedTuple):
    """What permuted history asks of a line, for a budget."""

    value: float
    """log10 of what the bound is to be multiplied by."""
    allowed: int
    """Incidents that the judged days may have: the budget's, less `CAUTION` standard errors of what it allows."""
    counted: int
    """Incidents that they have at that line."""


class Null(NamedTuple):
    """What the detector says of the permuted history of a family."""

    found: list[tuple[int, str, int, float]]
    """Permutation, scope, minute and surprise of all minutes that may open an incident at any line."""
    days: int
    """Judged days of all permutations together."""
    bound: float
    """The line without calibration, at a budget of one false incident a day."""

    def measured(self, budget: float) -> Measured | None:
        """What a budget asks for; None: the history is too short to say."""
        once = budget * self.days / PERMUTATIONS
        if once < LEAST_FALSE:
            return None
        allowed = int(budget * self.days * (1 - CAUTION / sqrt(once)))
        line, counted = line_for(self.found, allowed)
        return Measured(round(line - self.bound + log10(budget), 4), allowed, counted)


def days_needed(settings: DetectionSettings, budget: float) -> tuple[int, int]:
    """Days of history that a calibration takes, and how many of them only teach the baselines."""
    taught = settings.baseline_days + settings.guard_days + 1
    return taught + ceil(LEAST_FALSE / budget), taught


def play_null(history: Past, settings: DetectionSettings, rng: np.random.Generator) -> dict[Family, Null]:
    """Play permutations of a history. The weeks that a baseline needs are played, and judged only after.

    Days that brought nothing to a family are not judged for it: nobody was listening.
    """
    heard = history.heard()
    first = min((days[0] for days in heard.values() if days), default=0) + settings.baseline_days + settings.guard_days + 1
    judged = {family: sum(day >= first for day in days) for family, days in heard.items()}
    found: dict[Family, list[tuple[int, str, int, float]]] = {family: [] for family in FAMILIES}
    bound: dict[Family, float] = dict.fromkeys(FAMILIES, 0.0)
    for number in range(PERMUTATIONS if any(judged.values()) else 0):
        detector = SurgeDetector(settings, Lines(Line(1.0), Line(1.0)))
        for minute, arrivals in history.permuted(rng, settings.exchange):
            for one in detector.step(minute, arrivals):
                if minute >= first * DAY and one.share_up and one.surprise >= LEAST_LINE:
                    found[_family(one.scope)].append((number, one.scope, one.minute, one.surprise))
        bound = {"companies": detector.line("company"), "wider": detector.line("market")}
    return {family: Null(found[family], judged[family] * PERMUTATIONS, bound[family]) for family in FAMILIES}


@cache
def _family(scope: str) -> Family:
    return family_of(parse_scope(scope).kind)


def line_for(found: Iterable[tuple[int, str, int, float]], allowed: int) -> tuple[float, int]:
    """The lowest line, in hundredths, from which on upwards at most so many incidents open; and how many open there.

    Args:
        found: history, scope, minute and surprise of what may open one, in any order.
    """
    ordered = sorted(found)
    hundredths = np.array([int(100 * one[3]) for one in ordered])
    key = np.cumsum([0, *(one[:2] != before[:2] for before, one in pairwise(ordered))][: len(ordered)])
    minute = np.array([one[2] for one in ordered])

    def incidents(line: int) -> int:
        high = hundredths >= line
        near = (np.diff(key[high]) == 0) & (np.diff(minute[high]) <= HOLD)
        return int(high.sum() - near.sum())

    # What counts at a line is not monotone: a higher one may split an incident. So it is sought from above.
    low = round(100 * LEAST_LINE)
    high = max(low, ceil(float(hundredths.max(initial=0))) + 1)
    while high > low and incidents(high - 1) <= allowed:
        high -= 1
    return high / 100, incidents(high)
