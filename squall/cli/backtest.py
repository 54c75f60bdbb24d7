"""`squall backtest`: what rules would have said of a stretch of history, and what the prices did after it."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from squall.cli.replay import news_items, replay_settings, replayed, sent_ahead
from squall.errors import UsageError

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from pipelines.backtest.report import Report

NAMESPACE = "backtest"
AFTER = timedelta(days=15)
"""Bars of so long after the end are looked at, for what the prices did."""


def backtest(
    *,
    rules: Annotated[Path, typer.Option(help="a file of rules", show_default=False)],
    news: Annotated[Path, typer.Option(help="articles, as `squall replay` takes them", show_default=False)],
    prices: Annotated[Path, typer.Option(help="bars, as `squall ingest prices` takes them", show_default=False)],
    from_: Annotated[datetime, typer.Option("--from", help="first time of alerts, in UTC", show_default=False)],
    to: Annotated[datetime, typer.Option("--to", help="time before which they end, in UTC", show_default=False)],
    sigmas: Annotated[float, typer.Option(min=0.1, help="a fall of so many of its own deviations answers an alert")] = 2.0,
    namespace: Annotated[str, typer.Option(help="a name for the run: its topics and its schema")] = NAMESPACE,
    fresh: Annotated[
        bool, typer.Option("--fresh", help=f"remove what the namespace holds; of {NAMESPACE!r} that is always done")
    ] = False,
    workers: Annotated[int | None, typer.Option(min=1, max=64, help="worker processes; else SQUALL_WORKERS")] = None,
    exchange: Annotated[str, typer.Option(help="calendar that says when a daily bar is complete")] = "XNYS",
    page: Annotated[Path | None, typer.Option(help="write an HTML page with charts there")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the figures as one line of JSON, last")] = False,
) -> None:
    """Run the streaming system over history, flat out, and hold its alerts against the prices.

    News of the weeks before --from is played too, so that baselines are learnt; alerts count from --from on. Watch-lists that
    the rules name are those of the live namespace, as they stand now. What counts as a false alert is printed with the figures.
    """
    from pipelines.ingest.timeline import merge
    from squall.embedded.signals import Stopped, stoppable

    first, end = from_.replace(tzinfo=UTC), to.replace(tzinfo=UTC)
    if first >= end:
        raise UsageError(f"--from {first:%Y-%m-%d %H:%M} is not before --to {end:%Y-%m-%d %H:%M}")
    body = _read(rules)
    settings = replay_settings(namespace, alerts=False, workers=workers)
    detection = settings.detection
    start = first - timedelta(days=detection.baseline_days + detection.guard_days + 1)
    items = [item for item in news_items(news, settings) if start <= item.at < end]
    if not any(item.article_id for item in items):
        raise UsageError(f"{news}: no article from {start:%Y-%m-%d} (the weeks that baselines need) to {end:%Y-%m-%d}")
    ahead = sent_ahead(prices, None, exchange, until=end + AFTER)
    fresh, begin = fresh or namespace == NAMESPACE, _applying(body, str(rules), settings.in_namespace("").pg_schema)
    steps = list(merge(items, settings))
    try:
        with (
            stoppable(),
            replayed(settings, items, steps, ahead, speed=None, fresh=fresh, begin=begin) as (_, engine),
        ):
            found = _found(engine, first, end, sigmas)
    except Stopped as stopped:
        raise typer.Exit(128 + stopped.number) from None
    if page is not None:
        from pipelines.backtest.page import write_page

        write_page(found, page, f"Backtest of {rules.name}, {first:%Y-%m-%d} to {end:%Y-%m-%d}")
    _print(found)
    if as_json:
        from pipelines.backtest.report import plain

        print(json.dumps(plain(found)), flush=True)


def _read(rules: Path) -> str:
    from squall.cli.rules import check

    check(rules)
    return rules.read_text(encoding="utf-8")


def _applying(body: str, source: str, live: str) -> "Callable[[Engine], None]":
    from squall.db.rules import apply_rules, borrow_lists

    def apply(engine: "Engine") -> None:
        with engine.begin() as connection:
            borrow_lists(connection, body, source, live)
            apply_rules(connection, body, source, "backtest")

    return apply


def _found(engine: "Engine", first: datetime, end: datetime, sigmas: float) -> "Report":
    from pipelines.backtest.prices import Prices
    from pipelines.backtest.read import read_closes, read_fired, read_named
    from pipelines.backtest.report import report

    with engine.connect() as connection:
        fired, named = read_fired(connection), read_named(connection, first, end)
        prices = Prices(read_closes(connection))
    return report(fired, prices, named, first, end, sigmas)


def _print(found: "Report") -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from pipelines.backtest.page import ALERT_COLUMNS, alert_row, rows

    console = Console()
    figures = Table(box=None, pad_edge=False, show_header=False)
    for name, value in rows(found):
        figures.add_row(name, value)
    alerts = Table(*ALERT_COLUMNS[:-1], box=None, pad_edge=False)
    for one in found.alerts:
        alerts.add_row(*map(escape, alert_row(one)[:-1]))
    if found.alerts:
        console.print(alerts)
        console.print()
    console.print(figures)
    console.print(f"\n{found.definition}")
