"""Series of (scope, minute, marks): what every detector here sees, how days are shuffled, how bursts are put in. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

DAY = 1_440
ROW = 5
"""Minutes of a row. Every detector decides at the end of a row, on what came until then."""
ROWS_A_DAY = DAY // ROW
WARM_UP_DAYS = 35
"""Days at the start in which nobody is judged: a baseline of four weeks, and a guard."""
SIZES = (3, 5, 8, 12, 20)
DURATIONS = (30, 120, 360)
"""Minutes from a burst's first story to its last, at most."""
APART_DAYS = 14
Shape = Literal["even", "front", "ramp", "two waves"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Generator = np.random.Generator


class Burst(NamedTuple):
    """Stories put into a scope: minutes of the first and the last."""

    scope: int
    first: int
    last: int
    size: int
    shape: Shape


class Pool(NamedTuple):
    """Negative stories to inject: whose each was (a scope's number, or -1), its weight and P(negative)."""

    owner: Ints
    weight: Floats
    negative: Floats


@dataclass(frozen=True)
class Series:
    """One item a story and scope, in order of scope and minute; minute 0 is a midnight UTC of weekday `weekday` (0 = Monday)."""

    scopes: tuple[str, ...]
    sectors: tuple[str, ...]
    days: int
    weekday: int
    scope: Ints
    minute: Ints
    weight: Floats
    negative: Floats
    bursts: tuple[Burst, ...] = ()
    origin: int = 0
    """Minute since 1970 of minute 0."""

    @property
    def judged_days(self) -> int:
        """Days after the warm-up."""
        return self.days - WARM_UP_DAYS

    @property
    def empty_hours(self) -> float:
        """Share of the hours of all scopes in which nothing came."""
        return 1 - len(np.unique(self.scope * (self.days * 24) + self.minute // 60)) / (len(self.scopes) * self.days * 24)

    def with_items(self, scope: Ints, minute: Ints, weight: Floats, negative: Floats, **changed: Any) -> "Series":
        """The same scopes and days with these items, brought into order."""
        order = np.lexsort((minute, scope))
        kept = {name: getattr(self, name) for name in ("scopes", "sectors", "days", "weekday", "origin")}
        return Series(**kept, scope=scope[order], minute=minute[order], weight=weight[order], negative=negative[order], **changed)


def stocknet_series(frame: "pd.DataFrame", first: date, days: int, sectors: Mapping[str, str]) -> Series:
    """Some days of StockNet, from the rows of `benchmarks.detection.stocknet.tweets`."""
    scopes = tuple(sorted(frame["ticker"].unique()))
    numbers = {name: number for number, name in enumerate(scopes)}
    origin = int(datetime(first.year, first.month, first.day, tzinfo=UTC).timestamp()) // 60
    inside = (frame["minute"] >= origin) & (frame["minute"] < origin + days * DAY)
    chosen = frame[frame["leader"] & inside]
    none, nothing = np.empty(0, np.int64), np.empty(0)
    names = tuple(sectors.get(name, "") for name in scopes)
    empty = Series(scopes, names, days, first.weekday(), none, none, nothing, nothing, (), origin)
    return empty.with_items(
        chosen["ticker"].map(numbers).to_numpy(np.int64),
        chosen["minute"].to_numpy(np.int64) - origin,
        chosen["relevance"].to_numpy(np.float64),
        chosen["negative"].to_numpy(np.float64),
    )


def day_permuted(series: Series, rng: Generator) -> Series:
    """A null: the days of each scope change places, working days among themselves and week-ends among themselves.

    What happens within a day stays, real surges of a day included; that makes it a hard null, the same for all.
    """
    working = (np.arange(series.days) + series.weekday) % 7 < 5
    places = np.empty((len(series.scopes), series.days), np.int64)
    for kind in (True, False):
        days = np.flatnonzero(working == kind)
        for scope in range(len(series.scopes)):
            places[scope, days] = rng.permutation(days)
    minute = places[series.scope, series.minute // DAY] * DAY + series.minute % DAY
    return series.with_items(series.scope, minute, series.weight, series.negative)


def injected(series: Series, pool: Pool, a_scope: int, rng: Generator) -> Series:
    """The series with `a_scope` bursts in each scope, at least two weeks apart, at minutes of day at which news come."""
    items: list[tuple[int, int, float, float]] = []
    bursts = []
    hours = series.minute % DAY
    for scope in range(len(series.scopes)):
        strangers = np.flatnonzero(pool.owner != scope)
        for day in _spread_days(series, a_scope, rng):
            size, duration = int(rng.choice(SIZES)), int(rng.choice(DURATIONS))
            shape: Shape = get_args(Shape)[rng.integers(len(get_args(Shape)))]
            first = int(day * DAY + rng.choice(hours))
            times = first + _times(shape, size, duration, rng)
            stories = rng.choice(strangers, size, replace=False)
            items += zip([scope] * size, times.tolist(), pool.weight[stories], pool.negative[stories], strict=True)
            bursts.append(Burst(scope, first, int(times[-1]), size, shape))
    scopes, minutes, weights, negatives = (np.array(column) for column in zip(*items, strict=True))
    return series.with_items(
        np.concatenate([series.scope, scopes]),
        np.concatenate([series.minute, minutes]),
        np.concatenate([series.weight, weights]),
        np.concatenate([series.negative, negatives]),
        bursts=tuple(bursts),
    )


def _spread_days(series: Series, count: int, rng: Generator) -> Ints:
    """So many days of the judged ones, two weeks apart at least, and none at the very end."""
    room = series.judged_days - 2 - (count - 1) * APART_DAYS
    return WARM_UP_DAYS + np.sort(rng.integers(0, room, count)) + APART_DAYS * np.arange(count)


def _times(shape: Shape, size: int, duration: int, rng: Generator) -> Ints:
    """Minutes of the stories after the first one, which comes at 0, in order."""
    u = rng.random(size - 1)
    if shape == "front":
        u = np.minimum(1.0, rng.exponential(0.2, size - 1))
    elif shape == "ramp":
        u = np.sqrt(u)
    elif shape == "two waves":
        u = np.where(u < 0.5, 0.4 * u, 0.8 + 0.4 * (u - 0.5))
    return np.concatenate([[0], np.sort(np.round(u * duration))]).astype(np.int64)
