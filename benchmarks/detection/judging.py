"""From scores to incidents, and from incidents to figures: the same debouncing and the same formulas for every detector. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.detection.series import ROW, ROWS_A_DAY, WARM_UP_DAYS, Burst, Series

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

HOLD_ROWS = 72
"""An incident is open until its scope has stayed below the threshold for six hours; only then another may open."""
GRACE_MIN = 60
"""A burst may be found until an hour after its last story."""
NAB_FALSE = 0.11
"""Weight of a false positive in NAB's standard profile; a true positive and a missed window weigh 1."""
NAB_PERFECT = 2 / (1 + np.exp(-5.0)) - 1


@dataclass(frozen=True)
class Scores:
    """What a detector says of the rows at which a scope's news came; scope and row in order. Higher is more of a surge."""

    scope: Ints
    row: Ints
    score: Floats

    def judged(self) -> "Scores":
        """Without the warm-up, and without rows that are never an alarm."""
        keep = (self.row >= WARM_UP_DAYS * ROWS_A_DAY) & (self.score > -np.inf)
        return Scores(self.scope[keep], self.row[keep], self.score[keep])

    def openings(self, threshold: float) -> "Scores":
        """Rows at which an incident opens: at or above the threshold, and none of the scope open."""
        high = self.score >= threshold
        scope, row, score = self.scope[high], self.row[high], self.score[high]
        first = np.ones(len(row), bool)
        first[1:] = (scope[1:] != scope[:-1]) | (row[1:] - row[:-1] > HOLD_ROWS)
        return Scores(scope[first], row[first], score[first])


def threshold_at(nulls: Sequence[Scores], incidents: float) -> float:
    """The lowest threshold from which on upwards at most so many incidents open on the nulls together."""
    judged = [scores.judged() for scores in nulls]
    ranked = np.sort(np.concatenate([scores.score for scores in judged]))[::-1]
    if not len(ranked):
        return np.inf

    def within(place: int) -> bool:
        return sum(len(scores.openings(ranked[place]).row) for scores in judged) <= incidents

    low, high = -1, min(len(ranked) - 1, max(0, int(incidents)))
    while within(high):
        low = high
        if high == len(ranked) - 1:
            return float(ranked[high])
        high = min(len(ranked) - 1, int(high * 1.25) + 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if within(middle) else (low, middle)
    return float(ranked[low]) if low >= 0 else float(np.nextafter(ranked[0], np.inf))


@dataclass(frozen=True)
class Outcome:
    """What a detector made of a series with bursts. Minutes; a missed burst has delay inf."""

    delays: Floats
    windows: Floats
    """Minutes from each burst's first story to the last at which it may be found."""
    found_at: Floats
    """Where in its window a burst was found, -1 at its start to 0 at its end; nan where missed."""
    false: int
    """Incidents that opened outside of all windows."""
    nab: float

    @property
    def recall(self) -> float:
        """Share of the bursts that were found."""
        return float(np.isfinite(self.delays).mean())

    @property
    def median_delay(self) -> float:
        """Median over all bursts, a missed one counted as found at the end of its window."""
        return float(np.median(np.minimum(self.delays, self.windows)))

    @property
    def earliness(self) -> float:
        """Mean share of the window that was left, 0 where missed: what the searches go by."""
        return float(np.mean(np.where(np.isfinite(self.delays), -np.nan_to_num(self.found_at), 0.0)))


def judge(scores: Scores, series: Series, threshold: float) -> Outcome:
    """Recall, delays and NAB's score of a detector at a threshold."""
    openings = scores.judged().openings(threshold)
    delays, windows, places = [], [], []
    inside = np.zeros(len(openings.row), bool)
    key = openings.scope * (series.days * ROWS_A_DAY) + openings.row
    for burst in series.bursts:
        base = burst.scope * (series.days * ROWS_A_DAY)
        low, high = np.searchsorted(key, [base + burst.first // ROW, base + (burst.last + GRACE_MIN) // ROW + 1])
        inside[low:high] = True
        window = burst.last + GRACE_MIN - burst.first
        delay = max(0.0, float(openings.row[low] * ROW + ROW - 1 - burst.first)) if low < high else np.inf
        delays.append(delay)
        windows.append(float(window))
        places.append(min(0.0, delay / window - 1) if low < high else np.nan)
    false = Scores(openings.scope[~inside], openings.row[~inside], openings.score[~inside])
    found = np.array(places)
    return Outcome(np.array(delays), np.array(windows), found, len(false.row), _nab(found, false, series.bursts))


def _nab(found: Floats, false: Scores, bursts: Sequence[Burst]) -> float:
    """NAB's standard profile (Lavin and Ahmad, 2015): 0 for saying nothing, 100 for every window at its start and no more."""
    earned = _sigmoid(found[~np.isnan(found)]).sum() - np.isnan(found).sum()
    for scope, row in zip(false.scope.tolist(), false.row.tolist(), strict=True):
        minute = row * ROW + ROW - 1
        passed = [burst for burst in bursts if burst.scope == scope and burst.last + GRACE_MIN < minute]
        if passed:
            last = max(passed, key=lambda burst: burst.last)
            length = last.last + GRACE_MIN - last.first
            earned += NAB_FALSE * float(_sigmoid(np.array((minute - last.last - GRACE_MIN) / length)))
        else:
            earned -= NAB_FALSE
    return float(100 * (earned + len(found)) / (NAB_PERFECT * len(found) + len(found)))


def _sigmoid(y: Floats) -> Floats:
    return np.asarray(2 / (1 + np.exp(np.minimum(5 * y, 50.0))) - 1)


def incidents_a_day(scores: Scores, series: Series, threshold: float) -> float:
    """Incidents a judged day over all scopes."""
    return len(scores.judged().openings(threshold).row) / series.judged_days
