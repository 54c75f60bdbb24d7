"""Which model versions have scored what, and how far people agree with them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dashboard.queries import Reader

NEWEST = 20_000
DAYS = 30
KEPT_S = 15.0
"""All viewers share one answer that long."""


@dataclass(frozen=True)
class Version:
    """A model version; the counts are of the newest scores."""

    version: str
    manifest: Mapping[str, Any]
    first_used_at: datetime
    scored: int
    last_scored_at: datetime | None
    certainty: float | None
    """Mean probability of the likeliest sentiment."""


@dataclass(frozen=True)
class Confused:
    """Labelled mentions of a version: what people said, what the model had said."""

    version: str
    said: str
    model: str
    number: int


@dataclass(frozen=True)
class Day:
    """Shares of the sentiments that a version gave on a day of event time."""

    version: str
    at: datetime
    scored: int
    negative: float
    neutral: float
    positive: float


def versions(reader: Reader) -> list[Version]:
    """All versions, the newest first."""
    sql = f"""
    WITH newest AS (SELECT model_version, scored_at, greatest(negative, neutral, positive) AS top
                    FROM score ORDER BY event_time DESC LIMIT {NEWEST}),
         counted AS (SELECT model_version, count(*)::int AS scored, max(scored_at) AS last_scored_at,
                            (avg(top) / 1e6)::float8 AS certainty FROM newest GROUP BY 1)
    SELECT v.version, v.manifest, v.first_used_at, coalesce(c.scored, 0) AS scored, c.last_scored_at, c.certainty
    FROM model_version v LEFT JOIN counted c ON c.model_version = v.version ORDER BY v.first_used_at DESC, v.version LIMIT 50
    """
    return reader.shared("versions", KEPT_S, lambda: reader.rows(Version, sql), old_s=2 * KEPT_S)


def confusion(reader: Reader) -> list[Confused]:
    """Counts over the labels that stand."""
    sql = """
    SELECT l.model_version AS version, l.sentiment AS said,
           CASE greatest(s.negative, s.neutral, s.positive)
                WHEN s.neutral THEN 'neutral' WHEN s.negative THEN 'negative' ELSE 'positive' END AS model,
           count(*)::int AS number
    FROM label l JOIN score s ON s.mention_id = l.mention_id AND s.event_time = l.event_time AND s.model_version = l.model_version
    WHERE l.undone_at IS NULL GROUP BY 1, 2, 3
    """
    return reader.rows(Confused, sql)


def days(reader: Reader, now: datetime) -> list[Day]:
    """Shares by day, over the newest scores of the last month."""
    sql = f"""
    SELECT model_version AS version, date_trunc('day', event_time) AS at, count(*)::int AS scored,
           (avg(negative) / 1e6)::float8 AS negative, (avg(neutral) / 1e6)::float8 AS neutral,
           (avg(positive) / 1e6)::float8 AS positive
    FROM (SELECT * FROM score WHERE event_time <= :now AND event_time > :now - interval '{DAYS} days'
          ORDER BY event_time DESC LIMIT {NEWEST}) newest
    GROUP BY 1, 2 ORDER BY 2
    """
    return reader.shared("drift", KEPT_S, lambda: reader.rows(Day, sql, now=now), old_s=20 * KEPT_S)
