"""river's detectors as rivals: ADWIN on a lattice of half-hours of a scope, half-space trees on features of all scopes."""

from typing import Any

import numpy as np
from river.anomaly import HalfSpaceTrees
from river.drift import ADWIN

from benchmarks.detection.judging import Scores
from benchmarks.detection.rivals import GUARD, METRICS, Config, Rival, Rows, each
from benchmarks.detection.series import ROWS_A_DAY, Series

BASELINE = 28 * ROWS_A_DAY


def adwin(series: Series, config: Config) -> Scores:
    """ADWIN (Bifet and Gavalda, 2007) sees the metric of each lattice interval, empty ones too; a rise it detects is an alarm.

    It has no score of its own: that of an alarm is how far the recent mean lies above the mean before, in standard errors.
    """
    rows = Rows(series, config["metric"])
    step = config["step"]
    length = series.days * ROWS_A_DAY // step
    scopes, found_rows, scores = [], [], []
    edges = np.searchsorted(rows.scope, np.arange(len(series.scopes) + 1))
    for scope in range(len(series.scopes)):
        mine = slice(edges[scope], edges[scope + 1])
        lattice = np.bincount(rows.row[mine] // step, rows.value[mine], length)
        detector: Any = ADWIN(delta=config["delta"], clock=1, min_window_length=1, grace_period=1)  # type: ignore[no-untyped-call]
        before = 0.0
        for place, value in enumerate(lattice.tolist()):
            detector.update(value)
            if detector.drift_detected and detector.estimation > before:
                spread = max(detector.variance, 1e-6) / max(detector.width, 1.0)
                scopes.append(scope)
                found_rows.append(place * step + step - 1)
                scores.append((detector.estimation - before) / spread**0.5)
            before = detector.estimation
    return Scores(np.array(scopes, np.int64), np.array(found_rows, np.int64), np.array(scores, float))


def half_space_trees(series: Series, config: Config) -> Scores:
    """Half-space trees (Tan, Ting and Liu, 2011) over windows' sums relative to a scope's past; one forest for all."""
    rows = Rows(series, config["metric"])
    mean = (rows.sums(rows.row - GUARD, BASELINE) + 1.0) / (BASELINE + 2 * ROWS_A_DAY)
    features = []
    for window in config["windows"]:
        now = rows.sums(rows.row, window)
        features.append(np.clip(np.log1p(now) / 4, 0, 1))
        features.append(np.clip(0.5 + np.log((now + 0.1) / (mean * window + 0.1)) / 10, 0, 1))
    table = np.array(features).T
    forest: Any = HalfSpaceTrees(n_trees=config["trees"], height=config["height"], window_size=config["window"], seed=1)
    score = np.zeros(len(table))
    names = range(table.shape[1])
    for place in np.lexsort((rows.scope, rows.row)):
        x = dict(zip(names, table[place].tolist(), strict=True))
        score[place] = forest.score_one(x)
        forest.learn_one(x)
    return rows.scores(score)


RIVER: dict[str, Rival] = {
    "ADWIN": Rival(each(adwin), {"metric": METRICS, "step": (3, 6, 12), "delta": (0.3, 0.1, 0.02, 0.002)}),
    "half-space trees": Rival(
        each(half_space_trees),
        {"metric": METRICS, "windows": ((12, 72), (36, 288)), "trees": (10,), "height": (6, 8), "window": (250, 1000)},
    ),
}
