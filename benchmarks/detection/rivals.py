"""The rivals: what a team would reach for first. Each turns series into scores, and has a grid that its search draws from. Pure.

All but river's see sums of a metric in rows of five minutes and are asked at rows in which news came: only then can a window's
sum have risen. `count` is the number of stories with P(negative) of at least a half, `mass` the sum of weight x P(negative).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.special import gammaln, logsumexp

from benchmarks.detection.judging import Scores
from benchmarks.detection.series import ROW, ROWS_A_DAY, Floats, Generator, Ints, Series

Config = Mapping[str, Any]
WINDOWS = (6, 12, 36, 72, 144, 288)
"""Rows: half an hour to a day."""
GUARD = 2 * ROWS_A_DAY
METRICS = ("count", "mass")
ANSCOMBE = 2.58


class Rival(NamedTuple):
    """A detector: scores of several series, each by itself, and the values that each part of a configuration may take."""

    scores: Callable[[Sequence[Series], Config], list[Scores]]
    grid: Mapping[str, Sequence[Any]]

    def drawn(self, count: int, rng: Generator) -> list[dict[str, Any]]:
        """So many different configurations, or all that the grid has."""
        shape = [len(values) for values in self.grid.values()]
        size = int(np.prod(shape))
        places = np.sort(rng.choice(size, min(count, size), replace=False))
        return [
            {name: values[i] for (name, values), i in zip(self.grid.items(), np.unravel_index(place, shape), strict=True)}
            for place in places
        ]


def each(score: Callable[[Series, Config], Scores]) -> Callable[[Sequence[Series], Config], list[Scores]]:
    """Score several series one after the other."""
    return lambda many, config: [score(series, config) for series in many]


class Rows:
    """Running sums of a metric by scope and row, at the rows in which a scope's news came."""

    def __init__(self, series: Series, metric: str) -> None:
        self._width = series.days * ROWS_A_DAY
        mass = np.where(series.negative >= 0.5, 1.0, 0.0) if metric == "count" else series.weight * series.negative
        key = series.scope * self._width + series.minute // ROW
        self._keys, first = np.unique(key, return_index=True)
        self.scope, self.row = np.divmod(self._keys, self._width)
        self.value: Floats = np.add.reduceat(mass, first) if len(first) else np.empty(0)
        self._total = np.concatenate([[0.0], np.cumsum(self.value)])

    def sums(self, end: Ints, width: int) -> Floats:
        """Sums of the `width` rows that end with row `end`, of each entry's scope; rows before the first one are empty.

        `end` has as many entries as there are rows with news, in the last axis.
        """
        base = self.scope * self._width
        high = np.searchsorted(self._keys, base + np.maximum(end, -1), "right")
        low = np.searchsorted(self._keys, base + np.maximum(end - width, -1), "right")
        return np.asarray(self._total[high] - self._total[low])

    def scores(self, score: Floats) -> Scores:
        """Scores at these rows."""
        return Scores(self.scope, self.row, score)


def fixed(series: Series, config: Config) -> Scores:
    """The sum of a window."""
    rows = Rows(series, config["metric"])
    return rows.scores(rows.sums(rows.row, config["window"]))


def z_score(series: Series, config: Config) -> Scores:
    """The sum of a window against mean and standard deviation of windows of the weeks before, a guard of two days between."""
    rows = Rows(series, config["metric"])
    window = config["window"]
    step = max(window, config["days"] * ROWS_A_DAY // 56)
    back = GUARD + np.arange(0, config["days"] * ROWS_A_DAY, step)
    past = rows.sums(rows.row - back[:, None], window)
    return rows.scores((rows.sums(rows.row, window) - past.mean(0)) / np.maximum(past.std(0), config["floor"]))


def ewma(series: Series, config: Config) -> Scores:
    """EWMA chart (Roberts, 1959): the weighted mean of rows in its own standard deviations, from a Poisson-like variance."""
    rows = Rows(series, config["metric"])
    keep = 0.5 ** (1 / config["half_life"])
    level = np.empty(len(rows.row))
    state, scope, last = 0.0, -1, 0
    for i, (one, row, value) in enumerate(zip(rows.scope.tolist(), rows.row.tolist(), rows.value.tolist(), strict=True)):
        state = (state * keep ** (row - last) if one == scope else 0.0) + (1 - keep) * value
        level[i], scope, last = state, one, row
    span = 28 * ROWS_A_DAY
    mean = (rows.sums(rows.row - GUARD, span) + config["prior"]) / (span + config["prior"] * ROWS_A_DAY)
    return rows.scores((level - mean) / np.sqrt(mean * (1 - keep) / (1 + keep)))


def farrington(series: Series, config: Config) -> Scores:
    """Farrington's flexible method (Noufaily et al., 2013), with weeks as years: z in the 2/3-power scale.

    The reference is the same time of the last weeks, some windows to each side; quasi-Poisson, with past outbreaks (Anscombe
    residual above 2.58) down-weighted by the square of their residual.
    """
    rows = Rows(series, config["metric"])
    window, sides = config["window"], np.arange(-config["sides"], config["sides"] + 1)
    back = (7 * ROWS_A_DAY * np.arange(1, config["weeks"] + 1)[:, None] + window * sides).ravel()
    past = rows.sums(rows.row - back[:, None], window)
    weights = np.ones_like(past)
    for _ in range(2):
        mean = np.maximum((weights * past).sum(0) / weights.sum(0), config["floor"])
        spread = np.maximum(1.0, (weights * (past - mean) ** 2 / mean).sum(0) / (len(past) - 1))
        residual = 1.5 * (past ** (2 / 3) - mean ** (2 / 3)) / (mean ** (1 / 6) * np.sqrt(spread))
        weights = np.where(residual > ANSCOMBE, np.maximum(residual, ANSCOMBE) ** -2, 1.0)
    now = rows.sums(rows.row, window)
    error = (2 / 3) * mean ** (1 / 6) * np.sqrt(spread + mean / len(past) / np.maximum(mean, 1e-9))
    return rows.scores((now ** (2 / 3) - mean ** (2 / 3)) / error)


def ears_c2(series: Series, config: Config) -> Scores:
    """EARS C2 (Hutwagner et al., 2003): against mean and deviation of the same window on seven days, after a guard of two."""
    rows = Rows(series, config["metric"])
    back = ROWS_A_DAY * np.arange(3, 3 + config["days"])
    past = rows.sums(rows.row - back[:, None], config["window"])
    return rows.scores((rows.sums(rows.row, config["window"]) - past.mean(0)) / np.maximum(past.std(0, ddof=1), config["floor"]))


def change_point(series: Series, config: Config) -> Scores:
    """Gamma-Poisson Bayesian change point: log odds that the rate rose at one of the last stories, over that it did not.

    The rate before is Gamma with a prior of a story every `prior` days and the four weeks before the guard; after a change its
    mean is `lift` times that, its shape `shape`. Every start of a change within `reach` rows is as likely as any other.
    """
    rows = Rows(series, config["metric"])
    span = 28 * ROWS_A_DAY
    before = rows.sums(rows.row - GUARD, span) + 1
    width = span + config["prior"] * ROWS_A_DAY
    shape, reach = config["shape"], config["reach"]
    odds = []
    for length in np.unique(np.geomspace(1, reach, 16).astype(int)):
        now = rows.sums(rows.row, int(length))
        rate = config["lift"] * before / width
        odds.append(
            _negative_binomial(now, np.full_like(rate, shape), shape / rate, length)
            - _negative_binomial(now, before, width, length)
        )
    return rows.scores(logsumexp(np.array(odds), axis=0))


def _negative_binomial(count: Floats, shape: Floats, rate: Floats | float, length: int) -> Floats:
    """Log of the Gamma-Poisson probability of a count, without the factor that does not depend on the rate."""
    part = gammaln(shape + count) - gammaln(shape)
    return np.asarray(part + shape * np.log(rate / (rate + length)) - count * np.log(rate + length))


def at_random(series: Series, config: Config) -> Scores:
    """Uniform noise at the rows in which news came."""
    rows = Rows(series, "count")
    return rows.scores(np.random.default_rng(config["seed"] + len(series.scope)).random(len(rows.row)))


FLOORS = (0.25, 0.5, 1.0)
RIVALS: dict[str, Rival] = {
    "fixed threshold": Rival(each(fixed), {"metric": METRICS, "window": WINDOWS}),
    "z-score": Rival(each(z_score), {"metric": METRICS, "window": WINDOWS, "days": (14, 28), "floor": FLOORS}),
    "EWMA chart": Rival(each(ewma), {"metric": METRICS, "half_life": (3, 6, 12, 24, 48, 96, 144), "prior": (0.25, 1.0)}),
    "Farrington-flexible": Rival(
        each(farrington), {"metric": METRICS, "window": WINDOWS, "weeks": (4, 5), "sides": (1, 3), "floor": (0.05, 0.1, 0.25)}
    ),
    "EARS C2": Rival(each(ears_c2), {"metric": METRICS, "window": WINDOWS, "days": (7,), "floor": FLOORS}),
    "Gamma-Poisson change point": Rival(
        each(change_point),
        {"metric": METRICS, "reach": (36, 72, 288), "prior": (1.0, 4.0), "lift": (5.0, 20.0, 80.0), "shape": (0.5, 2.0)},
    ),
    "random": Rival(each(at_random), {"seed": (0,)}),
}
