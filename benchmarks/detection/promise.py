"""What the detector promises, tested: the budget on null data, the share of false incidents, cost, and any order of arrival."""

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from benchmarks.detection.judging import GRACE_MIN, Scores
from benchmarks.detection.ours import minutes_of
from benchmarks.detection.series import DAY, ROW, Generator, Series
from benchmarks.detection.simulate import simulated
from squall.scopes import company_scope
from squall.settings import DetectionSettings
from streams.logic.calibration import play_null
from streams.logic.detection import Arrival
from streams.logic.past import Past
from streams.logic.surge_detector import SurgeDetector

BUDGETS = (0.1, 1.0, 10.0)
TRUE_SHARE = 0.05
"""Of the scopes that have true surges in the mixed test."""
DRAWS = 20
COST_SCOPES = 10_000
COST_MINUTES = 240
COST_DAYS = 32
TOPICS = 20
STATE_EVERY_MIN = 360
"""`streams.watch` stores the state so often."""


class Kept(NamedTuple):
    """Incidents a day on null data at the line for a budget, and twice their Poisson error."""

    budget: float
    bound_a_day: float
    """At the line that the bound gives before anything is measured."""
    false_a_day: float
    """At the line calibrated on other, permuted history."""
    error: float
    calibration: float | None
    """log10 of calibrated line over bound; None: that history was too short for the budget, and the bound holds on."""

    @property
    def held(self) -> bool:
        """Whether the promise stands within sampling error."""
        return self.false_a_day - self.error <= self.budget


def own_line(scopes: int, budget: float) -> float:
    """The detector's own line for so many companies and a budget."""
    detector = SurgeDetector(DetectionSettings(budget=budget))
    arrival = Arrival((0.1,), (0.5,), 1, 1.0, 0.2)
    return detector.step(0, {company_scope(f"c{number}"): arrival for number in range(scopes)})[0].line


def budgets_kept(nulls: Sequence[Scores], history: Series, scopes: int, days: int) -> list[Kept]:
    """Incidents of scores on nulls of so many judged days each, at the lines of each budget.

    Args:
        history: what the lines are calibrated on, as the product does it: other data than the nulls are of.
    """
    kept = []
    null = play_null(Past(minutes_of(history, ROW)), DetectionSettings(), np.random.default_rng(7))["companies"]
    for budget in BUDGETS:
        found = null.measured(budget)
        bound, moved = own_line(scopes, budget), found.value if found else 0.0
        counts = [sum(len(scores.judged().openings(line).row) for scores in nulls) for line in (bound, bound + moved)]
        total = days * len(nulls)
        kept.append(
            Kept(budget, counts[0] / total, counts[1] / total, 2 * max(counts[1], 1) ** 0.5 / total, found and found.value)
        )
    return kept


def false_share(null: Scores, surged: Scores, series: Series, line: float, rng: Generator) -> tuple[float, int]:
    """Share of false ones among all incidents at a line, when 5 % of the scopes have true surges; and their number.

    Mean over `DRAWS` choices of the scopes.

    Args:
        null, surged: scores without and with the bursts of `series`, scope by scope independent of each other.
    """
    count = len(series.scopes)
    quiet, loud = null.judged().openings(line), surged.judged().openings(line)
    scope, row = loud.scope, loud.row
    true = np.zeros(len(row), bool)
    for burst in series.bursts:
        inside = (row >= burst.first // ROW) & (row <= (burst.last + GRACE_MIN) // ROW)
        true |= (scope == burst.scope) & inside
    shares, number = [], 0
    for _ in range(DRAWS):
        chosen = rng.choice(count, max(1, round(TRUE_SHARE * count)), replace=False)
        hit = np.isin(scope, chosen)
        false = int((~np.isin(quiet.scope, chosen)).sum() + (hit & ~true).sum())
        every = false + int((hit & true).sum())
        shares.append(false / every if every else 0.0)
        number += every
    return float(np.mean(shares)), number


def cost_ms(rng: Generator) -> dict[str, float]:
    """CPU milliseconds of a minute over 10,000 scopes that have all had news on all days of a baseline: mean and worst, ends of
    hours and of a day included; and of writing the state, as a whole and by the minutes between two writings."""
    levels = np.exp(1.3 * rng.standard_normal(COST_SCOPES))
    chances = levels / levels.sum()
    detector = SurgeDetector(DetectionSettings())
    names = [company_scope(f"c{number}") for number in range(COST_SCOPES)]
    topics = [((f"topic{number}", 1.0),) for number in range(TOPICS)]

    def arrivals(chosen: Sequence[int]) -> dict[str, Arrival]:
        marks = rng.random(len(chosen)).tolist()
        return {
            names[i]: Arrival((mark,), (1.0,), 1, 1.0, mark, 0.1, f"sector{i % 11}", 0.2, topics[i % TOPICS])
            for i, mark in zip(chosen, marks, strict=True)
        }

    for day in range(COST_DAYS):
        detector.step(day * DAY + DAY // 2, arrivals(range(COST_SCOPES)))
    # A stream that goes on ends one hour at a time.
    detector.at(names[0], COST_DAYS * DAY - 1)
    spent: list[float] = []
    for minute in range(COST_DAYS * DAY, COST_DAYS * DAY + COST_MINUTES):
        brought = arrivals(rng.choice(COST_SCOPES, 100, replace=False, p=chances).tolist())
        start = time.process_time()
        detector.step(minute, brought)
        spent.append(1_000 * (time.process_time() - start))
    start = time.process_time()
    state = detector.export()
    exported = 1_000 * (time.process_time() - start)
    return {
        "mean_ms": round(float(np.mean(spent)), 2),
        "worst_ms": round(float(np.max(spent)), 2),
        "state_ms": round(exported, 2),
        "state_kib": round(len(state) / 1_024),
        "mean_with_state_ms": round(float(np.mean(spent)) + exported / STATE_EVERY_MIN, 2),
    }


def same_in_any_order(rng: Generator) -> bool:
    """Whether items that come shuffled, and a restart in the middle, leave every signal as it was."""
    series = simulated(20, 10, rng)
    order = rng.permutation(len(series.scope))
    shuffled = series.with_items(series.scope[order], series.minute[order], series.weight[order], series.negative[order])
    straight, other = SurgeDetector(DetectionSettings()), SurgeDetector(DetectionSettings())
    middle = 5 * DAY
    restarted = False
    for (minute, arrivals), (_, moved) in zip(minutes_of(series), minutes_of(shuffled), strict=True):
        if minute >= middle and not restarted:
            fresh = SurgeDetector(DetectionSettings())
            fresh.restore(other.export())
            other, restarted = fresh, True
        if straight.step(minute, arrivals) != other.step(minute, dict(reversed(moved.items()))):
            return False
    return restarted


def describe(kept: Sequence[Kept]) -> list[dict[str, Any]]:
    """As JSON."""
    return [
        {
            "budget": one.budget,
            "bound_a_day": round(one.bound_a_day, 3),
            "false_a_day": round(one.false_a_day, 3),
            "two_errors": round(one.error, 3),
            "calibration": one.calibration,
            "held": one.held,
        }
        for one in kept
    ]
