"""The whole pipeline: how many mentions a second it commits, how long an item takes, and how much memory a worker needs.

Everything is real: an embedded broker and Postgres in a home of their own, and worker processes as `squall up` runs them.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from sqlalchemy import Engine, text

from benchmarks.texts import START, headlines
from pipelines.ingest.producer import Producer
from pipelines.ingest.replay import prepare, remove
from pipelines.ingest.rows import news_from_row
from squall.embedded import Addresses, running
from squall.embedded.workers import worker_processes
from squall.settings import Settings

WARM_UP = 200
POLL_S = 0.25
STALLED_S = 60
LATENCY_S = 40
MIB = 1024 * 1024


@dataclass
class Figures:
    """What was measured. Rates are mentions a second, latencies milliseconds."""

    rate: float = 0.0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    offered: float = 0.0
    peak_mib: float = 0.0
    broker: str = ""
    _peaks: dict[int, int] = field(default_factory=dict)

    def note_memory(self, pids: Sequence[int | None]) -> None:
        """Keep the highest resident size of each worker."""
        for pid in pids:
            if pid is not None and psutil.pid_exists(pid):
                self._peaks[pid] = max(self._peaks.get(pid, 0), psutil.Process(pid).memory_info().rss)
        self.peak_mib = max(self._peaks.values(), default=0) / MIB


def measure(rows: list[dict[str, Any]], home: Path, workers: int = 1) -> Figures:
    """Rate over `rows`, then latency at half of that rate.

    The rate counts from the first committed row after the worker's warm-up to the last row; all items wait on the broker by
    then. Latency is from the scheduled time of sending to the commit of the row, as the database's clock says.
    """
    figures = Figures()
    settings = Settings(home=home, namespace="bench", workers=workers)
    with running(settings) as services:
        figures.broker = services.broker_kind
        with _namespace(settings, services) as engine, Producer(settings, services.bootstrap) as producer:
            _send(producer, headlines(WARM_UP, seed=1))
            with worker_processes(settings, services, workers) as children, _watching(figures, children):
                _wait_for(engine, WARM_UP)
                figures.rate = _rate(engine, producer, rows)
                figures.offered = figures.rate / 2
                figures.p50_ms, figures.p99_ms = _latency(engine, producer, figures.offered)
    return figures


@contextmanager
def _namespace(settings: Settings, services: Addresses) -> Iterator[Engine]:
    engine = prepare(settings, services, START, START, fresh=True)
    try:
        yield engine
    finally:
        remove(settings, services, engine)


@contextmanager
def _watching(figures: Figures, children: Sequence[Any]) -> Iterator[None]:
    stop = threading.Event()

    def look() -> None:
        while not stop.wait(POLL_S):
            figures.note_memory([child.pid for child in children])

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _send(producer: Producer, rows: Sequence[dict[str, Any]]) -> None:
    producer.deliver(news_from_row(row, "bench").send for row in rows)


def _scored(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text("SELECT count(*) FROM score")).scalar_one())


def _wait_for(engine: Engine, wanted: int) -> int:
    """Wait until so many rows stand; returns how many there are."""
    found, moved = _scored(engine), time.monotonic()
    while found < wanted:
        time.sleep(POLL_S)
        now = _scored(engine)
        if now > found:
            found, moved = now, time.monotonic()
        elif time.monotonic() - moved > STALLED_S:
            raise RuntimeError(f"no row was committed for {STALLED_S} s; {found} of {wanted} are there")
    return found


def _rate(engine: Engine, producer: Producer, rows: Sequence[dict[str, Any]]) -> float:
    before = _scored(engine)
    _send(producer, rows)
    _wait_for(engine, before + len(rows))
    with engine.connect() as connection:
        commits = connection.execute(
            text("SELECT extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8 FROM score ORDER BY 1 OFFSET :before"),
            {"before": before},
        ).scalars()
        at = np.array(list(commits))
    # The first commit's rows were scored before the clock starts.
    return float((at > at[0]).sum() / (at[-1] - at[0]))


def _latency(engine: Engine, producer: Producer, rate: float) -> tuple[float, float]:
    rows = headlines(int(rate * LATENCY_S), seed=3)
    due = {}
    started = time.time() + 0.5
    for place, row in enumerate(rows):
        due[row["guid"]] = started + place / rate
    before = _scored(engine)
    place = 0
    while place < len(rows):
        now = time.time()
        batch = [row for row in rows[place : place + 200] if due[row["guid"]] <= now]
        if batch:
            _send(producer, batch)
            place += len(batch)
        else:
            time.sleep(max(0.0, due[rows[place]["guid"]] - now))
    _wait_for(engine, before + len(rows))
    with engine.connect() as connection:
        committed = connection.execute(
            text(
                "SELECT a.guid, extract(epoch FROM pg_xact_commit_timestamp(s.xmin))::float8 FROM score s "
                "JOIN mention m ON m.id = s.mention_id AND m.event_time = s.event_time JOIN article a ON a.id = m.article_id "
                "WHERE a.guid LIKE 'bench-3-%'"
            )
        )
        waits = [1000 * (at - due[guid]) for guid, at in committed]
    p50, p99 = np.percentile(waits, (50, 99))
    return float(p50), float(p99)


def hardware() -> str:
    """The machine that the figures hold for."""
    import platform

    memory = psutil.virtual_memory().total / MIB / 1024
    return f"{psutil.cpu_count()} cores, {memory:.0f} GiB, {platform.machine()}, {datetime.now(UTC):%Y-%m-%d}"
