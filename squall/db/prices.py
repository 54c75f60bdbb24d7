"""The price of a company as it was known at an instant, and what it did after it."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

HORIZONS: Mapping[str, timedelta] = {"1h": timedelta(hours=1), "1d": timedelta(days=1), "5d": timedelta(days=5)}
SLACK = timedelta(days=5)
"""A price that comes later than its horizon by more than a long weekend says nothing of it."""

_LAST = """
SELECT interval, close, available_at, (
    SELECT p.close FROM bar p WHERE p.company_id = b.company_id AND p.interval = b.interval AND p.start < b.start
    ORDER BY p.start DESC LIMIT 1)
FROM bar b WHERE company_id = %(company)s AND available_at <= %(at)s ORDER BY available_at DESC, interval LIMIT 1
"""
_FIRST = """
SELECT close FROM bar WHERE company_id = %(company)s AND available_at >= %(at)s AND available_at <= %(latest)s
ORDER BY available_at, interval LIMIT 1
"""


def price_at(connection: Connection, company: str, at: datetime) -> dict[str, Any] | None:
    """The latest close that was known at `at`, and its change on the bar before it as a fraction; None: there was none."""
    row = connection.exec_driver_sql(_LAST, {"company": company, "at": at}).one_or_none()
    if row is None:
        return None
    interval, close, known, before = row
    return {"close": close, "interval": interval, "known_at": known, "change": round(close / before - 1, 6) if before else None}


def moves_after(connection: Connection, company: str, at: datetime, known_by: datetime) -> dict[str, float | None]:
    """How far the price had moved an hour, a day and five days after `at`, as fractions of what was known then.

    The first close from the horizon on counts: a day after a Friday is Monday's, and with daily bars the hour is the next close.

    Args:
        known_by: nothing that became known later is looked at; None stands where that leaves nothing.
    """
    start = price_at(connection, company, at)
    moves: dict[str, float | None] = {}
    for name, horizon in HORIZONS.items():
        values = {"company": company, "at": at + horizon, "latest": min(known_by, at + horizon + SLACK)}
        close = connection.exec_driver_sql(_FIRST, values).scalar() if start and at + horizon <= known_by else None
        moves[name] = None if close is None or not start else round(close / start["close"] - 1, 6)
    return moves
