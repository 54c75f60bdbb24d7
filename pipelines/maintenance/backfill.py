"""Backfill: what another model version says of the mentions of a period, kept beside the scores that stand."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Engine, text

from models.engine import Engine as Model
from models.engine import TextScore
from models.passages import Passage
from squall.records import MILLION

BATCH = 64


class Waiting(NamedTuple):
    """A mention that this version has not scored as it stands."""

    mention_id: str
    event_time: datetime
    revision: int
    text: str
    span_start: int | None
    span_end: int | None


@dataclass
class Backfilled:
    """What a backfill did."""

    scored: int = 0
    without_text: int = 0
    """Mentions whose text the retention has emptied: they keep the scores that they have."""


# Spans refer to title, newline, body. A page starts behind the last mention of the one before, so that what fails to be written
# is never asked for again in the same run.
_LEFT = """
FROM mention m JOIN article a ON a.id = m.article_id
WHERE m.event_time >= :first AND m.event_time < :last AND NOT m.withdrawn AND (m.event_time, m.id) > (:at, :id)
  AND NOT EXISTS (SELECT FROM rescore r WHERE r.mention_id = m.id AND r.model_version = :version AND r.revision >= m.revision)
  AND NOT EXISTS (SELECT FROM score s WHERE s.mention_id = m.id AND s.event_time = m.event_time AND s.model_version = :version)
"""
_COUNT = f"SELECT count(*) {_LEFT}"
_WAITING = f"""
SELECT m.id, m.event_time, m.revision, CASE WHEN a.body = '' THEN a.title ELSE a.title || E'\\n' || a.body END,
       m.span_start, m.span_end {_LEFT} ORDER BY m.event_time, m.id LIMIT :limit
"""
_WRITE = """
INSERT INTO rescore (mention_id, model_version, event_time, revision, negative, neutral, positive, topic, topics)
SELECT * FROM json_to_recordset(CAST(:rows AS json))
AS new(mention_id text, model_version text, event_time timestamptz, revision int, negative int, neutral int,
    positive int, topic text, topics bigint[])
ON CONFLICT (mention_id, model_version) DO UPDATE SET (revision, negative, neutral, positive, topic, topics, scored_at) =
    (excluded.revision, excluded.negative, excluded.neutral, excluded.positive, excluded.topic, excluded.topics, now())
"""


def backfill(
    engine: Engine,
    model: Model,
    first: datetime,
    last: datetime,
    rate: float,
    progress: Callable[[Backfilled], None] = lambda _done: None,
    pause: Callable[[float], None] = time.sleep,
) -> Backfilled:
    """Score the live mentions with event times from `first` up to, not including, `last`.

    Each batch is one transaction; a run that was cut off goes on where it was, and a second one finds nothing to do. What the
    version has scored when it was champion is left as it stands.

    Args:
        rate: mentions a second at most, so that live scoring keeps its machine.
        pause: waits for so many seconds.
    """
    done = Backfilled()
    started = time.monotonic()
    for page in _pages(engine, model.version, first, last):
        texts = [mention for mention in page if mention.text]
        done.without_text += len(page) - len(texts)
        answers = model.score([Passage(one.text, _span(one)) for one in texts])
        rows = [_row(model, mention, answer) for mention, answer in zip(texts, answers, strict=True)]
        if rows:
            with engine.begin() as connection:
                connection.execute(text(_WRITE), {"rows": msgspec.json.encode(rows).decode()})
        done.scored += len(rows)
        progress(done)
        ahead = done.scored / rate - (time.monotonic() - started)
        if ahead > 0:
            pause(ahead)
    return done


def count(engine: Engine, version: str, first: datetime, last: datetime) -> int:
    """Mentions that a backfill would look at."""
    with engine.connect() as connection:
        values = {"first": first, "last": last, "version": version, "at": first, "id": ""}
        return int(connection.execute(text(_COUNT), values).scalar_one())


def _pages(engine: Engine, version: str, first: datetime, last: datetime) -> Iterator[Sequence[Waiting]]:
    at, key = first, ""
    while True:
        with engine.connect() as connection:
            values = {"first": first, "last": last, "version": version, "at": at, "id": key, "limit": BATCH}
            page = [Waiting(*row) for row in connection.execute(text(_WAITING), values)]
        if not page:
            return
        yield page
        at, key = page[-1].event_time, page[-1].mention_id


def _span(mention: Waiting) -> tuple[int, int] | None:
    return None if mention.span_start is None or mention.span_end is None else (mention.span_start, mention.span_end)


def _row(model: Model, mention: Waiting, answer: TextScore) -> dict[str, Any]:
    negative, neutral, positive = (round(probability * MILLION) for probability in answer.sentiment)
    topics = [round(probability * MILLION) for probability in answer.topic]
    return {
        "mention_id": mention.mention_id,
        "model_version": model.version,
        "event_time": mention.event_time,
        "revision": mention.revision,
        "negative": negative,
        "neutral": neutral,
        "positive": positive,
        "topic": model.topic_labels[topics.index(max(topics))],
        "topics": topics,
    }
