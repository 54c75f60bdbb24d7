"""A long history in columns gives back what decisions follow from, its days in another order."""

from datetime import UTC, datetime

import numpy as np

from benchmarks.detection.ours import minutes_of
from benchmarks.detection.series import ROW
from benchmarks.detection.simulate import simulated
from squall.records import MILLION
from streams.logic.detection import Arrival
from streams.logic.expectation import DAY
from streams.logic.incident_types import minute_number
from streams.logic.past import Minute, Past

DAYS, SCOPES, SCOPE = 24, 25, "company:sim00003"


def stored() -> list[Minute]:
    """A simulated history, its amounts whole millionths as those of the database are."""

    def whole(amount: float) -> float:
        return round(amount * MILLION) / MILLION

    return [
        (
            minute,
            {
                scope: one._replace(
                    marks=tuple(map(whole, one.marks)), weights=tuple(map(whole, one.weights)), negative=whole(one.negative)
                )
                for scope, one in arrivals.items()
            },
        )
        for minute, arrivals in minutes_of(simulated(SCOPES, DAYS, np.random.default_rng(23)), ROW)
    ]


def days_of(minutes: list[Minute]) -> dict[int, list[tuple[int, Arrival]]]:
    found: dict[int, list[tuple[int, Arrival]]] = {}
    for minute, arrivals in minutes:
        if SCOPE in arrivals:
            found.setdefault(minute // DAY, []).append((minute % DAY, arrivals[SCOPE]))
    return found


def test_days_change_places_with_days_like_them_and_keep_what_is_in_them() -> None:
    minutes = stored()
    past = Past(minutes[:500])
    past.add(minutes[500:])
    moved = list(past.permuted(np.random.default_rng(2), "XNYS"))
    assert [at for at, _ in moved] == sorted({at for at, _ in moved})
    assert sum(map(len, (arrivals for _, arrivals in moved))) == sum(map(len, (arrivals for _, arrivals in minutes)))
    before, after = days_of(minutes), days_of(moved)
    assert before != after
    assert sorted(before.values(), key=repr) == sorted(after.values(), key=repr)
    # The first of January 1970 was a Thursday.
    weekend = [day for day in range(DAYS) if day % 7 in (2, 3)]
    assert sorted((before[day] for day in weekend if day in before), key=repr) == sorted(
        (after[day] for day in weekend if day in after), key=repr
    )


def test_what_it_holds_of_an_arrival_comes_back_exactly() -> None:
    at = minute_number(datetime(2026, 3, 2, 14, 30, tzinfo=UTC))
    one = Arrival((0.699999, 0.1), (0.9, 0.333333), 2, 1.333333, 0.7654321, sector="energy")
    copies = Arrival(mentions=4, sector="")
    past = Past([(at, {"company:a": one, "company:b": copies}), (at + 3, {"company:a": one})])
    said = dict(past.permuted(np.random.default_rng(1), "XNYS"))
    kept = one._replace(negative=0.765432)
    assert said == {at: {"company:a": kept, "company:b": copies._replace(mentions=0)}, at + 3: {"company:a": kept}}
    assert past.heard() == {"companies": [at // DAY], "wider": []}
    assert list(Past().permuted(np.random.default_rng(1), "XNYS")) == []
