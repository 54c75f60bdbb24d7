"""The demo's replay: what is sent, in which order, and what fires while it runs."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from pipelines.demo import scenario
from pipelines.ingest.charts import draw_charts
from pipelines.ingest.producer import Producer
from pipelines.ingest.replay import Sent, send, send_ahead, wait_until_done
from pipelines.ingest.rows import bar_from_row, news_from_row
from pipelines.ingest.source import Send
from pipelines.ingest.standing import Counts, counts
from pipelines.ingest.timeline import Item, broken_items, items_of, merge
from squall.embedded import Addresses
from squall.errors import UserError
from squall.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import Engine

SOURCE = "demo"
POLL_S = 0.5

FIRED = """
SELECT i.id, i.scope, i.company_id, coalesce(c.name, '') AS company, i.severity, i.fired_at, i.threshold,
       i.peak_surprise AS surprise, i.evidence
FROM incident i LEFT JOIN company c ON c.id = i.company_id
WHERE i.fired_at IS NOT NULL ORDER BY i.fired_at, i.scope
"""


class DemoError(UserError):
    """The demo did not come to what it promises; the message says in what way."""


@dataclass(frozen=True)
class Script:
    """What the demo plays."""

    headlines: Sequence[Mapping[str, Any]]
    items: tuple[Item, ...]
    ahead: tuple[Send, ...]
    """Bars and charts, sent before the news."""

    @property
    def first(self) -> datetime:
        """The earliest event time of the news."""
        return min(item.at for item in self.items)

    @property
    def last(self) -> datetime:
        """The latest event time of the news."""
        return max(item.at for item in self.items)


@dataclass(frozen=True)
class Fired:
    """An alert as people read it; `fired_at` is the event time."""

    scope: str
    company_id: str | None
    company: str
    severity: str
    fired_at: datetime
    surprise: float
    threshold: float
    headline: str


@dataclass
class Played:
    """What came of it."""

    sent: Sent
    counts: Counts
    fired: list[Fired] = field(default_factory=list)


def load(settings: Settings, permute: int | None = None) -> Script:
    """Read the scenario; with `permute`, its control: the same headlines with the companies exchanged.

    Raises:
        DemoError: the price bars are not installed.
    """
    headlines = scenario.load_headlines()
    if permute is not None:
        headlines = scenario.permuted(headlines, permute)
    reads = [news_from_row(scenario.as_news(headline), SOURCE) for headline in headlines]
    broken = broken_items((one.at, one.payload) for one in scenario.load_broken())
    items = (*items_of(reads, settings), *broken)
    try:
        rows = scenario.load_bars().to_dict("records")
    except ModuleNotFoundError as error:
        raise DemoError(str(error)) from None
    bars = [bar_from_row({str(name): value for name, value in row.items()}, SOURCE) for row in rows]
    if wrong := next((bar.error for bar in bars if bar.record is None), None):
        raise DemoError(f"a price bar cannot be read: {wrong}")
    since = min(item.at for item in items) - timedelta(days=7)
    charts = [chart.send for chart in draw_charts([bar.record for bar in bars if bar.record]) if chart.end >= since]
    return Script(headlines, items, (*(bar.send for bar in bars), *charts))


def play(
    script: Script,
    engine: "Engine",
    settings: Settings,
    addresses: Addresses,
    *,
    speed: float | None,
    on_sent: Callable[[int], None],
    on_counts: Callable[[Counts], None],
    on_alert: Callable[[Fired], None],
) -> Played:
    """Send everything and wait until it is committed and decided; tells of alerts as they happen.

    Args:
        speed: event time by wall time; None: flat out.
        on_sent: called with the number of items sent since its last call.
        on_counts: called with what stands in the database, now and then.
        on_alert: called once for each incident that fires, from another thread.
    """
    with Producer(settings, addresses.bootstrap) as producer, _following(engine, settings, on_counts, on_alert):
        send_ahead(producer, settings, addresses, script.ahead)
        # It ends on the evening of the last fall, with its incident open.
        steps = merge(script.items, settings, calm=timedelta(0))
        sent = send(producer, engine, settings, steps, speed=speed, progress=on_sent)
        found = wait_until_done(engine, settings, sent)
    return Played(sent, found, read_fired(engine))


def read_fired(engine: "Engine") -> list[Fired]:
    """All that has fired, by event time."""
    from sqlalchemy import text

    with engine.connect() as connection:
        return [_fired(dict(row)) for row in connection.execute(text(FIRED)).mappings()]


def outcome(script: Script, played: Played) -> scenario.Verdict:
    """Which falls were caught, and what else fired."""
    return scenario.verdict([(one.company_id, one.scope, one.fired_at) for one in played.fired], script.headlines)


def _fired(row: Mapping[str, Any]) -> Fired:
    first = row["evidence"][0] if row["evidence"] else {}
    return Fired(
        scope=row["scope"],
        company_id=row["company_id"],
        company=row["company"],
        severity=row["severity"],
        fired_at=row["fired_at"],
        surprise=row["surprise"],
        threshold=row["threshold"],
        headline=str(first.get("title", "")),
    )


class _following:  # noqa: N801 - used like a function
    """Tells of alerts and counts from a thread, until the end and once after it."""

    def __init__(
        self,
        engine: "Engine",
        settings: Settings,
        on_counts: Callable[[Counts], None],
        on_alert: Callable[[Fired], None],
    ) -> None:
        self._engine, self._settings = engine, settings
        self._on_counts, self._on_alert = on_counts, on_alert
        self._seen: set[tuple[str, datetime]] = set()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="alerts", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_error: object) -> None:
        self._done.set()
        self._thread.join()

    def _follow(self) -> None:
        from sqlalchemy.exc import SQLAlchemyError

        last = False
        while not last:
            last = self._done.wait(POLL_S)
            try:
                for one in self._new():
                    self._on_alert(one)
                self._on_counts(counts(self._engine, self._settings))
            except SQLAlchemyError:
                continue  # the database is being started again: look once more

    def _new(self) -> Iterator[Fired]:
        for one in read_fired(self._engine):
            if (one.scope, one.fired_at) not in self._seen:
                self._seen.add((one.scope, one.fired_at))
                yield one
