"""The order in which a replay sends: items and time records merged on the replay's own clock. Pure."""

import random
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from pipelines.ingest.rows import Read, unreadable
from squall.errors import UsageError
from squall.records import News, Tick, minute_of
from squall.settings import Settings
from squall.topics import NEWS

MINUTE = timedelta(minutes=1)


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


def event_time(news: News, lateness: timedelta) -> datetime:
    """When an article counts: as published, or as fetched where it was published before the lateness limit."""
    published, fetched = news.published_at.astimezone(UTC), news.fetched_at.astimezone(UTC)
    return fetched if published < fetched - lateness else published


def items_of(reads: Iterable[Read[News]], settings: Settings) -> list[Item]:
    """Rows of news as items. A row that is no article comes when the article before it does (the first ones: with the next)."""
    lateness = timedelta(seconds=settings.stream.lateness_s)
    items: list[Item] = []
    early: list[Read[News]] = []
    for read in reads:
        if read.record is not None:
            at = event_time(read.record, lateness)
            items += [_item(bad, at) for bad in early]
            early = []
        elif items:
            at = items[-1].at
        else:
            early.append(read)
            continue
        items.append(_item(read, at))
    return items


def broken_items(payloads: Iterable[tuple[datetime, bytes]]) -> list[Item]:
    """Messages that nobody can read, each at its time, as items."""
    return [Item(at, unreadable(payload, NEWS).key or b"", payload) for at, payload in payloads]


def _item(read: Read[News], at: datetime) -> Item:
    return Item(at, read.send.key or b"", read.send.value, read.record.article_id if read.record else None)


def end_of(last: datetime, settings: Settings) -> datetime:
    """Time of the last time record: its watermark decides the last item's minute and the rule's window after it."""
    stream, rule = settings.stream, settings.rule
    return minute_of(last) + MINUTE + timedelta(seconds=stream.lateness_s, minutes=rule.window_min)


def merge(items: Iterable[Item], settings: Settings, shuffle_s: float = 0, seed: int = 0) -> Iterator[Step]:
    """Items in order of their event time, a time record after each minute in which any were sent, and a last one.

    A time record for T follows everything whose clock is before T. With `shuffle_s`, each item is held back by up to so many
    seconds, the clock running on meanwhile. One of event time t is then sent before the clock shows minute(t) + 60 s + shuffle_s,
    hence before any time record that would close its minute (minute(t) + 60 s + lateness), and counts as on time. The last one
    comes with the last item: after that there is nothing to wait for.

    Args:
        items: in the order in which items of the same time are to be sent.

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
    due = None
    for step in held:
        if due is not None and step.clock >= due:
            yield Step(due, Tick(at=due))
        due = minute_of(step.clock) + MINUTE
        yield step
    yield Step(step.clock, Tick(at=end_of(last, settings)))
