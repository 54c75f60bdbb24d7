"""How prices moved, alone and against the market, by the bars that were available at each instant. Pure."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from math import sqrt
from typing import NamedTuple

import numpy as np

from squall.sessions import interval_length

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
HORIZONS: Mapping[str, timedelta] = {"1h": HOUR, "1d": DAY, "5d": 5 * DAY}
SLACK = 5 * DAY
"""A close that comes later than its horizon by more than a long weekend says nothing of it."""
SESSIONS, LEAST_SESSIONS = 60, 20


class Close(NamedTuple):
    """A bar's close, and from when it was known."""

    company: str
    interval: str
    available_at: datetime
    close: float


class _Series(NamedTuple):
    at: list[datetime]
    log: list[float]


class Prices:
    """The closes of all companies of a backtest, read as of any instant.

    The market is the mean daily move of all *other* companies, on days on which there are two of them at least; on others
    nothing is taken off.
    """

    def __init__(self, closes: Iterable[Close]) -> None:
        daily: dict[str, list[tuple[datetime, float]]] = {}
        every: dict[str, list[tuple[datetime, float]]] = {}
        fine: dict[str, list[tuple[datetime, float]]] = {}
        for one in sorted(closes, key=lambda close: (close.available_at, close.interval, close.company)):
            if one.close > 0:
                entry = one.available_at, float(np.log(one.close))
                every.setdefault(one.company, []).append(entry)
                length = interval_length(one.interval)
                if length == DAY:
                    daily.setdefault(one.company, []).append(entry)
                if length <= HOUR:
                    fine.setdefault(one.company, []).append(entry)
        self._daily, self._all, self._fine = _series(daily), _series(every), _series(fine)
        self._adjusted = self._market_adjusted()

    @property
    def companies(self) -> list[str]:
        """Those with daily closes."""
        return sorted(self._daily)

    @property
    def sessions(self) -> list[datetime]:
        """The times at which daily closes became known, ascending."""
        return sorted({at for series in self._daily.values() for at in series.at})

    def adjusted_returns(self, company: str) -> list[tuple[datetime, float]]:
        """Log returns less the market's, by the close that ends each; [] where there are no daily closes."""
        series = self._adjusted.get(company, _Series([], []))
        return [(series.at[place], series.log[place] - series.log[place - 1]) for place in range(1, len(series.at))]

    def move(self, company: str, at: datetime, horizon: timedelta) -> float | None:
        """The move, as a fraction, from the last close known at an instant to the first known a horizon later.

        For horizons of an hour or less only bars as fine count, and a close within twice the horizon.
        """
        short = horizon <= HOUR
        series, slack = (self._fine if short else self._all).get(company), horizon if short else SLACK
        if series is None:
            return None
        first, last = bisect_right(series.at, at) - 1, bisect_left(series.at, at + horizon)
        if first < 0 or last == len(series.at) or series.at[last] > at + horizon + slack or at - series.at[first] > SLACK:
            return None
        return float(np.expm1(series.log[last] - series.log[first]))

    def fall(self, company: str, since: datetime, alert: datetime) -> float | None:
        """The lowest market-adjusted close from the last one known at `since` to the first one a day after the alert.

        In standard deviations of as many sessions' moves by the 60 sessions before; never above 0. None: too little is known.
        """
        series = self._adjusted.get(company)
        if series is None:
            return None
        first, last = bisect_right(series.at, since) - 1, bisect_left(series.at, alert + DAY)
        past = np.diff(series.log[max(0, first - SESSIONS) : first + 1])
        if len(past) < LEAST_SESSIONS or last == len(series.at) or series.at[last] > alert + DAY + SLACK:
            return None
        deviation = float(past.std(ddof=1))
        if deviation == 0:
            return None
        after = np.array(series.log[first + 1 : last + 1]) - series.log[first]
        scaled = after / (deviation * np.sqrt(np.arange(1, len(after) + 1)))
        return min(0.0, float(scaled.min()))

    def _market_adjusted(self) -> dict[str, _Series]:
        moves: dict[datetime, dict[str, float]] = {}
        for company, series in self._daily.items():
            for place in range(1, len(series.at)):
                moves.setdefault(series.at[place], {})[company] = series.log[place] - series.log[place - 1]
        sums = {at: (sum(found.values()), len(found)) for at, found in moves.items()}
        adjusted = {}
        for company, series in self._daily.items():
            own = [0.0]
            for at in series.at[1:]:
                total, count = sums[at]
                move = moves[at][company]
                own.append(own[-1] + move - ((total - move) / (count - 1) if count > 2 else 0.0))
            adjusted[company] = _Series(series.at, own)
        return adjusted


def _series(found: Mapping[str, list[tuple[datetime, float]]]) -> dict[str, _Series]:
    return {company: _Series([at for at, _ in values], [log for _, log in values]) for company, values in found.items()}


def interval_of_share(hits: int, of: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share."""
    if of == 0:
        return 0.0, 1.0
    z, share = 1.96, hits / of
    middle = (share + z**2 / (2 * of)) / (1 + z**2 / of)
    half = z * sqrt(share * (1 - share) / of + z**2 / (4 * of**2)) / (1 + z**2 / of)
    return max(0.0, middle - half), min(1.0, middle + half)
