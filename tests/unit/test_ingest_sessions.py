from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from squall.sessions import available_at, interval_length


@pytest.mark.parametrize(
    ("start", "close"),
    [
        (datetime(2012, 5, 21, tzinfo=UTC), datetime(2012, 5, 21, 20, tzinfo=UTC)),
        (datetime(2012, 5, 21, 13, 30, tzinfo=UTC), datetime(2012, 5, 21, 20, tzinfo=UTC)),
        (datetime(2012, 5, 21, tzinfo=ZoneInfo("America/New_York")), datetime(2012, 5, 21, 20, tzinfo=UTC)),
        # winter time
        (datetime(2013, 1, 24, tzinfo=UTC), datetime(2013, 1, 24, 21, tzinfo=UTC)),
        # the half session after Thanksgiving
        (datetime(2012, 11, 23, tzinfo=UTC), datetime(2012, 11, 23, 18, tzinfo=UTC)),
        # a storm closed the exchange
        (datetime(2012, 10, 29, tzinfo=UTC), datetime(2012, 10, 30, tzinfo=UTC)),
        # a Saturday
        (datetime(2012, 5, 19, tzinfo=UTC), datetime(2012, 5, 20, tzinfo=UTC)),
        # before the calendar begins
        (datetime(1975, 5, 21, tzinfo=UTC), datetime(1975, 5, 22, tzinfo=UTC)),
    ],
)
def test_daily_bar_is_known_from_its_sessions_close(start: datetime, close: datetime) -> None:
    assert available_at(start) == close


def test_sydney_opens_on_the_day_before_in_utc() -> None:
    assert available_at(datetime(2015, 3, 2, 23, tzinfo=UTC), "1d", "XASX") == datetime(2015, 3, 3, 5, tzinfo=UTC)


def test_intraday_bar_is_known_at_its_end() -> None:
    start = datetime(2012, 5, 21, 13, 30, tzinfo=UTC)
    assert available_at(start, "15m") == start + timedelta(minutes=15)
    assert available_at(start, "1wk") == start + timedelta(days=7)


@pytest.mark.parametrize("interval", ["", "1", "d", "0m", "1.5h", "1M", "-1d", "99999m", "1d "])
def test_unknown_interval(interval: str) -> None:
    with pytest.raises(ValueError, match="interval"):
        interval_length(interval)


def test_unknown_exchange() -> None:
    with pytest.raises(ValueError, match="NOPE"):
        available_at(datetime(2012, 5, 21, tzinfo=UTC), "1d", "NOPE")
