"""When a bar is complete: trading sessions and holidays by exchange."""

import re
import warnings
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

EXCHANGE = "XNYS"
FIRST_SESSION = "1990-01-01"
UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "wk": timedelta(weeks=1)}
MIDNIGHT = time()


@cache
def interval_length(interval: str) -> timedelta:
    """Length of a bar's interval: `1m`, `15m`, `1h`, `1d`, `1wk`.

    Raises:
        ValueError: for anything else.
    """
    match = re.fullmatch(r"([1-9]\d{0,3})(m|h|d|wk)", interval)
    if match is None:
        raise ValueError(f"interval {interval!r}: use a number and m, h, d or wk, as in 15m or 1d")
    return int(match[1]) * UNITS[match[2]]


@cache
def _closes(exchange: str) -> tuple[ZoneInfo, dict[date, datetime]]:
    import exchange_calendars

    try:
        with warnings.catch_warnings():
            # The calendars still use what pandas 3.1 deprecates; that is nothing for a user's terminal.
            warnings.simplefilter("ignore")
            calendar = exchange_calendars.get_calendar(exchange, start=FIRST_SESSION)
    except exchange_calendars.errors.InvalidCalendarName:
        raise ValueError(f"exchange {exchange!r}: no calendar of that name (use a code such as XNYS, XLON or XETR)") from None
    closes = calendar.closes
    days = (session.date() for session in closes.index)
    return calendar.tz, dict(zip(days, closes.dt.tz_convert(UTC).dt.to_pydatetime(), strict=True))


def session_close(start: datetime, exchange: str = EXCHANGE) -> datetime | None:
    """The close, in UTC, of the session that a daily bar with this start belongs to; None where that day has none.

    Midnight UTC names the day itself, as many files write it; any other instant means the day that it falls on at the exchange.
    """
    zone, closes = _closes(exchange)
    start = start.astimezone(UTC)
    day = start.date() if start.time() == MIDNIGHT else start.astimezone(zone).date()
    return closes.get(day)


def available_at(start: datetime, interval: str = "1d", exchange: str = EXCHANGE) -> datetime:
    """From when a bar may be known: the session's close for a daily bar, else start + interval.

    Args:
        exchange: ISO 10383 code of the calendar. A day on which it holds no session counts as start + interval.

    Raises:
        ValueError: unknown interval or exchange.
    """
    length = interval_length(interval)
    close = session_close(start, exchange) if interval == "1d" else None
    return close or start.astimezone(UTC) + length


@cache
def week_slots(day: date, exchange: str = EXCHANGE) -> tuple[int, ...]:
    """Local hour of the week of each of a UTC day's 24 hours: 0 is Monday's first. A day without a session counts as a Sunday.

    Days before the calendar's first session or after its last known one are taken by their weekday.

    Raises:
        ValueError: unknown exchange.
    """
    zone, closes = _closes(exchange)
    first, last = next(iter(closes)), next(reversed(closes))
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    slots = []
    for hour in range(24):
        local = (start + timedelta(hours=hour)).astimezone(zone)
        here = local.date()
        holiday = first <= here <= last and local.weekday() < 5 and here not in closes
        slots.append(24 * (6 if holiday else local.weekday()) + local.hour)
    return tuple(slots)
