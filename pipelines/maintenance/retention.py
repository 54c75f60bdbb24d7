"""Retention: partitions are made ahead and dropped behind; texts go earlier than the scores that were made of them."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, text

from squall.db.migrate import AHEAD
from squall.db.partitions import drop_partitions, make_partitions
from squall.errors import UsageError
from squall.settings import StreamSettings

BATCH = 2_000

_OLD_ARTICLES = """
DELETE FROM article WHERE id IN (SELECT id FROM article WHERE event_time < :before ORDER BY event_time LIMIT :batch)
"""
_OLD_STORIES = "DELETE FROM story WHERE id IN (SELECT id FROM story WHERE last_at < :before ORDER BY last_at LIMIT :batch)"
_OLD_BANDS = """
DELETE FROM story_band WHERE (band, article_id) IN
    (SELECT band, article_id FROM story_band WHERE event_time < :before ORDER BY event_time LIMIT :batch)
"""
_OLD_RESCORES = """
DELETE FROM rescore WHERE (mention_id, model_version) IN
    (SELECT mention_id, model_version FROM rescore WHERE event_time < :before LIMIT :batch)
"""
_OLD_TEXTS = """
UPDATE article SET title = '', body = '', frozen = NULL
WHERE id IN (SELECT id FROM article WHERE event_time < :before AND (title <> '' OR body <> '' OR frozen IS NOT NULL)
             ORDER BY event_time LIMIT :batch)
"""
_OLD_VECTORS = """
DELETE FROM story_vector WHERE story_id IN
    (SELECT story_id FROM story_vector WHERE first_at < :before ORDER BY first_at LIMIT :batch)
"""
_OLD_TITLES = """
UPDATE story SET title = ''
WHERE id IN (SELECT id FROM story WHERE last_at < :before AND title <> '' ORDER BY last_at LIMIT :batch)
"""
_OLD_DEAD_LETTERS = """
DELETE FROM dead_letter WHERE id IN
    (SELECT id FROM dead_letter WHERE received_at < :before ORDER BY received_at LIMIT :batch)
"""


@dataclass(frozen=True)
class Retained:
    """What a run of the retention did; all zero where it ran for the same instant before."""

    partitions_made: int
    partitions_dropped: int
    articles_removed: int
    texts_emptied: int
    dead_letters_removed: int


def retain(engine: Engine, stream: StreamSettings, as_of: datetime, now: datetime) -> Retained:
    """Bring what is stored to the retention that the settings ask for, as of an instant.

    Partitions are dropped by whole months, and articles with them; incidents, with their evidence, and bars stay for ever.
    Everything goes in small transactions, so that workers wait for none of it, and a run that was cut off goes on where it was.

    Raises:
        UsageError: the instant lies in the future, so that more would go than the settings say.
    """
    if as_of > now:
        raise UsageError(f"--as-of {as_of:%Y-%m-%d %H:%M} UTC lies in the future: more would be dropped than the settings say")
    made = make_partitions(engine, now, now + AHEAD)
    border = (as_of - timedelta(days=stream.retention_days)).astimezone(UTC)
    month = border.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    texts = as_of - timedelta(days=stream.text_retention_days)
    dropped = drop_partitions(engine, border)
    articles = _in_batches(engine, _OLD_ARTICLES, month)
    for statement in (_OLD_BANDS, _OLD_STORIES, _OLD_RESCORES):
        _in_batches(engine, statement, month)
    emptied = _in_batches(engine, _OLD_TEXTS, texts)
    for statement in (_OLD_TITLES, _OLD_VECTORS):
        _in_batches(engine, statement, texts)
    return Retained(made, dropped, articles, emptied, _in_batches(engine, _OLD_DEAD_LETTERS, texts))


def _in_batches(engine: Engine, statement: str, before: datetime) -> int:
    changed = 0
    while True:
        with engine.begin() as connection:
            count = connection.execute(text(statement), {"before": before, "batch": BATCH}).rowcount
        changed += count
        if count < BATCH:
            return changed
