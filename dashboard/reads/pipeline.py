"""How the work flows: rate, latency, what each partition has come to, dead letters, outbox, sources."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, text

from dashboard.queries import Reader
from dashboard.ranges import Buckets
from dashboard.scopes import MARKET
from squall.db import maintenance
from squall.db.calibrations import Standing, standings
from squall.db.minutes import MINUTE, NEVER, read_cursor
from squall.schedule import Standing as TaskStanding
from squall.settings import DetectionSettings

RECENT = 2_000
"""Scores that latencies are taken from: the newest."""
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
KEPT = timedelta(days=7)
SHOWN_LETTERS = 20


@dataclass(frozen=True)
class Latency:
    """Seconds from an article's being stored to its score's being stored, over `scores` of them."""

    scores: int
    p50: float | None
    p95: float | None
    p99: float | None


@dataclass(frozen=True)
class Flow:
    """What one bucket of event time held."""

    at: datetime
    mentions: int
    p50: float | None
    p95: float | None


@dataclass(frozen=True)
class Partition:
    """The last time record that came through a partition of the news; `mentions` partitions told of it."""

    number: int
    mentions: int
    at: datetime
    moved_at: datetime


@dataclass(frozen=True)
class Reason:
    """Dead letters that failed alike. `asked`: a person has asked for them to be sent again; `again`: they were."""

    stage: str
    topic: str
    reason: str
    example: str
    letters: int
    waiting: int
    asked: int
    again: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True)
class Letter:
    """One dead letter with the beginning of its bytes."""

    partition: int
    offset: int
    error: str
    received_at: datetime
    size: int
    payload: bytes
    asked_by: str | None
    asked: bool
    redriven_at: datetime | None


@dataclass(frozen=True)
class OutboxRow:
    """Notifications of a channel."""

    channel: str
    waiting: int
    dead: int
    delivered: int
    oldest_at: datetime | None
    error: str | None


@dataclass(frozen=True)
class SourceRow:
    """A source and how it is doing."""

    name: str
    kind: str
    items: int
    last_item_at: datetime | None
    last_ok_at: datetime | None
    last_error: str | None
    last_error_at: datetime | None
    silent: bool
    """An incident says that it brings nothing when it mostly does."""

    @property
    def failed(self) -> bool:
        """Its last attempt failed."""
        return self.last_error_at is not None and (self.last_ok_at is None or self.last_error_at > self.last_ok_at)

    @property
    def asked(self) -> bool:
        """It is polled; the others are named by items of requests, a file or a replay."""
        return self.last_ok_at is not None or self.failed


# Digits and quoted parts differ between letters that failed for one reason.
_REASON = "regexp_replace(regexp_replace(error, '[''\"][^''\"]*[''\"]', '…', 'g'), '[0-9]+', '0', 'g')"


def last_hour(reader: Reader, now: datetime | None) -> int:
    """Scored mentions of the hour of event time before the clock; 0 before it runs."""
    return reader.mentions(MARKET, now - HOUR, now) if now else 0


def late(reader: Reader, now: datetime | None) -> int:
    """Mentions of the day of event time before the clock that came after their minute had been decided."""
    sql = "SELECT coalesce(sum(mentions), 0) AS n FROM mood WHERE scope = :market AND late AND minute > :since AND minute <= :now"
    return int(reader.dicts(sql, market=MARKET, since=now - DAY, now=now)[0]["n"]) if now else 0


def latency(reader: Reader) -> Latency:
    """Of the newest scores."""
    sql = f"""
    WITH took AS (SELECT extract(epoch FROM s.scored_at - a.ingested_at)::float8 AS seconds FROM (
            SELECT mention_id, event_time, scored_at FROM score ORDER BY event_time DESC LIMIT {RECENT}) s
        JOIN mention m ON m.id = s.mention_id AND m.event_time = s.event_time JOIN article a ON a.id = m.article_id
        WHERE s.scored_at >= a.ingested_at)
    SELECT count(*) AS scores, percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) AS p50,
           percentile_cont(0.95) WITHIN GROUP (ORDER BY seconds) AS p95,
           percentile_cont(0.99) WITHIN GROUP (ORDER BY seconds) AS p99 FROM took
    """
    return reader.rows(Latency, sql)[0]


def flow(reader: Reader, window: Buckets) -> list[Flow]:
    """Mentions a bucket, from the rollup, and the latencies of the newest scores in it."""
    sql = f"""
    WITH took AS (
        SELECT date_bin(:step, s.event_time, :start) AS at, extract(epoch FROM s.scored_at - a.ingested_at)::float8 AS seconds
        FROM (SELECT mention_id, event_time, scored_at FROM score
              WHERE event_time >= :start AND event_time < :stop ORDER BY event_time DESC LIMIT {RECENT}) s
        JOIN mention m ON m.id = s.mention_id AND m.event_time = s.event_time JOIN article a ON a.id = m.article_id
        WHERE s.scored_at >= a.ingested_at)
    SELECT at, percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) AS p50,
           percentile_cont(0.95) WITHIN GROUP (ORDER BY seconds) AS p95 FROM took GROUP BY at
    """
    found = reader.dicts(sql, start=window.start, stop=window.end, step=window.step)
    took = {row["at"]: (row["p50"], row["p95"]) for row in found}
    return [Flow(one.at, one.mentions, *took.get(one.at, (None, None))) for one in reader.mood(MARKET, window)]


def partitions(reader: Reader) -> list[Partition]:
    """The slowest of what is known of each partition of the news."""
    sql = """
    SELECT news_partition AS number, count(*)::int AS mentions, min(at) AS at, max(moved_at) AS moved_at
    FROM watermark GROUP BY news_partition ORDER BY news_partition
    """
    return reader.rows(Partition, sql)


def decided(reader: Reader) -> tuple[datetime, datetime] | None:
    """Up to which event minute has been decided, and when that was."""
    rows = reader.dicts("SELECT at, moved_at FROM cursor WHERE name = 'watch'")
    return (rows[0]["at"], rows[0]["moved_at"]) if rows else None


def lines(reader: Reader, settings: DetectionSettings) -> list[Standing]:
    """Where the alarm line of each family stands in the next minute to be decided; none before the first."""
    with reader.engine.connect() as connection:
        decided = read_cursor(connection)
        return [] if decided == NEVER else standings(connection, decided + MINUTE, settings)


def tasks(reader: Reader, now: datetime) -> tuple[list[TaskStanding], bool]:
    """How each scheduled task stands at a time of day, and whether anybody runs them."""
    with reader.engine.connect() as connection:
        return maintenance.standings(connection, now), maintenance.is_held(connection)


def reasons(reader: Reader) -> list[Reason]:
    """Dead letters of the last week by reason, the most frequent first."""
    sql = f"""
    SELECT stage, topic, {_REASON} AS reason, (array_agg(error ORDER BY received_at DESC))[1] AS example,
           count(*)::int AS letters,
           count(*) FILTER (WHERE redriven_at IS NULL AND asked_at IS NULL)::int AS waiting,
           count(*) FILTER (WHERE asked_at IS NOT NULL)::int AS asked,
           count(*) FILTER (WHERE redriven_at IS NOT NULL)::int AS again,
           min(received_at) AS first_at, max(received_at) AS last_at
    FROM dead_letter WHERE received_at > now() - :kept GROUP BY 1, 2, 3 ORDER BY letters DESC, last_at DESC LIMIT 50
    """
    return reader.rows(Reason, sql, kept=KEPT)


def letters(reader: Reader, one: Reason) -> list[Letter]:
    """The newest dead letters of a reason."""
    sql = f"""
    SELECT partition, message_offset AS offset, error, received_at, size, substring(payload for 600) AS payload, asked_by,
           asked_at IS NOT NULL AS asked, redriven_at
    FROM dead_letter WHERE received_at > now() - :kept AND stage = :stage AND topic = :topic AND {_REASON} = :reason
    ORDER BY received_at DESC, id LIMIT {SHOWN_LETTERS}
    """
    return reader.rows(Letter, sql, kept=KEPT, stage=one.stage, topic=one.topic, reason=one.reason)


def ask_redrive(connection: Connection, one: Reason, who: str) -> int:
    """Ask the workers to send the dead letters of a reason again; returns how many."""
    sql = f"""
    UPDATE dead_letter SET asked_at = now(), asked_by = :who
    WHERE received_at > now() - :kept AND stage = :stage AND topic = :topic AND {_REASON} = :reason
      AND redriven_at IS NULL AND asked_at IS NULL
    """
    values = {"kept": KEPT, "stage": one.stage, "topic": one.topic, "reason": one.reason, "who": who}
    return connection.execute(text(sql), values).rowcount


def dead_letters(reader: Reader) -> int:
    """How many wait, of the last week."""
    sql = "SELECT count(*) AS n FROM dead_letter WHERE received_at > now() - :kept AND redriven_at IS NULL"
    return int(reader.dicts(sql, kept=KEPT)[0]["n"])


def outbox(reader: Reader) -> list[OutboxRow]:
    """What is to be told, by channel, of the last week."""
    sql = """
    SELECT channel, count(*) FILTER (WHERE delivered_at IS NULL AND dead_at IS NULL)::int AS waiting,
           count(*) FILTER (WHERE dead_at IS NOT NULL)::int AS dead,
           count(*) FILTER (WHERE delivered_at IS NOT NULL)::int AS delivered,
           min(created_at) FILTER (WHERE delivered_at IS NULL AND dead_at IS NULL) AS oldest_at,
           (array_agg(error ORDER BY created_at DESC) FILTER (WHERE error IS NOT NULL))[1] AS error
    FROM outbox WHERE created_at > now() - :kept GROUP BY channel ORDER BY channel
    """
    return reader.rows(OutboxRow, sql, kept=KEPT)


def sources(reader: Reader, most: int = 200) -> list[SourceRow]:
    """The sources, those in trouble first."""
    sql = """
    SELECT name, kind, items, last_item_at, last_ok_at, last_error, last_error_at, EXISTS (
             SELECT FROM incident i WHERE i.rule_version = 'operational' AND i.state IN ('firing', 'acknowledged')
             AND i.inputs ->> 'kind' = s.kind AND i.rule = 'source ' || CASE s.kind WHEN 'feed'
               THEN regexp_replace(lower(substring(s.address FROM '://([^/:?#]+)')), '^www[.]', '') ELSE s.name END) AS silent
    FROM source s
    ORDER BY (last_error_at IS NOT NULL AND (last_ok_at IS NULL OR last_error_at > last_ok_at)) DESC, silent DESC, name
    LIMIT :most
    """
    return reader.rows(SourceRow, sql, most=most)


def troubled(rows: Sequence[SourceRow]) -> list[SourceRow]:
    """Those whose last attempt failed, and those that are silent."""
    return [row for row in rows if row.failed or row.silent]


def as_text(payload: bytes) -> str:
    """The beginning of a message for people: its text, or its bytes in hexadecimal where it is none."""
    words: Any = payload.decode("utf-8", "replace")
    return words if sum(letter == "\ufffd" for letter in words) < max(3, len(words) // 20) else payload.hex(" ", 2)
