"""Squall's own detector, as `watch` runs it: fed with closed minutes, asked at the rows that every rival is asked at."""

from collections.abc import Iterator, Sequence

import numpy as np

from benchmarks.detection.judging import HOLD_ROWS, Scores
from benchmarks.detection.rivals import Config, Rival
from benchmarks.detection.series import DAY, ROW, WARM_UP_DAYS, Series
from squall.scopes import company_scope
from squall.settings import DetectionSettings
from streams.logic.detection import Arrival, mark_of
from streams.logic.surge_detector import SurgeDetector

Minutes = Iterator[tuple[int, dict[str, Arrival]]]


def scope_names(series: Series) -> list[str]:
    """Scopes as the detector knows them."""
    return [company_scope(name.lower()) for name in series.scopes]


def minutes_of(series: Series, every: int = 1) -> Minutes:
    """Minutes since 1970 that brought something, in order, and what they brought; with `every`, the last of so many minutes."""
    names = scope_names(series)
    minute = series.minute // every * every + every - 1
    marks = np.array(list(map(mark_of, series.weight.tolist(), series.negative.tolist())))
    order = np.lexsort((-marks, series.scope, minute))
    minutes, scopes, weights, negatives, marks = (
        column[order].tolist() for column in (minute, series.scope, series.weight, series.negative, marks)
    )
    start = 0
    for end in (np.flatnonzero(np.diff(minute[order], append=-1)) + 1).tolist():
        places: dict[int, list[int]] = {}
        for place in range(start, end):
            places.setdefault(scopes[place], []).append(place)
        arrivals = {
            names[scope]: Arrival(
                marks=tuple(marks[i] for i in mine),
                weights=tuple(sorted((weights[i] for i in mine), reverse=True)),
                mentions=len(mine),
                items=float(len(mine)),
                negative=sum(negatives[i] for i in mine),
                sector=series.sectors[scope],
            )
            for scope, mine in places.items()
        }
        yield series.origin + minutes[start], arrivals
        start = end


def beside_each_other(many: Sequence[Series]) -> Series:
    """Several series of the same days as one, each with scopes and sectors of its own: a detector's pass costs by the minute."""
    first = np.cumsum([0, *(len(series.scopes) for series in many)])
    names = tuple(f"{place}-{name}" for place, series in enumerate(many) for name in series.scopes)
    sectors = tuple(f"{place}-{name}" for place, series in enumerate(many) for name in series.sectors)
    one = many[0]
    none, nothing = one.scope[:0], one.weight[:0]
    empty = Series(names, sectors, one.days, one.weekday, none, none, nothing, nothing, (), one.origin)
    return empty.with_items(
        np.concatenate([series.scope + start for series, start in zip(many, first, strict=False)]),
        *(np.concatenate([getattr(series, name) for series in many]) for name in ("minute", "weight", "negative")),
    )


def squall(many: Sequence[Series], config: Config) -> list[Scores]:  # noqa: ARG001 - as the rivals
    """Surprise where the share of negative is up too, at the end of each row that brought something."""
    series = beside_each_other(many)
    numbers = {name: number for number, name in enumerate(scope_names(series))}
    detector = SurgeDetector(DetectionSettings())
    found = [
        (numbers[signal.scope], (minute - series.origin) // ROW, signal.surprise if signal.share_up else -np.inf)
        for minute, arrivals in minutes_of(series, ROW)
        for signal in detector.step(minute, arrivals)
    ]
    numbered = np.array(found, dtype=float).reshape(-1, 3)
    scope, row, scores = numbered[:, 0].astype(np.int64), numbered[:, 1].astype(np.int64), numbered[:, 2]
    order = np.lexsort((row, scope))
    scope, row, scores = scope[order], row[order], scores[order]
    starts = np.cumsum([0, *(len(one.scopes) for one in many)])
    edges = np.searchsorted(scope, starts)
    return [
        Scores(scope[low:high] - start, row[low:high], scores[low:high])
        for low, high, start in zip(edges, edges[1:], starts, strict=False)
    ]


def minutes_to_alert(series: Series, line: float) -> list[int]:
    """Minutes from the first item of what stands out to the opening of each incident of the judged days."""
    detector = SurgeDetector(DetectionSettings())
    begin = series.origin + WARM_UP_DAYS * DAY
    last: dict[str, int] = {}
    found = []
    for minute, arrivals in minutes_of(series):
        for signal in detector.step(minute, arrivals):
            if minute >= begin and signal.share_up and signal.surprise >= line:
                if minute - last.get(signal.scope, -HOLD_ROWS * ROW - 1) > HOLD_ROWS * ROW:
                    found.append(minute + 1 - signal.since)
                last[signal.scope] = minute
    return found


OURS = Rival(squall, {"settings": ("default",)})
"""Not searched: it runs as it ships."""
