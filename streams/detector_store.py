"""What the detector takes in and keeps: the arrivals of closed minutes, its state, and what has come since the state was stored.

A decided minute's arrivals are stored as they were taken in, in the transaction that decides it: state and arrivals together give
the detector back exactly, whatever became of the rows since.
"""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection

from squall.db.minutes import MINUTE
from squall.scopes import Kind
from streams.logic.arrivals import Item, Minutes, Seen, arrivals_of, scopes_of
from streams.logic.detection import Arrival
from streams.logic.incident_types import at_minute, minute_number
from streams.logic.mood import Contribution

NAME = "surges"

# What became known only after a minute was decided stands in the rows; `frozen` then holds what decisions are made from.
_SEEN = """
CROSS JOIN LATERAL (
    SELECT s.topic, s.negative, s.positive, s.weight, s.share, s.sector_share, s.withdrawn WHERE s.frozen IS NULL
    UNION ALL
    SELECT f.topic, f.negative, f.positive, f.weight, coalesce(f.share, s.share), coalesce(f.sector_share, s.sector_share),
           f.withdrawn
    FROM jsonb_to_record(s.frozen) AS f (topic text, negative int, positive int, weight int, share int, sector_share int,
                                         withdrawn bool) WHERE s.frozen IS NOT NULL
) AS seen
"""
_COLUMNS = """
m.event_time, m.article_id, m.story_id, s.company_id, s.sector,
said.topic, said.negative, said.positive, seen.weight, seen.share, seen.sector_share, seen.withdrawn
"""
_SAID = {
    # As each was scored when its minute was decided.
    False: "CROSS JOIN LATERAL (SELECT seen.topic, seen.negative, seen.positive) AS said",
    # As one version says it, as far as it has been asked.
    True: """
LEFT JOIN rescore r ON r.mention_id = m.id AND r.model_version = %(version)s AND s.model_version <> r.model_version
CROSS JOIN LATERAL (
    SELECT coalesce(r.topic, seen.topic) AS topic, coalesce(r.negative, seen.negative) AS negative,
           coalesce(r.positive, seen.positive) AS positive
) AS said
""",
}
_BETWEEN = """
SELECT {columns} FROM score s JOIN mention m ON m.id = s.mention_id AND m.event_time = s.event_time {seen} {said}
WHERE s.event_time >= %(first)s AND s.event_time < %(end)s AND NOT s.late AND NOT seen.withdrawn
ORDER BY m.event_time, m.article_id, m.id
"""
_BEFORE = """
SELECT DISTINCT {columns} FROM article a JOIN mention m ON m.article_id = a.id AND m.event_time = a.event_time
JOIN score s ON s.mention_id = m.id AND s.event_time = m.event_time {seen} {said}
WHERE a.story_id = ANY(%(stories)s) AND a.event_time < %(first)s AND NOT s.late AND NOT seen.withdrawn
"""
_END = """
SELECT event_time FROM score WHERE event_time >= %(first)s AND event_time < %(end)s ORDER BY event_time OFFSET %(rows)s LIMIT 1
"""


def read_arrivals(
    connection: Connection, kinds: Collection[Kind], after: datetime, until: datetime, rows: int, version: str | None = None
) -> tuple[Minutes, datetime]:
    """What the minutes in (after, until] brought, whole minutes of about `rows` mentions at most; and the last minute read.

    Args:
        version: as this model version says it, where it has scored a mention, beside the one that counted or as that.
    """
    span: dict[str, Any] = {"first": after + MINUTE, "end": until + MINUTE, "rows": rows}
    more = connection.exec_driver_sql(_END, span).scalar()
    if more is not None:
        until = at_minute(minute_number(more))
        span["end"] = until + MINUTE
    span["version"] = version
    parts = {"columns": _COLUMNS, "seen": _SEEN, "said": _SAID[version is not None]}
    items = [_item(*row) for row in connection.exec_driver_sql(_BETWEEN.format(**parts), span)]
    seen: set[Seen] = set()
    if stories := sorted({item.story_id for item in items}):
        rows_before = connection.exec_driver_sql(_BEFORE.format(**parts), {**span, "stories": stories})
        seen = {(scope, item.story_id) for row in rows_before for item in (_item(*row),) for scope in scopes_of(item)}
    return arrivals_of(items, seen, kinds), until


def _item(at: datetime, article_id: str, story_id: str, *parts: Any) -> Item:
    company_id, sector, topic, negative, positive, weight, share, sector_share, withdrawn = parts
    contribution = Contribution(company_id, sector, topic, negative, positive, weight, share, sector_share, withdrawn)
    return Item(minute_number(at), article_id, story_id, contribution)


def read_state(connection: Connection) -> tuple[datetime, bytes] | None:
    """The detector's stored state, and the minute after which it stood so."""
    row = connection.exec_driver_sql("SELECT minute, state FROM detector_state WHERE name = %(name)s", {"name": NAME}).first()
    return None if row is None else (row.minute, row.state)


def read_decided(connection: Connection, after: datetime) -> Iterable[tuple[int, dict[str, Arrival]]]:
    """What the decided minutes after one brought, ascending."""
    query = "SELECT minute, arrivals::text FROM decided_minute WHERE minute > %(after)s ORDER BY minute"
    for minute, arrivals in connection.exec_driver_sql(query, {"after": after}):
        yield minute_number(minute), msgspec.json.decode(arrivals, type=dict[str, Arrival])


def add_decided(connection: Connection, minutes: Minutes) -> None:
    """Keep what newly decided minutes brought."""
    rows = [{"minute": at_minute(minute), "arrivals": arrivals} for minute, arrivals in minutes.items()]
    query = """
        INSERT INTO decided_minute (minute, arrivals)
        SELECT minute, arrivals FROM json_to_recordset(%(rows)s::json) AS new (minute timestamptz, arrivals jsonb)
    """
    connection.exec_driver_sql(query, {"rows": msgspec.json.encode(rows).decode()})


def store_state(connection: Connection, minute: datetime, state: bytes) -> None:
    """Replace the detector's state by that after a minute, and drop the arrivals that it holds."""
    query = """
        INSERT INTO detector_state (name, minute, state) VALUES (%(name)s, %(minute)s, %(state)s)
        ON CONFLICT (name) DO UPDATE SET minute = excluded.minute, state = excluded.state
    """
    connection.exec_driver_sql(query, {"name": NAME, "minute": minute, "state": state})
    connection.exec_driver_sql("DELETE FROM decided_minute WHERE minute <= %(minute)s", {"minute": minute})
