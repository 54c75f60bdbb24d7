from datetime import UTC, datetime, timedelta
from html import escape
from math import exp

import pytest

from pipelines.backtest.page import page
from pipelines.backtest.prices import DAY, HOUR, Close, Prices, interval_of_share
from pipelines.backtest.report import Fired, report

START = datetime(2015, 3, 2, 21, tzinfo=UTC)
NAMES = ("boeing", "ibm", "apple")


def closes(company: str, moves: dict[int, float], days: int = 60, wiggle: float = 0.01) -> list[Close]:
    """A close a day that goes up and down by turns, and by `moves` more on some days; prices stay where those put them."""
    level, found = 0.0, []
    for day in range(days):
        level += moves.get(day, 0.0)
        found.append(Close(company, "1d", START + day * DAY, 100 * exp(level + wiggle * (day % 2))))
    return found


def market(**moves: dict[int, float]) -> Prices:
    return Prices(
        [one for number, name in enumerate(NAMES) for one in closes(name, moves.get(name, {}), wiggle=0.01 * (number + 1))]
    )


def alert(day: float, company: str | None = "boeing", *, delay: float = 2.0) -> Fired:
    at = START + day * DAY
    scope = f"company:{company}" if company else "market"
    return Fired(
        f"id{day}", "negative-surge", scope, company or "Market", company, "high", at - delay * HOUR, at, "<b>bad</b> news"
    )


def test_a_move_goes_from_the_last_close_known_to_the_first_one_a_horizon_later() -> None:
    prices = Prices(closes("boeing", {30: -0.2}, wiggle=0))
    assert prices.move("boeing", START + 29.5 * DAY, DAY) == pytest.approx(exp(-0.2) - 1)
    assert prices.move("boeing", START + 27.5 * DAY, DAY) == pytest.approx(0)
    assert prices.move("boeing", START + 30 * DAY, DAY) == pytest.approx(0)
    assert prices.move("boeing", START + 59 * DAY, DAY) is None
    assert prices.move("unknown", START, DAY) is None


def test_an_hour_needs_bars_of_an_hour() -> None:
    daily = closes("boeing", {}, wiggle=0)
    hourly = [
        Close("boeing", "30m", START + 30 * DAY + 30 * number * timedelta(minutes=1), 100.0 - number) for number in range(5)
    ]
    at = START + 30 * DAY
    assert Prices(daily).move("boeing", at, HOUR) is None
    assert Prices([*daily, *hourly]).move("boeing", at, HOUR) == pytest.approx(-0.02)
    assert Prices([*daily, *hourly]).move("boeing", at + 5 * DAY, HOUR) is None


def test_a_fall_is_what_is_left_of_it_without_the_others() -> None:
    alone = market(boeing={40: -0.1}).fall("boeing", START + 39.5 * DAY, START + 39.6 * DAY)
    together = market(**{name: {40: -0.1} for name in NAMES}).fall("boeing", START + 39.5 * DAY, START + 39.6 * DAY)
    assert alone is not None
    assert together is not None
    assert alone < -3
    assert -2 < together <= 0


def test_a_fall_is_looked_for_from_the_first_item_on_and_not_longer_than_a_day_after_the_alert() -> None:
    prices = market(boeing={40: -0.1})
    before = prices.fall("boeing", START + 39.9 * DAY, START + 40.5 * DAY)
    after = prices.fall("boeing", START + 40.1 * DAY, START + 40.5 * DAY)
    early = prices.fall("boeing", START + 37.5 * DAY, START + 37.6 * DAY)
    assert before is not None
    assert after is not None
    assert early is not None
    assert before < -3 < min(after, early)
    assert prices.fall("boeing", START + 5 * DAY, START + 5 * DAY) is None
    assert prices.fall("boeing", START + 59.5 * DAY, START + 59.5 * DAY) is None


def test_the_figures_of_a_stretch() -> None:
    prices = market(boeing={40: -0.1})
    fired = [alert(39.5), alert(45.5, delay=4), alert(46.5, None), alert(20)]
    found = report(fired, prices, ["boeing", "ibm"], START + 30 * DAY, START + 50 * DAY, 2.0)
    assert [one.followed for one in found.alerts] == [True, False, None]
    assert (found.followed, found.false, found.unjudged) == (1, 1, 1)
    assert found.by_rule["negative-surge"].alerts == 3
    assert found.company_days == 40
    assert (found.false_a_company_day, found.false_a_day) == (0.025, 0.05)
    assert found.median_delay_minutes == 120
    assert found.counted_after == {"1h": 0, "1d": 2, "5d": 2}
    assert found.chance_share is not None
    assert 0 < found.chance_share < 0.2
    assert "2 or more standard deviations" in found.definition


def test_the_page_needs_nothing_from_elsewhere_and_shows_words_as_words() -> None:
    found = report([alert(39.5)], market(boeing={40: -0.1}), ["boeing"], START + 30 * DAY, START + 50 * DAY, 2.0)
    html = page(found, "Backtest of <mine>")
    assert "<b>bad</b>" not in html
    assert "&lt;b&gt;bad&lt;/b&gt;" in html
    assert "Backtest of &lt;mine&gt;" in html
    assert "<script src=" not in html
    assert "<link" not in html
    assert escape(found.definition) in html
    empty = report([], market(), [], START, START + DAY, 2.0)
    assert "None." in page(empty, "t")


def test_wilson() -> None:
    assert interval_of_share(0, 0) == (0, 1)
    low, high = interval_of_share(5, 10)
    assert (round(low, 3), round(high, 3)) == (0.237, 0.763)
