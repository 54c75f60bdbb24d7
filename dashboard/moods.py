"""Reading moods: of one scope, and of those of which most is said. Long ranges are read in two parts.

What lies before yesterday hardly changes: it is kept for half a minute for all viewers, and only the rest is read each time.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, text

from dashboard.kept import Kept
from dashboard.ranges import Buckets
from dashboard.rows import Mood

LONG = timedelta(days=2)
"""Longer ranges are read in two parts."""
CLOSED_FOR_S, RANKED_FOR_S = 30.0, 10.0
AMOUNTS = ("mentions", "items", "negative", "positive", "weight", "negative_weight", "positive_weight")
_SUMS = ", ".join(f"sum({name})::bigint AS {name}" for name in AMOUNTS)
_SERIES = f"""
SELECT found.* FROM unnest(CAST(:scopes AS text[])) AS wanted (scope) CROSS JOIN LATERAL (
    SELECT scope, date_bin(:step, minute, :origin) AS at, {_SUMS} FROM mood
    WHERE mood.scope = wanted.scope AND minute >= :start AND minute < :stop
    GROUP BY 1, 2 HAVING sum(mentions) > 0
) found ORDER BY scope, at
"""
_BUSY = """
SELECT scope FROM mood
WHERE minute >= :start AND minute < :stop AND (scope = 'market' OR {scopes}) AND scope NOT LIKE '%/%'
GROUP BY scope HAVING sum(mentions) > 0 ORDER BY scope = 'market' DESC, sum(mentions) DESC, scope LIMIT :most
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
        closed = self._kept.get(key, CLOSED_FOR_S, lambda: self._read(scopes, window, window.start, split))
        return added(closed, self._read(scopes, window, split, window.end))

    def busiest(self, window: Buckets, most: int, only: Sequence[str] | None) -> list[str]:
        """The market and the company scopes of which most was said; of a long range as it was a few seconds ago.

        Args:
            only: of these scopes.
        """
        if window.end - window.start <= LONG:
            return self._busiest(window, most, only)
        key = ("busy", window.start, window.step, most, None if only is None else tuple(only))
        return self._kept.get(key, RANKED_FOR_S, lambda: self._busiest(window, most, only))

    def _read(self, scopes: Sequence[str], window: Buckets, start: datetime, stop: datetime) -> list[Mood]:
        values = {"scopes": list(scopes), "step": window.step, "origin": window.start, "start": start, "stop": stop}
        with self._engine.connect() as connection:
            return [Mood(**row) for row in connection.execute(text(_SERIES), values).mappings()]

    def _busiest(self, window: Buckets, most: int, only: Sequence[str] | None) -> list[str]:
        sql = _BUSY.format(scopes="scope LIKE 'company:%'" if only is None else "scope = ANY(:only)")
        values = {"start": window.start, "stop": window.end, "most": most, "only": list(only or ())}
        with self._engine.connect() as connection:
            return [str(row.scope) for row in connection.execute(text(sql), values)]


def added(some: Sequence[Mood], more: Sequence[Mood]) -> list[Mood]:
    """Two lists of sums as one: what is of the same scope and bucket is added up."""
    sums: dict[tuple[str, datetime], Mood] = {}
    for mood in (*some, *more):
        known = sums.get((mood.scope, mood.at))
        amounts = {name: getattr(mood, name) + (getattr(known, name) if known else 0) for name in AMOUNTS}
        sums[mood.scope, mood.at] = Mood(scope=mood.scope, at=mood.at, **amounts)
    return [sums[key] for key in sorted(sums)]
