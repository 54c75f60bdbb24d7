"""The chart of the pipeline: mentions a bucket, and below it how long scoring took, on one time axis."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from dashboard import formats
from dashboard.ranges import Buckets, wall, zone_label
from dashboard.reads.pipeline import Flow
from dashboard.theme import FONT, Palette


def flow_figure(
    rows: Sequence[Flow], window: Buckets, now: datetime, palette: Palette, tz: ZoneInfo, *, narrow: bool
) -> dict[str, Any]:
    """The whole figure; plain dictionaries, as plotly.js reads them."""
    half = window.step / 2
    # plotly.js draws NaN on an axis without a single point: one without a place is one
    xs: list[str | None] = [wall(row.at + half, now, tz) for row in rows] or [None]
    numbers: list[int | None] = [row.mentions for row in rows] or [None]
    counts = {
        "type": "bar",
        "name": "Mentions",
        "x": xs,
        "y": numbers,
        "width": window.step.total_seconds() * 900,
        "marker": {"color": palette.control},
        "hovertemplate": "%{y} mentions<extra></extra>",
        "yaxis": "y",
    }
    lines = [
        _line(f"{name} of the latency", xs, values, "y2", palette, dash)
        for name, values, dash in (
            ("Median", [row.p50 for row in rows], "solid"),
            ("95th percentile", [row.p95 for row in rows], "dot"),
        )
    ]
    small = {"size": 12, "color": palette.second}
    axis = {
        "gridcolor": palette.line,
        "linecolor": palette.line,
        "tickfont": small,
        "fixedrange": True,
        "rangemode": "tozero",
        "zeroline": False,
        "nticks": 5,
    }

    def titled(words: str) -> dict[str, Any]:
        return {"text": "" if narrow else words, "font": small, "standoff": 8}

    notes = [] if any(row.p95 is not None for row in rows) else [_note("No latency known in this range", 0.2, small)]
    return {
        "data": [counts, *lines],
        "layout": {
            "template": {},
            "paper_bgcolor": palette.surface,
            "plot_bgcolor": palette.surface,
            "font": {"family": FONT, "size": 12, "color": palette.text},
            "margin": {"l": 40 if narrow else 64, "r": 12, "t": 8, "b": 52},
            "showlegend": False,
            "hovermode": "x unified",
            "hoversubplots": "axis",
            "hoverlabel": {
                "bgcolor": palette.surface,
                "bordercolor": palette.control,
                "font": {"size": 12, "color": palette.text},
            },
            "xaxis": {
                **axis,
                "type": "date",
                "range": [wall(window.start, now, tz), wall(window.end, now, tz)],
                "anchor": "y2",
                "nticks": 4 if narrow else 8,
                "title": {"text": f"Time ({zone_label(now, tz)})", "font": small, "standoff": 6},
                "hoverformat": "%a %e %b %Y %H:%M",
            },
            "yaxis": {**axis, "domain": [0.54, 1], "title": titled(f"Mentions / {formats.step_words(window.step)}")},
            "yaxis2": {**axis, "domain": [0, 0.44], "title": titled("Latency, s")},
            "annotations": notes,
        },
    }


def _line(
    name: str, xs: Sequence[str | None], ys: Sequence[float | None], axis: str, palette: Palette, dash: str
) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "x": xs,
        "y": ys or [None],
        "line": {"color": palette.text, "width": 1.5, "dash": dash},
        "marker": {"size": 4, "color": palette.text},
        "hovertemplate": f"{name}: %{{y:.2f}} s<extra></extra>",
        "yaxis": axis,
    }


def _note(words: str, y: float, font: dict[str, Any]) -> dict[str, Any]:
    return {"text": words, "xref": "paper", "yref": "paper", "x": 0.5, "y": y, "showarrow": False, "font": font}
