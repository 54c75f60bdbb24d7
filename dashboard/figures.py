"""The chart of a scope: price, incidents and mood on one time axis. Plain dictionaries, as plotly.js reads them."""

from bisect import bisect_right
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from dashboard import formats
from dashboard.panes import LANE, MOOD, MOOD_EDGE, PRICE, ChartData, layout
from dashboard.ranges import wall
from dashboard.rows import BarRow, NewsRow
from dashboard.scopes import Names
from dashboard.theme import GLYPHS, Palette, mood_color

__all__ = ["ChartData", "chart", "traces"]

FEW = 5
MARKERS = 60
ABREAST = 18
"""So many markers have room beside each other on a phone."""
SIGNS = {-1: "−", 0: "", 1: "+"}
"""In grey the colours of good and bad are alike."""


def chart(data: ChartData, palette: Palette, tz: ZoneInfo, names: Names, revision: str, *, narrow: bool) -> dict[str, Any]:
    """The whole figure.

    Args:
        revision: a zoom by hand lasts as long as this stays the same.
    """
    return {"data": traces(data, palette, tz, names, narrow=narrow), "layout": layout(data, palette, tz, revision, narrow=narrow)}


def traces(data: ChartData, palette: Palette, tz: ZoneInfo, names: Names, *, narrow: bool) -> list[dict[str, Any]]:
    """The traces, always the same number in the same order."""
    above = [_candles(data, palette, tz), _stories(data, palette, tz, narrow=narrow), *_lane(data, palette, tz, names)]
    drawn = [*above, _epochs(data, palette, tz), _mood(data, palette, tz)]
    # plotly.js places no axis whose traces are all without points and draws NaN there: a point without a place is one
    return [trace if trace["x"] else {**trace, "x": [None], "y": [None]} for trace in drawn]


def _middle(bar: BarRow) -> datetime:
    return bar.start + (bar.end - bar.start) / 2


def _candles(data: ChartData, palette: Palette, tz: ZoneInfo) -> dict[str, Any]:
    if not data.bars:
        # plotly.js draws NaN for candles without a single one
        return {"type": "scatter", "name": "Price", "x": [], "y": [], "xaxis": "x", "yaxis": PRICE, "showlegend": False}
    line = {"color": palette.text, "width": 1}
    previous = [None, *(bar.close for bar in data.bars)]
    moves = [
        formats.move(bar.close / before - 1) if before else formats.UNKNOWN
        for bar, before in zip(data.bars, previous, strict=False)
    ]
    return {
        "type": "candlestick",
        "name": "Price",
        "x": [wall(_middle(bar), data.now, tz) for bar in data.bars],
        "open": [bar.open for bar in data.bars],
        "high": [bar.high for bar in data.bars],
        "low": [bar.low for bar in data.bars],
        "close": [bar.close for bar in data.bars],
        "text": [f"close {formats.price(bar.close)}, {change}" for bar, change in zip(data.bars, moves, strict=True)],
        "hoverinfo": "text",
        "increasing": {"line": line, "fillcolor": palette.surface},
        "decreasing": {"line": line, "fillcolor": palette.text},
        "whiskerwidth": 0,
        "xaxis": "x",
        "yaxis": PRICE,
        "showlegend": False,
    }


def _heaviest(data: ChartData) -> list[NewsRow]:
    """One row a story, the heaviest stories first."""
    found: dict[str, NewsRow] = {}
    for row in data.news:
        known = found.get(row.story_id)
        if known is None or row.weight > known.weight:
            found[row.story_id] = row
    return sorted(found.values(), key=lambda row: (-row.weight, row.mention_id))


def _strongest(data: ChartData) -> list[NewsRow]:
    """The stories that say most, good or bad, so far apart that none lies on another or on the numbers of the axis."""
    apart = (data.window.end - data.window.start) / ABREAST
    chosen: list[NewsRow] = []
    for row in sorted(_heaviest(data), key=lambda row: -row.weight * abs(row.sentiment)):
        if row.at - data.window.start >= apart / 2 and all(abs(row.at - other.at) >= apart for other in chosen):
            chosen.append(row)
    return chosen


def _stories(data: ChartData, palette: Palette, tz: ZoneInfo, *, narrow: bool) -> dict[str, Any]:
    rows = _strongest(data) if narrow else _heaviest(data)[:MARKERS]
    steps = [formats.mood_step(row.sentiment) for row in rows]
    starts = [bar.start for bar in data.bars]
    top, bottom = max((bar.high for bar in data.bars), default=1.0), min((bar.low for bar in data.bars), default=0.0)
    lift = (top - bottom) * 0.06 or top * 0.02

    def height(row: NewsRow) -> float:
        index = bisect_right(starts, row.at) - 1
        return data.bars[max(index, 0)].high + lift if data.bars else 0.5

    return {
        "type": "scatter",
        "mode": "markers+text",
        "name": "Stories",
        "x": [wall(row.at, data.now, tz) for row in rows],
        "y": [height(row) for row in rows],
        "customdata": [row.mention_id for row in rows],
        "text": [SIGNS[(step > 0) - (step < 0)] for step in steps],
        "textfont": {"size": 12, "color": [palette.ink[step + 3] for step in steps]},
        "hovertext": [f"{formats.signed(row.sentiment)} {formats.chart_text(row.title)}" for row in rows],
        "hovertemplate": "%{hovertext}<extra></extra>",
        "marker": {
            "color": [mood_color(palette, step) for step in steps],
            "size": [10 + 7 * (row.weight / 1_000_000) ** 0.5 for row in rows],
            "line": {"color": palette.text, "width": 1},
            "opacity": 1,
        },
        "cliponaxis": False,
        "xaxis": "x",
        "yaxis": PRICE,
        "showlegend": False,
    }


def _lane(data: ChartData, palette: Palette, tz: ZoneInfo, names: Names) -> list[dict[str, Any]]:
    rows = [row for row in data.incidents if row.fired_at or row.open][:80]
    xs: list[str | None] = []
    for row in rows:
        until = row.resolved_at or data.now
        xs += [wall(row.opened_at, data.now, tz), wall(max(until, row.opened_at), data.now, tz), None]
    words = [
        f"{row.severity.capitalize()}, {row.state}: {formats.chart_text(names.scope(row.scope))}, "
        f"surprise {formats.surprise(row.peak_surprise, row.threshold)} at its peak"
        for row in rows
    ]
    spans = {
        "type": "scatter",
        "mode": "lines",
        "name": "Incident spans",
        "x": xs,
        "y": [0 if x else None for x in xs],
        "line": {"color": palette.severity["high"], "width": 8},
        "hoverinfo": "skip",
        "xaxis": "x",
        "yaxis": LANE,
        "showlegend": False,
    }
    heads = {
        "type": "scatter",
        "mode": "text",
        "name": "Incidents",
        "x": [wall(row.opened_at, data.now, tz) for row in rows],
        "y": [0 for _ in rows],
        "text": [GLYPHS.get(row.severity, "○") for row in rows],
        "textfont": {"size": 16, "color": [palette.severity.get(row.severity, palette.second) for row in rows]},
        "hovertext": words,
        "hovertemplate": "%{hovertext}<extra></extra>",
        "customdata": [row.id for row in rows],
        "cliponaxis": False,
        "xaxis": "x",
        "yaxis": LANE,
        "showlegend": False,
    }
    return [spans, heads]


def _epochs(data: ChartData, palette: Palette, tz: ZoneInfo) -> dict[str, Any]:
    """A line where another model version began to score: what lies left and right of it was said by different ones."""
    points = [(epoch, y) for epoch in data.epochs for y in (-MOOD_EDGE, MOOD_EDGE, None)]
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "Models",
        "x": [None if y is None else wall(epoch.since, data.now, tz) for epoch, y in points],
        "y": [y for _, y in points],
        "line": {"color": palette.second, "width": 1, "dash": "dot"},
        "text": [f"model {formats.chart_text(epoch.version)} from here on" for epoch, _ in points],
        "hovertemplate": "%{text}<extra></extra>",
        "xaxis": "x",
        "yaxis": MOOD,
        "showlegend": False,
    }


def _mood(data: ChartData, palette: Palette, tz: ZoneInfo) -> dict[str, Any]:
    rows = [(mood, mean) for mood in data.moods if (mean := mood.mean) is not None]
    half = data.window.step / 2
    return {
        "type": "bar",
        "name": "Mood",
        "x": [wall(mood.at + half, data.now, tz) for mood, _ in rows],
        "y": [round(mean, 3) for _, mean in rows],
        "width": data.window.step.total_seconds() * 900,
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [round(min(mood.whisker or 0, 1 - mean), 3) for mood, mean in rows],
            "arrayminus": [round(min(mood.whisker or 0, 1 + mean), 3) for mood, mean in rows],
            "color": palette.control,
            "thickness": 1,
            "width": 0,
        },
        "marker": {
            "color": [mood_color(palette, formats.mood_step(mean)) for _, mean in rows],
            "pattern": {
                "shape": ["/" if mood.mentions < FEW else "" for mood, _ in rows],
                "fgcolor": palette.surface,
                "size": 5,
                "solidity": 0.25,
            },
            "line": {"color": palette.text, "width": 0.5},
        },
        "text": [f"mood {formats.signed(mean)}, {formats.plural(mood.mentions, 'mention')}" for mood, mean in rows],
        "textposition": "none",
        "hovertemplate": "%{text}<extra></extra>",
        "xaxis": "x",
        "yaxis": MOOD,
        "showlegend": False,
    }
