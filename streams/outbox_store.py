"""The queue of notifications: claimed by lease, delivered outside any transaction, a group at a time and in order."""

from typing import Any, NamedTuple

from sqlalchemy import Connection

BATCH_ROWS = 100


class Batch(NamedTuple):
    """Claimed notifications that go out together; `attempts` counts the one that is about to be made."""

    key: str
    channel: str
    group_key: str
    attempts: int
    payloads: tuple[dict[str, Any], ...]


# One worker at a time claims of a channel; the lease keeps others from what is being delivered. A lease that ran out is claimed
# again: twice is possible, never is not.
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || ' outbox ' || %(channel)s, 0))"
_WAITING = "channel = %(channel)s AND delivered_at IS NULL AND dead_at IS NULL"

# What failed before, or whose lease ran out, goes first and in the same batch: its key must not change.
_AGAIN = f"""
SELECT batch FROM outbox WHERE {_WAITING} AND batch IS NOT NULL AND due_at <= now()
  AND (leased_until IS NULL OR leased_until < now())
GROUP BY batch ORDER BY min(id) LIMIT 1
"""

# Else a new batch of the group that has waited longest: when its wait is over, its last delivery lies far enough back, and none
# of its batches is still out. What an incident said before in another group goes first.
_FREE = f"""
WITH waiting AS (SELECT * FROM outbox WHERE {_WAITING}),
free AS (
    SELECT * FROM waiting w WHERE batch IS NULL AND NOT EXISTS (
        SELECT FROM waiting p WHERE p.incident_id = w.incident_id AND p.number < w.number AND p.group_key <> w.group_key)
),
due AS (
    SELECT group_key FROM free f GROUP BY group_key
    HAVING min(due_at) <= now()
       AND NOT EXISTS (SELECT FROM waiting w WHERE w.group_key = f.group_key AND w.batch IS NOT NULL)
       AND coalesce((SELECT max(delivered_at) FROM outbox o WHERE o.channel = %(channel)s AND o.group_key = f.group_key),
                    '-infinity') + max(interval_s) * interval '1 second' <= now()
    ORDER BY min(id) LIMIT 1
)
SELECT f.id, f.incident_id || '-' || f.number FROM free f JOIN due USING (group_key) ORDER BY f.id LIMIT {BATCH_ROWS}
"""
_FORM = "UPDATE outbox SET batch = %(batch)s WHERE id = ANY(%(ids)s)"
_LEASE = f"""
UPDATE outbox SET leased_until = now() + %(lease)s * interval '1 second', attempts = attempts + 1
WHERE {_WAITING} AND batch = %(batch)s RETURNING id, group_key, attempts, payload
"""


def claim(connection: Connection, channel: str, lease_s: int) -> Batch | None:
    """Lease the next batch of a channel that is due; None: nothing is."""
    values: dict[str, Any] = {"channel": channel, "lease": lease_s}
    connection.exec_driver_sql(_LOCK, values)
    batch = connection.exec_driver_sql(_AGAIN, values).scalar()
    if batch is None:
        free = connection.exec_driver_sql(_FREE, values).all()
        if not free:
            return None
        batch = free[0][1]
        connection.exec_driver_sql(_FORM, {"batch": batch, "ids": [row[0] for row in free]})
    rows = sorted(connection.exec_driver_sql(_LEASE, values | {"batch": batch}).all(), key=lambda row: int(row[0]))
    return Batch(
        key=batch,
        channel=channel,
        group_key=rows[0].group_key,
        attempts=max(row.attempts for row in rows),
        payloads=tuple(row.payload for row in rows),
    )


def mark_delivered(connection: Connection, batch: Batch) -> None:
    """Note that a batch was delivered."""
    query = f"UPDATE outbox SET delivered_at = now(), leased_until = NULL, error = NULL WHERE {_WAITING} AND batch = %(batch)s"
    connection.exec_driver_sql(query, {"channel": batch.channel, "batch": batch.key})


def mark_failed(connection: Connection, batch: Batch, error: str, again_in_s: float | None) -> None:
    """Note why it failed, and when to try again; None: never."""
    query = f"""
        UPDATE outbox SET leased_until = NULL, error = %(error)s,
               due_at = now() + coalesce(%(again)s::float8, 0) * interval '1 second',
               dead_at = CASE WHEN %(again)s::float8 IS NULL THEN now() END
        WHERE {_WAITING} AND batch = %(batch)s
    """
    values = {"channel": batch.channel, "batch": batch.key, "error": error, "again": again_in_s}
    connection.exec_driver_sql(query, values)
