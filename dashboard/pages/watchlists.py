"""Watch-lists: typed, pasted, or taken from a CSV of holdings."""

import base64
import binascii
from typing import Any

import dash_mantine_components as dmc
from dash import ALL, Dash, Input, Output, State, ctx, dcc, html, no_update

from dashboard import formats
from dashboard.access import needs, why_not
from dashboard.clientside import attributes, clientside
from dashboard.components.panels import empty, page, panel
from dashboard.components.tables import table
from dashboard.context import Context, may, viewer
from dashboard.holdings import Holdings, read_holdings
from dashboard.reads import watchlists as reads
from dashboard.scopes import Names

LONGEST_NAME = 60
UPLOAD_BYTES = 1_000_000
HOW = "One company a line: name, ticker, or either with a weight (AAPL, 2.5). A CSV needs a column ticker or name, and may weigh."


def render(context: Context, _search: str | None) -> Any:
    """All lists, and the editor."""
    refused = "" if may("watchlist") else why_not("watchlist")
    upload = dcc.Upload(
        dmc.Button("Take a CSV of holdings", variant="default", size="sm"),
        id="list-file",
        max_size=UPLOAD_BYTES,
        accept=".csv,.txt,.tsv",
    )
    editor = [
        html.P(refused, className="trouble") if refused else None,
        dmc.TextInput(id="list-name", label="Name", placeholder="Airlines", w=280),
        dmc.Textarea(id="list-text", label="Companies", description=HOW, autosize=True, minRows=6, maxRows=18),
        html.Div(id="list-check", role="status"),
        html.Div(
            [upload, dmc.Button("Save", id="list-save", disabled=bool(refused)), html.Span(id="list-said", role="status")],
            className="actions",
        ),
    ]
    return page(
        [
            html.Div([html.H1("Watch-lists")], className="page-head"),
            html.Div(
                [
                    panel(
                        "Lists",
                        html.Div(_lists(context), id="list-all"),
                        name="lists",
                        note="shared by all who log in; pages show only the chosen one's companies",
                    ),
                    panel("Make or change one", html.Div(editor, className="editor"), name="editor"),
                ],
                className="halves",
            ),
        ],
        name="watchlists",
        title="Watch-lists",
    )


def register(app: Dash, context: Context) -> None:
    """Check while typing, save, edit, delete, choose."""

    @app.callback(
        Output("list-text", "value"),
        Output("list-said", "children"),
        Input("list-file", "contents"),
        State("list-file", "filename"),
        prevent_initial_call=True,
    )
    def upload(contents: str | None, filename: str | None) -> tuple[Any, Any]:
        try:
            words = base64.b64decode((contents or "").partition(",")[2]).decode("utf-8-sig")
        except (binascii.Error, UnicodeDecodeError):
            return no_update, f"{filename} is no text in UTF-8: export it as CSV."
        return words[:UPLOAD_BYTES], f"Read {filename}; look at what was understood, then save."

    @app.callback(Output("list-check", "children"), Input("list-text", "value"), prevent_initial_call=True)
    def check(words: str | None) -> Any:
        return _understood(read_holdings(words or "", reads.known_companies(context.reader)), context.reader.names())

    @app.callback(
        Output("list-said", "children", allow_duplicate=True),
        Output("list-all", "children"),
        Output("list", "data"),
        Input("list-save", "n_clicks"),
        Input({"list-delete": ALL}, "n_clicks"),
        State("list-name", "value"),
        State("list-text", "value"),
        prevent_initial_call=True,
    )
    @needs("watchlist")
    def change(_save: int, _delete: list[int], name: str | None, words: str | None) -> tuple[Any, ...]:
        if not ctx.triggered or not ctx.triggered[0]["value"]:
            return (no_update,) * 3
        if isinstance(ctx.triggered_id, dict):
            name = str(ctx.triggered_id["list-delete"])
            with context.changing("watchlist", name, "delete") as connection:
                reads.remove(connection, name)
            return f"{name} is deleted.", _lists(context), list_options(context)
        name = " ".join((name or "").replace("\0", "").split())
        found = read_holdings(words or "", reads.known_companies(context.reader))
        if not name or len(name) > LONGEST_NAME:
            return f"A name of 1 to {LONGEST_NAME} characters is needed.", no_update, no_update
        if not found.weights:
            return "No company of these is known.", no_update, no_update
        with context.changing("watchlist", name, "save", companies=len(found.weights)) as connection:
            reads.replace(connection, name, found.weights)
        left = f", {formats.plural(len(found.unknown), 'line')} left out" if found.unknown else ""
        said = f"{name} is saved: {formats.plural(len(found.weights), 'company', 'companies')}{left}."
        return said, _lists(context), list_options(context)

    @app.callback(
        Output("list-name", "value"),
        Output("list-text", "value", allow_duplicate=True),
        Input({"list-edit": ALL}, "n_clicks"),
        prevent_initial_call=True,
    )
    def edit(_clicks: list[int]) -> tuple[Any, Any]:
        if not isinstance(ctx.triggered_id, dict) or not ctx.triggered[0]["value"]:
            return no_update, no_update
        name = str(ctx.triggered_id["list-edit"])
        names = context.reader.names()
        row = next((one for one in reads.watchlists(context.reader) if one.name == name), None)
        quoted = [
            (f'"{names.company(key)}"' if "," in names.company(key) else names.company(key), weight)
            for key, weight in (row.weights.items() if row else ())
        ]
        return name, "\n".join(f"{company}, {weight:g}" for company, weight in sorted(quoted))

    clientside(app, "chooseList", Output("list", "value"), Input({"list-show": ALL}, "n_clicks"))


def list_options(context: Context) -> list[dict[str, str]]:
    """Choices of the header's control."""
    return [{"value": row.name, "label": row.name} for row in reads.watchlists(context.reader)]


def _lists(context: Context) -> Any:
    rows = reads.watchlists(context.reader)
    if not rows:
        return empty("There is no watch-list yet.", "Name one, and type or paste its companies.")
    names, chosen, allowed = context.reader.names(), viewer().list, may("watchlist")
    return table(
        ["Name", "Companies", ""],
        [
            [
                html.Strong(row.name),
                _weights(row.weights, names),
                html.Div(
                    [
                        _button("Shown" if row.name == chosen else "Show only it", "list-show", row.name, row.name == chosen),
                        _button("Change", "list-edit", row.name, not allowed),
                        _button("Delete", "list-delete", row.name, not allowed),
                    ],
                    className="list-buttons",
                ),
            ]
            for row in rows
        ],
    )


def _button(words: str, kind: str, name: str, disabled: bool) -> Any:
    return dmc.Button(
        words, id={kind: name}, size="xs", variant="default", disabled=disabled, **attributes(aria_label=f"{words}: {name}")
    )


def _weights(weights: Any, names: Names) -> str:
    total = sum(weights.values()) or 1
    first = sorted(weights.items(), key=lambda one: (-one[1], names.company(one[0])))
    return formats.listed([f"{names.company(key)} {formats.share(weight / total)}" for key, weight in first], 4)


def _understood(found: Holdings, names: Names) -> Any:
    if not found.weights and not found.unknown:
        return ""
    parts: list[Any] = [
        html.P(f"Understood: {_weights(found.weights, names)}" if found.weights else "Nothing is understood yet.")
    ]
    if found.unknown:
        shown = "; ".join(f"line {number}: {words}" for number, words in found.unknown[:5])
        rest = f"; and {len(found.unknown) - 5} more" if len(found.unknown) > 5 else ""
        parts.append(html.P(f"Not understood: {shown}{rest}", className="trouble"))
    return parts
