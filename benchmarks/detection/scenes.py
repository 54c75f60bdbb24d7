"""The scenes of the benchmark, and one detector's run through one of them; each runs in a process of its own."""

import hashlib
import json
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.detection import bench, falls, judging, ours, promise, report, rivals, rivals_river, series, simulate, stocknet
from benchmarks.detection.bench import RATES, Result, Stage, measure, search, stage
from benchmarks.detection.falls import falls_met
from benchmarks.detection.judging import incidents_a_day
from benchmarks.detection.ours import OURS, minutes_to_alert
from benchmarks.detection.report import figures
from benchmarks.detection.rivals import RIVALS
from benchmarks.detection.rivals_river import RIVER
from benchmarks.detection.series import Pool, Series, stocknet_series
from benchmarks.detection.simulate import simulated, simulated_pool
from squall.settings import get_settings
from streams.logic import baseline, calibration, detection, e_detector, expectation, surge_detector

SIMULATED, STOCKNET, QUICK = "simulated", "stocknet", "quick"
SQUALL, RANDOM = "squall", "random"
TUNING_FROM, TUNING_DAYS = stocknet.FIRST, 184
SCORING_FROM, SCORING_DAYS = date(2015, 1, 1), 365
TUNING_SEED, FIRST_SEED = 100, 1
LOGIC = (calibration, detection, e_detector, expectation, baseline, surge_detector)


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
    """A detector's figures by rate in a scene; ours adds what it promises and, on StockNet, the falls that it met.

    They are kept, so that a run that was cut short goes on where it stood: until the code behind them changes.
    """
    kept = _kept(name, detector, seeds, size)
    if kept.is_file():
        return dict(json.loads(kept.read_text()))
    scene = build(name, seeds)
    if detector == SQUALL:
        rival = OURS
    elif detector in RIVALS:
        rival = RIVALS[detector]
    else:
        rival = RIVER[detector]
    tuned = search(rival, scene.tuning, size)
    results = measure(rival, tuned, scene.tuning, scene.scoring, scene.rates)
    said: dict[str, Any] = {str(rate): figures(result) for rate, result in results.items()}
    if detector == SQUALL:
        said |= _promises(name, scene, next(iter(results.values())))
    kept.parent.mkdir(parents=True, exist_ok=True)
    partial = kept.with_suffix(".partial")
    partial.write_text(json.dumps(said))
    partial.replace(kept)
    return said


def _promises(name: str, scene: Scene, found: Result) -> dict[str, Any]:
    raw = scene.scoring.raw
    scopes, days = len(raw.scopes), raw.judged_days
    budgets = promise.budgets_kept(found.nulls, scene.tuning.raw, scopes, days)
    bound = promise.own_line(scopes, 1.0)
    lines = {"bound": bound, "calibrated": bound + next(one.calibration or 0.0 for one in budgets if one.budget == 1)}
    said: dict[str, Any] = {
        "budgets": promise.describe(budgets),
        "scopes": scopes,
        "days": days,
        "items": len(raw.scope),
        "empty_hours": round(raw.empty_hours, 4),
        "at_budget_1": {},
    }
    for kind, line in lines.items():
        share, number = promise.false_share(
            found.nulls[0], found.surged[0], scene.scoring.surged[0], line, np.random.default_rng(5)
        )
        waits = minutes_to_alert(raw, line)
        at: dict[str, Any] = {
            "raw_incidents_a_day": round(incidents_a_day(found.raw, raw, line), 3),
            "false_share": round(share, 3),
            "false_share_incidents": number,
            "median_minutes_to_alert": float(np.median(waits)) if waits else None,
        }
        if name == STOCKNET:
            at["falls"] = falls_met(found.raw, raw, line, stocknet.prices(get_settings()))._asdict()
        said["at_budget_1"][kind] = at
    return said


def _kept(name: str, detector: str, seeds: int, size: int) -> Path:
    """Where a detector's figures are kept: under a name that changes with the code and the data that they come from."""
    own = [ours, promise, falls, *LOGIC] if detector == SQUALL else [rivals, rivals_river]
    digest = hashlib.sha256(f"{name} {detector} {seeds} {size}".encode())
    for file in (__file__, *(module.__file__ for module in (series, judging, bench, report, simulate, *own))):
        digest.update(Path(str(file)).read_bytes())
    settings = get_settings()
    digest.update(repr(settings.detection).encode() if detector == SQUALL else b"")
    if name == STOCKNET:
        digest.update(stocknet.cache_path(settings, "tweets").name.encode())
    return settings.home / "bench" / f"{name}-{detector.replace(' ', '-')}-{digest.hexdigest()[:16]}.json"
