"""`squall ingest`: news, prices and charts into the broker."""

import asyncio
import json
import signal
import sys
import time
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from squall.errors import SKIPPED, UsageError
from squall.settings import Settings, get_settings

if TYPE_CHECKING:
    from pipelines.ingest.run import Runner, Tally
    from pipelines.ingest.source import Source

T = TypeVar("T")

app = typer.Typer(
    help="Send news, prices and charts from feeds, files, requests and yfinance. Needs a running broker and database "
    "(`squall up`, or addresses in the settings). Where a source stands is saved once the broker has acknowledged; Ctrl-C "
    "finishes what is in hand.",
    no_args_is_help=True,
)
Namespace = Annotated[str, typer.Option(help="namespace of a replay; empty: live")]
AsJson = Annotated[bool, typer.Option("--json", help="print the summary as one line of JSON")]
Again = Annotated[bool, typer.Option("--again", help="from the beginning, also what was sent before; nothing is stored twice")]
Exchange = Annotated[str, typer.Option(help="calendar that says when a daily bar is complete: XNYS, XLON, XETR, ...")]
Files = Annotated[list[Path], typer.Argument(help="JSON Lines, CSV or Parquet, by extension", show_default=False)]


@app.command()
def feeds(
    urls: Annotated[list[str] | None, typer.Argument(help="addresses; else those of SQUALL_HTTP__FEEDS")] = None,
    once: Annotated[bool, typer.Option("--once", help="ask each feed once and end; exit 1 if one could not be read")] = False,
    namespace: Namespace = "",
    as_json: AsJson = False,
) -> None:
    """Poll RSS and Atom feeds, all at once, each every SQUALL_HTTP__POLL_S seconds.

    A feed that has not changed is not sent again. Private addresses are refused unless SQUALL_HTTP__ALLOW_PRIVATE is true.
    """
    from pipelines.ingest.feeds import Feed
    from squall.safety import GuardedClient, is_web_link

    settings = get_settings().in_namespace(namespace)
    wanted = list(dict.fromkeys(urls or settings.http.feeds))
    if not wanted:
        raise UsageError("no feeds: name some, or set SQUALL_HTTP__FEEDS to a JSON list of addresses")
    if odd := [url for url in wanted if not is_web_link(url)]:
        raise UsageError(f"{odd[0]}: no http or https address")

    async def run(runner: "Runner") -> "list[Tally]":
        async with GuardedClient(settings.http) as client:
            return await runner.run([Feed(url, client, settings.http.poll_s, once) for url in wanted])

    tallies, _ = _run(settings, run, as_json)
    if once and any(tally.errors for tally in tallies):
        raise typer.Exit(1)


@app.command()
def files(
    paths: Files,
    source: Annotated[str, typer.Option(help="source of rows that name none; else the file's name")] = "",
    again: Again = False,
    namespace: Namespace = "",
    as_json: AsJson = False,
) -> None:
    """Send files of news.

    Columns: published_at, title, and perhaps body, url, source, tickers, guid, revision, retracted, language, fetched_at. Times
    are ISO 8601; without zone they are UTC. Tickers are a list, or text with commas or spaces. Without fetched_at an article
    counts as fetched when it was published. A row that is no article is sent all the same and ends as a dead letter.
    """
    from pipelines.ingest.files import FileSource, read_news

    _send(namespace, [FileSource(path, lambda one: read_news(one, source)) for path in paths], again, as_json)


@app.command()
def prices(
    paths: Files,
    exchange: Exchange = "XNYS",
    again: Again = False,
    namespace: Namespace = "",
    as_json: AsJson = False,
) -> None:
    """Send files of bars.

    Columns: ticker, start, open, high, low, close, volume, and perhaps interval (1d otherwise), available_at, source. Times
    are as in `squall ingest files`; a day without time is that day's session. A daily bar is known from the close of its
    session, any other from start + interval, unless available_at says when.
    """
    from pipelines.ingest.files import FileSource, read_bars

    _send(namespace, [FileSource(path, lambda one: read_bars(one, exchange=exchange)) for path in paths], again, as_json)


@app.command()
def charts(
    *,
    folder: Annotated[Path | None, typer.Argument(help="images named TICKER_YYYY-MM-DD.png, or listed in charts.csv")] = None,
    draw: Annotated[Path | None, typer.Option(help="draw them from this file of daily bars instead")] = None,
    every: Annotated[str, typer.Option(help="one drawn chart a D (day), W (week) or M (month)")] = "W",
    exchange: Exchange = "XNYS",
    again: Again = False,
    namespace: Namespace = "",
    as_json: AsJson = False,
) -> None:
    """Send chart images: those of a folder, or drawn from daily bars (250 days as weekly candles with volume).

    `charts.csv` in the folder has the columns file, ticker, end, and perhaps interval, available_at, source. PNG and JPEG,
    512 KiB and 4096 pixels a side at most.
    """
    from pipelines.ingest.charts import ChartSource, draw_charts, read_folder
    from pipelines.ingest.files import read_bars

    if (folder is None) == (draw is None):
        raise UsageError("name a folder of images, or --draw FILE")
    if every not in ("D", "W", "M"):
        raise UsageError(f"--every {every}: use D, W or M")
    if folder is not None:
        source = ChartSource(str(folder.resolve()), read_folder(folder, exchange=exchange))
    else:
        path = Path(draw or "")
        bars = (read.record for read in read_bars(path, exchange=exchange) if read.record)
        source = ChartSource(f"{path.resolve()} {every}", draw_charts(bars, every, exchange))
    _send(namespace, [source], again, as_json)


@app.command()
def yfinance(
    *,
    tickers: Annotated[list[str], typer.Argument(help="as Yahoo writes them")],
    since: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="first day, where none was sent before")],
    exchange: Exchange = "XNYS",
    again: Again = False,
    namespace: Namespace = "",
    as_json: AsJson = False,
) -> None:
    """Send daily bars by yfinance (pip install 'squall[yfinance]'), each ticker from its last bar on."""
    from importlib.util import find_spec

    from pipelines.ingest.yahoo import YahooSource

    if find_spec("yfinance") is None:
        raise UsageError("yfinance is not installed: pip install 'squall[yfinance]'")
    tallies = _send(namespace, [YahooSource(ticker, since.date(), exchange) for ticker in tickers], again, as_json)
    if any(tally.errors for tally in tallies):
        raise typer.Exit(1)


@app.command()
def close(
    day: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="the session's day")],
    namespace: Namespace = "",
    as_json: AsJson = False,
) -> None:
    """Send the daily bars of SQUALL_PRICES__TICKERS up to the close of a session, by yfinance; those of the week before, too.

    A day on which SQUALL_PRICES__EXCHANGE holds no session ends with 99, as does a list without tickers: nothing to do. A
    session that is not over yet ends with 1.
    """
    from pipelines.ingest.yahoo import YahooSource
    from squall.errors import UserError
    from squall.sessions import session_close

    settings = get_settings().in_namespace(namespace)
    wanted = settings.prices
    try:
        closes = session_close(day.replace(tzinfo=UTC), wanted.exchange)
    except ValueError as error:
        raise UsageError(f"SQUALL_PRICES__EXCHANGE: {error}") from None
    if closes is None or not wanted.tickers:
        print("SQUALL_PRICES__TICKERS is empty" if closes else f"{wanted.exchange} holds no session on {day:%Y-%m-%d}")
        raise typer.Exit(SKIPPED)
    if closes > datetime.now(UTC):
        raise UserError(f"the session of {day:%Y-%m-%d} closes at {closes:%H:%M} UTC: try again then")
    since = day.date() - timedelta(days=7)
    tallies = _send(namespace, [YahooSource(ticker, since, wanted.exchange) for ticker in wanted.tickers], True, as_json)
    if any(tally.errors for tally in tallies):
        raise typer.Exit(1)


@app.command()
def serve(namespace: Namespace = "") -> None:
    """Serve POST /v1/news, /v1/prices and /v1/charts at SQUALL_HTTP__HOST and _PORT, for whoever has SQUALL_HTTP__TOKEN.

    Bodies: one JSON object, a list, or one object a line (application/x-ndjson), with the columns that files have; a chart has
    ticker, end and image (base64), or is the raw image with ticker and end in the query. 202 when the broker has acknowledged
    all items, 422 with index, field and reason when none was taken because of some, 503 when the broker is away.
    """
    from pipelines.ingest.endpoint import Endpoint
    from pipelines.ingest.endpoint import serve as serve_endpoint
    from pipelines.ingest.producer import Producer
    from squall.embedded import addresses
    from squall.topics import check_topics

    settings = get_settings().in_namespace(namespace)
    Endpoint.check_token(settings.http)
    services = addresses(settings)
    check_topics(settings, services.bootstrap)
    log_to_stderr(settings)
    with Producer(settings, services.bootstrap) as producer:
        endpoint = Endpoint(producer, settings.http)
        until_stopped(serve_endpoint(endpoint, lambda url: print(f"listening on {url}", flush=True)))
    print(f"{endpoint.accepted} items accepted")


def _send(namespace: str, sources: "Sequence[Source]", again: bool, as_json: bool) -> "list[Tally]":
    settings = get_settings().in_namespace(namespace)

    async def run(runner: "Runner") -> "list[Tally]":
        return await runner.run(sources)

    tallies, stopped = _run(settings, run, as_json, again)
    if stopped:
        raise typer.Exit(130)
    return tallies


def _run(settings: Settings, run: Any, as_json: bool, again: bool = False) -> "tuple[list[Tally], bool]":
    """Run sources to their end or until a signal; print what they did. Returns that, and whether they were stopped."""
    from pipelines.ingest.positions import Positions
    from pipelines.ingest.producer import Producer
    from pipelines.ingest.run import Runner
    from squall.db import migrate
    from squall.db.engine import make_engine
    from squall.embedded import addresses
    from squall.topics import check_topics

    services = addresses(settings)
    check_topics(settings, services.bootstrap)
    engine = make_engine(settings, services.database_url)
    migrate.check(engine, settings)
    log_to_stderr(settings)
    started = time.monotonic()
    try:
        with Producer(settings, services.bootstrap) as producer, _progress() as progress:
            runner = Runner(producer, Positions(engine), again, progress)
            tallies, stopped = until_stopped(run(runner))
    finally:
        engine.dispose()
    _summarise(tallies, time.monotonic() - started, as_json)
    return tallies, stopped


def until_stopped(work: Coroutine[Any, Any, T]) -> tuple[T, bool]:
    """Run to the end, or cancel at the first SIGINT, SIGTERM or SIGHUP; returns the result and whether it was cancelled."""
    stopped = False

    async def main() -> T:
        loop, task = asyncio.get_running_loop(), asyncio.ensure_future(work)

        def stop() -> None:
            nonlocal stopped
            if not stopped:
                stopped = True
                task.cancel()

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, stop)
        return await task

    return asyncio.run(main()), stopped


def log_to_stderr(settings: Settings) -> None:
    """Log lines belong to standard error, where they cannot mix with a summary that is read by programs."""
    import logging

    import structlog

    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[settings.log_level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


@contextmanager
def _progress() -> Iterator[Any]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:,} sent"), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as shown:
        tasks: dict[str, Any] = {}

        def progress(tally: "Tally") -> None:
            if tally.source not in tasks:
                tasks[tally.source] = shown.add_task(tally.source[-60:], total=None)
            shown.update(tasks[tally.source], completed=tally.sent)

        yield progress


def _summarise(tallies: "Sequence[Tally]", seconds: float, as_json: bool) -> None:
    sent, bad = sum(tally.sent for tally in tallies), sum(tally.bad for tally in tallies)
    if as_json:
        totals = {"sent": sent, "bad": bad, "errors": sum(tally.errors for tally in tallies), "seconds": round(seconds, 3)}
        print(json.dumps({**totals, "sources": [vars(tally) for tally in tallies]}))
        return
    for tally in tallies:
        worst = f", {tally.bad} of them for the dead letters" if tally.bad else ""
        error = f", {tally.errors} times unreadable: {tally.last_error}" if tally.errors else ""
        print(f"{tally.source}: {tally.sent} sent{worst}{error}")
    print(f"{sent} sent in {seconds:.1f} s ({sent / max(seconds, 0.001):,.0f}/s)")
    if bad:
        print(f"{bad} of them are no records: `squall deadletters list` says why, once the workers have read them")
