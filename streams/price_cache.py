"""The daily bars around the times of a batch, held by a worker and read anew when the database holds others."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from streams.logic.features import HISTORY, INTERVAL, Market, PriceBar

MARGIN_BACK = timedelta(days=30)
MARGIN_AHEAD = timedelta(days=90)

# A transaction's bars carry the time at which it began, and it lasts less than this: statements time out sooner.
_RECENT = """
SELECT count(*), max(ingested_at) FROM bar
WHERE interval = %(interval)s AND ingested_at > now() - interval '3 minutes'
"""
_BARS = """
SELECT company_id, extract(epoch FROM start)::float8, extract(epoch FROM available_at)::float8, close, volume
FROM bar WHERE interval = %(interval)s AND start >= %(low)s AND start < %(high)s
"""


class PriceCache:
    """Serves the market as of any time of a batch. Not thread safe."""

    def __init__(self) -> None:
        self._market = Market(())
        self._low = self._high = datetime.min.replace(tzinfo=UTC)
        self._recent: Any = None

    def market(self, connection: Connection, first: datetime, last: datetime) -> Market:
        """The market with every bar that is committed and counts for instants from `first` to `last`."""
        recent = tuple(connection.exec_driver_sql(_RECENT, {"interval": INTERVAL}).one())
        low = first - HISTORY
        if recent != self._recent or low < self._low or last >= self._high:
            self._low, self._high = low - MARGIN_BACK, last + MARGIN_AHEAD
            span = {"interval": INTERVAL, "low": self._low, "high": self._high}
            self._market = Market(PriceBar(*row) for row in connection.exec_driver_sql(_BARS, span))
            self._recent = recent
        return self._market
