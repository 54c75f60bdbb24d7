"""The order in which a replay sends: items and time records merged on the replay's own clock. Pure."""

import random
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from pipelines.ingest.rows import Read, unreadable
from squall.errors import UsageError
from squall.records import News, Tick, minute_of
from squall.settings import Settings
from squall.topics import NEWS
from streams.logic.articles import EventTimeError, times_of

MINUTE = timedelta(minutes=1)
CALM_DOWN = timedelta(hours=12)
"""For so long after its last item a replay lets incidents come to their ends."""


class Item(NamedTuple):
    """A message of squall.news at its place in time."""

    at: datetime
    """Event time; of a message that is no article, the time at which it comes."""
    key: bytes
    value: bytes
    article_id: str | None = None
    """None: no valid article, to be dead-lettered."""


class Step(NamedTuple):
    """What is sent when the replay's clock shows `clock`: an item to its partition, or a time record to all."""

    clock: datetime
    send: Item | Tick


def items_of(reads: Iterable[Read[News]], settings: Settings) -> list[Item]:
    """Rows of news as items. What has no event time comes with the article before it, the first ones with the next."""
    items: list[Item] = []
    early: list[Read[News]] = []
    for read in reads:
        at = _event_time(read.record, settings)
        if at is None and not items:
            early.append(read)
            continue
        key, value = read.send.key or b"", read.send.value
        if at is None or read.record is None:
            items.append(Item(items[-1].at, key, value))
            continue
        items += [Item(at, bad.send.key or b"", bad.send.value) for bad in early]
        early = []
        items.append(Item(at, key, value, read.record.article_id))
    return items


def _event_time(news: News | None, settings: Settings) -> datetime | None:
    try:
        return times_of(news, settings.stream).event_time if news else None
    except EventTimeError:
        return None


def broken_items(payloads: Iterable[tuple[datetime, bytes]]) -> list[Item]:
    """Messages that nobody can read, each at its time, as items."""
    return [Item(at, unreadable(payload, NEWS).key or b"", payload) for at, payload in payloads]


def end_of(last: datetime, settings: Settings, calm: timedelta = CALM_DOWN) -> datetime:
    """Time of the last time record: its watermark decides the last item's minute, and so much of `calm` after it."""
    return minute_of(last) + MINUTE + timedelta(seconds=settings.stream.lateness_s) + calm


def merge(
    items: Iterable[Item], settings: Settings, shuffle_s: float = 0, seed: int = 0, calm: timedelta = CALM_DOWN
) -> Iterator[Step]:
    """Items in order of their event time, a time record before the first of each minute, and a last one.

    A time record for T follows everything whose clock is before T. With `shuffle_s`, each item is held back by up to so many
    seconds, the clock running on meanwhile. One of event time t is then sent before the clock shows minute(t) + 60 s + shuffle_s,
    hence before any time record that would close its minute (minute(t) + 60 s + lateness), and counts as on time. What a time
    record before an item says depends on that item alone, so that what comes late (a correction) does so at any speed. The last
    one comes with the last item: after that there is nothing to wait for.

    Args:
        items: in the order in which items of the same time are to be sent.
        calm: how long after the last item time goes on.

    Raises:
        UsageError: no items, or shuffled beyond the lateness limit.
    """
    if shuffle_s > settings.stream.lateness_s:
        raise UsageError(f"--shuffle {shuffle_s:g}: at most the lateness limit, {settings.stream.lateness_s} s")
    rng = random.Random(seed)  # noqa: S311 - an order that can be repeated, no secret
    held = [Step(item.at + timedelta(seconds=rng.uniform(0, shuffle_s)), item) for item in items]
    if not held:
        raise UsageError("no news to replay")
    last = max(step.send.at for step in held)
    held.sort(key=lambda step: step.clock)
    said = minute_of(held[0].clock)
    for step in held:
        minute = minute_of(step.clock)
        if minute > said:
            said = minute
            yield Step(minute, Tick(at=minute))
        yield step
    yield Step(step.clock, Tick(at=end_of(last, settings, calm)))
