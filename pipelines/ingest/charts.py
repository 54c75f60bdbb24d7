"""Chart images: from a folder, or drawn from bars."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from models.drawing import render_chart
from pipelines.ingest.readers import read_rows
from pipelines.ingest.rows import as_time
from pipelines.ingest.source import Batch, Position, Send
from squall.errors import UsageError
from squall.records import Bar, Chart, RecordError, decode, encode
from squall.safety import UnsafeError, check_image
from squall.sessions import EXCHANGE, available_at
from squall.topics import CHARTS

SIDECAR = "charts.csv"
SIDECAR_COLUMNS = ("file", "ticker", "end")
NAME = re.compile(r"(?P<ticker>[A-Za-z0-9.\-]{1,12})_(?P<end>\d{4}-\d{2}-\d{2})")
SUFFIXES = (".png", ".jpg", ".jpeg")
CHUNK = 16
BAR_FIELDS = ("start", "open", "high", "low", "close", "volume")


class ReadChart(NamedTuple):
    """A chart as it goes to the broker; `error` says why the market agent will refuse it."""

    send: Send
    end: datetime
    error: str = ""


def chart_send(chart: Chart) -> Send:
    """A chart on its way to squall.charts, keyed by its ticker."""
    return Send(CHARTS, chart.ticker.encode(), encode(chart))


def read_folder(folder: Path, source: str = "", exchange: str = EXCHANGE) -> Iterator[ReadChart]:
    """The charts of a folder, by name: those that `charts.csv` lists, or else the files named `TICKER_YYYY-MM-DD.png`.

    `end` is the day of the last bar shown; a chart may be known from that session's close, or from `available_at` where the
    list has that column. An image that is none, or too large, is handed on as it is and refused with its reason later.

    Raises:
        UsageError: no such folder, no charts in it, or a list that names files which are not there.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder")
    listed = folder / SIDECAR
    rows = _listed(listed) if listed.is_file() else _named(folder)
    found = False
    for path, fields in rows:
        found = True
        yield _chart(path, {"source": source or folder.name, **fields}, exchange)
    if not found:
        raise UsageError(f"{folder}: no charts; name them like AAPL_2013-01-24.png, or list them in {SIDECAR}")


def _listed(path: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    for row in read_rows(path, SIDECAR_COLUMNS):
        if row.fields is None:
            raise UsageError(f"{path}: a row cannot be read: {row.raw[:80]!r}")
        name = str(row.fields.pop("file"))
        if Path(name).name != name or not (path.parent / name).is_file():
            raise UsageError(f"{path}: no file {name!r} beside it")
        yield path.parent / name, {key: value for key, value in row.fields.items() if value not in (None, "")}


def _named(folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in SUFFIXES and (match := NAME.fullmatch(path.stem)):
            yield path, match.groupdict()


def _chart(path: Path, fields: dict[str, Any], exchange: str) -> ReadChart:
    interval = str(fields.get("interval", "1d"))
    end = as_time(fields["end"])
    try:
        known = as_time(fields.get("available_at")) or available_at(end, interval, exchange)
    except (ValueError, AttributeError) as error:
        raise UsageError(f"{path}: end {fields['end']!r}: {error}") from None
    chart = Chart(
        ticker=str(fields["ticker"]),
        interval=interval,
        end=end,
        image=path.read_bytes(),
        available_at=known,
        source=str(fields["source"]),
    )
    return checked(chart)


def checked(chart: Chart) -> ReadChart:
    """A chart with what is wrong with it, if anything is."""
    send = chart_send(chart)
    try:
        decode(send.value, Chart)
        check_image(chart.image)
    except (RecordError, UnsafeError) as error:
        return ReadChart(send, chart.end, str(error))
    return ReadChart(send, chart.end)


def draw_charts(bars: Iterable[Bar], ends: str = "W", exchange: str = EXCHANGE) -> Iterator[ReadChart]:
    """Charts drawn from daily bars: for each ticker one at the end of each period that has bars.

    Args:
        ends: pandas period, `W`, `M` or `D`; a chart shows the bars up to the last one of its period, and is known when that is.
    """
    import pandas as pd

    table = pd.DataFrame([{"ticker": bar.ticker, **{name: getattr(bar, name) for name in BAR_FIELDS}} for bar in bars])
    if table.empty:
        return
    for ticker, rows in table.sort_values(["ticker", "start"]).groupby("ticker"):
        own = rows.reset_index(drop=True)
        periods = own["start"].dt.tz_localize(None).dt.to_period(ends)
        for last in own.index[periods != periods.shift(-1)]:
            end = own["start"][last].to_pydatetime()
            image = render_chart(own[: last + 1])
            known = available_at(end, "1d", exchange)
            yield checked(Chart(ticker=str(ticker), end=end, image=image, available_at=known, source="drawn"))


@dataclass(frozen=True)
class ChartSource:
    """Charts in a fixed order; what was sent before is skipped."""

    address: str
    charts: Iterable[ReadChart]
    kind: str = "charts"

    @property
    def name(self) -> str:
        """Key of its row in the table `source`."""
        return f"charts {self.address}"

    async def batches(self, position: Position) -> AsyncIterator[Batch]:
        """Some charts at a time; the position counts them."""
        done = int(position.get("charts", 0))
        rest = islice(self.charts, done, None)
        while chunk := await asyncio.to_thread(lambda: list(islice(rest, CHUNK))):
            done += len(chunk)
            yield Batch(
                sends=tuple(chart.send for chart in chunk),
                position={"charts": done},
                bad=sum(bool(chart.error) for chart in chunk),
                last_item_at=max(chart.end for chart in chunk),
            )
