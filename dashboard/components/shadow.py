"""The challenger beside the champion: how often they agree, and where they do not."""

from collections.abc import Sequence
from typing import Any

from dash import html

from dashboard import formats
from dashboard.components import marks
from dashboard.components.panels import code, empty
from dashboard.components.tables import table
from dashboard.reads.labels import SENTIMENTS
from dashboard.reads.shadow import Apart, Compared
from dashboard.scopes import Names


def shadow_panel(found: Compared | None, wide: Sequence[Apart], names: Names) -> Any:
    """Both side by side, or how to get there."""
    if found is None:
        return empty("There is no challenger.", ["To register one: ", code("squall models register")])
    failed = html.P([html.Strong("It fails: "), found.error], className="note") if found.error else None
    if not found.both:
        hint = ["Workers let it score with ", code("SQUALL_MODEL__SHADOW=true"), ", once with ", code("squall backfill")]
        return html.Div([empty(f"{found.challenger} has scored nothing that the champion has.", hint), failed])
    said = f"The same sentiment on {formats.share(found.alike / found.both)} of {formats.plural(found.both, 'mention')}"
    shares = [
        [name, *(formats.share(share) for share in row)]
        for name, row in zip((found.champion, found.challenger), found.shares, strict=True)
    ]
    heads = ["Mean probability", *(f">{name.capitalize()}" for name in SENTIMENTS)]
    parts = [html.P(said, className="second"), table(heads, shares, "matrix"), failed]
    if wide:
        rows = [
            [
                marks.moment(one.at),
                names.company(one.company_id),
                one.title,
                formats.signed(one.champion),
                formats.signed(one.challenger),
            ]
            for one in wide
        ]
        tone = "Positive less negative"
        parts.append(table(["When", "Company", "They disagree most on", (">Champion", tone), (">Challenger", tone)], rows))
    return html.Div(parts)
