"""What people do to incidents, with its entry in the audit, for the command line and the pages alike.

Each act is done in a transaction that the caller opens and commits. Times are event minutes: an act counts from the last decided
minute on, so that a replay with the same acts ends the same.
"""

import fnmatch
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Connection

from squall.errors import UserError

WATCH = "watch"
MINUTE = timedelta(minutes=1)
FALSE = "false"
MAX_TEXT = 2000


class ActError(UserError):
    """An act that cannot be done; the message is one line for a person."""


def acknowledge(connection: Connection, incident_id: str, actor: str, text: str = "") -> None:
    """Note that somebody has seen a firing incident; it repeats no more, and still resolves by itself.

    Raises:
        ActError: there is no such incident, or it is not firing.
    """
    state = _held(connection, incident_id)
    if state == "acknowledged":
        return
    if state != "firing":
        raise ActError(f"incident {incident_id[:8]} is {state}: only a firing one can be acknowledged")
    at = _now(connection)
    query = "UPDATE incident SET state = 'acknowledged', acknowledged_at = greatest(%(at)s, fired_at) WHERE id = %(id)s"
    connection.exec_driver_sql(query, {"id": incident_id, "at": at})
    detail = {"text": _checked(text, "text")} if text else {}
    add_event(connection, incident_id, at=at, kind="acknowledged", state="acknowledged", actor=actor, detail=detail)


def note(connection: Connection, incident_id: str, actor: str, text: str) -> None:
    """Add a note to an incident, open or not.

    Raises:
        ActError: there is no such incident, or the note is empty or too long.
    """
    detail = {"text": _checked(text, "note")}
    state = _held(connection, incident_id)
    add_event(connection, incident_id, at=_now(connection), kind="note", state=state, actor=actor, detail=detail)


def mark_false(connection: Connection, incident_id: str, actor: str, *, false: bool = True, text: str = "") -> None:
    """Say that an incident was a false alarm, or take that back. It changes no decision.

    Raises:
        ActError: there is no such incident.
    """
    detail: dict[str, Any] = {"text": _checked(text, "text")} if text else {}
    kind, verdict = ("marked_false", FALSE) if false else ("unmarked_false", None)
    state = _held(connection, incident_id)
    query = "UPDATE incident SET verdict = %(verdict)s WHERE id = %(id)s AND verdict IS DISTINCT FROM %(verdict)s"
    if connection.exec_driver_sql(query, {"id": incident_id, "verdict": verdict}).rowcount:
        add_event(connection, incident_id, at=_now(connection), kind=kind, state=state, actor=actor, detail=detail)


def silence(connection: Connection, pattern: str, until: datetime, actor: str, reason: str) -> int:
    """Let incidents of matching scopes tell nobody from the next minute on; they still open, fire and resolve.

    Args:
        pattern: a scope such as `company:boeing`, `*` and `?` standing for anything.
        until: event time at which it ends.

    Returns:
        Number of the silence.

    Raises:
        ActError: a bad pattern or reason, or an end that has passed.
    """
    pattern, reason = _checked(pattern, "pattern", 200), _checked(reason, "reason")
    if until.tzinfo is None:
        raise ActError("the end of a silence needs a time zone")
    at = _now(connection)
    if until <= at + MINUTE:
        raise ActError(f"a silence until {until:%Y-%m-%d %H:%M %Z} would have ended: the data stand at {at:%Y-%m-%d %H:%M} UTC")
    query = """
        INSERT INTO silence (pattern, starts_at, until, author, reason)
        VALUES (%(pattern)s, %(starts)s, %(until)s, %(actor)s, %(reason)s) RETURNING id
    """
    values = {"pattern": pattern, "starts": at + MINUTE, "until": until, "actor": actor, "reason": reason}
    key = int(connection.exec_driver_sql(query, values).scalar_one())
    detail = {"silence": key, "pattern": pattern, "until": until, "reason": reason}
    _note_silence(connection, pattern, kind="silenced", at=at, actor=actor, detail=detail)
    return key


def unsilence(connection: Connection, silence_id: int, actor: str) -> None:
    """End a silence from the next minute on.

    Raises:
        ActError: there is none of that number that has not ended.
    """
    at = _now(connection)
    query = """
        UPDATE silence SET ended_at = now(), ended_by = %(actor)s, until = greatest(starts_at, %(end)s)
        WHERE id = %(id)s AND ended_at IS NULL AND until > %(end)s RETURNING pattern
    """
    pattern = connection.exec_driver_sql(query, {"id": silence_id, "actor": actor, "end": at + MINUTE}).scalar()
    if pattern is None:
        raise ActError(f"no silence {silence_id} that has not ended")
    _note_silence(connection, pattern, kind="unsilenced", at=at, actor=actor, detail={"silence": silence_id})


def list_silences(connection: Connection) -> list[dict[str, Any]]:
    """Silences, the newest first; `active`: it covers the next minute to be decided."""
    query = """
        SELECT s.*, s.until > c.next AND s.starts_at <= c.next AS active
        FROM silence s, (SELECT coalesce(max(at), now()) + interval '1 minute' AS next FROM cursor WHERE name = 'watch') c
        ORDER BY s.id DESC
    """
    return [dict(row) for row in connection.exec_driver_sql(query).mappings()]


def matches(pattern: str, scope: str) -> bool:
    """Whether a silence's pattern covers a scope; that of a company covers its topics."""
    return fnmatch.fnmatchcase(scope, pattern) or fnmatch.fnmatchcase(scope.partition("/")[0], pattern)


def add_event(
    connection: Connection, incident_id: str, *, at: datetime, kind: str, state: str, actor: str, detail: dict[str, Any]
) -> int:
    """Append to the audit of an incident whose row this transaction holds; returns the event's number."""
    query = """
        INSERT INTO incident_event (incident_id, number, at, kind, state, actor, detail)
        SELECT %(id)s, coalesce(max(number), 0) + 1, %(at)s, %(kind)s, %(state)s, %(actor)s, %(detail)s::jsonb
        FROM incident_event WHERE incident_id = %(id)s RETURNING number
    """
    said = msgspec.json.encode(detail).decode()
    values = {"id": incident_id, "at": at, "kind": kind, "state": state, "actor": actor, "detail": said}
    return int(connection.exec_driver_sql(query, values).scalar_one())


def decided_until(connection: Connection) -> datetime | None:
    """The last decided minute, which stays the last until this transaction ends; None: none is decided yet."""
    query = "SELECT at FROM cursor WHERE name = %(name)s FOR SHARE"
    at: datetime | None = connection.exec_driver_sql(query, {"name": WATCH}).scalar()
    return at if at is not None and at.year > 1970 else None


def _now(connection: Connection) -> datetime:
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    return decided_until(connection) or now


def _held(connection: Connection, incident_id: str) -> str:
    """Hold the cursor, and then an incident's row, in the order in which watch takes them; returns the incident's state."""
    decided_until(connection)
    query = "SELECT state FROM incident WHERE id = %(id)s FOR UPDATE"
    state: str | None = connection.exec_driver_sql(query, {"id": incident_id}).scalar()
    if state is None:
        raise ActError(f"no incident {incident_id!r}")
    return state


def _note_silence(connection: Connection, pattern: str, *, kind: str, at: datetime, actor: str, detail: dict[str, Any]) -> None:
    query = "SELECT id, scope, state FROM incident WHERE state <> 'resolved' ORDER BY id FOR UPDATE"
    for key, scope, state in connection.exec_driver_sql(query).all():
        if matches(pattern, scope):
            add_event(connection, key, at=at, kind=kind, state=state, actor=actor, detail=detail)


def _checked(text: str, name: str, longest: int = MAX_TEXT) -> str:
    text = text.strip()
    if not text:
        raise ActError(f"the {name} is empty")
    if len(text) > longest or "\x00" in text:
        raise ActError(f"the {name} has {len(text)} characters, {longest} at most, and no NUL")
    return text
