"""Tone and topics of every scope: its last day against its own past. Pure; minutes are integers since 1970.

All of it follows from the arrivals, and is asked for only where a rule goes by it.
"""

from collections.abc import Iterable, Mapping
from functools import reduce

import msgspec

from squall.settings import DetectionSettings
from streams.logic.detection import Arrival
from streams.logic.metrics import Tone, mood_change, topic_change

HOUR, HOURS = 60, 24
RECENT_HOURS = 24


class Tally(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Sums over the articles of a stretch of time. There are many: the garbage collector need not visit them."""

    items: float = 0.0
    tone: float = 0.0
    squares: float = 0.0
    topics: tuple[tuple[str, float], ...] = ()
    """Articles by topic."""

    def plus(self, other: "Tally") -> "Tally":
        """The sum of both."""
        topics = dict(self.topics)
        for topic, items in other.topics:
            topics[topic] = topics.get(topic, 0.0) + items
        return Tally(self.items + other.items, self.tone + other.tone, self.squares + other.squares, tuple(topics.items()))


Book = dict[str, dict[int, Tally]]
"""Tally by hour or day since 1970, by scope."""
_DECODER = msgspec.msgpack.Decoder(tuple[Book, Book])


class Moods:
    """Keeps each scope's last 24 hours by the hour, and the days of its baseline.

    The last day is the hour of a minute and the 23 before it; the past ends where the guard days, one at least, begin.
    """

    def __init__(self, settings: DetectionSettings) -> None:
        self._guard = max(1, settings.guard_days)
        self._days_kept = settings.baseline_days + self._guard
        self._hours: Book = {}
        self._days: Book = {}
        self._said: dict[str, tuple[int, float | None, float | None]] = {}
        """Hour, and what was said in it, of scopes that nothing has come to since."""

    def take(self, minute: int, arrivals: Mapping[str, Arrival]) -> None:
        """Take in a minute, later than all before."""
        hour, day = minute // HOUR, minute // (HOUR * HOURS)
        for scope, one in arrivals.items():
            if one.items:
                self._said.pop(scope, None)
                new = Tally(one.items, one.positive - one.negative, one.squares, one.topics)
                _add(self._hours, scope, hour, new, hour - RECENT_HOURS)
                _add(self._days, scope, day, new, day - self._days_kept)

    def mood_change(self, scope: str, minute: int) -> float | None:
        """How far the tone of the last day stands above its past, in standard errors; None: too little is known."""
        return self._changes(scope, minute)[0]

    def topic_change(self, scope: str, minute: int) -> float | None:
        """How far the topics of the last day are from those of the past, 0 to 1; None: too little is known."""
        return self._changes(scope, minute)[1]

    def _changes(self, scope: str, minute: int) -> tuple[float | None, float | None]:
        """Of mood and topics. They stay as they are until the hour ends or something comes to the scope."""
        hour, day = minute // HOUR, minute // (HOUR * HOURS)
        said = self._said.get(scope)
        if said is None or said[0] != hour:
            last = day - self._guard - 1
            recent = _sum(one for at, one in self._hours.get(scope, {}).items() if at > hour - RECENT_HOURS)
            past = _sum(one for at, one in self._days.get(scope, {}).items() if day - self._days_kept <= at <= last)
            topics = topic_change(dict(recent.topics), dict(past.topics))
            said = self._said[scope] = hour, mood_change(_tone(recent), _tone(past)), topics
        return said[1:]

    def export(self) -> bytes:
        """All that it keeps."""
        return msgspec.msgpack.encode((self._hours, self._days))

    def restore(self, state: bytes) -> None:
        """Continue where `export` was called."""
        self._hours, self._days = _DECODER.decode(state)
        self._said = {}


def _add(book: Book, scope: str, at: int, new: Tally, before: int) -> None:
    tallies = book.setdefault(scope, {})
    if at in tallies:
        tallies[at] = tallies[at].plus(new)
        return
    tallies[at] = new
    # What is kept is in order of time.
    for old in [one for one in tallies if one < before]:
        del tallies[old]


def _tone(one: Tally) -> Tone:
    return Tone(one.items, one.tone, one.squares)


def _sum(tallies: Iterable[Tally]) -> Tally:
    return reduce(Tally.plus, tallies, Tally())
