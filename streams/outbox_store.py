"""The queue of notifications: claimed by lease, delivered outside any transaction, in order per incident and channel."""

from typing import Any, NamedTuple

from sqlalchemy import Connection


class Notification(NamedTuple):
    """A claimed notification; `attempts` counts the one that is about to be made."""

    id: int
    incident_id: str
    number: int
    attempts: int
    payload: dict[str, Any]


# Only the first undelivered one of an incident and channel can be claimed. A lease that ran out is claimed again: twice is
# possible, never is not.
_CLAIM = """
UPDATE outbox SET leased_until = now() + %(lease)s * interval '1 second', attempts = attempts + 1
WHERE id IN (
    SELECT o.id FROM outbox o
    WHERE o.channel = %(channel)s AND o.delivered_at IS NULL AND o.dead_at IS NULL AND o.due_at <= now()
      AND (o.leased_until IS NULL OR o.leased_until < now())
      AND NOT EXISTS (
          SELECT 1 FROM outbox p WHERE p.incident_id = o.incident_id AND p.channel = o.channel AND p.number < o.number
          AND p.delivered_at IS NULL AND p.dead_at IS NULL)
    ORDER BY o.id LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
RETURNING id, incident_id, number, attempts, payload
"""


def claim(connection: Connection, channel: str, lease_s: int, limit: int) -> list[Notification]:
    """Lease the notifications of a channel that are due, oldest first."""
    rows = connection.exec_driver_sql(_CLAIM, {"channel": channel, "lease": lease_s, "limit": limit})
    return sorted(Notification(*row) for row in rows)


def mark_delivered(connection: Connection, ids: list[int]) -> None:
    """Note that these were delivered."""
    query = "UPDATE outbox SET delivered_at = now(), leased_until = NULL, error = NULL WHERE id = ANY(%(ids)s)"
    connection.exec_driver_sql(query, {"ids": ids})


def mark_failed(connection: Connection, key: int, error: str, again_in_s: float | None) -> None:
    """Note why it failed, and when to try again; None: never."""
    query = """
        UPDATE outbox SET leased_until = NULL, error = %(error)s,
               due_at = now() + coalesce(%(again)s::float8, 0) * interval '1 second',
               dead_at = CASE WHEN %(again)s::float8 IS NULL THEN now() END
        WHERE id = %(id)s AND delivered_at IS NULL
    """
    connection.exec_driver_sql(query, {"id": key, "error": error, "again": again_in_s})
