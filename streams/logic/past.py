"""What a long stretch of time brought to many scopes, in columns: a fraction of what as many arrivals would take. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from squall.lines import FAMILIES, Family, family_of
from squall.records import MILLION
from squall.scopes import parse_scope
from streams.logic.detection import Arrival
from streams.logic.expectation import DAY, day_slots

Minute = tuple[int, Mapping[str, Arrival]]
"""A minute since 1970, and what it brought by scope."""
Ints = NDArray[Any]
_MOST = np.iinfo(np.int32).max
# Monday's slots come first, and a holiday counts as a Sunday.
_NOON, _SATURDAY = 12, 5 * 24


class _Day(NamedTuple):
    """The arrivals of a day in order of scope and minute. Amounts in millionths; those of a story one after the other."""

    scopes: Ints
    """Numbers of its scopes, ascending."""
    begins: Ints
    """Where each scope's arrivals begin, and where the last one's end; `firsts` likewise of each arrival's stories."""
    minutes: Ints
    sectors: Ints
    items: Ints
    negatives: Ints
    firsts: Ints
    marks: Ints
    weights: Ints


class Past:
    """Holds of each arrival what surprise and share of negative follow from.

    That is exact for amounts that are whole millionths, as all stored ones are, up to 2,147 articles a scope and minute.
    """

    def __init__(self, minutes: Iterable[Minute] = ()) -> None:
        self._number: dict[str, int] = {}
        self._sectors: dict[str, int] = {}
        self._days: dict[int, _Day] = {}
        self._open: list[Minute] = []
        """The minutes of the newest day."""
        self.add(minutes)

    def add(self, minutes: Iterable[Minute]) -> None:
        """Take in minutes, ascending, all later than those before."""
        for minute, arrivals in minutes:
            if self._open and self._open[-1][0] // DAY != minute // DAY:
                self._close()
            self._open.append((minute, arrivals))

    def heard(self) -> dict[Family, list[int]]:
        """The days (since 1970) that brought something to each family, ascending."""
        self._close()
        families = np.array([FAMILIES.index(family_of(parse_scope(name).kind)) for name in self._number], np.int64)
        found: dict[Family, list[int]] = {family: [] for family in FAMILIES}
        for number, day in self._days.items():
            for place in np.unique(families[day.scopes]):
                found[FAMILIES[place]].append(number)
        return found

    def permuted(self, rng: np.random.Generator, exchange: str) -> Iterator[Minute]:
        """The same days of each scope in another order, days with and without a session among themselves; minutes ascending."""
        self._close()
        if not self._days:
            return
        days = np.arange(min(self._days), max(self._days) + 1)
        working = np.array([day_slots(int(day), exchange)[_NOON] < _SATURDAY for day in days])
        places = np.empty((len(days), len(self._number)), np.int32)
        for name in sorted(self._number):
            for kind in (True, False):
                places[working == kind, self._number[name]] = rng.permutation(days[working == kind])
        names, sectors = list(self._number), list(self._sectors)
        for target in days.tolist():
            minutes: defaultdict[int, dict[str, Arrival]] = defaultdict(dict)
            for number, day in self._days.items():
                chosen = np.flatnonzero(places[number - days[0], day.scopes] == target)
                for scope, minute, arrival in _arrivals(day, chosen, sectors):
                    minutes[minute][names[scope]] = arrival
            for minute in sorted(minutes):
                yield target * DAY + minute, minutes[minute]

    def _close(self) -> None:
        """Put the newest day into columns."""
        if not self._open:
            return
        rows = sorted(
            (
                (self._number.setdefault(name, len(self._number)), minute % DAY, one)
                for minute, arrivals in self._open
                for name, one in arrivals.items()
            ),
            key=lambda row: row[:2],
        )
        arrivals = [one for *_, one in rows]
        scopes, begins = np.unique([number for number, *_ in rows], return_index=True)
        self._days[self._open[0][0] // DAY] = _Day(
            scopes=scopes.astype(np.int32),
            begins=np.append(begins, len(rows)).astype(np.int32),
            minutes=np.array([minute for _, minute, _ in rows], np.int16),
            sectors=np.array([self._sectors.setdefault(one.sector, len(self._sectors)) for one in arrivals], np.int16),
            items=_millionths(one.items for one in arrivals),
            negatives=_millionths(one.negative for one in arrivals),
            firsts=np.cumsum([0, *(len(one.weights) for one in arrivals)], dtype=np.int32),
            marks=_millionths(mark for one in arrivals for mark in one.marks),
            weights=_millionths(weight for one in arrivals for weight in one.weights),
        )
        self._open = []


def _arrivals(day: _Day, chosen: Ints, sectors: Sequence[str]) -> Iterator[tuple[int, int, Arrival]]:
    """Number of the scope, minute of the day and arrival, of the scopes at these places."""
    ones, counts = _spread(day.begins, chosen)
    stories, lengths = _spread(day.firsts, ones)
    marks, weights = ((column[stories] / MILLION).tolist() for column in (day.marks, day.weights))
    items, negatives = ((column[ones] / MILLION).tolist() for column in (day.items, day.negatives))
    owners, minutes, places = (
        column.tolist() for column in (np.repeat(day.scopes[chosen], counts), day.minutes[ones], day.sectors[ones])
    )
    end = 0
    for owner, minute, item, negative, place, length in zip(
        owners, minutes, items, negatives, places, lengths.tolist(), strict=True
    ):
        begin, end = end, end + length
        yield (
            owner,
            minute,
            Arrival(tuple(marks[begin:end]), tuple(weights[begin:end]), length, item, negative, sector=sectors[place]),
        )


def _spread(begins: Ints, chosen: Ints) -> tuple[Ints, Ints]:
    """The places of all that some rows hold, row after row; and of how many each holds."""
    counts = begins[chosen + 1] - begins[chosen]
    return np.repeat(begins[chosen] - np.cumsum(counts) + counts, counts) + np.arange(counts.sum()), counts


def _millionths(amounts: Iterable[float]) -> Ints:
    whole = np.round(np.fromiter(amounts, np.float64) * MILLION)
    return np.minimum(whole, _MOST).astype(np.int32)
