"""The daily bars around the times of a batch, held by a worker and read anew when the database holds others."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from itertools import groupby

from sqlalchemy import Connection

from streams.logic.bar_history import CHART_REACH, History, history
from streams.logic.features import HISTORY, INTERVAL, Market, PriceBar

MARGIN_BACK = timedelta(days=30)
MARGIN_AHEAD = timedelta(days=90)

# The distinct times of storing of the last minutes, by jumps through their index: bars of one transaction share the time at which
# it began, and a later one may be committed earlier, so the highest of them would not tell that bars are new.
_RECENT = """
WITH RECURSIVE jump(at) AS (
    SELECT min(ingested_at) FROM bar WHERE ingested_at > now() - interval '3 minutes'
    UNION ALL
    SELECT (SELECT min(ingested_at) FROM bar WHERE ingested_at > jump.at) FROM jump WHERE jump.at IS NOT NULL
)
SELECT at FROM jump WHERE at IS NOT NULL
"""
_BARS = """
SELECT company_id, extract(epoch FROM start)::float8, extract(epoch FROM available_at)::float8, close, volume
FROM bar WHERE interval = %(interval)s AND start >= %(low)s AND start < %(high)s
"""
_HISTORIES = """
SELECT company_id, extract(epoch FROM start)::float8, extract(epoch FROM available_at)::float8, open, high, low, close, volume
FROM bar WHERE company_id = ANY(%(companies)s) AND interval = %(interval)s AND start >= %(low)s AND start < %(high)s
ORDER BY company_id, start
"""


class PriceCache:
    """Serves the market as of any time of a batch, and the bars of single companies. Not thread safe."""

    def __init__(self) -> None:
        self._market = Market(())
        self._low = self._high = datetime.min.replace(tzinfo=UTC)
        self._recent: set[datetime] = set()
        self._histories: dict[str, History] = {}

    def market(self, connection: Connection, first: datetime, last: datetime) -> Market:
        """The market with every bar that is committed and counts for instants from `first` to `last`."""
        recent = set(connection.exec_driver_sql(_RECENT).scalars())
        low = first - HISTORY
        if not recent <= self._recent or low < self._low or last >= self._high:
            self._low, self._high = low - MARGIN_BACK, last + MARGIN_AHEAD
            span = {"interval": INTERVAL, "low": self._low, "high": self._high}
            self._market = Market(PriceBar(*row) for row in connection.exec_driver_sql(_BARS, span))
            self._histories = {}
        self._recent = recent
        return self._market

    def histories(self, connection: Connection, companies: Collection[str]) -> Mapping[str, History]:
        """The bars of companies that count for instants that `market` was last asked for; those of others may be there too."""
        if missing := sorted(set(companies) - self._histories.keys()):
            low = self._low - (CHART_REACH - HISTORY)
            values = {"companies": missing, "interval": INTERVAL, "low": low, "high": self._high}
            rows = connection.exec_driver_sql(_HISTORIES, values)
            found = {company: history(row[1:] for row in own) for company, own in groupby(rows, key=lambda row: row[0])}
            self._histories |= {company: found.get(company, history(())) for company in missing}
        return self._histories
