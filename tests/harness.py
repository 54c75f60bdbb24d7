"""Runs whole replays for the tests: real broker, real Postgres, real worker processes, the model that ships."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from pipelines.ingest.producer import Producer
from pipelines.ingest.replay import prepare, remove, send, send_ahead, wait_until_done
from pipelines.ingest.rows import bar_from_row, news_from_row
from pipelines.ingest.source import Send
from pipelines.ingest.standing import Counts
from pipelines.ingest.timeline import broken_items, items_of, merge
from squall.embedded import Addresses, running
from squall.embedded.supervisor import Child
from squall.embedded.workers import worker_processes
from squall.settings import ModelSettings, Settings

KAFKA_HOME = os.environ.get("KAFKA_HOME")
needs_kafka = pytest.mark.skipif(not KAFKA_HOME, reason="KAFKA_HOME names no Kafka distribution")
BROKERS = ["tansu", pytest.param("kafka", marks=needs_kafka)]


@dataclass(frozen=True)
class Services:
    """A broker and a database for a module's tests."""

    settings: Settings
    addresses: Addresses


@dataclass(frozen=True)
class Run:
    """A finished replay: its engine is on the namespace."""

    engine: Engine
    counts: Counts
    settings: Settings


@contextmanager
def services(broker: str) -> Iterator[Services]:
    """A broker of a kind, and Postgres, in a home of their own. The path is short: a Unix socket lies in it."""
    home = Path(tempfile.mkdtemp(prefix="squall-"))
    home.chmod(0o755)
    kafka_home = Path(KAFKA_HOME) if broker == "kafka" and KAFKA_HOME else None
    settings = Settings(home=home, model=ModelSettings(threads=1)).model_copy(update={"kafka_home": kafka_home})
    try:
        with running(settings) as addresses:
            yield Services(settings, addresses)
    finally:
        shutil.rmtree(home, ignore_errors=True)


Disturb = Callable[[Sequence[Child], Engine], None]


@contextmanager
def replayed(
    on: Services,
    namespace: str,
    news: Sequence[dict[str, Any]],
    bars: Sequence[dict[str, Any]] = (),
    *,
    workers: int = 1,
    speed: float | None = None,
    shuffle_s: float = 0,
    broken: Sequence[tuple[datetime, bytes]] = (),
    ahead: Sequence[Send] = (),
    disturb: Disturb | None = None,
) -> Iterator[Run]:
    """Replay to the end, and remove the namespace afterwards.

    Args:
        broken: payloads on squall.news that are no records, with their times.
        ahead: messages sent with the bars.
        disturb: called once everything is sent, while the workers are at it.
    """
    settings = on.settings.in_namespace(namespace).model_copy(update={"workers": workers})
    items = items_of([news_from_row(row, "test") for row in news], settings)
    items = sorted(items + broken_items(broken), key=lambda item: item.at)
    times = [item.at for item in items if item.article_id]
    engine = prepare(settings, on.addresses, min(times), max(times))
    try:
        with (
            worker_processes(settings, on.addresses, workers) as children,
            Producer(settings, on.addresses.bootstrap) as producer,
        ):
            send_ahead(producer, settings, on.addresses, [*(bar_from_row(row, "test").send for row in bars), *ahead])
            sent = send(producer, engine, settings, merge(items, settings, shuffle_s), speed=speed)
            if disturb:
                disturb(children, engine)
            counts = wait_until_done(engine, settings, sent)
        yield Run(engine, counts, settings)
    finally:
        remove(settings, on.addresses, engine)
        engine.dispose()
