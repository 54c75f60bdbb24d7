"""What watch decides from: the cursor of decided minutes and the watermark."""

from datetime import datetime

from sqlalchemy import Connection

from squall.db.minutes import CURSOR, NEVER


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
