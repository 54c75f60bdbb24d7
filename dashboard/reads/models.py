"""Which model versions have scored what, and how far people agree with them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dashboard.queries import Reader
from squall import registry
from squall.db.minutes import open_epochs

NEWEST = 20_000
DAYS = 30
KEPT_S = 15.0
"""All viewers share one answer that long, unless another version has become champion."""
SHOWN_PROMOTIONS = 20


@dataclass(frozen=True)
class Version:
    """A model version; the counts are of the newest scores. `number` is None where it scored without being registered."""

    version: str
    number: int | None
    aliases: Sequence[str]
    manifest: Mapping[str, Any]
    metrics: Mapping[str, float]
    first_used_at: datetime | None
    scored: int
    last_scored_at: datetime | None
    certainty: float | None
    """Mean probability of the likeliest sentiment."""
    verdict: Mapping[str, Any] | None
    """What the gate said of it last."""
    judged_at: datetime | None


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
    SELECT v.version, v.number, ARRAY(SELECT alias FROM model_alias a WHERE a.version = v.version ORDER BY alias) AS aliases,
           v.manifest, v.metrics, v.first_used_at, coalesce(c.scored, 0) AS scored, c.last_scored_at, c.certainty,
           v.verdict, v.judged_at
    FROM model_version v LEFT JOIN counted c ON c.model_version = v.version
    ORDER BY coalesce(v.created_at, v.first_used_at) DESC, v.version LIMIT 50
    """
    aliases = tuple(
        (row["alias"], row["version"]) for row in reader.dicts("SELECT alias, version FROM model_alias ORDER BY alias")
    )
    return reader.shared(("versions", aliases), KEPT_S, lambda: reader.rows(Version, sql), old_s=2 * KEPT_S)


@dataclass(frozen=True)
class Champion:
    """The version that serves, and from which event minute on; the first one ever from 1970 on."""

    version: registry.Version
    since: datetime | None


def champion(reader: Reader) -> Champion | None:
    """What serves; None: nothing is registered yet."""
    with reader.engine.connect() as connection:
        found = registry.champion(connection)
        begun = [one.since for one in open_epochs(connection) if found and one.version == found.version]
    return Champion(found, begun[-1] if begun else None) if found else None


def promotions(reader: Reader) -> list[registry.Promotion]:
    """What became champion, the newest first."""
    with reader.engine.connect() as connection:
        return registry.promotions(connection, SHOWN_PROMOTIONS)


def served(reader: Reader) -> list[registry.Serving]:
    """What each worker that lives serves."""
    with reader.engine.connect() as connection:
        return registry.serving(connection)


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
