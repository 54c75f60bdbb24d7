"""What else a rule may go by: mood and price of a scope against their own past. Pure; minutes are integers since 1970.

Each is None where there is too little to say it: no answer is not a neutral answer.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import log, sqrt
from typing import NamedTuple

import numpy as np

from streams.logic.e_detector import Floats

LEAST_ITEMS = 3.0
LEAST_RETURNS = 20
# Standard deviation of an article's tone (P(positive) - P(negative)), where too few are known; it counts as so many articles.
TONE_DEVIATION = 0.5
TONE_ITEMS = 10.0


class Tone(NamedTuple):
    """Sums over articles: how many, of their tone (P(positive) - P(negative), -1 to 1), and of its square."""

    items: float = 0.0
    tone: float = 0.0
    squares: float = 0.0


def mood_change(recent: Tone, past: Tone) -> float | None:
    """How far the mean tone stands above (below, where negative) its past, in standard errors of a mean of so many articles."""
    if recent.items < LEAST_ITEMS or past.items < LEAST_ITEMS:
        return None
    mean = past.tone / past.items
    spread = max(0.0, past.squares - past.items * mean**2)
    deviation = sqrt((spread + TONE_ITEMS * TONE_DEVIATION**2) / (past.items + TONE_ITEMS))
    return (recent.tone / recent.items - mean) / (deviation * sqrt(1 / recent.items + 1 / past.items))


def price_move(closes: Sequence[float], now: float) -> float | None:
    """The move from the last close to `now` in standard deviations of the moves before.

    Args:
        closes: closes of the bars that were available, oldest first; positive, of one interval.
        now: the latest price that is known; positive.
    """
    if len(closes) <= LEAST_RETURNS or min(*closes, now) <= 0:
        return None
    deviation = float(np.diff(np.log(closes)).std(ddof=1))
    return log(now / closes[-1]) / deviation if deviation > 0 else None


def divergence(mood: float | None, price: float | None, *, fall: float = -2.0, still: float = 1.0) -> bool | None:
    """Whether the mood has fallen while the price has not moved yet.

    Args:
        mood: a `mood_change`; it has fallen at `fall` or below.
        price: a `price_move`; it has not moved while it is less than `still` either way.
    """
    return None if mood is None or price is None else mood <= fall and abs(price) < still


def confirmed(mood: float | None, price: float | None, *, fall: float = -2.0) -> bool | None:
    """Whether mood and price have both fallen, each by `fall` of its own standard deviations or more."""
    return None if mood is None or price is None else mood <= fall and price <= fall


def mean_by_weight(values: Iterable[tuple[float | None, float]]) -> float | None:
    """Mean of the values that there are, each with its weight, to 4 digits; None where nothing weighs anything."""
    known = [(value, weight) for value, weight in values if value is not None]
    whole = sum(weight for _, weight in known)
    return round(sum(value * weight for value, weight in known) / whole, 4) if whole else None


def silence(awaited: Floats, level: Floats, wander: float) -> Floats:
    """How surprising it is that nothing came, as -log10 of its probability; shape (scopes,).

    Days wander about the level as Gamma variables do, each by itself: a feed of many articles needs part of a day to be silent,
    not minutes.

    Args:
        awaited: articles that past and calendar make expected since the last one.
        level: articles of a mean day; 0 where there is no past, and nothing is awaited.
        wander: squared coefficient of variation of a day's rate about its expectation, above 0.
    """
    spread = wander * np.maximum(level, 1e-9)
    surprise: Floats = awaited * np.log1p(spread) / spread / log(10)
    return surprise


def topic_change(recent: Mapping[str, float], past: Mapping[str, float]) -> float | None:
    """Jensen-Shannon distance of two mixes of topics: 0 for the same mix, 1 for no topic in common.

    Args:
        recent: articles by topic; `past` likewise.
    """
    if min(sum(recent.values()), sum(past.values())) < LEAST_ITEMS:
        return None
    topics = sorted({*recent, *past})
    mixes = np.array([[mix.get(topic, 0.0) for topic in topics] for mix in (recent, past)], np.float64)
    mixes /= mixes.sum(axis=1, keepdims=True)
    middle = mixes.mean(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = np.where(mixes > 0, mixes * np.log2(mixes / middle), 0.0)
    return sqrt(max(0.0, float(parts.sum()) / 2))
