"""Reading moods: of one scope, and of those of which most is said.

Where a bucket is a day or more, its sums come from those of the days. Of a range of more than two days in shorter ones, what lies
before yesterday hardly changes: it is kept for half a minute for all viewers, and only the rest is read each time.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

from sqlalchemy import Engine, text

from dashboard.kept import Kept
from dashboard.ranges import DAY, Buckets
from dashboard.rows import Mood
from squall.scopes import MARKET

LONG = timedelta(days=2)
"""Longer ranges are read in two parts."""
CLOSED_FOR_S, RANKED_FOR_S = 30.0, 60.0
STALE_S = 6 * 3600.0
"""A long range's ranking, and what lies before yesterday, may be this old while it is read anew."""
AMOUNTS = ("mentions", "items", "negative", "positive", "weight", "negative_weight", "positive_weight")
_SUMS = ", ".join(f"sum({name})::bigint AS {name}" for name in AMOUNTS)
_SERIES = """
SELECT found.* FROM unnest(CAST(:scopes AS text[])) AS wanted (scope) CROSS JOIN LATERAL (
    SELECT scope, date_bin(:step, {time}, :origin) AS at, {sums} FROM {table}
    WHERE {table}.scope = wanted.scope AND {time} >= :start AND {time} < :stop
    GROUP BY 1, 2 HAVING sum(mentions) > 0
) found ORDER BY scope, at
"""
_BY_MINUTES = _SERIES.format(table="mood", time="minute", sums=_SUMS)
_BY_DAYS = _SERIES.format(table="mood_day", time="day", sums=_SUMS)
_BUSY = """
SELECT 'company:' || c.id AS scope FROM company c CROSS JOIN LATERAL (
    SELECT sum(mentions) AS mentions FROM mood_day WHERE scope = 'company:' || c.id AND day >= :start AND day < :stop
) said WHERE mentions > 0 AND {among} ORDER BY mentions DESC, c.id LIMIT :most
"""
# A short range has few mentions: their index alone counts them, to the minute.
_BUSY_NOW = """
SELECT 'company:' || company_id AS scope FROM mention
WHERE event_time >= :start AND event_time < :stop AND company_id IS NOT NULL AND {among}
GROUP BY company_id ORDER BY count(*) DESC, company_id LIMIT :most
"""


_SPAN = """(
    SELECT scope, {names} FROM mood_day WHERE {scopes} AND day >= :first AND day < :last
    UNION ALL SELECT scope, {names} FROM mood WHERE {scopes} AND minute >= :start AND minute < :first
    UNION ALL SELECT scope, {names} FROM mood WHERE {scopes} AND minute >= :last AND minute < :stop) span"""


def span_rows(scopes: str) -> str:
    """A subquery `span` of rows that sum up to the moods of [start, stop): whole days by days, both ends by minutes.

    Args:
        scopes: condition on `scope`, in SQL of ours.
    """
    return _SPAN.format(names=", ".join(AMOUNTS), scopes=scopes)


def span_times(start: datetime, stop: datetime) -> dict[str, datetime]:
    """What `span_rows` asks for."""
    first = midnight(start)
    first = min(first if first == start else first + DAY, stop)
    return {"start": start, "stop": stop, "first": first, "last": max(first, midnight(stop))}


class Moods:
    """Reads moods of one namespace."""

    def __init__(self, engine: Engine, kept: Kept) -> None:
        self._engine = engine
        self._kept = kept

    def series(self, scopes: Sequence[str], window: Buckets) -> list[Mood]:
        """One row a scope and bucket in which it had news, by scope and time."""
        if window.end - window.start <= LONG or window.step >= DAY:
            return self._read(scopes, window, window.start, window.end)
        split = midnight(window.end) - DAY
        key = ("closed", tuple(scopes), window.start, window.step, split)
        closed = self._kept.get(key, CLOSED_FOR_S, lambda: self._read(scopes, window, window.start, split), old_s=STALE_S)
        return added(closed, self._read(scopes, window, split, window.end))

    def busiest(self, window: Buckets, most: int, only: Sequence[str] | None) -> list[str]:
        """The market and the company scopes of which most was said; of a long range as it was a little while ago, by whole days.

        Args:
            only: of these companies.
        """
        if window.end - window.start <= LONG:
            return [MARKET, *self._scopes(_BUSY_NOW, "company_id", window.start, window.end, most - 1, only)]
        start, stop = midnight(window.start), midnight(window.end) + DAY
        key = ("busy", start, stop, most, None if only is None else tuple(only))
        read = partial(self._scopes, _BUSY, "c.id", start, stop, most - 1, only)
        return [MARKET, *self._kept.get(key, RANKED_FOR_S, read, old_s=STALE_S)]

    def _read(self, scopes: Sequence[str], window: Buckets, start: datetime, stop: datetime) -> list[Mood]:
        values = {"scopes": list(scopes), "step": window.step, "origin": window.start, "start": start, "stop": stop}
        # Buckets of days begin with a day of UTC.
        sql = _BY_DAYS if window.step >= DAY else _BY_MINUTES
        with self._engine.connect() as connection:
            return [Mood(**row) for row in connection.execute(text(sql), values).mappings()]

    def _scopes(self, sql: str, column: str, start: datetime, stop: datetime, most: int, only: Sequence[str] | None) -> list[str]:
        chosen = sql.format(among="true" if only is None else f"{column} = ANY(:only)")
        values = {"start": start, "stop": stop, "most": most, "only": list(only or ())}
        with self._engine.connect() as connection:
            return list(connection.execute(text(chosen), values).scalars())


def midnight(at: datetime) -> datetime:
    """The beginning of its day in UTC."""
    return at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def added(some: Sequence[Mood], more: Sequence[Mood]) -> list[Mood]:
    """Two lists of sums as one: what is of the same scope and bucket is added up."""
    sums: dict[tuple[str, datetime], Mood] = {}
    for mood in (*some, *more):
        known = sums.get((mood.scope, mood.at))
        amounts = {name: getattr(mood, name) + (getattr(known, name) if known else 0) for name in AMOUNTS}
        sums[mood.scope, mood.at] = Mood(scope=mood.scope, at=mood.at, **amounts)
    return [sums[key] for key in sorted(sums)]
