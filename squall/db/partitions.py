"""Monthly partitions of `mention`, `score` and `mood`: made ahead, dropped when retention is over."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from sqlalchemy import Connection, Engine, text

from squall.db.tables import PARTITIONED

Month = tuple[int, int]


def month_of(at: datetime) -> Month:
    """Year and month of an instant, in UTC."""
    at = at.astimezone(UTC)
    return at.year, at.month


def months_between(first: datetime, last: datetime) -> Iterator[Month]:
    """The months from one instant to another, both included."""
    year, month = month_of(first)
    while (year, month) <= month_of(last):
        yield year, month
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)


def _start(month: Month) -> str:
    return f"{month[0]:04d}-{month[1]:02d}-01 00:00+00"


def _next(month: Month) -> Month:
    return (month[0], month[1] + 1) if month[1] < 12 else (month[0] + 1, 1)


def make_partitions(engine: Engine, first: datetime, last: datetime) -> int:
    """Make the partitions of all months between two instants; returns how many were new.

    Each is created as a table of its own and then attached, which does not lock its parent against readers and writers.
    """
    made = 0
    for month in months_between(first, last):
        for table, column in PARTITIONED.items():
            with engine.begin() as connection:
                made += _make(connection, table, column, month)
    return made


def _make(connection: Connection, table: str, column: str, month: Month) -> bool:
    name = f"{table}_{month[0]:04d}_{month[1]:02d}"
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtext(current_schema() || :name))"), {"name": name})
    if connection.execute(text("SELECT to_regclass(:name)"), {"name": name}).scalar():
        return False
    low, high = _start(month), _start(_next(month))
    connection.execute(
        text(
            f"CREATE TABLE {name} (LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS, "
            f"CONSTRAINT {name}_range CHECK ({column} >= '{low}' AND {column} < '{high}'))"
        )
    )
    connection.execute(text(f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ('{low}') TO ('{high}')"))
    connection.execute(text(f"ALTER TABLE {name} DROP CONSTRAINT {name}_range"))
    return True


def existing_months(connection: Connection, table: str = "mention") -> frozenset[Month]:
    """The months that have a partition."""
    rows = connection.execute(
        text("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = to_regclass(:table)"), {"table": table}
    )
    found = (re.search(r"_(\d{4})_(\d{2})\"?$", name) for (name,) in rows)
    return frozenset((int(match[1]), int(match[2])) for match in found if match)


def drop_partitions(engine: Engine, before: datetime) -> int:
    """Drop the partitions of the months that ended before an instant; returns how many."""
    dropped = 0
    for table in PARTITIONED:
        with engine.begin() as connection:
            # Nobody waits behind this for long: where a reader holds the table, it fails, and is tried again later.
            connection.execute(text("SET LOCAL lock_timeout = '5s'"))
            for month in sorted(existing_months(connection, table)):
                if _next(month) <= month_of(before):
                    connection.execute(text(f"DROP TABLE {table}_{month[0]:04d}_{month[1]:02d}"))
                    dropped += 1
                    if table == "mood":
                        connection.execute(text(f"DELETE FROM mood_day WHERE day < '{_start(_next(month))}'"))
    return dropped
