"""How far the prices of companies have moved over the last day, by the bars that were known at a minute."""

from bisect import bisect_right
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection

from squall.scopes import parse_scope
from streams.logic.incident_types import at_minute
from streams.logic.metrics import price_move

DAY = timedelta(days=1)
SESSIONS = 60
HISTORY = timedelta(days=120)
STALE = timedelta(days=5)
"""Where the newest bar is older than a long weekend, the price is unknown and not unmoved."""
_BARS = """
SELECT company_id, available_at, close, interval = '1d' FROM bar
WHERE company_id = ANY(%(companies)s) AND available_at > %(after)s AND available_at <= %(until)s
ORDER BY company_id, available_at, interval, start
"""


class Known(NamedTuple):
    """Closes and from when they were known, ascending; daily ones, and those of all intervals."""

    daily_at: list[datetime]
    daily: list[float]
    all_at: list[datetime]
    all: list[float]


class PriceMoves:
    """Serves the minutes of one transaction; bars are read once, when a price is first asked for, of all companies at a time.

    A minute is decided when the watermark has passed it by the lateness limit: a bar that is stored within that time of its
    `available_at` counts whenever it arrives.

    Args:
        after: the minute before the first that is asked for.
        until: the last one.
        scopes: those that are likely to be asked for.
    """

    def __init__(self, connection: Connection, after: datetime, until: datetime, scopes: Iterable[str] = ()) -> None:
        self._connection = connection
        self._likely = {company for scope in scopes if (company := parse_scope(scope).company_id) is not None}
        self._span = {"after": after - HISTORY, "until": until + timedelta(minutes=1)}
        self._known: dict[str, Known] = {}
        self._moves: dict[tuple[str, int, int], float | None] = {}
        """By company, and how many closes were known, and a day before."""

    def move(self, scope: str, minute: int) -> float | None:
        """The move since the last daily close that was known 24 hours before, in standard deviations of daily moves.

        None: the scope is no company, or too little is known of its price.
        """
        company = parse_scope(scope).company_id
        if company is None:
            return None
        known = self._known.get(company) or self._read(company)
        at = at_minute(minute + 1)
        newest = bisect_right(known.all_at, at)
        if newest == 0 or at - known.all_at[newest - 1] > STALE:
            return None
        before = bisect_right(known.daily_at, at - DAY)
        key = company, newest, before
        if key not in self._moves:
            self._moves[key] = price_move(known.daily[max(0, before - SESSIONS) : before], known.all[newest - 1])
        return self._moves[key]

    def _read(self, company: str) -> Known:
        wanted = {company, *self._likely}
        self._likely.clear()
        self._known |= {one: Known([], [], [], []) for one in wanted}
        for one, at, close, is_daily in self._connection.exec_driver_sql(_BARS, {"companies": list(wanted)} | self._span):
            known = self._known[one]
            known.all_at.append(at)
            known.all.append(close)
            if is_daily:
                known.daily_at.append(at)
                known.daily.append(close)
        return self._known[company]
