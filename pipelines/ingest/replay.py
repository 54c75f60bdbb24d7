"""Replay: bars and charts committed ahead, then news and clock by event time, in a namespace of its own.

engine = prepare(settings, services, first, last)          # settings.in_namespace(...)
with worker_processes(settings, services, 2), Producer(settings, services.bootstrap) as producer:
    send_ahead(producer, settings, services, bars)
    sent = send(producer, engine, settings, merge(items, settings), speed=1000)
    counts = wait_until_done(engine, settings, sent)
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from pipelines.ingest.producer import Delivered, Producer
from pipelines.ingest.source import Send
from pipelines.ingest.standing import Counts, counts, group, has_messages, unacknowledged
from pipelines.ingest.timeline import MINUTE, Item, Step
from squall.embedded import Addresses
from squall.errors import UserError
from squall.records import Tick, encode, minute_of
from squall.settings import Settings
from squall.topics import NEWS, TOPICS, admin, create_topics, delete_topics, wanted_partitions

if TYPE_CHECKING:
    from sqlalchemy import Engine

T = TypeVar("T")
CHUNK = 2_000
POLL_S = 0.3
CLOCK_S = 1.0
TOPIC_LIMIT_S = 30.0


class ReplayError(UserError):
    """A replay cannot begin or does not get on; the message says what to do."""


@dataclass
class Sent:
    """What a replay has sent."""

    news: int = 0
    """Messages on squall.news that are no time records, those included that are no valid articles."""
    invalid: int = 0
    """Those of them that are no valid articles."""
    articles: set[str] = field(default_factory=set)
    """Ids of the articles among them."""
    end: datetime | None = None
    """The last time record."""
    seconds: float = 0.0


def prepare(settings: Settings, services: Addresses, first: datetime, last: datetime, *, fresh: bool = False) -> "Engine":
    """Schema, partitions, companies and topics of a replay's namespace; returns an engine on it.

    Args:
        settings: those of the namespace.
        first: earliest event time of the replay, and `last` its latest: partitions are made for these months.
        fresh: remove what an earlier run left there.

    Raises:
        ReplayError: no namespace, a longer span than retention allows, or rows or messages of an earlier run.
    """
    from squall.db import migrate
    from squall.db.companies import store_companies
    from squall.db.engine import make_engine

    if not settings.namespace:
        raise ReplayError("a replay needs a namespace of its own: the live one stays apart")
    if last - first > timedelta(days=settings.stream.retention_days):
        raise ReplayError(
            f"the news spans {first:%Y-%m-%d} to {last:%Y-%m-%d}, more than the retention of "
            f"{settings.stream.retention_days} days: mend the odd row, or raise SQUALL_STREAM__RETENTION_DAYS"
        )
    engine = make_engine(settings, services.database_url)
    if fresh:
        remove(settings, services, engine)
    elif _is_used(settings, services, engine):
        raise ReplayError(f"namespace {settings.namespace!r} holds an earlier run: --fresh removes it, --namespace takes another")
    migrate.upgrade(engine, settings, first, last)
    store_companies(engine, settings)
    create_topics(settings, services.bootstrap)
    return engine


def remove(settings: Settings, services: Addresses, engine: "Engine") -> None:
    """Remove a namespace: its schema, its topics, and how far its workers had read. None of them may run.

    Raises:
        ReplayError: the live namespace, or the broker does not remove the topics.
    """
    from squall.db import migrate

    if not settings.namespace:
        raise ReplayError("the live namespace is never removed")
    migrate.drop(engine, settings)
    delete_topics(settings, services.bootstrap)
    names = {topic.on_broker(settings) for topic in TOPICS}
    limit = time.monotonic() + TOPIC_LIMIT_S
    with admin(settings, services.bootstrap) as client:
        if group(settings) in {one["group_id"] for one in client.list_groups()}:
            client.delete_groups([group(settings)])
        while left := names.intersection(client.list_topics()):
            if time.monotonic() > limit:
                raise ReplayError(f"the broker does not remove topic {min(left)}: take another --namespace")
            time.sleep(POLL_S)


def _is_used(settings: Settings, services: Addresses, engine: "Engine") -> bool:
    from sqlalchemy import text

    with engine.connect() as connection:
        for table in ("article", "bar", "chart", "dead_letter"):
            name = f"{settings.pg_schema}.{table}"
            there = connection.execute(text("SELECT to_regclass(:name) IS NOT NULL"), {"name": name}).scalar()
            if there and connection.execute(text(f"SELECT EXISTS (SELECT FROM {name})")).scalar():
                return True
    return has_messages(settings, services.bootstrap, NEWS)


def send_ahead(producer: Producer, settings: Settings, services: Addresses, sends: Iterable[Send]) -> int:
    """Send bars and charts, and wait until the workers have committed them; returns how many there were.

    Raises:
        ReplayError: no worker takes them for as long as a worker may stall.
    """
    delivered = Delivered()
    for chunk in _chunks(sends):
        delivered.add(producer.deliver(chunk))
    if delivered.count:
        _wait(
            lambda: unacknowledged(settings, services.bootstrap, delivered.ends),
            lambda waiting: waiting == 0,
            settings,
            lambda waiting: f"{waiting} bars and charts are not committed",
        )
    return delivered.count


def send(
    producer: Producer,
    engine: "Engine",
    settings: Settings,
    steps: Iterable[Step],
    *,
    speed: float | None = None,
    progress: Callable[[int], None] = lambda _sent: None,
) -> Sent:
    """Send items and time records as `timeline.merge` gives them, and note the last time record.

    Args:
        speed: event time by wall time; None: flat out. Where it is set, the clock also goes on between the items.
        progress: called with the number of items sent since its last call.
    """
    sent = Sent()
    started = time.monotonic()
    partitions = range(wanted_partitions(NEWS, settings))
    for due in _paced(steps, speed) if speed else _chunks(steps):
        producer.deliver(message for step in due for message in _messages(step, partitions))
        items = [step.send for step in due if isinstance(step.send, Item)]
        sent.news += len(items)
        sent.invalid += sum(item.article_id is None for item in items)
        sent.articles.update(item.article_id for item in items if item.article_id)
        sent.end = next((step.send.at for step in reversed(due) if isinstance(step.send, Tick)), sent.end)
        progress(len(items))
    sent.seconds = time.monotonic() - started
    if sent.end:
        _note_end(engine, sent.end)
    return sent


def wait_until_done(
    engine: "Engine", settings: Settings, sent: Sent, *, progress: Callable[[Counts], None] = lambda _counts: None
) -> Counts:
    """Wait until all that was sent is committed and decided; returns what then stands there.

    Done means: the watermark has passed the last time record, the last minute is decided, every article or its dead letter is
    there, and every live mention has its score.

    Raises:
        ReplayError: nothing moves for as long as a worker may stall.
    """

    def look() -> Counts:
        found = counts(engine, settings)
        progress(found)
        return found

    return _wait(look, lambda found: is_done(found, sent, settings), settings, lambda found: f"it stands at {found}")


def is_done(found: Counts, sent: Sent, settings: Settings) -> bool:
    """Whether all that was sent is committed and decided."""
    if sent.end is None or found.watermark is None or found.decided is None:
        return False
    last = minute_of(sent.end - MINUTE - timedelta(seconds=settings.stream.lateness_s))
    return (
        found.watermark >= sent.end
        and found.decided >= last
        and found.articles + found.dead_news >= len(sent.articles) + sent.invalid
        and found.mentions_waiting <= found.dead_mentions
    )


def _wait(look: Callable[[], T], done: Callable[[T], bool], settings: Settings, words: Callable[[T], str]) -> T:
    limit_s = settings.stream.stall_s
    found = look()
    moved = time.monotonic()
    while not done(found):
        if time.monotonic() - moved > limit_s:
            raise ReplayError(f"nothing moved for {limit_s} s, {words(found)}: see the workers' logs under {settings.home}")
        time.sleep(POLL_S)
        before, found = found, look()
        if found != before:
            moved = time.monotonic()
    return found


def _messages(step: Step, partitions: range) -> Iterator[Send]:
    if isinstance(step.send, Tick):
        value = encode(step.send)
        yield from (Send(NEWS, None, value, number) for number in partitions)
    else:
        yield Send(NEWS, step.send.key, step.send.value)


def _chunks(values: Iterable[T]) -> Iterator[Sequence[T]]:
    rest = iter(values)
    while chunk := list(islice(rest, CHUNK)):
        yield chunk


def _paced(steps: Iterable[Step], speed: float) -> Iterator[Sequence[Step]]:
    """The steps that are due, when they are; in the gaps a time record a second, so that watermark and decisions go on."""
    due: list[Step] = []
    first: datetime | None = None
    ticked: datetime | None = None
    started = time.monotonic()
    for step in steps:
        first = first or step.clock
        while (left_s := (step.clock - first).total_seconds() / speed - (time.monotonic() - started)) > 0:
            if due:
                yield due
                due = []
                continue
            time.sleep(min(left_s, CLOCK_S))
            clock = minute_of(first + timedelta(seconds=(time.monotonic() - started) * speed))
            if first < clock <= step.clock and clock != ticked:
                ticked = clock
                yield [Step(clock, Tick(at=clock))]
        due.append(step)
        if len(due) >= CHUNK:
            yield due
            due = []
    yield due


def _note_end(engine: "Engine", end: datetime) -> None:
    from sqlalchemy import func
    from sqlalchemy.dialects.postgresql import insert

    from squall.db.tables import Cursor

    new = insert(Cursor).values(name="replay-end", at=end)
    with engine.begin() as connection:
        connection.execute(
            new.on_conflict_do_update(index_elements=["name"], set_={"at": new.excluded.at, "moved_at": func.now()})
        )
