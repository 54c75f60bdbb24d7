"""Who changed what and when."""

from collections.abc import Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import Dash, Input, Output, dcc, html

from dashboard import formats
from dashboard.access import person
from dashboard.clientside import attributes, clientside
from dashboard.components import marks
from dashboard.components.panels import empty, page, panel
from dashboard.components.tables import Head, table
from dashboard.context import Context, asked
from dashboard.reads.audit import KINDS, MOST, Change, changes
from dashboard.scopes import Names, pretty

ALL = "All"
ADMIN = "admin"
WORDS = {
    "incident acknowledge": "Acknowledged",
    "incident acknowledged": "Acknowledged",
    "incident note": "Added a note",
    "incident false": "Marked as false",
    "incident marked_false": "Marked as false",
    "incident unmarked_false": "Took back that it was false",
    "incident undo false": "Took back that it was false",
    "incident undo silence": "Ended a silence",
    "incident silence": "Silenced",
    "silence add": "Silenced",
    "label label": "Labelled",
    "label undo label": "Took a label back",
    "watchlist save": "Saved the watch-list",
    "watchlist delete": "Deleted the watch-list",
    "redrive redrive": "Sent dead letters again",
    "model first": "Made the first champion",
    "model promote": "Promoted",
    "model rollback": "Rolled back to",
    "rules apply": "Applied rules",
    "user add": "Added the account",
    "user passwd": "Changed the password of",
    "user disable": "Disabled the account",
    "user enable": "Enabled the account",
    "login": "Logged in",
    "login refused": "Was refused a log-in",
    "logout": "Logged out",
}
SAID = ("text", "reason", "for", "sentiment", "role", "companies", "letters", "from", "how")
"""What of an entry's details is shown, in this order."""


def render(_context: Context, search: str | None) -> Any:
    """The choice of kinds; the entries follow with their own callback."""
    wish = asked(search, "kind")
    choice = dmc.Select(
        id="audit-kind",
        data=[ALL, *KINDS],
        value=wish if wish in KINDS else ALL,
        size="sm",
        w=190,
        allowDeselect=False,
        checkIconPosition="right",
        **attributes(aria_label="Which changes"),
    )
    whose = "what everybody has changed" if _sees_all() else "what you have changed; an admin sees what everybody has"
    return page(
        [
            html.Div([html.H1("Audit"), html.Span(whose, className="second")], className="page-head"),
            html.Div(choice, className="filters"),
            panel("Changes", html.Div(id="audit-list"), name="audit", note=f"the newest {formats.count(MOST)} at most"),
        ],
        name="audit",
        title="Audit",
    )


def register(app: Dash, context: Context) -> None:
    """Read the entries of the chosen kind."""

    @app.callback(Output("audit-list", "children"), Input("audit-kind", "value"), Input("rev-incidents", "data"))
    def entries(kind: str, _incidents: Any) -> Any:
        who = person()
        rows = changes(context.reader, kind, None if _sees_all() else who.name if who else "")
        return _table(rows, context.reader.names()) if rows else empty("Nothing was changed.", "What people do is kept here.")

    clientside(app, "auditAddress", Input("audit-kind", "value"))


def _sees_all() -> bool:
    who = person()
    return who is not None and who.role == ADMIN


def _table(rows: Sequence[Change], names: Names) -> Any:
    heads: list[Head] = ["When", "Who", "What", ("Of what", "What was changed"), "Said with it"]
    heads += [("From", "Address of the request; the command line has none")] if _sees_all() else []
    lines = [
        [
            marks.moment(row.at, "wall"),
            row.actor or "Squall",
            WORDS.get(row.act) or pretty(row.act),
            _subject(row, names),
            _said(row),
            *([row.address or "command line"] if _sees_all() else []),
        ]
        for row in rows
    ]
    return table(heads, lines, "audit")


def _subject(row: Change, names: Names) -> Any:
    kind = row.act.partition(" ")[0]
    if kind == "incident":
        return dcc.Link(names.scope(row.scope), href=f"/incidents?sel={row.subject}") if row.scope else "An incident"
    if kind == "label":
        return row.headline or ("An item" if " undo" not in row.act else "The last item")
    if kind == "rules":
        return "All rules"
    if kind in {"login", "logout"}:
        return formats.UNKNOWN
    return names.scope(row.subject) if kind == "silence" else row.subject


def _said(row: Change) -> str:
    said = [(name, row.detail.get(name)) for name in SAID]
    return ", ".join(str(value) if name in {"text", "reason"} else f"{name} {value}" for name, value in said if value)
