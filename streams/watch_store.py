"""What watch reads and writes: the cursor of decided minutes, the watermark, the mood of minutes, incidents."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection

from squall.db.tables import OPEN_STATES
from squall.scopes import Kind, parse_scope
from streams.logic.incidents import Incident, at_minute, minute_number
from streams.logic.mood import Sums
from streams.logic.surge import HOUR

CURSOR = "watch"
NEVER = datetime(1970, 1, 1, tzinfo=UTC)
ACTOR = "squall"

# Scoring takes this lock shared while it writes mood, watch takes it alone while it decides. Row locks would not do: a steady
# stream of shared ones can keep the other waiting for ever, while advisory locks are granted in the order of asking.
_LOCK = "hashtextextended(current_schema() || ' minutes', 0)"

_KINDS: dict[Kind, str] = {
    "company": "(scope LIKE 'company:%%' AND strpos(scope, '/') = 0)",
    "company/topic": "scope LIKE 'company:%%/topic:%%'",
    "sector": "scope LIKE 'sector:%%'",
    "topic": "scope LIKE 'topic:%%'",
    "market": "scope = 'market'",
}
_SUMS = ", ".join(Sums._fields)
_OPEN = ", ".join(f"'{state}'" for state in OPEN_STATES)

Minutes = dict[int, dict[str, Sums]]


def hold_minutes(connection: Connection) -> datetime:
    """The last decided minute, which stays the last until the transaction ends. Many may hold it at a time."""
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock_shared({_LOCK})")
    return read_cursor(connection)


def stop_writers(connection: Connection) -> None:
    """Wait for those who hold the minutes, and keep others from it until the transaction ends."""
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")


def read_cursor(connection: Connection) -> datetime:
    """The last decided minute; `NEVER` where there is none."""
    at = connection.exec_driver_sql("SELECT at FROM cursor WHERE name = %(name)s", {"name": CURSOR}).scalar()
    return at or NEVER


def claim_cursor(connection: Connection) -> datetime | None:
    """The last decided minute, for this transaction alone to move; None while another does."""
    connection.exec_driver_sql(
        "INSERT INTO cursor (name, at) VALUES (%(name)s, %(at)s) ON CONFLICT DO NOTHING", {"name": CURSOR, "at": NEVER}
    )
    query = "SELECT at FROM cursor WHERE name = %(name)s FOR UPDATE SKIP LOCKED"
    at: datetime | None = connection.exec_driver_sql(query, {"name": CURSOR}).scalar()
    return at


def move_cursor(connection: Connection, at: datetime) -> None:
    """Note that all minutes up to `at` are decided."""
    query = "UPDATE cursor SET at = %(at)s, moved_at = now() WHERE name = %(name)s"
    connection.exec_driver_sql(query, {"name": CURSOR, "at": at})


def read_watermark(connection: Connection, partitions: int) -> datetime | None:
    """Up to when everything has come through; None until each partition has said something of each other's."""
    query = "SELECT min(at), count(*) FROM watermark WHERE news_partition < %(n)s AND mentions_partition < %(n)s"
    at, pairs = connection.exec_driver_sql(query, {"n": partitions}).one()
    return at if pairs == partitions * partitions else None


def _where(kinds: Iterable[Kind]) -> str:
    # A row from which everything was withdrawn in time is as one that never was.
    return f"NOT late AND mentions > 0 AND ({' OR '.join(_KINDS[kind] for kind in kinds)})"


def read_minutes(
    connection: Connection, kinds: Iterable[Kind], after: datetime, until: datetime, rows: int
) -> tuple[Minutes, bool]:
    """Sums by minute and scope in (after, until], whole minutes of about `rows` rows at most; and whether that is all of them."""
    query = f"""
        SELECT minute, scope, {_SUMS} FROM mood WHERE minute > %(after)s AND minute <= %(until)s AND {_where(kinds)}
        ORDER BY minute FETCH FIRST %(rows)s ROWS WITH TIES
    """
    minutes: Minutes = {}
    count = 0
    for minute, scope, *sums in connection.exec_driver_sql(query, {"after": after, "until": until, "rows": rows}):
        minutes.setdefault(minute_number(minute), {})[scope] = Sums(*sums)
        count += 1
    return minutes, count < rows


class Past(NamedTuple):
    """What a detector is rebuilt from; see `WindowDetector.rebuild`."""

    since: int | None
    hours: dict[str, dict[int, int]]
    minutes: Minutes


def read_past(connection: Connection, kinds: Iterable[Kind], until: datetime, lookback: int, recent: int) -> Past:
    """The decided past: `recent` minutes as they are, the `lookback` minutes as hours before them."""
    last = minute_number(until)
    border = at_minute(max(0, (last - recent) // HOUR * HOUR))
    where = _where(kinds)
    since = connection.exec_driver_sql(
        f"SELECT min(minute) FROM mood WHERE minute <= %(until)s AND {where}", {"until": until}
    ).scalar()
    hours: dict[str, dict[int, int]] = {}
    query = f"""
        SELECT scope, floor(extract(epoch FROM minute) / 3600)::bigint, sum(negative_weight)::bigint FROM mood
        WHERE minute >= %(low)s AND minute < %(border)s AND minute <= %(until)s AND {where} GROUP BY 1, 2
    """
    span = {"low": at_minute(max(0, last - lookback)), "border": border, "until": until}
    for scope, hour, mass in connection.exec_driver_sql(query, span):
        hours.setdefault(scope, {})[hour] = mass
    minutes, _ = read_minutes(connection, kinds, border - timedelta(minutes=1), until, 2**31 - 1)
    return Past(None if since is None else minute_number(since), hours, minutes)


def open_incidents(connection: Connection, rule: str) -> list[Incident]:
    """The open incidents of a rule, locked so that no person's act is overwritten."""
    query = f"""
        SELECT id, scope, state, opened_at, fired_at, updated_at, surprise, peak_surprise FROM incident
        WHERE rule = %(rule)s AND state IN ({_OPEN}) ORDER BY scope FOR UPDATE
    """
    return [
        Incident(
            id=key,
            scope=scope,
            state=state,
            opened=minute_number(opened),
            fired=fired and minute_number(fired),
            updated=minute_number(updated),
            surprise=surprise,
            peak=peak,
        )
        for key, scope, state, opened, fired, updated, surprise, peak in connection.exec_driver_sql(query, {"rule": rule})
    ]


def insert_incident(connection: Connection, row: dict[str, Any]) -> bool:
    """Insert an incident; returns False where it is there."""
    values = {"acknowledged_at": None, "company_id": parse_scope(row["scope"]).company_id, **row}
    values |= {name: msgspec.json.encode(values[name]).decode() for name in ("inputs", "evidence")}
    places = ", ".join(f"%({name})s{'::jsonb' if name in ('inputs', 'evidence') else ''}" for name in values)
    query = f"INSERT INTO incident ({', '.join(values)}) VALUES ({places}) ON CONFLICT (id) DO NOTHING"
    return connection.exec_driver_sql(query, values).rowcount == 1


def update_incident(connection: Connection, key: str, row: dict[str, Any]) -> None:
    """Write the columns of an incident that have changed."""
    values = {
        name: msgspec.json.encode(value).decode() if name in ("inputs", "evidence") else value for name, value in row.items()
    }
    places = ", ".join(f"{name} = %({name})s{'::jsonb' if name in ('inputs', 'evidence') else ''}" for name in values)
    connection.exec_driver_sql(f"UPDATE incident SET {places} WHERE id = %(id)s", values | {"id": key})


def add_event(connection: Connection, key: str, *, at: datetime, kind: str, state: str, detail: dict[str, Any]) -> int:
    """Append to the audit of an incident whose row this transaction holds; returns the event's number."""
    query = """
        INSERT INTO incident_event (incident_id, number, at, kind, state, actor, detail)
        SELECT %(id)s, coalesce(max(number), 0) + 1, %(at)s, %(kind)s, %(state)s, %(actor)s, %(detail)s::jsonb
        FROM incident_event WHERE incident_id = %(id)s RETURNING number
    """
    values = {"id": key, "at": at, "kind": kind, "state": state, "actor": ACTOR, "detail": msgspec.json.encode(detail).decode()}
    return int(connection.exec_driver_sql(query, values).scalar_one())


def add_outbox(connection: Connection, key: str, number: int, channels: Iterable[str], payload: bytes) -> None:
    """Leave a notification for each channel."""
    query = """
        INSERT INTO outbox (incident_id, number, channel, payload)
        VALUES (%(id)s, %(number)s, %(channel)s, %(payload)s::jsonb) ON CONFLICT DO NOTHING
    """
    for channel in channels:
        values = {"id": key, "number": number, "channel": channel, "payload": payload.decode()}
        connection.exec_driver_sql(query, values)
