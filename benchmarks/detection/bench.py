"""One detector's search on one year and its figures on another, over seeds. Pure apart from the generators' seeds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from benchmarks.detection.judging import Outcome, Scores, incidents_a_day, judge, threshold_at
from benchmarks.detection.rivals import Config, Rival
from benchmarks.detection.series import Floats, Pool, Series, day_permuted, injected

BURSTS_A_SCOPE = 4
SEARCH = 12
"""Configurations that each detector may try on the tuning data."""
RATE = 1.0
"""False incidents a day over all scopes at which the searches are run, and the first at which figures are given."""
RATES = (1.0, 0.1)


@dataclass(frozen=True)
class Stage:
    """The same scene for every detector: a year's real series, shuffled nulls of it, and the same shuffles with bursts."""

    raw: Series
    nulls: tuple[Series, ...]
    surged: tuple[Series, ...]


def stage(raw: Series, pool: Pool, seeds: Sequence[int], bursts: int = BURSTS_A_SCOPE) -> Stage:
    """A shuffle, and bursts in it, for each seed."""
    nulls = tuple(day_permuted(raw, np.random.default_rng((seed, 0))) for seed in seeds)
    surged = tuple(
        injected(null, pool, bursts, np.random.default_rng((seed, 1))) for seed, null in zip(seeds, nulls, strict=True)
    )
    return Stage(raw, nulls, surged)


@dataclass(frozen=True)
class Seed:
    """What one seed gave at one rate. The threshold comes from the nulls of the other seeds."""

    outcome: Outcome
    false_a_day: float
    """Incidents a day on this seed's null."""
    carried_false_a_day: float
    """The same with the threshold of the tuning data."""


@dataclass(frozen=True)
class Result:
    """A detector's figures at one rate."""

    config: Config
    seeds: tuple[Seed, ...]
    raw_a_day: float
    """Incidents a day on the data as it is; some are real."""
    nulls: tuple[Scores, ...]
    surged: tuple[Scores, ...]
    """Scores with and without bursts, one a seed."""
    raw: Scores

    @cached_property
    def delays(self) -> list[Floats]:
        """Delay of each burst by seed, a missed one inf."""
        return [seed.outcome.delays for seed in self.seeds]

    def mean(self, of: Callable[[Seed], float]) -> tuple[float, float]:
        """`mean_over_seeds` of a figure."""
        return mean_over_seeds([of(seed) for seed in self.seeds])


def mean_over_seeds(figures: Sequence[float]) -> tuple[float, float]:
    """Mean of a figure that each seed gave, and the half width of its 95 % interval (Student's t; nan for one seed)."""
    from scipy.stats import t

    values = np.array(figures)
    if len(values) < 2:
        return float(values.mean()), float("nan")
    return float(values.mean()), float(t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))


@dataclass(frozen=True)
class Tuned:
    """The configuration that a search chose, and the scores of the tuning nulls with it."""

    config: Config
    earliness: float
    nulls: tuple[Scores, ...]


def search(rival: Rival, tuning: Stage, size: int = SEARCH) -> Tuned:
    """The configuration that leaves the largest mean share of the bursts' windows, at RATE on the tuning nulls."""
    best: Tuned | None = None
    for config in rival.drawn(size, np.random.default_rng(0)):
        scores = rival.scores((*tuning.nulls, *tuning.surged), config)
        nulls, surged = tuple(scores[: len(tuning.nulls)]), scores[len(tuning.nulls) :]
        threshold = threshold_at(nulls, RATE * sum(null.judged_days for null in tuning.nulls))
        judged = [judge(one, series, threshold) for one, series in zip(surged, tuning.surged, strict=True)]
        earliness = float(np.mean([outcome.earliness for outcome in judged]))
        if best is None or earliness > best.earliness:
            best = Tuned(config, earliness, nulls)
    if best is None:
        raise ValueError("a search needs a configuration at least")
    return best


def measure(rival: Rival, tuned: Tuned, tuning: Stage, scoring: Stage, rates: Sequence[float] = RATES) -> dict[float, Result]:
    """Figures of the chosen configuration on the scoring stage, by rate."""
    count, days = len(scoring.nulls), scoring.raw.judged_days
    scores = rival.scores((*scoring.nulls, *scoring.surged, scoring.raw), tuned.config)
    nulls, surged, raw = scores[:count], scores[count : 2 * count], scores[-1]
    results = {}
    for rate in rates:
        carried = threshold_at(tuned.nulls, rate * sum(null.judged_days for null in tuning.nulls))
        seeds = []
        for place, (null, series) in enumerate(zip(scoring.nulls, scoring.surged, strict=True)):
            others = nulls[:place] + nulls[place + 1 :] or nulls
            threshold = threshold_at(others, rate * days * len(others))
            seeds.append(
                Seed(
                    judge(surged[place], series, threshold),
                    incidents_a_day(nulls[place], null, threshold),
                    incidents_a_day(nulls[place], null, carried),
                )
            )
        whole = threshold_at(nulls, rate * days * count)
        results[rate] = Result(
            tuned.config, tuple(seeds), incidents_a_day(raw, scoring.raw, whole), tuple(nulls), tuple(surged), raw
        )
    return results
