"""Reading moods: of one scope, and of those of which most is said. Long ranges are read in two parts.

What lies before yesterday hardly changes: it is kept for half a minute for all viewers, and only the rest is read each time.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, text

from dashboard.kept import Kept
from dashboard.ranges import Buckets
from dashboard.rows import Mood
from squall.scopes import MARKET, company_scope

LONG = timedelta(days=2)
"""Longer ranges are read in two parts."""
CLOSED_FOR_S, RANKED_FOR_S = 30.0, 60.0
STALE_S = 6 * 3600.0
"""A long range's ranking, and what lies before yesterday, may be this old while it is read anew."""
AMOUNTS = ("mentions", "items", "negative", "positive", "weight", "negative_weight", "positive_weight")
_SUMS = ", ".join(f"sum({name})::bigint AS {name}" for name in AMOUNTS)
_SERIES = f"""
SELECT found.* FROM unnest(CAST(:scopes AS text[])) AS wanted (scope) CROSS JOIN LATERAL (
    SELECT scope, date_bin(:step, minute, :origin) AS at, {_SUMS} FROM mood
    WHERE mood.scope = wanted.scope AND minute >= :start AND minute < :stop
    GROUP BY 1, 2 HAVING sum(mentions) > 0
) found ORDER BY scope, at
"""
# From the index of the mentions alone: a fifth of the rows that the moods of all scopes are.
_BUSY = """
SELECT company_id FROM mention WHERE event_time >= :start AND event_time < :stop AND {companies}
GROUP BY company_id ORDER BY count(*) DESC, company_id LIMIT :most
"""


class Moods:
    """Reads moods of one namespace."""

    def __init__(self, engine: Engine, kept: Kept) -> None:
        self._engine = engine
        self._kept = kept

    def series(self, scopes: Sequence[str], window: Buckets) -> list[Mood]:
        """One row a scope and bucket in which it had news, by scope and time."""
        if window.end - window.start <= LONG:
            return self._read(scopes, window, window.start, window.end)
        midnight = window.end.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        split = midnight - timedelta(days=1)
        key = ("closed", tuple(scopes), window.start, window.step, split)
        closed = self._kept.get(key, CLOSED_FOR_S, lambda: self._read(scopes, window, window.start, split), old_s=STALE_S)
        return added(closed, self._read(scopes, window, split, window.end))

    def busiest(self, window: Buckets, most: int, only: Sequence[str] | None) -> list[str]:
        """The market and the company scopes of which most was said; of a long range as it was a little while ago, by whole days.

        Args:
            only: of these companies.
        """
        if window.end - window.start <= LONG:
            return self._busiest(window.start, window.end, most, only)
        start, stop = (at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) for at in (window.start, window.end))
        key = ("busy", start, stop, most, None if only is None else tuple(only))
        end = stop + timedelta(days=1)
        return self._kept.get(key, RANKED_FOR_S, lambda: self._busiest(start, end, most, only), old_s=STALE_S)

    def _read(self, scopes: Sequence[str], window: Buckets, start: datetime, stop: datetime) -> list[Mood]:
        values = {"scopes": list(scopes), "step": window.step, "origin": window.start, "start": start, "stop": stop}
        with self._engine.connect() as connection:
            return [Mood(**row) for row in connection.execute(text(_SERIES), values).mappings()]

    def _busiest(self, start: datetime, stop: datetime, most: int, only: Sequence[str] | None) -> list[str]:
        sql = _BUSY.format(companies="company_id IS NOT NULL" if only is None else "company_id = ANY(:only)")
        values = {"start": start, "stop": stop, "most": most - 1, "only": list(only or ())}
        with self._engine.connect() as connection:
            return [MARKET, *(company_scope(row.company_id) for row in connection.execute(text(sql), values))]


def added(some: Sequence[Mood], more: Sequence[Mood]) -> list[Mood]:
    """Two lists of sums as one: what is of the same scope and bucket is added up."""
    sums: dict[tuple[str, datetime], Mood] = {}
    for mood in (*some, *more):
        known = sums.get((mood.scope, mood.at))
        amounts = {name: getattr(mood, name) + (getattr(known, name) if known else 0) for name in AMOUNTS}
        sums[mood.scope, mood.at] = Mood(scope=mood.scope, at=mood.at, **amounts)
    return [sums[key] for key in sorted(sums)]
