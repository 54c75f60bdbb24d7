"""How a model's answers move over time: a small chart a sentiment, on one scale."""

from collections.abc import Sequence
from typing import Any

from dashboard.reads.models import Day
from dashboard.theme import FONT, Palette, mood_color

PANES = (("positive", 2), ("neutral", 0), ("negative", -2))


def drift_figure(rows: Sequence[Day], palette: Palette) -> dict[str, Any]:
    """Mean probability of each sentiment a day, three panes on one time axis; days in UTC."""
    small = {"size": 12, "color": palette.second}
    axis = {"gridcolor": palette.line, "linecolor": palette.line, "tickfont": small, "fixedrange": True, "zeroline": False}
    xs: list[str | None] = [f"{row.at:%Y-%m-%d}" for row in rows] or [None]
    data, layout = [], {}
    for number, (name, step) in enumerate(PANES):
        key = "" if number == 0 else str(number + 1)
        bottom = 1 - (number + 1) / 3 + (0.08 if number < 2 else 0)
        values = [getattr(row, name) for row in rows]
        data.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": name,
                "x": xs,
                "y": [round(value, 4) for value in values] or [None],
                "customdata": [row.scored for row in rows],
                "line": {"color": mood_color(palette, step) if step else palette.control, "width": 1.5},
                "marker": {"size": 5},
                "hovertemplate": f"{name}: %{{y:.0%}} of %{{customdata}} scores<extra></extra>",
                "yaxis": f"y{key}",
            }
        )
        layout[f"yaxis{key}"] = {
            **axis,
            "domain": [bottom, 1 - number / 3],
            "range": [0, 1],
            "tickvals": [0, 0.5, 1],
            "tickformat": ".0%",
            "title": {"text": name.capitalize(), "font": small, "standoff": 6},
        }
    return {
        "data": data,
        "layout": {
            "template": {},
            "paper_bgcolor": palette.surface,
            "plot_bgcolor": palette.surface,
            "font": {"family": FONT, "size": 12, "color": palette.text},
            "margin": {"l": 72, "r": 12, "t": 8, "b": 48},
            "showlegend": False,
            "hovermode": "x unified",
            "hoversubplots": "axis",
            "hoverlabel": {
                "bgcolor": palette.surface,
                "bordercolor": palette.control,
                "font": {"size": 12, "color": palette.text},
            },
            "xaxis": {**axis, "type": "date", "anchor": "y3", "nticks": 6, "title": {"text": "Day (UTC)", "font": small}},
            **layout,
        },
    }
