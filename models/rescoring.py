"""What another model version says of mentions that are scored: read, asked, and kept beside the scores that stand."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from sqlalchemy import Connection, text

from models.passages import Passage, stored_passage
from squall.records import MILLION

if TYPE_CHECKING:
    from models.engine import Engine, TextScore


class Waiting(NamedTuple):
    """A mention that a version has not scored as it stands."""

    mention_id: str
    event_time: datetime
    revision: int
    text: str
    span_start: int | None
    span_end: int | None
    others: Sequence[Sequence[int]]

    @property
    def passage(self) -> Passage:
        """What a model is asked about."""
        return stored_passage(self.text, self.span_start, self.span_end, self.others)


# Spans refer to title, newline, body. A page starts behind the last mention of the one before, so that what fails to be written
# is never asked for again in the same run.
_COLUMNS = """
m.id, m.event_time, m.revision, CASE WHEN a.body = '' THEN a.title ELSE a.title || E'\\n' || a.body END,
m.span_start, m.span_end, m.others
"""
_LEFT = """
NOT EXISTS (SELECT FROM rescore r WHERE r.mention_id = m.id AND r.model_version = :version AND r.revision >= m.revision)
AND NOT EXISTS (SELECT FROM score s WHERE s.mention_id = m.id AND s.event_time = m.event_time AND s.model_version = :version)
"""
_BETWEEN = f"""
FROM mention m JOIN article a ON a.id = m.article_id
WHERE m.event_time >= :first AND m.event_time < :last AND NOT m.withdrawn AND (m.event_time, m.id) > (:at, :id) AND {_LEFT}
"""
_COUNT = f"SELECT count(*) {_BETWEEN}"
_PAGE = f"SELECT {_COLUMNS} {_BETWEEN} ORDER BY m.event_time, m.id LIMIT :limit"
_SCANNED = """
SELECT id, event_time FROM mention WHERE NOT withdrawn AND (event_time, id) < (:at, :id)
ORDER BY event_time DESC, id DESC LIMIT :scan
"""
_NEWEST = f"""
SELECT {_COLUMNS} FROM mention m JOIN article a ON a.id = m.article_id
WHERE m.id = ANY(:ids) AND m.event_time BETWEEN :first AND :last AND m.id <> ALL(:without) AND {_LEFT}
  AND EXISTS (SELECT FROM score s WHERE s.mention_id = m.id AND s.event_time = m.event_time)
ORDER BY m.event_time DESC, m.id DESC LIMIT :limit
"""
_WRITE = """
INSERT INTO rescore (mention_id, model_version, event_time, revision, negative, neutral, positive, topic, topics)
SELECT * FROM json_to_recordset(CAST(:rows AS json))
AS new(mention_id text, model_version text, event_time timestamptz, revision int, negative int, neutral int,
    positive int, topic text, topics bigint[])
ON CONFLICT (mention_id, model_version) DO UPDATE SET (revision, negative, neutral, positive, topic, topics, scored_at) =
    (excluded.revision, excluded.negative, excluded.neutral, excluded.positive, excluded.topic, excluded.topics, now())
"""

Place = tuple[datetime, str]
"""Event time and id of a mention."""


def count_waiting(connection: Connection, version: str, first: datetime, last: datetime) -> int:
    """Mentions from `first` up to, not including, `last` that a version has not scored."""
    values = {"first": first, "last": last, "version": version, "at": first, "id": ""}
    return int(connection.execute(text(_COUNT), values).scalar_one())


def next_waiting(
    connection: Connection, version: str, first: datetime, last: datetime, after: Place, limit: int
) -> list[Waiting]:
    """The first of these behind a place, in order of event time."""
    values = {"first": first, "last": last, "version": version, "at": after[0], "id": after[1], "limit": limit}
    return [Waiting(*row) for row in connection.execute(text(_PAGE), values)]


def newest_waiting(
    connection: Connection, version: str, before: Place, scan: int, limit: int, without: Collection[str]
) -> tuple[list[Waiting], Place | None]:
    """Mentions before a place that another version has scored and this one has not, the newest first.

    Args:
        scan: how many mentions are looked at, at most.
        without: mentions that are passed over.

    Returns:
        These, and the last place that was looked at; None: there is nothing before.
    """
    places = connection.execute(text(_SCANNED), {"at": before[0], "id": before[1], "scan": scan}).all()
    if not places:
        return [], None
    span = {"first": places[-1].event_time, "last": places[0].event_time, "ids": [place.id for place in places]}
    values = {**span, "version": version, "limit": limit, "without": list(without)}
    found = [Waiting(*row) for row in connection.execute(text(_NEWEST), values)]
    end = places[-1] if len(found) < limit else None
    return found, (end.event_time, end.id) if end else (found[-1].event_time, found[-1].mention_id)


def keep_answers(connection: Connection, model: Engine, asked: Sequence[Waiting], answers: Sequence[TextScore]) -> None:
    """Write what a model said of mentions."""
    rows = [_row(model, mention, answer) for mention, answer in zip(asked, answers, strict=True)]
    if rows:
        connection.execute(text(_WRITE), {"rows": msgspec.json.encode(rows).decode()})


def _row(model: Engine, mention: Waiting, answer: TextScore) -> dict[str, Any]:
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
