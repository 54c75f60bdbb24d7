"""The scenes of the benchmark, and one detector's run through one of them; each runs in a process of its own."""

from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

import numpy as np

from benchmarks.detection import promise, stocknet
from benchmarks.detection.bench import RATES, Stage, measure, search, stage
from benchmarks.detection.falls import falls_met
from benchmarks.detection.judging import incidents_a_day
from benchmarks.detection.ours import OURS
from benchmarks.detection.report import figures
from benchmarks.detection.rivals import RIVALS
from benchmarks.detection.series import Pool, Series, stocknet_series
from benchmarks.detection.simulate import simulated, simulated_pool
from squall.settings import get_settings

SIMULATED, STOCKNET, QUICK = "simulated", "stocknet", "quick"
SQUALL = "squall"
TUNING_FROM, TUNING_DAYS = stocknet.FIRST, 184
SCORING_FROM, SCORING_DAYS = date(2015, 1, 1), 365
TUNING_SEED, FIRST_SEED = 100, 1


@dataclass(frozen=True)
class Scene:
    """Where a detector is tuned, and where it is scored."""

    tuning: Stage
    scoring: Stage
    rates: tuple[float, ...] = RATES


def detectors(scene: str) -> list[str]:
    """Names of those that run in a scene, the slowest first."""
    river = [] if scene == QUICK else ["half-space trees", "ADWIN"]
    return [SQUALL, *river, *RIVALS]


@cache
def build(name: str, seeds: int) -> Scene:
    """A scene by name."""
    numbers = range(FIRST_SEED, FIRST_SEED + seeds)
    if name == QUICK:
        tuning, scoring = (simulated(20, 50, np.random.default_rng(seed)) for seed in (1, 2))
        pool = simulated_pool(np.random.default_rng(3))
        return Scene(stage(tuning, pool, [TUNING_SEED], 1), stage(scoring, pool, numbers, 1), (1.0,))
    if name == SIMULATED:
        tuning, scoring = (simulated(60, 77, np.random.default_rng(seed)) for seed in (1, 2))
        pool = simulated_pool(np.random.default_rng(3))
        return Scene(stage(tuning, pool, [TUNING_SEED], 2), stage(scoring, pool, numbers, 2))
    settings = get_settings()
    frame, sectors = stocknet.tweets(settings), stocknet.sectors(settings)
    tuning = stocknet_series(frame, TUNING_FROM, TUNING_DAYS, sectors)
    scoring = stocknet_series(frame, SCORING_FROM, SCORING_DAYS, sectors)
    pools = [_pool(stocknet.negative_stories(settings, frame, first.year), scoring) for first in (TUNING_FROM, SCORING_FROM)]
    return Scene(stage(tuning, pools[0], [TUNING_SEED], 2), stage(scoring, pools[1], numbers))


def _pool(stories: Any, series: Series) -> Pool:
    numbers = {name: number for number, name in enumerate(series.scopes)}
    return Pool(
        stories["ticker"].map(numbers).to_numpy(np.int64),
        stories["relevance"].to_numpy(np.float64),
        stories["negative"].to_numpy(np.float64),
    )


def run_detector(name: str, detector: str, seeds: int, size: int) -> dict[str, Any]:
    """A detector's figures by rate in a scene; ours adds what it promises and, on StockNet, the falls that it met."""
    scene = build(name, seeds)
    if detector == SQUALL:
        rival = OURS
    elif detector in RIVALS:
        rival = RIVALS[detector]
    else:
        from benchmarks.detection.rivals_river import RIVER

        rival = RIVER[detector]
    tuned = search(rival, scene.tuning, size)
    results = measure(rival, tuned, scene.tuning, scene.scoring, scene.rates)
    said: dict[str, Any] = {str(rate): figures(result) for rate, result in results.items()}
    if detector == SQUALL:
        series = scene.scoring.raw
        scopes, days = len(series.scopes), series.judged_days
        ours = next(iter(results.values()))
        line = promise.own_line(scopes, 1.0)
        said["budgets"] = promise.describe(promise.budgets_kept(ours.nulls, scopes, days))
        said["raw_incidents_a_day"] = round(incidents_a_day(ours.raw, series, line), 3)
        said["scopes"], said["days"], said["items"] = scopes, days, len(series.scope)
        said["empty_hours"] = round(series.empty_hours, 4)
        share, number = promise.false_share(ours.nulls[0], ours.surged[0], scene.scoring.surged[0], np.random.default_rng(5))
        said["false_share"] = {"share": round(share, 3), "incidents": number}
        if name == STOCKNET:
            said["falls"] = falls_met(ours.raw, series, line, stocknet.prices(get_settings()))._asdict()
    return said
