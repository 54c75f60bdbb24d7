"""The chart of a scope: price, incidents and mood on one time axis. Plain dictionaries, as plotly.js reads them."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from dashboard import formats
from dashboard.ranges import Buckets, wall, zone_label
from dashboard.rows import BarRow, IncidentRow, Mood, NewsRow
from dashboard.scopes import Names
from dashboard.theme import FONT, GLYPHS, Palette, mood_color

FEW = 5
MARKERS = 60
CLOSED_UP_TO = timedelta(days=10)
LANE, PRICE, MOOD = "y2", "y", "y3"


@dataclass(frozen=True)
class ChartData:
    """What a chart shows."""

    window: Buckets
    bars: Sequence[BarRow]
    moods: Sequence[Mood]
    news: Sequence[NewsRow]
    incidents: Sequence[IncidentRow]
    now: datetime
    no_price: str
    """Why there is no price, where there is none."""


def chart(data: ChartData, palette: Palette, tz: ZoneInfo, names: Names, revision: str, *, narrow: bool) -> dict[str, Any]:
    """The whole figure.

    Args:
        revision: a zoom by hand lasts as long as this stays the same.
    """
    return {"data": traces(data, palette, tz, names), "layout": layout(data, palette, tz, revision, narrow=narrow)}


def traces(data: ChartData, palette: Palette, tz: ZoneInfo, names: Names) -> list[dict[str, Any]]:
    """The traces, always the same number in the same order."""
    return [_candles(data, palette, tz), _stories(data, palette, tz), *_lane(data, palette, tz, names), _mood(data, palette, tz)]


def _middle(bar: BarRow) -> datetime:
    return bar.start + (bar.end - bar.start) / 2


def _candles(data: ChartData, palette: Palette, tz: ZoneInfo) -> dict[str, Any]:
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


def _stories(data: ChartData, palette: Palette, tz: ZoneInfo) -> dict[str, Any]:
    heaviest: dict[str, NewsRow] = {}
    for row in data.news:
        known = heaviest.get(row.story_id)
        if known is None or row.weight > known.weight:
            heaviest[row.story_id] = row
    rows = sorted(heaviest.values(), key=lambda row: (-row.weight, row.mention_id))[:MARKERS]
    starts = [bar.start for bar in data.bars]
    top, bottom = max((bar.high for bar in data.bars), default=1.0), min((bar.low for bar in data.bars), default=0.0)
    lift = (top - bottom) * 0.06 or top * 0.02

    def height(row: NewsRow) -> float:
        index = bisect_right(starts, row.at) - 1
        return data.bars[max(index, 0)].high + lift if data.bars else 0.5

    return {
        "type": "scatter",
        "mode": "markers",
        "name": "Stories",
        "x": [wall(row.at, data.now, tz) for row in rows],
        "y": [height(row) for row in rows],
        "customdata": [row.mention_id for row in rows],
        "text": [f"{formats.signed(row.sentiment)} {formats.chart_text(row.title)}" for row in rows],
        "hovertemplate": "%{text}<extra></extra>",
        "marker": {
            "color": [mood_color(palette, formats.mood_step(row.sentiment)) for row in rows],
            "size": [7 + 9 * (row.weight / 1_000_000) ** 0.5 for row in rows],
            "line": {"color": palette.text, "width": 1},
            "opacity": 1,
        },
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
        "xaxis": "x",
        "yaxis": LANE,
        "showlegend": False,
    }
    return [spans, heads]


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


def x_range(data: ChartData, tz: ZoneInfo) -> list[str]:
    """Both ends of the axis."""
    return [wall(data.window.start, data.now, tz), wall(data.window.end, data.now, tz)]


def layout(data: ChartData, palette: Palette, tz: ZoneInfo, revision: str, *, narrow: bool) -> dict[str, Any]:
    """Panes from the top: price, the lane of incidents, mood; one time axis under all of them."""
    axis = {
        "gridcolor": palette.line,
        "linecolor": palette.line,
        "zeroline": False,
        "tickfont": {"size": 12, "color": palette.second},
        "title": {"font": {"size": 12, "color": palette.second}},
        "fixedrange": True,
    }
    ticker = data.bars[-1].ticker if data.bars else ""

    def titled(words: str, **more: Any) -> dict[str, Any]:
        return {
            **axis,
            "title": {"text": "" if narrow else words, "font": {"size": 12, "color": palette.second}, "standoff": 8},
            **more,
        }

    return {
        "template": {},
        "paper_bgcolor": palette.surface,
        "plot_bgcolor": palette.surface,
        "font": {"family": FONT, "size": 12, "color": palette.text},
        "margin": {"l": 44 if narrow else 64, "r": 12, "t": 8, "b": 52},
        "showlegend": False,
        "dragmode": "zoom",
        "hovermode": "x unified",
        "hoversubplots": "axis",
        "hoverlabel": {
            "bgcolor": palette.surface,
            "bordercolor": palette.control,
            "font": {"size": 12, "color": palette.text},
            "align": "left",
        },
        "uirevision": revision,
        "bargap": 0.1,
        "boxgap": _gap(data),
        "xaxis": {
            **axis,
            "type": "date",
            "range": x_range(data, tz),
            "anchor": MOOD,
            "rangeslider": {"visible": False},
            "fixedrange": False,
            "nticks": 4 if narrow else 8,
            "title": {"text": f"Time ({zone_label(data.now, tz)})", "font": {"size": 12, "color": palette.second}, "standoff": 6},
            "hoverformat": "%a %e %b %Y %H:%M",
            "showspikes": True,
            "spikemode": "across",
            "spikethickness": 1,
            "spikecolor": palette.control,
            "spikedash": "dot",
        },
        "yaxis": titled(f"Price {ticker}".strip(), domain=[0.44, 1], nticks=6, showticklabels=bool(data.bars)),
        "yaxis2": {
            **axis,
            "domain": [0.345, 0.415],
            "range": [-1, 1],
            "showgrid": False,
            "tickvals": [0],
            "ticktext": ["▲" if narrow else "Incidents"],
            "title": {"text": ""},
        },
        "yaxis3": titled(
            "Mood",
            domain=[0, 0.32],
            range=[-1.05, 1.05],
            tickvals=[-1, -0.5, 0, 0.5, 1],
            ticktext=["−1", "−0.5", "0", "+0.5", "+1"],
            zeroline=True,
            zerolinecolor=palette.control,
        ),
        "shapes": _closed(data, palette, tz),
        "annotations": _annotations(data, palette),
    }


def _gap(data: ChartData) -> float:
    """Part of the way to the next bar that stays free: on short ranges a daily candle is as wide as its session."""
    if not data.bars or data.window.end - data.window.start > CLOSED_UP_TO:
        return 0.3
    lengths = sorted(bar.end - bar.start for bar in data.bars)
    steps = sorted(two.start - one.start for one, two in zip(data.bars, data.bars[1:], strict=False))
    return max(0.1, 1 - lengths[0] / steps[0]) if steps and steps[0] else 0.7


def _closed(data: ChartData, palette: Palette, tz: ZoneInfo) -> list[dict[str, Any]]:
    """Grey where the exchange was closed: between bars, on ranges that are short enough to see it."""
    if not data.bars or data.window.end - data.window.start > CLOSED_UP_TO:
        return []
    edges = [
        (one.end, two.start)
        for one, two in zip(data.bars, data.bars[1:], strict=False)
        if two.start - one.end > timedelta(hours=1)
    ]
    edges.insert(0, (data.window.start, data.bars[0].start))
    last = data.bars[-1].end
    if data.now - last > timedelta(hours=1):
        edges.append((last, data.now))
    return [
        {
            "type": "rect",
            "layer": "below",
            "xref": "x",
            "yref": "y domain",
            "x0": wall(start, data.now, tz),
            "x1": wall(end, data.now, tz),
            "y0": 0,
            "y1": 1,
            "line": {"width": 0},
            "fillcolor": palette.closed,
        }
        for start, end in edges
    ]


def _annotations(data: ChartData, palette: Palette) -> list[dict[str, Any]]:
    def words(text: str, y: float, **more: Any) -> dict[str, Any]:
        font = {"size": 12, "color": palette.second}
        return {"text": text, "xref": "paper", "yref": "paper", "x": 0, "y": y, "showarrow": False, "font": font, **more}

    notes = [] if data.incidents else [words("No incident in this range", 0.38, xanchor="left", yanchor="middle")]
    if not data.bars:
        notes.append(words(formats.chart_text(data.no_price), 0.72, x=0.5, xanchor="center", yanchor="middle"))
    if not data.moods:
        notes.append(words("No scored news in this range", 0.16, x=0.5, xanchor="center", yanchor="middle"))
    return notes
