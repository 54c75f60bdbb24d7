"""Reads a backtest's namespace back."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from pipelines.backtest.prices import Close
from pipelines.backtest.report import Fired
from squall.db.readback import read_names
from squall.scopes import scope_name

# A surge's first item: what the detector counts from, or, of a rule with a window, the earliest story shown.
_FIRED = """
SELECT i.id, i.rule, i.scope, i.company_id, i.severity, i.fired_at, i.summary,
       CASE WHEN i.inputs -> 'rule' ->> 'window' IS NULL AND i.inputs ? 'since'
            THEN to_timestamp((i.inputs ->> 'since')::float8 * 60) END AS since,
       (SELECT min((story ->> 'event_time')::timestamptz) FROM jsonb_array_elements(i.evidence) AS story) AS earliest
FROM incident i WHERE i.fired_at IS NOT NULL ORDER BY i.fired_at, i.scope, i.rule
"""
_CLOSES = "SELECT company_id, interval, available_at, close FROM bar"
_NAMED = """
SELECT DISTINCT company_id FROM mention
WHERE company_id IS NOT NULL AND NOT withdrawn AND event_time >= %(first)s AND event_time < %(end)s
"""


def read_fired(connection: Connection) -> list[Fired]:
    """The incidents that fired, in order of time. An alert stands at the end of the minute that it was decided from."""
    companies, topics = read_names(connection)
    found = []
    for row in connection.exec_driver_sql(_FIRED):
        fired = row.fired_at.astimezone(UTC) + timedelta(minutes=1)
        first = row.since or row.earliest or row.fired_at
        name = scope_name(row.scope, companies, topics)
        found.append(
            Fired(row.id, row.rule, row.scope, name, row.company_id, row.severity, first.astimezone(UTC), fired, row.summary)
        )
    return found


def read_closes(connection: Connection) -> list[Close]:
    """All closes of the namespace."""
    rows = connection.exec_driver_sql(_CLOSES)
    return [Close(company, interval, at.astimezone(UTC), close) for company, interval, at, close in rows]


def read_named(connection: Connection, first: datetime, end: datetime) -> list[str]:
    """The companies that articles of [first, end) name."""
    return sorted(connection.exec_driver_sql(_NAMED, {"first": first, "end": end}).scalars())
