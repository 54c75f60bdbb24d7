"""Who moves: companies whose mood has turned or stands against the price; a company's topics and peers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from dashboard.moods import span_rows, span_times
from dashboard.queries import Reader
from dashboard.scopes import company_scope

RECENT = timedelta(hours=24)
BEFORE = timedelta(days=7)
BUSY = 100
KEPT_S = 15.0
"""All viewers share one answer that long: it is of a day and a week."""
LEAST = 2
"""Mentions of the last day without which nothing is said of a turn."""


@dataclass(frozen=True)
class Mover:
    """A company's mean sentiment of the last day and of the week before, and its price's move over the last bar."""

    company_id: str
    mentions: int
    recent: float
    before: float | None
    move: float | None

    @property
    def turn(self) -> float | None:
        """How far the mood has moved."""
        return None if self.before is None else self.recent - self.before


@dataclass(frozen=True)
class Tone:
    """Mean sentiment of a scope over a range."""

    scope: str
    mentions: int
    mean: float | None


_MEAN = "((sum(positive_weight) - sum(negative_weight)) / nullif(sum(weight), 0))::float8"


def movers(reader: Reader, now: datetime, only: Sequence[str] | None) -> list[Mover]:
    """The companies of which most was said in the last day; `only`: of these."""
    among = "" if only is None else "AND scope = ANY(:only)"
    sql = f"""
    WITH recent AS (
        SELECT scope, sum(mentions)::int AS mentions, {_MEAN} AS recent FROM mood
        WHERE minute >= :day AND minute <= :now AND scope LIKE 'company:%' AND scope NOT LIKE '%/%' {among}
        GROUP BY scope HAVING sum(mentions) >= {LEAST} ORDER BY sum(mentions) DESC, scope LIMIT {BUSY})
    SELECT substr(r.scope, 9) AS company_id, r.mentions, r.recent, b.before, p.move FROM recent r
    LEFT JOIN LATERAL (SELECT {_MEAN} AS before FROM {span_rows("scope = r.scope")}) b ON true
    LEFT JOIN LATERAL (
        SELECT ((array_agg(close ORDER BY available_at DESC))[1]
                / nullif((array_agg(close ORDER BY available_at DESC))[2], 0) - 1)::float8 AS move
        FROM (SELECT close, available_at FROM bar WHERE company_id = substr(r.scope, 9) AND interval = '1d'
              AND available_at <= :now AND available_at > :week ORDER BY available_at DESC LIMIT 2) two) p ON true
    WHERE r.recent IS NOT NULL
    """
    day = now - RECENT
    wanted = [company_scope(one) for one in only or ()]
    rows = reader.shared(
        ("movers", None if only is None else tuple(only)),
        KEPT_S,
        lambda: reader.dicts(sql, now=now, day=day, week=day - BEFORE, only=wanted, **span_times(day - BEFORE, day)),
        old_s=2 * KEPT_S,
    )
    return [Mover(row["company_id"], row["mentions"], row["recent"], row["before"], row["move"]) for row in rows]


def turned(rows: Sequence[Mover], most: int) -> list[Mover]:
    """Those whose mood has moved furthest."""
    return sorted((row for row in rows if row.turn is not None), key=lambda row: -abs(row.turn or 0))[:most]


def diverged(rows: Sequence[Mover], most: int) -> list[Mover]:
    """Those whose price went against the mood, the strongest contrast first."""
    against = [row for row in rows if row.move is not None and row.move * row.recent < 0]
    return sorted(against, key=lambda row: -abs((row.move or 0) * row.recent))[:most]


def topics_of(reader: Reader, company_id: str, start: datetime, stop: datetime) -> list[Tone]:
    """What a company was talked of for, the most frequent first."""
    prefix = company_scope(company_id) + "/topic:"
    return _tones(reader, "scope >= :prefix AND scope < :after", start, stop, prefix=prefix, after=prefix[:-1] + ";")


def tones(reader: Reader, scopes: Sequence[str], start: datetime, stop: datetime) -> list[Tone]:
    """Mean sentiment of each of these scopes, the one of which most was said first."""
    return _tones(reader, "scope = ANY(:scopes)", start, stop, scopes=list(scopes))


def _tones(reader: Reader, where: str, start: datetime, stop: datetime, **values: Any) -> list[Tone]:
    sql = f"""
    SELECT scope, sum(mentions)::int AS mentions, {_MEAN} AS mean FROM {span_rows(where)}
    GROUP BY scope HAVING sum(mentions) > 0 ORDER BY mentions DESC, scope LIMIT 8
    """
    return reader.rows(Tone, sql, **span_times(start, stop), **values)
