"""How often a scope is called silent that only has no news by chance, and how soon one that has stopped: simulated scopes, whose
rhythm the detector has to learn."""

import numpy as np

from benchmarks.detection.ours import minutes_of
from benchmarks.detection.series import DAY, Generator
from benchmarks.detection.simulate import simulated
from squall.settings import DetectionSettings
from streams.logic.expectation import HOUR
from streams.logic.surge_detector import SurgeDetector

SCOPES, DAYS = 40, 80
STOPPED_DAYS = 7
"""Days after the history on which nothing comes: the first is a Thursday."""
LEVELS = (3.0, 4.0, 5.0)


def silences(rng: Generator) -> dict[str, dict[str, float]]:
    """By the level of `silence` that a rule goes by: `false_a_day`, silences that begin by chance, over `SCOPES` scopes together;
    and `median_hours` from the last day's end until a scope is called silent where nothing comes any more."""
    series = simulated(SCOPES, DAYS, rng)
    settings = DetectionSettings()
    detector = SurgeDetector(settings)
    minutes = minutes_of(series)
    coming = next(minutes, None)
    begin = series.origin + (settings.baseline_days + settings.guard_days + 1) * DAY
    stopped = series.origin + DAYS * DAY
    silent: dict[float, set[str]] = {level: set() for level in LEVELS}
    begun = dict.fromkeys(LEVELS, 0)
    waited: dict[float, dict[str, int]] = {level: {} for level in LEVELS}
    for end in range(series.origin + HOUR - 1, stopped + STOPPED_DAYS * DAY, HOUR):
        while coming is not None and coming[0] <= end:
            detector.step(*coming)
            coming = next(minutes, None)
        if end < begin:
            continue
        for level in LEVELS:
            now = set(detector.silent(end, level))
            if end < stopped:
                begun[level] += len(now - silent[level])
                silent[level] = now
            for name in now if end >= stopped else ():
                waited[level].setdefault(name, end + 1 - stopped)
    return {f"{level:g}": _said(begun[level], list(waited[level].values())) for level in LEVELS}


def _said(begun: int, waited: list[int]) -> dict[str, float]:
    settings = DetectionSettings()
    days = DAYS - settings.baseline_days - settings.guard_days - 1
    # One that is never called silent waited for longer than all others.
    hours = [*(minutes / HOUR for minutes in waited), *[STOPPED_DAYS * 24.0] * (SCOPES - len(waited))]
    return {"false_a_day": round(begun / days, 3), "median_hours": float(np.median(hours))}
