"""Tables of moods: movers of the first page, topics and peers of a company."""

from collections.abc import Sequence
from typing import Any

from dash import html

from dashboard import formats
from dashboard.components import marks
from dashboard.components.panels import empty
from dashboard.components.tables import table
from dashboard.reads.movers import Mover, Tone, diverged, turned
from dashboard.scopes import Names, company_scope

SHOWN = 6


def movers_table(rows: Sequence[Mover], names: Names, kind: str) -> Any:
    """Those whose mood turned, or those whose price went against it."""
    shown = diverged(rows, SHOWN) if kind == "Against the price" else turned(rows, SHOWN)
    if not shown:
        words = (
            "No price went against the mood." if kind == "Against the price" else "Nobody was talked of twice in the last day."
        )
        return empty(words, "This table looks at the last 24 hours and the 7 days before.")
    return table(
        [
            "Company",
            (">Mood", "Mean sentiment of the last 24 hours, −1 to +1"),
            (">Turn", "Less that of the 7 days before"),
            (">Price", "Move of the last daily bar against the one before"),
            (">Mentions", "In the last 24 hours"),
        ],
        [
            [
                marks.scope_link(company_scope(row.company_id), names),
                marks.sentiment(row.recent),
                formats.signed(row.turn),
                formats.move(row.move),
                formats.count(row.mentions),
            ]
            for row in shown
        ],
        "movers",
    )


def tones_table(rows: Sequence[Tone], names: Names, head: str) -> Any:
    """Scopes with their mood and how much was said; a company's topics go without links, as they have no page."""
    if not rows:
        return empty("Nothing was said in this range.", "Widen the range above.")
    return table(
        [head, (">Mood", "Mean sentiment of the range, −1 to +1"), ">Mentions"],
        [
            [
                html.Span(names.scope(row.scope).split(" · ")[-1]) if "/" in row.scope else marks.scope_link(row.scope, names),
                marks.sentiment(row.mean),
                formats.count(row.mentions),
            ]
            for row in rows
        ],
    )
