"""What the price encoder reads, and what a price or a chart can be asked about: pure functions of bars, in numpy."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

BARS = 60
FEATURES = ("return", "gap", "range", "place of close", "volume", "return less the market's")
LIMIT = 6.0
HORIZONS = (60, 20, 5)
VOLATILITIES = ("of 60 days", *(f"{kind} of {days} days" for kind in ("less the market's", "range") for days in HORIZONS))
FLOOR = 1e-4
CHART_DAYS = 250
MIN_CHART_BARS = 60
CHART_COLUMNS = [0, 1, 2, 3, 5]
"""Of the columns that `price_window` reads, those that a chart shows."""

ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "trend": ("falling", "sideways", "rising"),
    "move": ("small", "middling", "large"),
    "volatility": ("calm", "usual", "wild"),
    "volume": ("fading", "steady", "growing"),
    "last": ("down", "up"),
}
"""What the heads of the chart encoder say, each with its classes.

An image without a legible scale shows no percentages: sizes are parts of the range of prices that it shows.
"""
MOVES = (0.4, 0.7)
SWINGS = (0.0875, 0.115)
"""Standard deviation of a bar's log return in the range of log closes: below the first calm, from the second on wild."""
VOLUME_SHIFT = 0.1


def price_window(values: Array, market: Array) -> Array | None:
    """The last 60 bars as the price encoder reads them, (60, 6) float32 in the order of FEATURES; None when there are fewer.

    `values` are at least 61 daily bars in order of time, columns open, high, low, close, adjusted close, volume; `market` is the
    mean return over companies on these days. Returns, gaps and ranges are in units of the window's own volatility, the volume in
    standard deviations of its logarithm, the place of the close from -1 (low) to 1 (high). Clipped to ±6.
    """
    if len(values) <= BARS:
        return None
    opened, high, low, close, adjusted, volume = values[-BARS - 1 :].T
    returns = np.log(adjusted[1:] / adjusted[:-1])
    scale = max(float(returns.std()), 1e-4)
    factor = adjusted / close
    gap = np.log(opened[1:] * factor[1:] / adjusted[:-1])
    height = np.log(high[1:] / low[1:])
    place = np.where(high > low, 2 * (close - low) / np.maximum(high - low, 1e-9) - 1, 0.0)[1:]
    traded = np.log1p(volume[1:])
    traded = (traded - traded.mean()) / max(float(traded.std()), 1e-3)
    apart = returns - np.log1p(market[-BARS:])
    window = np.stack([returns / scale, gap / scale, height / scale, place, traded, apart / scale], axis=1)
    return np.asarray(np.clip(window, -LIMIT, LIMIT), dtype=np.float32)


def volatilities(values: Array, market: Array) -> Array | None:
    """Logarithms of VOLATILITIES up to the last bar, (7) float64; None when there are fewer than 61 bars. See `price_window`.

    Of the last 60 days: standard deviation of returns; of 60, 20 and 5 days: mean size of returns less the market's, and mean
    range from high to low.
    """
    if len(values) <= BARS:
        return None
    recent = values[-BARS - 1 :]
    returns = recent[1:, 4] / recent[:-1, 4] - 1
    apart, ranges = np.abs(returns - market[-BARS:]), np.log(recent[1:, 1] / recent[1:, 2])
    levels = [returns.std(ddof=1), *(own[-days:].mean() for own in (apart, ranges) for days in HORIZONS)]
    return np.asarray(np.log(np.maximum(levels, FLOOR)))


def weekly(values: Array) -> Array:
    """Weeks of the last 250 daily bars, (weeks, 5); columns of both: open, high, low, close, volume.

    Weeks are counted back from the last bar, so that the last is never a part of a week.
    """
    values = values[-CHART_DAYS:]
    first = np.unique([0, *range(len(values) % 5, len(values), 5)])
    last = np.append(first[1:], len(values)) - 1
    opened, high, low, close, volume = values.T
    highest, lowest = np.maximum.reduceat(high, first), np.minimum.reduceat(low, first)
    return np.column_stack((opened[first], highest, lowest, close[last], np.add.reduceat(volume, first)))


def chart_attributes(bars: Array) -> Array:
    """The class of each of ATTRIBUTES of a chart of these bars (open, high, low, close, volume), (5) int64.

    Trend is the slope of a line through the log closes over the chart, sideways where it adds up to less than half of what chance
    alone would move the price; move is from the first open to the last close, in parts of the range from the lowest to the
    highest price; volume compares the later half with the earlier.
    """
    close, traded = np.log(bars[:, 3]), bars[:, 4]
    move = abs(bars[-1, 3] - bars[0, 0]) / max(bars[:, 1].max() - bars[:, 2].min(), 1e-9)
    spread = float(np.diff(close).std()) if len(close) > 2 else 0.0
    drift = float(np.polyfit(np.arange(len(close)), close, 1)[0]) * len(close) if len(close) > 2 else 0.0
    band = max(0.5 * spread * np.sqrt(len(close)), 0.01)
    half = len(traded) // 2
    shift = np.log1p(traded[half:].mean()) - np.log1p(traded[:half].mean()) if half else 0.0
    return np.array(
        [
            1 + int(drift > band) - int(drift < -band),
            int(np.searchsorted(MOVES, move)),
            int(np.searchsorted(SWINGS, spread / max(float(np.ptp(close)), 1e-9))),
            1 + int(shift > VOLUME_SHIFT) - int(shift < -VOLUME_SHIFT),
            int(bars[-1, 3] >= bars[-1, 0]),
        ]
    )
