"""The event minutes: who may write into them, up to where they are decided, and which model each is scored by."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection

CURSOR = "watch"
NEVER = datetime(1970, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

# Scoring takes this lock shared while it writes mood, watch takes it alone while it decides, and so does a promotion while it
# chooses its minute. Row locks would not do: a steady stream of shared ones can keep the other waiting for ever, while advisory
# locks are granted in the order of asking.
_LOCK = "hashtextextended(current_schema() || ' minutes', 0)"


class Epoch(NamedTuple):
    """From an event minute on, until that of the next epoch, a version scores."""

    since: datetime
    version: str


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


def begin_epoch(connection: Connection, version: str) -> Epoch:
    """Let a version score from the first minute on of which nothing is scored or decided; the first one ever, from always on.

    Until the transaction ends nobody scores anything, so that no mention of the minute, or of a later one, has another version's
    score.
    """
    stop_writers(connection)
    begun = connection.exec_driver_sql("SELECT EXISTS (SELECT FROM model_epoch)").scalar()
    since = NEVER
    if begun:
        newest = connection.exec_driver_sql("SELECT date_trunc('minute', max(event_time), 'UTC') FROM score").scalar()
        since = max(newest or NEVER, read_cursor(connection)) + MINUTE
    connection.exec_driver_sql(
        "INSERT INTO model_epoch (since, version) VALUES (%(since)s, %(version)s) "
        "ON CONFLICT (since) DO UPDATE SET version = excluded.version",
        {"since": since, "version": version},
    )
    return Epoch(since, version)


_EPOCHS = """
SELECT since, version FROM model_epoch
WHERE since >= coalesce((SELECT max(since) FROM model_epoch WHERE since <= %(minute)s), '-infinity') ORDER BY since
"""


def epochs_from(connection: Connection, minute: datetime) -> tuple[Epoch, ...]:
    """The epoch of a minute, and those that follow it."""
    return tuple(Epoch(*row) for row in connection.exec_driver_sql(_EPOCHS, {"minute": minute}))


def open_epochs(connection: Connection) -> tuple[Epoch, ...]:
    """The epochs of all minutes that are not decided yet."""
    return epochs_from(connection, read_cursor(connection) + MINUTE)


def version_at(epochs: Sequence[Epoch], minute: datetime) -> str | None:
    """Which version scores the mentions of a minute; None: none has been named. What is older than all has the oldest."""
    found = [one.version for one in epochs if one.since <= minute] or [one.version for one in epochs[:1]]
    return found[-1] if found else None
