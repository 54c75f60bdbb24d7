"""The weeks that drift is measured on, read from the database, and what was found, kept there."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text

from models.engine import TextEngine
from models.passages import Passage
from pipelines.learning.drift import Change, Scored, Week
from pipelines.learning.labels import most_say, read_labels
from pipelines.training.datasets import SENTIMENTS
from squall.records import MILLION

WEEK = timedelta(days=7)
WEEKS = 9
TEXTS_A_WEEK = 2_000
"""More of a week than these, chosen by a hash, would only make chance differences look certain."""
EMBEDDED_A_WEEK = 400
"""Texts of a week whose vectors are computed, the first by that hash."""

_VERSION = """
SELECT model_version FROM score WHERE event_time >= :first AND event_time < :last AND NOT withdrawn
GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1
"""
_TEXTS = """
SELECT a.title || ' ' || a.body AS text, a.language, s.topic, s.negative, s.neutral, s.positive
FROM (SELECT * FROM score WHERE event_time >= :first AND event_time < :last AND NOT withdrawn AND model_version = :version
      ORDER BY md5(mention_id) LIMIT :most) s
JOIN mention m ON m.id = s.mention_id AND m.event_time = s.event_time JOIN article a ON a.id = m.article_id
WHERE a.title <> '' OR a.body <> ''
"""
_ANSWERS = """
SELECT mention_id, negative, neutral, positive FROM score
WHERE event_time >= :first AND event_time < :last AND model_version = :version AND mention_id = ANY(:ids)
"""
_KEEP = """
INSERT INTO drift (day, model_version, texts, changes) VALUES (:day, :version, :texts, CAST(:changes AS jsonb))
ON CONFLICT (day) DO UPDATE SET (model_version, texts, changes, measured_at) =
    (excluded.model_version, excluded.texts, excluded.changes, now())
"""


def version_in_use(connection: Connection, end: datetime) -> str | None:
    """The model version that scored most of the week before an instant; None: nothing was scored."""
    version: str | None = connection.execute(text(_VERSION), {"first": end - WEEK, "last": end}).scalar()
    return version


def read_weeks(connection: Connection, end: datetime, version: str, now: datetime) -> list[Week]:
    """The weeks up to an instant, the oldest first, with labels that stand now; under one version: a promotion is no drift."""
    out = []
    fair = [one for one in read_labels(connection, now) if one.sampled]
    for back in range(WEEKS, 0, -1):
        first, last = end - back * WEEK, end - (back - 1) * WEEK
        values = {"first": first, "last": last, "version": version}
        found = connection.execute(text(_TEXTS), {**values, "most": TEXTS_A_WEEK})
        texts = [Scored(row.text, row.language, row.topic, _shares(row.negative, row.neutral, row.positive)) for row in found]
        said = {}
        for one in fair:
            settled = most_say([answer.sentiment for answer in one.answers])
            if settled and first <= one.event_time < last:
                said[one.mention_id] = settled[0]
        answers = connection.execute(text(_ANSWERS), {**values, "ids": list(said)})
        out.append(Week(texts, [said[row[0]] == SENTIMENTS[row[1:].index(max(row[1:]))] for row in map(tuple, answers)]))
    return out


def embed(weeks: Sequence[Week], engine: TextEngine) -> list[Week]:
    """The weeks with the vectors that a model's encoder gives the whole texts, the same one for all."""
    out = []
    for week in weeks:
        passages = [Passage(one.text) for one in week.texts[:EMBEDDED_A_WEEK]]
        out.append(replace(week, vectors=engine.features(passages)[:, 0] if passages else None))
    return out


def keep(connection: Connection, day: date, version: str, weeks: Sequence[Week], found: Sequence[Change]) -> None:
    """Keep what was found for the week that ended with a day, instead of what was found before."""
    told = json.dumps([asdict(one) for one in found])
    connection.execute(text(_KEEP), {"day": day, "version": version, "texts": len(weeks[-1].texts), "changes": told})


def write_weeks(weeks: Sequence[Week], folder: Path) -> None:
    """Write the last week (`current.parquet`) and the one before (`reference.parquet`), a row a text; not one without texts."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir(parents=True, exist_ok=True)
    for name, week in zip(("reference", "current"), weeks[-2:], strict=True):
        if week.texts:
            pq.write_table(pa.Table.from_pylist([_row(one) for one in week.texts]), folder / f"{name}.parquet")
        else:
            (folder / f"{name}.parquet").unlink(missing_ok=True)


def _row(one: Scored) -> dict[str, Any]:
    sentiment = SENTIMENTS[one.sentiment.index(max(one.sentiment))]
    row = {"words": len(one.text.split()), "language": one.language, "topic": one.topic, "sentiment": sentiment}
    return row | dict(zip(SENTIMENTS, one.sentiment, strict=True))


def _shares(*millionths: int) -> tuple[float, float, float]:
    negative, neutral, positive = (one / MILLION for one in millionths)
    return negative, neutral, positive
