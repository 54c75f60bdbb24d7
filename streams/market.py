"""Market: squall.prices and squall.charts in, bars and charts in Postgres."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, func, or_
from sqlalchemy.dialects.postgresql import insert

from squall.companies import Company, TickerIndex, load_companies
from squall.db.tables import Bar as BarTable
from squall.db.tables import Chart as ChartTable
from squall.records import Bar, Chart, RecordError, content_id, decode
from squall.safety import UnsafeError, check_image
from squall.sessions import available_at
from squall.topics import CHARTS, PRICES
from streams.runtime import Context, Dead, Message, Outcome, Parts


class MarketError(ValueError):
    """A bar or chart cannot be used; the message is one line that says why."""


class Bars:
    """The agent that stores bars; `handle` as `BatchAgent` says.

    A bar that comes again with other values replaces the stored one. Of two share classes of one company, whose bars fall on the
    same key, the first by ticker stays, whichever comes first.
    """

    name = "market-bars"
    topic = PRICES

    def __init__(self, engine: Engine, tickers: TickerIndex) -> None:
        self._engine = engine
        self._tickers = tickers

    def handle(self, batch: Sequence[Message]) -> Outcome:
        """Store the bars of a batch."""
        rows: dict[tuple[str, str, datetime], dict[str, Any]] = {}
        dead = []
        for message in batch:
            try:
                row = self._row(decode(message.value or b"", Bar))
            except (RecordError, MarketError) as error:
                dead.append(Dead(message, str(error)))
                continue
            key = (row["company_id"], row["interval"], row["start"])
            if key not in rows or row["ticker"] <= rows[key]["ticker"]:
                rows[key] = row
        if rows:
            self._write(list(rows.values()))
        return Outcome(dead=dead)

    def _row(self, bar: Bar) -> dict[str, Any]:
        company, start, known = _placed(self._tickers, bar.ticker, bar.interval, bar.start, bar.available_at)
        if not bar.low <= min(bar.open, bar.close) or not bar.high >= max(bar.open, bar.close):
            raise MarketError("open and close do not lie between low and high")
        copied = {name: getattr(bar, name) for name in ("interval", "open", "high", "low", "close", "volume", "source")}
        return {**copied, "company_id": company.id, "ticker": bar.ticker, "start": start, "available_at": known}

    def _write(self, rows: list[dict[str, Any]]) -> None:
        new = insert(BarTable)
        values = [name for name in rows[0] if name not in {"company_id", "interval", "start"}]
        statement = new.on_conflict_do_update(
            index_elements=["company_id", "interval", "start"],
            set_={**{name: new.excluded[name] for name in values}, "ingested_at": func.now()},
            where=(new.excluded.ticker <= BarTable.ticker)
            & or_(*(new.excluded[name].is_distinct_from(getattr(BarTable, name)) for name in values)),
        )
        with self._engine.begin() as connection:
            connection.execute(statement, sorted(rows, key=lambda row: (row["company_id"], row["interval"], row["start"])))


class Charts:
    """The agent that stores chart images; `handle` as `BatchAgent` says. A chart's id follows from its content."""

    name = "market-charts"
    topic = CHARTS

    def __init__(self, engine: Engine, tickers: TickerIndex) -> None:
        self._engine = engine
        self._tickers = tickers

    def handle(self, batch: Sequence[Message]) -> Outcome:
        """Check and store the charts of a batch."""
        rows: dict[str, dict[str, Any]] = {}
        dead = []
        for message in batch:
            try:
                row = self._row(decode(message.value or b"", Chart))
                rows[row["id"]] = row
            except (RecordError, MarketError, UnsafeError) as error:
                dead.append(Dead(message, str(error)))
        if rows:
            with self._engine.begin() as connection:
                connection.execute(insert(ChartTable).on_conflict_do_nothing(), [rows[one] for one in sorted(rows)])
        return Outcome(dead=dead)

    def _row(self, chart: Chart) -> dict[str, Any]:
        company, end, known = _placed(self._tickers, chart.ticker, chart.interval, chart.end, chart.available_at)
        media_type, width, height = check_image(chart.image)
        return {
            "id": content_id("chart", company.id, chart.interval, end.isoformat(), chart.source, chart.image.hex()),
            "company_id": company.id,
            "interval": chart.interval,
            "end": end,
            "available_at": known,
            "image": chart.image,
            "media_type": media_type,
            "width": width,
            "height": height,
            "source": chart.source,
        }


def _placed(
    tickers: TickerIndex, ticker: str, interval: str, at: datetime, known: datetime | None
) -> tuple[Company, datetime, datetime]:
    """The company that holds the ticker at that time, the time in UTC, and from when the item may be known."""
    try:
        at = at.astimezone(UTC)
        usual = available_at(at, interval)
    except OverflowError:
        raise MarketError("time is beyond the calendar") from None
    except ValueError as error:
        raise MarketError(str(error)) from None
    known = (known or usual).astimezone(UTC)
    if known < at:
        raise MarketError(f"available at {known.isoformat()}, before its own time {at.isoformat()}")
    company = tickers.find(ticker, at)
    if company is None:
        raise MarketError(f"unknown ticker {ticker} as of {at.date()}: `squall companies add` adds a company")
    return company, at, known


def parts(context: Context) -> Parts:
    """The agents, for a worker."""
    tickers = TickerIndex(load_companies(context.settings.companies_file))
    return Parts(agents=(Bars(context.engine, tickers), Charts(context.engine, tickers)))
