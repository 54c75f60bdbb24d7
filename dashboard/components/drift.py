"""The measures of drift, as a table."""

from typing import Any

from dash import html

from dashboard import formats
from dashboard.components.panels import code, empty
from dashboard.components.tables import Head, table
from dashboard.reads.drift import Measured

ESTIMATE = (
    "The estimate is the mean probability of the model's own answers: it sees texts move to where the model is unsure, "
    "not that words have changed their meaning."
)


def drift_panel(found: Measured | None) -> Any:
    """Each measure of the last week, and what has been usual; or how to measure it."""
    if found is None:
        return empty("Nothing was measured yet.", ["The daily task drift does, or: ", code("squall drift")])
    rows = [
        [
            one["name"].capitalize(),
            _number(one["value"]),
            _number(one["change"]),
            _number(one["usual"]),
            html.Strong("Alarm") if one["alarm"] else "" if None not in (one["change"], one["usual"]) else "Too little to say",
        ]
        for one in found.changes
    ]
    usual = (">Usual at most", "Between earlier weeks")
    heads: list[Head] = ["Measure", ">Value", (">Change", "From the week before"), usual, "Verdict"]
    about = f"The week up to {found.day:%Y-%m-%d} under {found.model_version}: {formats.plural(found.texts, 'text')}. {ESTIMATE}"
    return html.Div([table(heads, rows), html.P(about, className="note")])


def _number(value: float | None) -> str:
    return formats.UNKNOWN if value is None else f"{value:.3f}"
