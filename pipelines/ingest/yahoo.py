"""Daily bars by yfinance, an optional extra. It asks Yahoo's servers, whose terms allow personal use only."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from pipelines.ingest.rows import bar_from_row
from pipelines.ingest.source import Batch, Position
from squall.errors import UserError
from squall.sessions import EXCHANGE

COLUMNS = {"Open": "open", "High": "high", "Low": "low", "Close": "close", "Volume": "volume"}


@dataclass(frozen=True)
class YahooSource:
    """One ticker's daily bars, from the last one that was sent."""

    ticker: str
    since: date
    exchange: str = EXCHANGE
    kind: str = "yfinance"

    @property
    def name(self) -> str:
        """Key of its row in the table `source`."""
        return f"yfinance {self.ticker}"

    @property
    def address(self) -> str:
        """The ticker."""
        return self.ticker

    async def batches(self, position: Position) -> AsyncIterator[Batch]:
        """All new bars in one batch. The last day is asked for again each time, since its bar may not have been complete."""
        since = max(self.since.isoformat(), str(position.get("day", "")))
        try:
            rows = await asyncio.to_thread(self._rows, since)
        except UserError:
            raise
        except Exception as error:
            yield Batch(position=position, error=f"yfinance: {error}")
            return
        reads = [bar_from_row(row, "yfinance", self.exchange) for row in rows]
        days = [row["start"] for row in rows]
        yield Batch(
            sends=tuple(read.send for read in reads),
            position={"day": max(days)} if days else position,
            bad=sum(read.record is None for read in reads),
            last_item_at=max((read.record.start for read in reads if read.record), default=None),
        )

    def _rows(self, since: str) -> list[Mapping[str, Any]]:
        try:
            import yfinance
        except ModuleNotFoundError:
            raise UserError("yfinance is not installed: pip install 'squall[yfinance]'") from None
        # Prices as they were traded: adjusted ones change whenever a dividend is paid.
        table = yfinance.Ticker(self.ticker).history(
            start=since, interval="1d", auto_adjust=False, actions=False, raise_errors=True
        )
        return [
            {"ticker": self.ticker, "start": str(day.date()), **{COLUMNS[name]: row[name] for name in COLUMNS}}
            for day, row in table.dropna(subset=list(COLUMNS)).iterrows()
        ]
