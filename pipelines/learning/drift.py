"""Whether the news, or what the model makes of it, has changed more this week than it does from week to week. Pure.

A change is measured by its size, not by a p-value: with enough texts any difference is beyond chance. The size is held against
the same measure between earlier weeks. What can be seen of quality without labels is the mean probability of the model's own
answers, which are calibrated: it falls when the texts move to where the model is unsure (covariate shift). It does not see that
the same words have come to mean something else (concept drift); only labels do.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, pstdev
from typing import Any, NamedTuple

import numpy as np

LEAST_TEXTS = 200
"""A week with fewer says nothing."""
LEAST_LABELS = 50
LEAST_PAST = 3
"""Changes between earlier weeks that are needed to say what is usual."""
FACTOR = 1.5
"""An alarm takes a change so many times the largest of the earlier ones."""
Vectors = np.ndarray[Any, Any]
WORD = re.compile(r"[^\W\d_]{2,}")


class Scored(NamedTuple):
    """A text and what the model in use made of it; `sentiment` are probabilities of negative, neutral, positive."""

    text: str
    language: str
    topic: str
    sentiment: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Week:
    """A sample of a week's texts, and for those that people labelled fairly whether the model was right."""

    texts: Sequence[Scored]
    right: Sequence[bool] = ()
    vectors: Vectors | None = None
    """What the model's encoder makes of some of the texts, shape (texts, width); None: it was not asked."""


@dataclass(frozen=True, slots=True)
class Change:
    """One measure: how far this week lies from the last, and what was usual. None: there is too little to say."""

    name: str
    about: str
    """`inputs`, `predictions` or `quality`."""
    value: float | None
    """The measure itself, this week, where it has one."""
    change: float | None
    usual: float | None
    """The largest change between earlier weeks."""
    floor: float
    """Smaller changes are no alarm, however quiet it was before."""
    alarm: bool


@dataclass(frozen=True, slots=True)
class Measure:
    """How a measure's change between two weeks is computed; the week before comes first."""

    about: str
    floor: float
    change: Callable[[Week, Week], float | None]
    value: Callable[[Week], float | None] = lambda _week: None


def changes(weeks: Sequence[Week]) -> list[Change]:
    """All measures of the last week.

    Args:
        weeks: consecutive weeks, the oldest first.
    """
    out = []
    for name, measure in MEASURES.items():
        sizes = [measure.change(one, other) for one, other in pairwise(weeks)]
        past = [size for size in sizes[:-1] if size is not None]
        now = sizes[-1] if sizes else None
        usual = max(past) if len(past) >= LEAST_PAST else None
        alarm = now is not None and usual is not None and now > max(measure.floor, FACTOR * usual)
        value = measure.value(weeks[-1]) if weeks else None
        out.append(Change(name, measure.about, _short(value), _short(now), _short(usual), measure.floor, alarm))
    return out


def sentence(change: Change) -> str:
    """An alarm in words."""
    return f"{change.name} has moved by {change.change:.3g} in a week; by {change.usual:.3g} at most in the weeks before"


def words_of(text: str) -> list[str]:
    """The words of a text, case folded, numbers left out."""
    return WORD.findall(text.casefold())


def unseen_share(before: Week, week: Week) -> float:
    """Share of the week's running words that the week before does not have."""
    known = {word for one in before.texts for word in words_of(one.text)}
    words = [word for one in week.texts for word in words_of(one.text)]
    return sum(word not in known for word in words) / len(words) if words else 0.0


def jensen_shannon(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """Distance of two distributions over names, between 0 and 1; neither need be normalised."""
    first, second = sum(one.values()), sum(other.values())
    divergence = 0.0
    for name in one.keys() | other.keys():
        p, q = one.get(name, 0.0) / first, other.get(name, 0.0) / second
        middle = (p + q) / 2
        divergence += sum(side * math.log2(side / middle) / 2 for side in (p, q) if side > 0)
    return math.sqrt(max(0.0, divergence))


def mean_shift(one: Vectors, other: Vectors) -> float:
    """Distance of the means of two samples of vectors, in units of their spread, less what chance makes of it.

    It is the unbiased maximum mean discrepancy under the linear kernel (Gretton et al., "A kernel two-sample test", 2012) over
    the samples' mean total variance.

    Args:
        one: shape (texts, width); `other` likewise, at least two texts each.
    """
    spreads = [float(side.var(axis=0, ddof=1).sum()) for side in (one, other)]
    apart = float(((one.mean(axis=0) - other.mean(axis=0)) ** 2).sum())
    by_chance = sum(spread / len(side) for spread, side in zip(spreads, (one, other), strict=True))
    spread = sum(spreads) / 2
    return math.sqrt(max(0.0, apart - by_chance) / spread) if spread else 0.0


def _embedding_change(before: Week, week: Week) -> float | None:
    if before.vectors is None or week.vectors is None or min(len(before.vectors), len(week.vectors)) < LEAST_TEXTS:
        return None
    return mean_shift(before.vectors, week.vectors)


def _enough(compute: Callable[[Week, Week], float]) -> Callable[[Week, Week], float | None]:
    def checked(before: Week, week: Week) -> float | None:
        return compute(before, week) if min(len(before.texts), len(week.texts)) >= LEAST_TEXTS else None

    return checked


def _lengths(week: Week) -> list[float]:
    return [math.log1p(len(one.text.split())) for one in week.texts]


def _length_change(before: Week, week: Week) -> float:
    one, other = _lengths(before), _lengths(week)
    spread = math.sqrt((pstdev(one) ** 2 + pstdev(other) ** 2) / 2)
    return abs(fmean(other) - fmean(one)) / spread if spread else 0.0


def _mean_words(week: Week) -> float | None:
    return fmean(len(one.text.split()) for one in week.texts) if week.texts else None


def _languages(week: Week) -> Counter[str]:
    return Counter(one.language for one in week.texts)


def _topics(week: Week) -> Counter[str]:
    return Counter(one.topic for one in week.texts)


def _sentiments(week: Week) -> dict[str, float]:
    return {str(place): fmean(one.sentiment[place] for one in week.texts) for place in range(3)}


def _confidence(week: Week) -> float | None:
    return fmean(max(one.sentiment) for one in week.texts) if week.texts else None


def _fall_of_confidence(before: Week, week: Week) -> float:
    return max(0.0, (_confidence(before) or 0.0) - (_confidence(week) or 0.0))


def _share_right(week: Week) -> float | None:
    return fmean(week.right) if len(week.right) >= LEAST_LABELS else None


def _fall_of_right(before: Week, week: Week) -> float | None:
    one, other = _share_right(before), _share_right(week)
    return None if one is None or other is None else max(0.0, one - other)


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


MEASURES: dict[str, Measure] = {
    "length": Measure("inputs", 0.2, _enough(_length_change), _mean_words),
    "unseen words": Measure("inputs", 0.05, _enough(unseen_share)),
    "languages": Measure("inputs", 0.1, _enough(lambda one, other: jensen_shannon(_languages(one), _languages(other)))),
    "embeddings": Measure("inputs", 0.15, _embedding_change),
    "topics": Measure("predictions", 0.1, _enough(lambda one, other: jensen_shannon(_topics(one), _topics(other)))),
    "sentiments": Measure("predictions", 0.08, _enough(lambda one, other: jensen_shannon(_sentiments(one), _sentiments(other)))),
    "estimated share right": Measure("quality", 0.03, _enough(_fall_of_confidence), _confidence),
    "labelled share right": Measure("quality", 0.1, _fall_of_right, _share_right),
}
"""Length is measured in standard deviations of log(1 + words), embeddings in those of the vectors, distributions by
Jensen–Shannon distance, the rest in shares."""
