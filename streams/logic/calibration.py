"""Where the alarm line has to stand so that the budget of false alarms is met: measured on a watch-list's own history. Pure.

The bound of the e-detector holds for every stream whose expectations hold; most streams stay far below it, and a stream that is
burstier than was expected may pass it. So the detector is played over the history with the days of each company in another order:
what is left of surges is what companies have by chance and within a day, and its incidents count as false.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from itertools import pairwise
from math import ceil, log10, sqrt
from typing import NamedTuple

import numpy as np

from squall.sessions import week_slots
from squall.settings import DetectionSettings
from streams.logic.detection import Arrival
from streams.logic.expectation import DAY, HOUR
from streams.logic.surge_detector import SurgeDetector

History = Sequence[tuple[int, Mapping[str, Arrival]]]
"""What minutes since 1970 brought to companies, minutes ascending."""
PERMUTATIONS = 4
HOLD = 6 * HOUR
"""An incident is open until its scope has stayed below the line for so long; only then another may open."""
LEAST_FALSE = 10
"""Incidents that the judged days, each counted once, must allow at the budget: fewer say too little of where the line is."""
CAUTION = 1.645
"""Standard errors of that number by which less is allowed: other weeks have other chances, and the budget is to hold there."""
_EPOCH = date(1970, 1, 1).toordinal()
# Monday's slots come first, and a holiday counts as a Sunday.
_NOON, _SATURDAY = 12, 5 * 24


def day_permuted(history: History, rng: np.random.Generator, exchange: str) -> History:
    """The same days of each company in another order, days with and without a session among themselves."""
    days = np.arange(history[0][0] // DAY, history[-1][0] // DAY + 1)
    working = np.array([week_slots(date.fromordinal(_EPOCH + int(day)), exchange)[_NOON] < _SATURDAY for day in days])
    places: dict[str, dict[int, int]] = {}
    for scope in sorted({scope for _, arrivals in history for scope in arrivals}):
        moved = places[scope] = {}
        for kind in (True, False):
            some = days[working == kind]
            moved.update(zip(some.tolist(), rng.permutation(some).tolist(), strict=True))
    minutes: defaultdict[int, dict[str, Arrival]] = defaultdict(dict)
    for minute, arrivals in history:
        day, rest = divmod(minute, DAY)
        for scope, arrival in arrivals.items():
            minutes[places[scope][day] * DAY + rest][scope] = arrival
    return sorted(minutes.items())


class Null(NamedTuple):
    """What the detector says of permuted history."""

    found: list[tuple[int, str, int, float]]
    """Permutation, scope, minute and surprise of all minutes that may open an incident."""
    days: int
    """Judged days of all permutations together."""
    bound: float
    """The line without calibration, at a budget of one false incident a day."""

    def calibration(self, budget: float) -> float | None:
        """log10 of what the bound is to be multiplied by for a budget; None: the history is too short to say."""
        once = budget * self.days / PERMUTATIONS
        if once < LEAST_FALSE:
            return None
        allowed = int(budget * self.days * (1 - CAUTION / sqrt(once)))
        return round(line_for(self.found, allowed) - self.bound + log10(budget), 4)


def play_null(history: History, settings: DetectionSettings, rng: np.random.Generator) -> Null:
    """Play permutations of a history. The weeks that a baseline needs are played, and judged only after."""
    if not history:
        return Null([], 0, 0.0)
    first = (history[0][0] // DAY + settings.baseline_days + settings.guard_days + 1) * DAY
    judged = max(0, history[-1][0] // DAY + 1 - first // DAY)
    plain = settings.model_copy(update={"calibration": 0.0, "budget": 1.0})
    found: list[tuple[int, str, int, float]] = []
    bound = 0.0
    for number in range(PERMUTATIONS if judged else 0):
        detector = SurgeDetector(plain)
        for minute, arrivals in day_permuted(history, rng, settings.exchange):
            said = detector.step(minute, arrivals)
            if minute >= first:
                found += [(number, one.scope, one.minute, one.surprise) for one in said if one.share_up]
        bound = detector.line("company")
    return Null(found, judged * PERMUTATIONS, bound)


def line_for(found: Iterable[tuple[int, str, int, float]], allowed: int) -> float:
    """The lowest line, in hundredths, from which on upwards at most so many incidents open.

    Args:
        found: history, scope, minute and surprise of what may open one, in any order.
    """
    ordered = sorted(found)
    if not ordered:
        return 0.0
    hundredths = np.array([int(100 * one[3]) for one in ordered])
    key = np.cumsum([0, *(one[:2] != before[:2] for before, one in pairwise(ordered))])
    minute = np.array([one[2] for one in ordered])

    def incidents(line: int) -> int:
        high = hundredths >= line
        near = (np.diff(key[high]) == 0) & (np.diff(minute[high]) <= HOLD)
        return int(high.sum() - near.sum())

    # What counts at a line is not monotone: a higher one may split an incident. So it is sought from above.
    low, high = 0, ceil(float(hundredths.max())) + 1
    while high > low and incidents(high - 1) <= allowed:
        high -= 1
    return high / 100
