"""Which scored mentions to ask a person about, and what was answered."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, text

from dashboard.queries import Reader

QUEUES = ("uncertain", "disagree", "random")
SPAN = timedelta(days=30)
POOL = 3_000
UNSURE = 700_000
"""A mention whose likeliest sentiment has less (in millionths) is uncertain."""
STRONG = 500_000
MOVE = 0.015
"""A strong sentiment disagrees with a move of the next session against it from here on."""
SENTIMENTS = ("negative", "neutral", "positive")


@dataclass(frozen=True)
class Item:
    """A mention to be labelled. The model's answer is kept back until the person's is given."""

    mention_id: str
    event_time: datetime
    model_version: str
    title: str
    body: str
    source: str
    company_id: str | None
    span_start: int | None
    span_end: int | None
    negative: int
    neutral: int
    positive: int
    topic: str
    move: float | None


@dataclass(frozen=True)
class Answer:
    """What a person says; None: left as it is. `about_none`: it is about no company."""

    sentiment: str
    topic: str | None = None
    company_id: str | None = None
    about_none: bool = False


@dataclass(frozen=True)
class Given:
    """A label as it stands, with the model's sentiment and what others said."""

    at: datetime
    labeller: str
    queue: str
    title: str
    sentiment: str
    topic: str | None
    model: str
    others: Sequence[str]


_MOVE = """
SELECT close / nullif(bar.open, 0) - 1 AS move FROM bar
WHERE bar.company_id = open.company_id AND interval = '1d' AND bar.start > open.event_time AND available_at <= :now"""
# A fifth of all items asks for two labellers, so that their agreement is known; which, follows from the id alone.
_POOL = f"""
WITH pool AS (
    SELECT DISTINCT ON (s.event_time, s.mention_id) s.mention_id, s.event_time, s.model_version, s.company_id,
           s.negative, s.neutral, s.positive, s.topic, ('x' || substr(md5(s.mention_id), 1, 6))::bit(24)::int AS draw
    FROM score s WHERE s.event_time > :since AND s.event_time <= :now AND NOT s.withdrawn {{among}}
    ORDER BY s.event_time DESC, s.mention_id, s.scored_at DESC LIMIT {POOL}),
open AS (
    SELECT pool.*, greatest(negative, neutral, positive) AS top, draw % 10 = 0 AS drawn FROM pool
    WHERE NOT EXISTS (SELECT 1 FROM label l
                      WHERE l.mention_id = pool.mention_id AND l.undone_at IS NULL AND l.labeller = :who)
      AND (SELECT count(*) FROM label l WHERE l.mention_id = pool.mention_id AND l.undone_at IS NULL)
          < CASE WHEN draw % 5 = 0 THEN 2 ELSE 1 END),
queued AS MATERIALIZED (
    SELECT open.*, b.move, b.move * (positive - negative) < 0 AND abs(b.move) >= {MOVE} AS against
    FROM open LEFT JOIN LATERAL ({_MOVE} AND abs(positive - negative) >= {STRONG} ORDER BY bar.start LIMIT 1) b ON true)
"""
_AMONG = "AND s.company_id = ANY(:only)"
_WHERE = {"uncertain": f"top < {UNSURE}", "disagree": "against", "random": "drawn"}
_ORDER = {"uncertain": "top", "disagree": "abs(move) DESC", "random": "draw"}


def _pool(only: Sequence[str] | None) -> str:
    return _POOL.format(among="" if only is None else _AMONG)


def waiting(
    reader: Reader, queue: str, who: str, now: datetime, skipped: Sequence[str], only: Sequence[str] | None = None
) -> tuple[dict[str, int], Item | None]:
    """How many wait in each queue for a person; and the first of one that they have neither labelled nor skipped.

    Args:
        only: of these companies.
    """
    columns = ", ".join(f"(count(*) FILTER (WHERE {_WHERE[name]}))::int AS {name}" for name in QUEUES)
    sql = f"""{_pool(only)},
    counted AS (SELECT {columns} FROM queued),
    open_one AS (
        SELECT * FROM queued q WHERE {_WHERE[queue]} AND NOT q.mention_id = ANY(:skipped)
        ORDER BY {_ORDER[queue]}, q.mention_id LIMIT 1)
    SELECT counted.*, chosen.* FROM counted LEFT JOIN (
        SELECT open.mention_id, open.event_time, open.model_version, a.title, left(a.body, 600) AS body, a.source,
               open.company_id, m.span_start, m.span_end, open.negative, open.neutral, open.positive, open.topic,
               b.move::float8 AS move
        FROM open_one open JOIN mention m ON m.id = open.mention_id AND m.event_time = open.event_time
        JOIN article a ON a.id = m.article_id LEFT JOIN LATERAL ({_MOVE} ORDER BY bar.start LIMIT 1) b ON true) chosen ON true
    """
    values: dict[str, Any] = {"who": who, "now": now, "since": now - SPAN, "only": list(only or ()), "skipped": list(skipped)}
    row = reader.dicts(sql, **values)[0]
    numbers = {name: row.pop(name) for name in QUEUES}
    return numbers, Item(**row) if row["mention_id"] else None


def latest(reader: Reader, most: int = 25) -> list[Given]:
    """The newest labels that stand."""
    sql = """
    SELECT l.labelled_at AS at, l.labeller, l.queue, a.title, l.sentiment, l.topic,
           CASE greatest(s.negative, s.neutral, s.positive)
                WHEN s.neutral THEN 'neutral' WHEN s.negative THEN 'negative' ELSE 'positive' END AS model,
           (SELECT array_agg(o.labeller || ': ' || o.sentiment ORDER BY o.labelled_at) FROM label o
            WHERE o.mention_id = l.mention_id AND o.undone_at IS NULL AND o.labeller <> l.labeller) AS others
    FROM label l JOIN mention m ON m.id = l.mention_id AND m.event_time = l.event_time JOIN article a ON a.id = m.article_id
    JOIN score s ON s.mention_id = l.mention_id AND s.event_time = l.event_time AND s.model_version = l.model_version
    WHERE l.undone_at IS NULL ORDER BY l.labelled_at DESC LIMIT :most
    """
    return reader.rows(Given, sql, most=most)


def pairs(reader: Reader) -> list[tuple[str, str, str, str]]:
    """Both answers of each item that two people have labelled, as `agreement.agreements` takes them."""
    sql = """
    SELECT a.labeller AS first, b.labeller AS second, a.sentiment AS one, b.sentiment AS two
    FROM label a JOIN label b ON b.mention_id = a.mention_id AND b.labeller > a.labeller AND b.undone_at IS NULL
    WHERE a.undone_at IS NULL ORDER BY a.labelled_at DESC LIMIT 20000
    """
    return [(row["first"], row["second"], row["one"], row["two"]) for row in reader.dicts(sql)]


def labelled_today(reader: Reader, who: str) -> int:
    """How many the person has labelled in the last 24 hours."""
    sql = """SELECT count(*) AS n FROM label WHERE labeller = :who AND undone_at IS NULL
             AND labelled_at > now() - interval '1 day'"""
    return int(reader.dicts(sql, who=who)[0]["n"])


def keep(connection: Connection, item: dict[str, Any], queue: str, who: str, answer: Answer) -> None:
    """Keep an answer; one that the person gave before to the same item is kept as taken back."""
    values = {"mention": item["mention_id"], "who": who}
    connection.execute(
        text("UPDATE label SET undone_at = now() WHERE mention_id = :mention AND labeller = :who AND undone_at IS NULL"), values
    )
    sql = """
    INSERT INTO label (mention_id, event_time, queue, labeller, sentiment, topic, company_id, company_kept, model_version)
    VALUES (:mention, :event_time, :queue, :who, :sentiment, :topic, :company, :kept, :version)
    """
    values |= {
        "event_time": datetime.fromisoformat(item["event_time"]),
        "queue": queue,
        "sentiment": answer.sentiment,
        "topic": answer.topic,
        "company": answer.company_id,
        "kept": answer.company_id is None and not answer.about_none,
        "version": item["model_version"],
    }
    connection.execute(text(sql), values)


def take_back(connection: Connection, who: str) -> str | None:
    """Take back the person's newest label; returns its headline."""
    sql = """
    WITH last AS (
        UPDATE label SET undone_at = now() WHERE id = (
            SELECT id FROM label WHERE labeller = :who AND undone_at IS NULL ORDER BY labelled_at DESC, id DESC LIMIT 1)
        RETURNING mention_id, event_time)
    SELECT a.title FROM last JOIN mention m ON m.id = last.mention_id AND m.event_time = last.event_time
    JOIN article a ON a.id = m.article_id
    """
    title: str | None = connection.execute(text(sql), {"who": who}).scalar()
    return title
