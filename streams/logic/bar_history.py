"""A company's daily bars, and which of them the fused model reads at an instant. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np

from models.windows import BARS, CHART_DAYS
from streams.logic.features import WINDOW_REACH, Floats

CHART_REACH = timedelta(days=400)
"""Older bars are not drawn, however few there are."""
STALE = timedelta(days=10)
"""Where the newest bar was known for longer, the price counts as unknown."""

BarRow = tuple[float, float, float, float, float, float, float]
"""Start and when it was available, in seconds since 1970; open, high, low, close, volume."""


class History(NamedTuple):
    """Bars in order of start; `known[i]` is when the bars up to i were all there.

    `values` (n, 6) as `models.windows.price_window` reads them; bars come as traded, so that the adjusted close is the close.
    """

    starts: Floats
    known: Floats
    values: Floats


def history(rows: Iterable[BarRow]) -> History:
    """The history of one company from its bars in order of start."""
    starts, available, opened, high, low, close, volume = np.array(list(rows), dtype=np.float64).reshape(-1, 7).T
    values = np.column_stack((opened, high, low, close, close, volume))
    return History(starts, np.maximum.accumulate(available), values)


def known_span(own: History, at: datetime) -> tuple[int, int] | None:
    """The first and one past the last of the bars that count at an instant, 250 at most, all complete by then.

    None: there are none, only stale ones, or fewer than 61 within 120 days.
    """
    instant = at.timestamp()
    end = int(np.searchsorted(own.known, instant, side="right"))
    begin = max(0, end - CHART_DAYS, int(np.searchsorted(own.starts, instant - CHART_REACH.total_seconds())))
    if end - begin <= BARS or instant - own.known[end - 1] > STALE.total_seconds():
        return None
    return None if instant - own.starts[end - 1 - BARS] > WINDOW_REACH.total_seconds() else (begin, end)
