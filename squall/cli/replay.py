"""`squall replay`: recorded news against recorded prices, in a namespace of its own."""

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from squall.errors import UsageError
from squall.settings import Settings, get_settings

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from pipelines.ingest.replay import Sent
    from pipelines.ingest.source import Send
    from pipelines.ingest.standing import Counts
    from pipelines.ingest.timeline import Item, Step

REPORTED = ("articles", "mentions", "mentions_scored", "dead_letters", "bars", "charts", "incidents", "alerts")


def replay(
    *,
    news: Annotated[Path, typer.Option(help="articles: JSON Lines, CSV or Parquet, columns as `squall ingest files` says")],
    prices: Annotated[Path | None, typer.Option(help="bars, columns as `squall ingest prices` says")] = None,
    charts: Annotated[Path | None, typer.Option(help="folder of chart images, as `squall ingest charts` says")] = None,
    speed: Annotated[str, typer.Option(help="event time by wall time, e.g. 1000; or max: flat out")] = "max",
    namespace: Annotated[str, typer.Option(help="a name for this replay: its topics and its schema")] = "replay",
    workers: Annotated[int | None, typer.Option(min=1, max=64, help="worker processes; else SQUALL_WORKERS")] = None,
    until_done: Annotated[bool, typer.Option("--until-done", help="end when the last item is committed and decided")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print the counts as one line of JSON, last")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="remove what an earlier replay left in the namespace")] = False,
    alerts: Annotated[bool, typer.Option("--alerts", help="send alerts to the channels, which are off in a replay")] = False,
    exchange: Annotated[str, typer.Option(help="calendar that says when a daily bar is complete")] = "XNYS",
    shuffle: Annotated[float, typer.Option(min=0, help="hold each item back by up to so many seconds of event time")] = 0,
    seed: Annotated[int, typer.Option(help="of the shuffling")] = 0,
) -> None:
    """Replay news against prices: bars and charts are committed ahead, then news and clock go by event time.

    Broker and database are those that run or that the settings name, else they are started for the duration; the replay brings
    its own workers. With --until-done it prints the counts and ends; without, it prints them and then keeps everything
    running, to be looked at, until Ctrl-C. The namespace stays in the database: `squall incidents list --namespace NAME`.
    """
    from pipelines.ingest.timeline import merge
    from squall.embedded.signals import Stopped, stoppable

    settings = replay_settings(namespace, alerts=alerts, workers=workers)
    rate = _speed(speed)
    items = news_items(news, settings)
    steps = list(merge(items, settings, shuffle, seed))
    ahead = sent_ahead(prices, charts, exchange)
    done = False
    try:
        with stoppable(), replayed(settings, items, steps, ahead, speed=rate, fresh=fresh) as (report, _):
            done = True
            _print(report, as_json)
            if not until_done:
                print("everything is committed and keeps running; Ctrl-C ends it", file=sys.stderr)
                threading.Event().wait()
    except Stopped as stopped:
        raise typer.Exit(0 if done else 128 + stopped.number) from None


@contextmanager
def replayed(
    settings: Settings,
    items: "list[Item]",
    steps: "list[Step]",
    ahead: "list[Send]",
    *,
    speed: float | None,
    fresh: bool,
    begin: "Callable[[Engine], None]" = lambda _engine: None,
) -> "Iterator[tuple[dict[str, Any], Engine]]":
    """Replay to the end; services and workers run on for the duration. Yields what is reported, and an engine on the namespace.

    Args:
        begin: called with the engine before the workers start.
    """
    from pipelines.ingest.producer import Producer
    from pipelines.ingest.replay import prepare, send, send_ahead, wait_until_done
    from squall.embedded import running
    from squall.embedded.workers import worker_processes

    times = [item.at for item in items if item.article_id]
    with _Shown() as shown, running(settings) as services:
        engine = prepare(settings, services, min(times), max(times), fresh=fresh)
        try:
            begin(engine)
            with (
                worker_processes(settings, services, settings.workers),
                Producer(settings, services.bootstrap) as producer,
            ):
                shown.begin("bars and charts", len(ahead))
                shown.forward(send_ahead(producer, settings, services, ahead))
                started = time.monotonic()
                shown.begin("news sent", len(items))
                sent = send(producer, engine, settings, steps, speed=speed, progress=shown.forward)
                shown.begin("articles committed", len(sent.articles))
                found = wait_until_done(engine, settings, sent, progress=lambda now: shown.reach(now.articles))
                shown.stop()
                yield _report(settings, sent, found, time.monotonic() - started), engine
        finally:
            engine.dispose()


def _report(settings: Settings, sent: "Sent", found: "Counts", seconds: float) -> dict[str, Any]:
    """The counts, and the time from the first item sent to the last one committed."""
    counts = asdict(found)
    return {
        "namespace": settings.namespace,
        "news_sent": sent.news,
        **{name: counts[name] for name in REPORTED},
        "seconds": round(seconds, 3),
        "items_per_second": round(sent.news / seconds, 1),
    }


def _print(report: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(report), flush=True)
        return
    for name, value in report.items():
        print(f"{name.replace('_', ' '):<18}{value}", flush=True)


class _Shown:
    """Progress on standard error, where that is a terminal."""

    def __enter__(self) -> "_Shown":
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        console = Console(stderr=True)
        self._progress = Progress(*columns, console=console, disable=not console.is_terminal)
        self._progress.start()
        self._task = self._progress.add_task("services", total=None)
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def begin(self, words: str, total: int) -> None:
        self._progress.update(self._task, completed=self._progress.tasks[self._task].total or 0)
        self._task = self._progress.add_task(words, total=total)

    def forward(self, count: int) -> None:
        self._progress.advance(self._task, count)

    def reach(self, count: int) -> None:
        self._progress.update(self._task, completed=count)

    def stop(self) -> None:
        self._progress.stop()


def news_items(path: Path, settings: Settings) -> "list[Item]":
    """The articles of a file.

    Raises:
        UsageError: there is none in it.
    """
    from pipelines.ingest.files import read_news
    from pipelines.ingest.timeline import items_of

    reads = list(read_news(path))
    items = items_of(reads, settings)
    if not any(item.article_id for item in items):
        reason = f"; the first of {len(reads)} rows: {reads[0].error}" if reads else ""
        raise UsageError(f"{path}: no article in it{reason}")
    return items


def replay_settings(namespace: str, *, alerts: bool, workers: int | None) -> Settings:
    """The settings of a replay: those in force, in a namespace of its own."""
    settings = get_settings().in_namespace(namespace)
    if not namespace:
        raise UsageError("--namespace: a replay needs a name, the live namespace stays apart")
    update: dict[str, Any] = {"workers": workers or settings.workers}
    if alerts:
        update["notify"] = settings.notify.model_copy(update={"in_namespaces": True})
    return settings.model_copy(update=update)


def _speed(text: str) -> float | None:
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed < 1e9:
        raise UsageError(f"--speed {text}: use a number above 0, or max")
    return speed


def sent_ahead(prices: Path | None, charts: Path | None, exchange: str, until: datetime | None = None) -> "list[Send]":
    """The bars and charts of files, unreadable rows too; `until`: of the bars only those that start no later."""
    from pipelines.ingest.charts import read_folder
    from pipelines.ingest.files import read_bars

    reads = read_bars(prices, exchange=exchange) if prices else ()
    bars = [read.send for read in reads if until is None or read.record is None or read.record.start <= until]
    return bars + ([read.send for read in read_folder(charts, exchange=exchange)] if charts else [])
