"""What watch decides from: the cursor of decided minutes and the watermark."""

from datetime import UTC, datetime

from sqlalchemy import Connection

CURSOR = "watch"
NEVER = datetime(1970, 1, 1, tzinfo=UTC)

# Scoring takes this lock shared while it writes mood, watch takes it alone while it decides. Row locks would not do: a steady
# stream of shared ones can keep the other waiting for ever, while advisory locks are granted in the order of asking.
_LOCK = "hashtextextended(current_schema() || ' minutes', 0)"


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
