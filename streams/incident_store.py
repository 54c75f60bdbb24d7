"""The rows of incidents: read to go on from, written as the steps say."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection

from squall.acts import add_event as append_event
from squall.db.incident_tables import OPEN_STATES
from squall.scopes import parse_scope
from streams.logic.incident_types import Incident, SilenceSpan, at_minute, minute_number

ACTOR = "squall"
_JSON = ("inputs", "evidence", "context")
_OPEN = ", ".join(f"'{state}'" for state in OPEN_STATES)
_READ = """
SELECT id, rule, scope, state, opened_at, fired_at, resolved_at, updated_at, surprise, peak_surprise, holds_since, calm_since,
       told_at, parent_id
FROM incident WHERE {where}
ORDER BY id FOR UPDATE
"""
OPERATIONAL = "operational"
"""The rule version of incidents of the system itself, which watch leaves alone."""


def watched_incidents(connection: Connection, resolved_since: datetime) -> list[Incident]:
    """The incidents that watch goes on from, locked so that no person's act is overwritten."""
    where = f"(state IN ({_OPEN}) OR resolved_at >= %(since)s) AND rule_version <> '{OPERATIONAL}'"
    return [_incident(*row) for row in connection.exec_driver_sql(_READ.format(where=where), {"since": resolved_since})]


def operational_incidents(connection: Connection, rule: str) -> list[Incident]:
    """The open incidents of a rule that is not watch's, locked."""
    where = f"state IN ({_OPEN}) AND rule_version = '{OPERATIONAL}' AND rule = %(rule)s"
    return [_incident(*row) for row in connection.exec_driver_sql(_READ.format(where=where), {"rule": rule})]


def open_operational(connection: Connection, begins: str) -> set[str]:
    """The rules, of those that begin so, of open incidents that are not watch's."""
    query = (
        f"SELECT rule FROM incident WHERE state IN ({_OPEN}) AND rule_version = '{OPERATIONAL}' AND starts_with(rule, %(begins)s)"
    )
    return set(connection.exec_driver_sql(query, {"begins": begins}).scalars())


def _incident(
    key: str, rule: str, scope: str, state: Any, opened: datetime, fired: datetime | None, resolved: datetime | None,
    updated: datetime, surprise: float, peak: float, holds: datetime | None, calm: datetime | None, told: datetime | None,
    parent: str | None,
) -> Incident:  # fmt: skip
    return Incident(
        id=key,
        rule=rule,
        scope=scope,
        state=state,
        opened=minute_number(opened),
        fired=_number(fired),
        resolved=_number(resolved),
        updated=minute_number(updated),
        surprise=surprise,
        peak=peak,
        holds_since=_number(holds),
        calm_since=_number(calm),
        told=_number(told),
        parent=parent,
    )


def columns_of(incident: Incident) -> dict[str, Any]:
    """The columns that change as an incident goes on."""
    return {
        "state": incident.state,
        "fired_at": _at(incident.fired),
        "resolved_at": _at(incident.resolved),
        "updated_at": at_minute(incident.updated),
        "surprise": incident.surprise,
        "peak_surprise": incident.peak,
        "holds_since": _at(incident.holds_since),
        "calm_since": _at(incident.calm_since),
        "told_at": _at(incident.told),
        "parent_id": incident.parent,
    }


def read_silences(connection: Connection, after: datetime) -> list[SilenceSpan]:
    """The silences that cover a minute later than `after`."""
    query = "SELECT id, pattern, starts_at, until FROM silence WHERE until > %(after)s ORDER BY id"
    return [
        SilenceSpan(key, pattern, minute_number(start), -minute_number(_mirrored(until)))
        for key, pattern, start, until in connection.exec_driver_sql(query, {"after": after})
    ]


def _mirrored(at: datetime) -> datetime:
    """So that rounding down rounds up: a silence lasts through the minute in which it ends."""
    return at_minute(0) - (at - at_minute(0))


def insert_incident(connection: Connection, row: dict[str, Any]) -> bool:
    """Insert an incident; returns False where it is there."""
    values = _encoded({"company_id": parse_scope(row["scope"]).company_id, **row})
    places = ", ".join(f"%({name})s{'::jsonb' if name in _JSON else ''}" for name in values)
    query = f"INSERT INTO incident ({', '.join(values)}) VALUES ({places}) ON CONFLICT (id) DO NOTHING"
    return connection.exec_driver_sql(query, values).rowcount == 1


def update_incident(connection: Connection, key: str, row: dict[str, Any]) -> None:
    """Write the columns of an incident that have changed."""
    values = _encoded(row)
    places = ", ".join(f"{name} = %({name})s{'::jsonb' if name in _JSON else ''}" for name in values)
    connection.exec_driver_sql(f"UPDATE incident SET {places} WHERE id = %(id)s", values | {"id": key})


def add_event(connection: Connection, key: str, *, at: datetime, kind: str, state: str, detail: dict[str, Any]) -> int:
    """Append to the audit of an incident whose row this transaction holds; returns the event's number."""
    return append_event(connection, key, at=at, kind=kind, state=state, actor=ACTOR, detail=detail)


def add_outbox(
    connection: Connection,
    key: str,
    number: int,
    channel: str,
    payload: bytes,
    *,
    group: str,
    wait_s: int = 0,
    interval_s: int = 0,
) -> None:
    """Leave a notification for a channel.

    Args:
        group: what it may be delivered together with.
        wait_s: how long it waits for others of its group; `interval_s`: how long after the group's last delivery at least.
    """
    query = """
        INSERT INTO outbox (incident_id, number, channel, payload, group_key, interval_s, due_at)
        VALUES (%(id)s, %(number)s, %(channel)s, %(payload)s::jsonb, %(group)s, %(interval)s,
                now() + %(wait)s * interval '1 second') ON CONFLICT DO NOTHING
    """
    values = {"id": key, "number": number, "channel": channel, "payload": payload.decode(), "group": group}
    connection.exec_driver_sql(query, values | {"interval": interval_s, "wait": wait_s})


def read_sectors(connection: Connection) -> dict[str, str]:
    """Sector by company, of those that have one."""
    found = connection.exec_driver_sql("SELECT id, sector FROM company WHERE sector IS NOT NULL")
    return {row.id: row.sector for row in found}


class Frozen(NamedTuple):
    """What stays as it was when an incident fired."""

    severity: str
    threshold: float
    summary: str
    evidence: list[dict[str, Any]]
    chart: str | None
    """What the chart showed, in words."""


def read_frozen(connection: Connection, ids: Iterable[str]) -> dict[str, Frozen]:
    """What is frozen of incidents, by id."""
    query = "SELECT id, severity, threshold, summary, evidence, context #>> '{chart,words}' FROM incident WHERE id = ANY(%(ids)s)"
    return {key: Frozen(*values) for key, *values in connection.exec_driver_sql(query, {"ids": list(ids)})}


def _encoded(row: dict[str, Any]) -> dict[str, Any]:
    return {name: msgspec.json.encode(value).decode() if name in _JSON else value for name, value in row.items()}


def _number(at: datetime | None) -> int | None:
    return None if at is None else minute_number(at)


def _at(minute: int | None) -> datetime | None:
    return None if minute is None else at_minute(minute)
