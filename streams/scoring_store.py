"""How scores, mood and watermark are read and written. All amounts are integers in millionths."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct, structs
from sqlalchemy import Connection

from streams.logic.mood import Cell, Contribution, Sums


class ScoreRow(Struct, frozen=True, kw_only=True):
    """A row of `score`; `features` and `topics` are None where a row was read without them."""

    mention_id: str
    model_version: str
    event_time: datetime
    revision: int
    decision: int
    negative: int
    neutral: int
    positive: int
    topic: str
    topics: tuple[int, ...] | None = None
    features: dict[str, Any] | None = None
    impact: int | None = None
    impact_model: str | None = None
    impact_shares: dict[str, int | None] | None = None
    company_id: str | None
    sector: str | None
    share: int
    sector_share: int
    undiluted: int
    weight: int
    withdrawn: bool
    late: bool
    frozen: Any = None
    """What of it decisions are made from, where something known later changed that."""

    @property
    def on_time(self) -> "ScoreRow":
        """As decisions are made from it."""
        return structs.replace(self, **self.frozen) if self.frozen else self

    @property
    def contribution(self) -> Contribution:
        """What it adds to the mood."""
        return Contribution(
            self.company_id,
            self.sector,
            self.topic,
            self.negative,
            self.positive,
            self.weight,
            self.share,
            self.sector_share,
            self.withdrawn,
        )


_TYPES = {
    "mention_id": "text",
    "model_version": "text",
    "event_time": "timestamptz",
    "revision": "int",
    "decision": "int",
    "negative": "int",
    "neutral": "int",
    "positive": "int",
    "topic": "text",
    "topics": "bigint[]",
    "features": "jsonb",
    "impact": "int",
    "impact_model": "text",
    "impact_shares": "jsonb",
    "company_id": "text",
    "sector": "text",
    "share": "int",
    "sector_share": "int",
    "undiluted": "int",
    "weight": "int",
    "withdrawn": "bool",
    "late": "bool",
    "frozen": "jsonb",
}
_READ = [name for name in _TYPES if name not in ("topics", "features")]
# Rows travel as one JSON text: psycopg escapes an array of strings element by element, in Python, at three times the cost.
_ROWS = f"json_to_recordset(%(rows)s::json) AS new({', '.join(f'{name} {kind}' for name, kind in _TYPES.items())})"

_FIND = f"""
SELECT {", ".join(_READ)} FROM score
WHERE mention_id = ANY(%(ids)s) AND event_time BETWEEN %(first)s AND %(last)s
"""
_INSERT = f"""
INSERT INTO score ({", ".join(_TYPES)}) SELECT {", ".join(_TYPES)} FROM {_ROWS}
ON CONFLICT DO NOTHING RETURNING mention_id
"""
# Features stay: they are as of the event time, which never changes. A row without new topics keeps those that it has.
_KEPT = {"mention_id", "event_time", "features", "late"}
_SET = {name: f"new.{name}" for name in _TYPES if name not in _KEPT} | {"topics": "coalesce(new.topics, score.topics)"}
_UPDATE = f"""
UPDATE score SET {", ".join(f"{name} = {value}" for name, value in _SET.items())}, scored_at = now() FROM {_ROWS}
WHERE score.mention_id = new.mention_id AND score.event_time = new.event_time
AND score.event_time BETWEEN %(first)s AND %(last)s
"""
_ADDED = ", ".join(f"{name} = old.{name} + excluded.{name}" for name in Sums._fields)
# The days in the same statement, so that they cannot differ from the minutes. Both are locked in key order, minutes first.
_MOVE = f"""
WITH new AS MATERIALIZED (
    SELECT * FROM json_to_recordset(%(rows)s::json)
    AS new(scope text, minute timestamptz, late bool, {", ".join(f"{name} bigint" for name in Sums._fields)})),
days AS (
    INSERT INTO mood_day AS old (scope, day, {", ".join(Sums._fields)})
    SELECT scope, date_trunc('day', minute, 'UTC'), {", ".join(f"sum({name})" for name in Sums._fields)}
    FROM new GROUP BY 1, 2 ORDER BY 1, 2
    ON CONFLICT (scope, day) DO UPDATE SET {_ADDED})
INSERT INTO mood AS old (scope, minute, late, {", ".join(Sums._fields)}) SELECT * FROM new
ON CONFLICT (scope, minute, late) DO UPDATE SET {_ADDED}
"""
_WATERMARK = """
INSERT INTO watermark AS old (news_partition, mentions_partition, at)
SELECT * FROM unnest(%(news)s::int[], %(mentions)s::int[], %(at)s::timestamptz[])
ON CONFLICT (news_partition, mentions_partition) DO UPDATE SET at = excluded.at, moved_at = now() WHERE excluded.at > old.at
"""
_MODEL = """
INSERT INTO model_version AS old (version, manifest) VALUES (%(version)s, %(manifest)s::jsonb)
ON CONFLICT (version) DO UPDATE SET first_used_at = now() WHERE old.first_used_at IS NULL
"""


def find_scores(connection: Connection, keys: Mapping[str, datetime], *, lock: bool = False) -> dict[str, ScoreRow]:
    """The scores that stand of some mentions, by mention id.

    Args:
        keys: event time by mention id.
        lock: keep others from changing them; in key order, so that two who do this cannot block each other.
    """
    if not keys:
        return {}
    span = {"ids": list(keys), "first": min(keys.values()), "last": max(keys.values())}
    query = f"{_FIND} ORDER BY mention_id FOR UPDATE" if lock else _FIND
    rows = (ScoreRow(**row) for row in connection.exec_driver_sql(query, span).mappings())
    return {row.mention_id: row for row in rows}


def insert_scores(connection: Connection, rows: Sequence[ScoreRow]) -> set[str]:
    """Insert rows that are not there yet, given in key order; returns the mention ids of those that were not."""
    if not rows:
        return set()
    return set(connection.exec_driver_sql(_INSERT, {"rows": _json(rows)}).scalars())


def update_scores(connection: Connection, rows: Sequence[ScoreRow]) -> None:
    """Replace the scores of mentions that stand already; there is one row a mention, whatever model it is from."""
    if rows:
        times = [row.event_time for row in rows]
        connection.exec_driver_sql(_UPDATE, {"rows": _json(rows), "first": min(times), "last": max(times)})


def move_mood(connection: Connection, moves: Sequence[tuple[Cell, Sums]]) -> None:
    """Add to the mood, by minutes and by days; `moves` in key order."""
    if moves:
        rows = [{**cell._asdict(), **sums._asdict()} for cell, sums in moves]
        connection.exec_driver_sql(_MOVE, {"rows": _json(rows)})


def _json(rows: Sequence[Any]) -> str:
    return msgspec.json.encode(rows).decode()


def raise_watermark(connection: Connection, ticks: Mapping[tuple[int, int], datetime]) -> None:
    """Note the latest time record by (partition of squall.news, partition of squall.mentions); it never falls."""
    if ticks:
        keys = sorted(ticks)
        columns = {"news": [key[0] for key in keys], "mentions": [key[1] for key in keys], "at": [ticks[key] for key in keys]}
        connection.exec_driver_sql(_WATERMARK, columns)


def name_model(connection: Connection, version: str, manifest: str) -> None:
    """Note that a model has scored something."""
    connection.exec_driver_sql(_MODEL, {"version": version, "manifest": manifest})
