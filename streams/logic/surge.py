"""When the negative news of a scope has left its own past behind: the first rule. Pure; minutes are integers since 1970.

A detector sees each closed minute once and says how surprising the scopes are. What it keeps must follow from the sums of the
last `lookback` minutes alone, so that it can be rebuilt from the database at any minute.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Mapping
from math import log, log10
from typing import NamedTuple, Protocol

import msgspec

from squall.records import MILLION, content_id
from squall.scopes import Kind
from squall.settings import RuleSettings
from streams.logic.mood import Sums

HOUR = 60
DAY = 24 * HOUR
SLACK = 2 * HOUR

# What a scope without history is expected to bring: half an article's weight a day, believed as much as one observed day.
PRIOR_MASS = 0.5
PRIOR_MIN = DAY
# However quiet the past, so much weight a window is no surprise; it keeps one story's many copies from firing.
FLOOR_MASS = 0.05
VERSION = 1


class Rule(msgspec.Struct, frozen=True):
    """What the first rule goes by. `version` changes whenever a threshold or the formula does."""

    settings: RuleSettings
    name: str = "negative-surge"
    kinds: tuple[Kind, ...] = ("company",)
    """Kinds of scope that are judged."""

    @property
    def version(self) -> str:
        """Hex digest of everything that the rule's decisions depend on."""
        constants = (VERSION, PRIOR_MASS, PRIOR_MIN, FLOOR_MASS)
        return content_id("rule", self.name, *self.kinds, repr(constants), self.settings.model_dump_json())[:12]


class Signal(NamedTuple):
    """How surprising a scope is at the end of a minute. Masses are sums of P(negative) x weight, an article weighing up to 1."""

    scope: str
    minute: int
    surprise: float
    """log10 of how unlikely the window's mass is under the expectation."""
    mass: float
    expected: float
    mentions: int
    negative_share: float
    """Mean probability of being negative in the window, 0 to 1."""
    baseline_mass: float
    baseline_min: int


class Detector(Protocol):
    """What turns sums of minutes into signals."""

    @property
    def lookback(self) -> int:
        """Minutes of history before a minute from which everything kept at that minute follows."""

    def step(self, minute: int, arrived: Mapping[str, Sums], watched: Collection[str]) -> list[Signal]:
        """Take in a minute, later than all before; signals of the scopes that brought something, and of those watched."""

    def at(self, scope: str, minute: int) -> Signal:
        """The signal of a scope at the end of a minute that was taken in, or of a quiet one since."""

    def next_change(self, scope: str, minute: int) -> int:
        """The first minute after `minute` at which the signal of the scope may change though nothing arrives."""


class WindowDetector:
    """The mass of the last `window_min` minutes against its expectation from `baseline_days` before a guard.

    The surprise is the large-deviation (Chernoff) bound of a Poisson tail: P(X >= m) <= exp(-(m ln(m/mu) - (m - mu))) for
    m > mu, as a negative log10. News is burstier than Poisson, so it ranks and does not promise a rate of false alarms.
    """

    def __init__(self, rule: RuleSettings) -> None:
        self._rule = rule
        self._guard = rule.guard_h * HOUR
        self._baseline = rule.baseline_days * DAY
        self._scopes: dict[str, _History] = {}
        self._since: int | None = None

    @property
    def lookback(self) -> int:
        """Minutes of history that a signal may follow from, those included that a resolving incident looks back to."""
        rule = self._rule
        return self._baseline + self._guard + rule.window_min + rule.keep_firing_min + SLACK

    def rebuild(
        self, since: int | None, hours: Mapping[str, Mapping[int, int]], minutes: Mapping[int, Mapping[str, Sums]]
    ) -> None:
        """Start over from sums of the past.

        Args:
            since: the first minute that ever brought anything.
            hours: negative mass in millionths by scope and hour (minute // 60), for all of the lookback before `minutes`.
            minutes: sums by minute and scope from a full hour on; at least `window_min` + `keep_firing_min` minutes of them.
        """
        self._scopes = {}
        self._since = since
        for scope, masses in hours.items():
            history = self._scopes.setdefault(scope, _History())
            for hour in sorted(masses):
                history.add_hour(hour, masses[hour])
        for minute in sorted(minutes):
            self._take(minute, minutes[minute])

    def step(self, minute: int, arrived: Mapping[str, Sums], watched: Collection[str]) -> list[Signal]:
        """Take in a minute; signals of the scopes that brought something, and of those watched, in order of their names."""
        self._take(minute, arrived)
        return [self.at(scope, minute) for scope in sorted({*arrived, *watched})]

    def _take(self, minute: int, arrived: Mapping[str, Sums]) -> None:
        if self._since is None and arrived:
            self._since = minute
        for scope, sums in arrived.items():
            history = self._scopes.get(scope)
            if history is None:
                history = self._scopes[scope] = _History()
            history.add(minute, sums)
            if len(history.minutes) > 2 * self._rule.window_min + 1000 or len(history.hours) > 2 * (self.lookback // HOUR):
                history.forget(minute - self._rule.window_min - self._rule.keep_firing_min - SLACK, minute - self.lookback)

    def at(self, scope: str, minute: int) -> Signal:
        """The signal of a scope at the end of a minute."""
        window = self._rule.window_min
        history = self._scopes.get(scope, _EMPTY)
        sums = history.between(minute - window + 1, minute + 1)
        low, high = self._baseline_hours(minute)
        baseline = history.hours_between(low, high) / MILLION
        observed = max(0, high - max(low, (minute if self._since is None else self._since) // HOUR)) * HOUR
        expected = max(FLOOR_MASS, window * (PRIOR_MASS + baseline) / (PRIOR_MIN + observed))
        mass = sums.negative_weight / MILLION
        share = sums.negative / sums.items if sums.items else 0.0
        return Signal(
            scope, minute, surprise(mass, expected), mass, round(expected, 6), sums.mentions, round(share, 6), baseline, observed
        )

    def _baseline_hours(self, minute: int) -> tuple[int, int]:
        """The whole hours [low, high) that the expectation comes from."""
        window_start = minute - self._rule.window_min + 1
        high = (window_start - self._guard) // HOUR
        # A young stream has little before the guard: then what lies within it counts too.
        if self._since is not None and high * HOUR < self._since + DAY:
            high = window_start // HOUR
        return high - self._baseline // HOUR, high

    def next_change(self, scope: str, minute: int) -> int:
        """When the oldest minute leaves the window, or the baseline moves on by an hour."""
        window = self._rule.window_min
        oldest = self._scopes.get(scope, _EMPTY).first_from(minute - window + 1)
        leaves = minute + DAY if oldest is None else oldest + window
        offset = (window - 1) % HOUR, (window - 1 + self._guard) % HOUR
        return min(leaves, *(minute + HOUR - (minute - shift) % HOUR for shift in offset))


def surprise(mass: float, expected: float) -> float:
    """-log10 of the Chernoff bound of P(Poisson(expected) >= mass), to 4 digits; 0 where there is no excess. `expected` > 0."""
    if mass <= expected:
        return 0.0
    return round(mass * log10(mass / expected) - (mass - expected) / log(10), 4)


class _History:
    """Sums of one scope up to each minute, and its negative mass up to each hour; a stretch is the difference of two of them."""

    __slots__ = ("hour_totals", "hours", "minutes", "totals")

    def __init__(self) -> None:
        self.minutes: list[int] = []
        self.totals: list[Sums] = [Sums()]
        self.hours: list[int] = []
        self.hour_totals: list[int] = [0]

    def add(self, minute: int, sums: Sums) -> None:
        self.minutes.append(minute)
        self.totals.append(self.totals[-1].plus(sums))
        self.add_hour(minute // HOUR, sums.negative_weight)

    def add_hour(self, hour: int, mass: int) -> None:
        if self.hours and self.hours[-1] == hour:
            self.hour_totals[-1] += mass
        else:
            self.hours.append(hour)
            self.hour_totals.append(self.hour_totals[-1] + mass)

    def between(self, start: int, end: int) -> Sums:
        """Sums of the minutes [start, end)."""
        low, high = bisect_left(self.minutes, start), bisect_left(self.minutes, end)
        return self.totals[high].minus(self.totals[low]) if low < high else _ZERO

    def hours_between(self, start: int, end: int) -> int:
        """Negative mass of the hours [start, end), in millionths."""
        return self.hour_totals[bisect_left(self.hours, end)] - self.hour_totals[bisect_left(self.hours, start)]

    def first_from(self, minute: int) -> int | None:
        """The first minute from `minute` on that brought something."""
        place = bisect_left(self.minutes, minute)
        return self.minutes[place] if place < len(self.minutes) else None

    def forget(self, minute: int, hour_minute: int) -> None:
        """Drop the minutes before one, and the hours before another."""
        place = bisect_right(self.minutes, minute)
        del self.minutes[:place], self.totals[:place]
        place = bisect_right(self.hours, hour_minute // HOUR)
        del self.hours[:place], self.hour_totals[:place]


_ZERO = Sums()
_EMPTY = _History()
