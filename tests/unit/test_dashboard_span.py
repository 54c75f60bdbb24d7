"""Where a page's range begins and ends."""

from datetime import UTC, datetime, timedelta

import pytest

from dashboard.context import stretch
from dashboard.ranges import instant

NOW = datetime(2026, 3, 2, 15, 30, tzinfo=UTC)
DAY = timedelta(days=1)


def test_range_follows_the_clock_and_shows_what_is_dated_ahead() -> None:
    assert stretch("1d", None, NOW) == (NOW - DAY, NOW, NOW + DAY)


def test_range_ends_where_it_was_stopped_and_never_after_now() -> None:
    assert stretch("5d", "2026-02-20T12:00:00Z", NOW) == (
        datetime(2026, 2, 15, 12, tzinfo=UTC),
        datetime(2026, 2, 20, 12, tzinfo=UTC),
        datetime(2026, 2, 20, 12, tzinfo=UTC),
    )
    assert stretch("1d", "2027-01-01T00:00:00Z", NOW) == (NOW - DAY, NOW, NOW)


@pytest.mark.parametrize("words", [None, "", "yesterday", "2026-02-20T12:00:00", "' OR 1=1"])
def test_what_is_no_instant_is_none(words: str | None) -> None:
    assert instant(words) is None
