from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from streams.logic.bar_history import BarRow, history, known_span
from streams.logic.features import Market, PriceBar

START = datetime(2015, 3, 2, tzinfo=UTC)
HOUR, DAY = 3600.0, 86_400.0


def bar(day: float, known: float = 20 * HOUR) -> BarRow:
    at = START.timestamp() + day * DAY
    return (at, at + known, 10.0, 11.0, 9.0, 10.0, 5.0)


def after(days: float) -> datetime:
    return START + timedelta(days=days)


def test_a_bar_counts_from_the_instant_at_which_it_is_complete() -> None:
    own = history(bar(day) for day in range(-80, 1))
    complete = START + timedelta(hours=20)
    assert known_span(own, complete - timedelta(microseconds=1)) == (0, 80)
    assert known_span(own, complete) == (0, 81)
    assert known_span(history([]), complete) is None


def test_a_bar_that_comes_late_holds_back_those_after_it() -> None:
    own = history(bar(day, 50 * DAY if day == -10 else 20 * HOUR) for day in range(-100, 1))
    assert known_span(own, after(-2)) == (0, 90)


def test_250_bars_count_at_most_and_only_those_of_400_days() -> None:
    assert known_span(history(bar(day) for day in range(-300, 0)), START) == (50, 300)
    sparse = history([*(bar(day) for day in range(-500, -420)), *(bar(day) for day in range(-80, 0))])
    assert known_span(sparse, START) == (80, 160)


@pytest.mark.parametrize(
    ("days", "at"),
    [
        (range(-60, 0), 0),
        (range(-80, 0), 10),
        ([*range(-200, -150), *range(-30, 0)], 0),
    ],
    ids=["too few", "stale", "too far apart"],
)
def test_bars_that_say_little_of_the_price_now_count_as_none(days: list[int], at: float) -> None:
    assert known_span(history(bar(day) for day in days), after(at)) is None


def test_the_markets_mean_is_that_of_the_bars_known_by_then() -> None:
    def quote(company: str, day: int, close: float, late: float = 0.0) -> PriceBar:
        at = START.timestamp() + day * DAY
        return PriceBar(company, at, at + 20 * HOUR + late, close, 1.0)

    market = Market([quote("a", 0, 10.0), quote("a", 1, 11.0), quote("b", 0, 10.0), quote("b", 1, 13.0, late=HOUR)])
    starts = np.array([START.timestamp() + day * DAY for day in (0, 1, 2)])
    known = START + timedelta(days=1, hours=20)
    assert market.mean_returns(starts, known).tolist() == pytest.approx([0.0, 0.1, 0.0])
    assert market.mean_returns(starts, known + timedelta(hours=1)).tolist() == pytest.approx([0.0, 0.2, 0.0])
    assert market.moment(known) + 1 == market.moment(known + timedelta(hours=1))
