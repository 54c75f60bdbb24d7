"""Price features of a company as of an instant, from daily bars that were complete by then. Pure.

All returns are simple returns, close to close. The market is the equal-weighted mean of the companies that have bars.
"""

from bisect import bisect_right
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

INTERVAL = "1d"
RETURNS = (1, 5, 20)
DIVERGENCES = (1, 5)
VOLATILITY_BARS = 20
NAMES = (
    *(f"return_{bars}" for bars in RETURNS),
    f"volatility_{VOLATILITY_BARS}",
    f"volume_z_{VOLATILITY_BARS}",
    *(f"divergence_{bars}" for bars in DIVERGENCES),
)
REACH = timedelta(days=60)
"""Older bars do not count, however few there are."""
GAP = timedelta(days=30)
"""Closes further apart give no return."""
WINDOW_REACH = timedelta(days=120)
"""So far back the market's mean returns can be asked for."""
HISTORY = max(REACH, WINDOW_REACH) + 2 * GAP
"""Bars that began within this before an instant decide its features, and no older one does."""

Floats = NDArray[np.float64]


class PriceBar(NamedTuple):
    """A daily bar; times in seconds since 1970."""

    company_id: str
    start: float
    available: float
    close: float
    volume: float


class _Series(NamedTuple):
    """Bars of one company in order of start; `known[i]` is when the bars up to i were all there."""

    starts: Floats
    known: Floats
    closes: Floats
    volumes: Floats
    returns: Floats
    """From the bar before; nan where there is none near enough."""


class Market:
    """The bars of all companies, to ask for features. Answers depend on the bars of `HISTORY` before the instant alone."""

    def __init__(self, bars: Iterable[PriceBar]) -> None:
        self._series: dict[str, _Series] = {}
        for company, own in groupby(sorted(bars), key=lambda bar: bar.company_id):
            self._series[company] = _series(list(own))
        self._by_start = self._returns_by_start()
        known = [series.known for series in self._series.values()]
        self._moments: list[float] = sorted(set(np.concatenate(known).tolist())) if known else []
        self._answers: dict[tuple[str, int, int], dict[str, Any]] = {}

    def _returns_by_start(self) -> dict[float, tuple[Floats, Floats]]:
        rows = [
            (start, known, value)
            for series in self._series.values()
            for start, known, value in zip(series.starts.tolist(), series.known.tolist(), series.returns.tolist(), strict=True)
            if value == value  # noqa: PLR0124 - false for nan
        ]
        return {
            start: (np.array([row[1] for row in group]), np.array([row[2] for row in group]))
            for start, group in ((start, list(found)) for start, found in groupby(sorted(rows), key=lambda row: row[0]))
        }

    def features(self, company_id: str | None, at: datetime) -> dict[str, Any]:
        """Features of a company at an instant, to 6 digits.

        `{"present": False}` where it has no bar; otherwise `present`, `as_of` (when the last bar was complete), those of
        `NAMES` that there are bars enough for, and `absent`, the others' names.
        """
        series = self._series.get(company_id) if company_id is not None else None
        if company_id is None or series is None:
            return {"present": False}
        instant = at.timestamp()
        end = int(np.searchsorted(series.known, instant, side="right"))
        begin = int(np.searchsorted(series.starts, instant - REACH.total_seconds()))
        # Between two moments at which any bar became known, and with the same bars in reach, the answer is the same.
        key = (company_id, begin, self.moment(at))
        if key not in self._answers:
            self._answers[key] = self._compute(series, begin, end, instant) if begin < end else {"present": False}
        return self._answers[key]

    def moment(self, at: datetime) -> int:
        """A number that stays the same until a bar becomes known."""
        return bisect_right(self._moments, at.timestamp())

    def mean_returns(self, starts: Floats, at: datetime) -> Floats:
        """Mean return over companies of the bars that began then, as far as it was known at an instant; 0 where none was.

        Args:
            starts: seconds since 1970, within `WINDOW_REACH` before the instant.
        """
        instant = at.timestamp()
        found = np.zeros(len(starts))
        for place, start in enumerate(starts.tolist()):
            known, returns = self._by_start.get(start, (_NONE, _NONE))
            count = int(np.searchsorted(known, instant, side="right"))
            found[place] = returns[:count].mean() if count else 0.0
        return found

    def _compute(self, series: _Series, begin: int, end: int, instant: float) -> dict[str, Any]:
        closes, volumes, returns = (part[begin:end] for part in (series.closes, series.volumes, series.returns))
        found: dict[str, float] = {}
        for bars in RETURNS:
            if len(closes) > bars:
                found[f"return_{bars}"] = closes[-1] / closes[-1 - bars] - 1
        recent = returns[-VOLATILITY_BARS:]
        if len(recent) == VOLATILITY_BARS and not np.isnan(recent).any():
            found[f"volatility_{VOLATILITY_BARS}"] = recent.std(ddof=1)
        before = volumes[-1 - VOLATILITY_BARS : -1]
        if len(before) == VOLATILITY_BARS and (spread := before.std(ddof=1)) > 0:
            found[f"volume_z_{VOLATILITY_BARS}"] = (volumes[-1] - before.mean()) / spread
        last = slice(max(begin, end - max(DIVERGENCES)), end)
        apart = [
            self._apart(start, value, instant)
            for start, value in zip(series.starts[last].tolist(), series.returns[last].tolist(), strict=True)
        ]
        for bars in DIVERGENCES:
            if len(apart) >= bars and not np.isnan(apart[-bars:]).any():
                found[f"divergence_{bars}"] = sum(apart[-bars:])
        values = {name: round(float(found[name]), 6) for name in NAMES if name in found}
        as_of = datetime.fromtimestamp(series.known[end - 1], tz=UTC).isoformat()
        return {"present": True, "as_of": as_of, **values, "absent": [name for name in NAMES if name not in found]}

    def _apart(self, start: float, value: float, instant: float) -> float:
        """A bar's return less the market's over the same bar, as far as it was known."""
        known, returns = self._by_start.get(start, (_NONE, _NONE))
        count = int(np.searchsorted(known, instant, side="right"))
        return value - float(returns[:count].mean()) if count else float("nan")


def _series(bars: list[PriceBar]) -> _Series:
    columns = np.array([bar[1:] for bar in bars], dtype=np.float64)
    starts, available, closes, volumes = columns.T
    returns = np.full(len(bars), np.nan)
    near = np.diff(starts) <= GAP.total_seconds()
    returns[1:][near] = closes[1:][near] / closes[:-1][near] - 1
    return _Series(starts, np.maximum.accumulate(available), closes, volumes, returns)


_NONE: Floats = np.array([])
