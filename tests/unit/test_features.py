from datetime import UTC, datetime, timedelta

import pytest

from streams.logic.features import NAMES, Market, PriceBar

DAY = 86_400.0
OPEN = datetime(2012, 5, 1, 14, 30, tzinfo=UTC).timestamp()
HOURS = 6.5 * 3600


def series(company: str, closes: list[float], volumes: list[float] | None = None) -> list[PriceBar]:
    volumes = volumes or [1000.0 + (i % 5) for i in range(len(closes))]
    return [
        PriceBar(company, OPEN + i * DAY, OPEN + i * DAY + HOURS, close, volume)
        for i, (close, volume) in enumerate(zip(closes, volumes, strict=True))
    ]


def after(bars: int, seconds: float = 0.0) -> datetime:
    """The instant at which the bar before number `bars` was complete, and some seconds."""
    return datetime.fromtimestamp(OPEN + (bars - 1) * DAY + HOURS + seconds, UTC)


def test_a_bar_counts_from_the_instant_at_which_it_is_complete() -> None:
    market = Market(series("fb", [40.0, 38.0, 19.0]))
    assert market.features("fb", after(3, -1))["return_1"] == -0.05
    assert market.features("fb", after(3))["return_1"] == -0.5


def test_without_bars_the_price_is_absent_and_not_neutral() -> None:
    market = Market(series("fb", [40.0, 38.0]))
    assert market.features("ibm", after(2)) == {"present": False}
    assert market.features(None, after(2)) == {"present": False}
    assert market.features("fb", after(0)) == {"present": False}
    assert market.features("fb", after(2, 90 * DAY)) == {"present": False}


def test_what_there_are_too_few_bars_for_is_named() -> None:
    found = Market(series("fb", [40.0, 38.0, 19.0])).features("fb", after(3))
    assert found["present"] is True
    assert found["as_of"] == after(3).isoformat()
    assert found["absent"] == ["return_5", "return_20", "volatility_20", "volume_z_20", "divergence_5"]


def test_values_of_a_known_series() -> None:
    closes = [100.0 * 1.01**i for i in range(24)] + [100.0 * 1.01**23 * 0.9]
    volumes = [10.0, 12.0] * 12 + [30.0]
    steady = [50.0] * 25
    found = Market(series("fb", closes, volumes) + series("ibm", steady)).features("fb", after(25))
    assert found["absent"] == []
    assert found["return_1"] == pytest.approx(-0.1)
    assert found["return_5"] == pytest.approx(1.01**4 * 0.9 - 1, abs=1e-6)
    assert found["volatility_20"] == pytest.approx(0.11 / 20**0.5, abs=1e-6)
    assert found["volume_z_20"] == pytest.approx((30 - 11) / (20 / 19) ** 0.5, abs=1e-6)
    assert found["divergence_1"] == pytest.approx(-0.05)
    assert found["divergence_5"] == pytest.approx((4 * 0.01 - 0.1) / 2, abs=1e-6)


def test_the_market_holds_only_what_was_known() -> None:
    late = [bar._replace(available=bar.available + 3600) for bar in series("ibm", [10.0, 20.0])]
    market = Market(series("fb", [10.0, 11.0]) + late)
    assert market.features("fb", after(2))["divergence_1"] == 0.0
    assert market.features("fb", after(2, 3600))["divergence_1"] == pytest.approx(0.1 - 0.55)


def test_answers_do_not_depend_on_bars_that_are_out_of_reach() -> None:
    closes = [100.0 + (i * 7) % 11 for i in range(200)]
    bars = series("fb", closes) + series("ibm", closes[::-1])
    at = after(200, 30)
    floor = (at - timedelta(days=120)).timestamp()
    whole, part = Market(bars), Market(bar for bar in bars if bar.start >= floor)
    assert whole.features("fb", at) == part.features("fb", at)
    assert set(NAMES) <= set(part.features("fb", at))
