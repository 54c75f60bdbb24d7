"""What watch reads and writes, and the cursor that says which minutes are decided."""

from datetime import UTC, datetime

from sqlalchemy import Connection

CURSOR = "watch"
NEVER = datetime(1970, 1, 1, tzinfo=UTC)

# Scoring takes this lock shared while it writes mood, watch takes it alone while it decides. Row locks would not do: a steady
# stream of shared ones can keep the other waiting for ever, while advisory locks are granted in the order of asking.
_LOCK = "hashtextextended(current_schema() || ' minutes', 0)"


def hold_minutes(connection: Connection) -> datetime:
    """The last decided minute, which stays the last until the transaction ends."""
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock_shared({_LOCK})")
    at = connection.exec_driver_sql("SELECT at FROM cursor WHERE name = %(name)s", {"name": CURSOR}).scalar()
    return at or NEVER
