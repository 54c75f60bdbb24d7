"""StockNet's companies with their real falls: how many had an incident before or on the day, of how many in all."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from benchmarks.detection.judging import Scores
from benchmarks.detection.series import DAY, ROW, WARM_UP_DAYS, Series

if TYPE_CHECKING:
    import pandas as pd

FALL = -0.05
BEFORE_MIN = DAY
CLOSE_MIN = 21 * 60
"""The close of New York in UTC, winter time; an hour late in summer."""


class Falls(NamedTuple):
    """Falls of a session by more than 5 %, close to close."""

    falls: int
    warned: int
    """With an incident open or opened from a day before that day's beginning until its close."""
    incidents: int
    incidents_near: int
    """Incidents that opened in such a span."""
    expected: float
    """Falls that as many incidents at random times of the same companies would have met."""


def falls_met(scores: Scores, series: Series, line: float, bars: "pd.DataFrame") -> Falls:
    """Count them over the judged days of a year of raw data."""
    import pandas as pd

    opened = scores.judged().openings(line)
    numbers = {name: number for number, name in enumerate(series.scopes)}
    falls = warned = 0
    near = np.zeros(len(opened.row), bool)
    minutes = opened.row * ROW
    expected = 0.0
    for ticker, frame in bars.sort_values("date").groupby("ticker"):
        if str(ticker) not in numbers:
            continue
        change = frame["adj_close"].pct_change().to_numpy()
        day = (pd.to_datetime(frame["date"]).astype("datetime64[s]").astype("int64").to_numpy() // 60 - series.origin) // DAY
        mine = opened.scope == numbers[str(ticker)]
        span = CLOSE_MIN + BEFORE_MIN
        for when in day[(change <= FALL) & (day > WARM_UP_DAYS) & (day < series.days)].tolist():
            inside = mine & (minutes >= when * DAY - BEFORE_MIN) & (minutes <= when * DAY + CLOSE_MIN)
            falls += 1
            warned += bool(inside.any())
            near |= inside
            expected += 1 - float(np.exp(-mine.sum() * span / (series.judged_days * DAY)))
    return Falls(falls, warned, len(opened.row), int(near.sum()), round(expected, 2))
