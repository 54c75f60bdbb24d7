"""The frame of a scope's chart: panes, axes, closed hours, words where there is nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from dashboard import formats
from dashboard.ranges import Buckets, wall, zone_label
from dashboard.rows import BarRow, IncidentRow, Mood, NewsRow
from dashboard.theme import FONT, Palette
from squall.db.minutes import Epoch

CLOSED_UP_TO = timedelta(days=10)
LANE, PRICE, MOOD = "y2", "y", "y3"
MOOD_EDGE = 1.05
"""How far the pane of mood reaches, up and down."""


@dataclass(frozen=True)
class ChartData:
    """What a chart shows."""

    window: Buckets
    bars: Sequence[BarRow]
    moods: Sequence[Mood]
    news: Sequence[NewsRow]
    incidents: Sequence[IncidentRow]
    now: datetime
    no_price: str = ""
    """Why there is no price, where one might be expected and there is none."""
    epochs: Sequence[Epoch] = ()
    """Which model version begins to score within the window, and when."""

    @property
    def priced(self) -> bool:
        """Whether the scope is one that has a price."""
        return bool(self.bars or self.no_price)


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
    mood, lane, price = _panes(data)
    merged = data.bars[0].merged if narrow and data.bars else None

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
        "margin": {"l": 44 if narrow else 64, "r": 12, "t": 24 if merged else 8, "b": 52},
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
        "yaxis": titled(
            f"Price {ticker}".strip() if data.priced else "Stories", domain=price, nticks=6, **({} if data.bars else BARE)
        ),
        "yaxis2": {
            **axis,
            "domain": lane,
            "range": [-1, 1],
            "showgrid": False,
            "tickvals": [0],
            "ticktext": ["▲" if narrow else "Incidents"],
            "title": {"text": ""},
        },
        "yaxis3": titled(
            "Mood",
            domain=mood,
            range=[-MOOD_EDGE, MOOD_EDGE],
            tickvals=[-1, -0.5, 0, 0.5, 1],
            ticktext=["−1", "−0.5", "0", "+0.5", "+1"],
            zeroline=True,
            zerolinecolor=palette.control,
        ),
        "shapes": _closed(data, palette, tz),
        "annotations": _annotations(data, palette, merged),
    }


BARE = {"range": [0, 1], "showticklabels": False, "showgrid": False}


def _panes(data: ChartData) -> tuple[list[float], list[float], list[float]]:
    """Heights of mood, lane and price; a scope that has no price has a band for its stories instead."""
    return ([0, 0.32], [0.345, 0.415], [0.44, 1]) if data.priced else ([0, 0.68], [0.72, 0.8], [0.84, 1])


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


def _annotations(data: ChartData, palette: Palette, merged: timedelta | None) -> list[dict[str, Any]]:
    def words(text: str, y: float, **more: Any) -> dict[str, Any]:
        font = {"size": 12, "color": palette.second}
        return {"text": text, "xref": "paper", "yref": "paper", "x": 0, "y": y, "showarrow": False, "font": font, **more}

    mood, lane, price = (sum(pane) / 2 for pane in _panes(data))
    notes = [] if data.incidents else [words("No incident in this range", lane, xanchor="left", yanchor="middle")]
    if merged:
        notes.append(words(f"One candle: {formats.step_words(merged)}", 1, xanchor="left", yanchor="bottom"))
    if data.no_price and not data.bars:
        notes.append(words(formats.chart_text(data.no_price), price, x=0.5, xanchor="center", yanchor="middle"))
    if not data.moods:
        notes.append(words("No scored news in this range", mood, x=0.5, xanchor="center", yanchor="middle"))
    return notes
