"""Sources that fall silent are found, and those that speak by their own rhythm are left alone."""

from datetime import date

import numpy as np
import pytest
from scipy.stats import poisson

from streams.logic.expectation import DAY, HOUR
from streams.logic.source_silence import Rhythm, line, rhythm_of, slots_of

EXCHANGE = "XNYS"
START = (date(2026, 1, 5).toordinal() - date(1970, 1, 1).toordinal()) * DAY
SOURCES, LEARNT, JUDGED, BUDGET = 12, 28, 60, 0.1


def minutes_of(rng: np.random.Generator, days: int, a_day: float, clump: float) -> list[int]:
    """Articles of a source that mostly speaks by day and on working days, its days better and worse, in clumps of this mean."""
    hours = START // HOUR + np.arange(days * 24)
    slots = slots_of(hours, EXCHANGE)
    shape = np.where((slots % 24 >= 6) & (slots % 24 < 20), 1.6, 0.15) * np.where(slots < 5 * 24, 1.2, 0.4)
    rate = a_day / 24 * shape * np.repeat(rng.gamma(5.0, 1 / 5.0, days), 24)
    found: list[int] = []
    for hour, count in zip(hours.tolist(), rng.poisson(rate / clump).tolist(), strict=True):
        for minute in (hour * HOUR + rng.integers(0, HOUR, count)).tolist():
            found += [minute] * int(rng.geometric(1 / clump))
    return sorted(found)


def gaps_found(minutes: list[int]) -> int:
    """Gaps of the judged days that would open an incident, the past read anew each day."""
    found = 0
    at = np.array(minutes)
    for day in range(LEARNT, LEARNT + JUDGED):
        today = START + day * DAY
        rhythm = rhythm_of(at[(at >= today - LEARNT * DAY) & (at < today)].tolist(), today, EXCHANGE)
        assert rhythm is not None
        last = at[np.searchsorted(at, today) - 1]
        spoken = np.unique([last, *at[(at >= today) & (at < today + DAY)]]).tolist()
        found += int((rhythm.surprise(spoken, EXCHANGE) >= line(rhythm, SOURCES, BUDGET)).sum())
    return found


@pytest.mark.slow
@pytest.mark.parametrize("clump", [1.0, 4.0])
def test_sources_that_speak_keep_the_budget(clump: float) -> None:
    rng = np.random.default_rng(11)
    chance = poisson(BUDGET * JUDGED)
    found = sum(gaps_found(minutes_of(rng, LEARNT + JUDGED, a_day, clump)) for a_day in np.geomspace(5, 400, SOURCES))
    assert found <= chance.ppf(0.95)


@pytest.mark.parametrize(("a_day", "hours"), [(20, 60), (100, 24), (400, 12)])
def test_a_source_that_stops_is_found(a_day: float, hours: int) -> None:
    minutes = minutes_of(np.random.default_rng(5), LEARNT, a_day, 1.0)
    until = START + LEARNT * DAY
    rhythm = rhythm_of(minutes, until, EXCHANGE)
    assert rhythm is not None
    stopped = until + 10 * HOUR
    limit = line(rhythm, SOURCES, BUDGET)
    early, late = (
        rhythm.surprise([stopped, stopped + HOUR // 4], EXCHANGE),
        rhythm.surprise([stopped, stopped + hours * HOUR], EXCHANGE),
    )
    assert early[0] < limit <= late[0]


def test_the_night_is_awaited_less_than_the_day() -> None:
    rhythm = rhythm_of(minutes_of(np.random.default_rng(5), LEARNT, 100, 1.0), START + LEARNT * DAY, EXCHANGE)
    assert rhythm is not None
    noon = START + LEARNT * DAY + 17 * HOUR
    night = noon - 10 * HOUR
    assert rhythm.awaited([noon, noon + HOUR], EXCHANGE)[0] > 4 * rhythm.awaited([night, night + HOUR], EXCHANGE)[0]
    assert rhythm.awaited([noon, noon], EXCHANGE)[0] == 0
    week = [START, START + 7 * DAY]
    assert rhythm.awaited(week, EXCHANGE)[0] == pytest.approx(
        rhythm.awaited([*range(START, START + 7 * DAY, 90), START + 7 * DAY], EXCHANGE).sum()
    )


def test_a_young_or_very_quiet_source_says_nothing() -> None:
    until = START + 40 * DAY
    assert rhythm_of([], until, EXCHANGE) is None
    assert rhythm_of(list(range(until - 10 * DAY, until, HOUR)), until, EXCHANGE) is None
    assert rhythm_of(list(range(START, until, 5 * DAY)), until, EXCHANGE) is None
    assert isinstance(rhythm_of(list(range(START, until, 2 * HOUR)), until, EXCHANGE), Rhythm)
