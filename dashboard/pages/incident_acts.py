"""What the buttons of an incident do."""

from typing import Any

from dash import ALL, Dash, Input, Output, State, ctx, no_update

from dashboard.access import needs
from dashboard.clientside import clientside
from dashboard.components.acts import ACTS, LASTS, done_line
from dashboard.context import Context, actor
from squall import acts
from squall.errors import UserError

DONE = {"acknowledge": "Acknowledged", "silence": "Silenced", "note": "Noted", "false": "Marked as a false alarm"}


def register(app: Dash, context: Context) -> None:
    """Ask, do, and take back."""
    # In the browser: an answer of the server would be dropped when the detail, and its buttons with it, is drawn anew meanwhile.
    clientside(
        app,
        "ask",
        Output("act-modal", "opened"),
        Output("act-modal", "title"),
        Output("act-question", "children"),
        Output("act-lasts-box", "hidden"),
        Output("act-text", "label"),
        Output("act-text", "value"),
        Output("act-error", "children"),
        Output("act-kind", "data"),
        Input({"act": ALL}, "n_clicks"),
        State("act-words", "data"),
    )

    @app.callback(
        Output("act-modal", "opened", allow_duplicate=True),
        Output("act-error", "children", allow_duplicate=True),
        Output("act-done", "children"),
        Output("acted", "data"),
        Input("act-yes", "n_clicks"),
        State("act-kind", "data"),
        State("act-text", "value"),
        State("act-lasts", "value"),
        State("sel", "data"),
        prevent_initial_call=True,
    )
    @needs("incident")
    def do(clicks: int, kind: str, text: str | None, lasts: str, chosen: str) -> tuple[Any, ...]:
        words = (text or "").strip()
        if ACTS[kind].needed and not words:
            return no_update, f"{ACTS[kind].field}: a word is needed.", no_update, no_update
        try:
            key = _do(context, kind, words, lasts, chosen)
        except UserError as error:
            return no_update, str(error), no_update, no_update
        until = f" for {lasts}" if kind == "silence" else ""
        undo = {"what": kind, "key": key} if kind in {"silence", "false"} else None
        return False, "", done_line(f"{DONE[kind]}{until} by {actor()}.", undo), f"{kind} {clicks}"

    @app.callback(
        Output("act-done", "children", allow_duplicate=True),
        Output("acted", "data", allow_duplicate=True),
        Input({"undo": ALL, "key": ALL, "at": ALL}, "n_clicks"),
        prevent_initial_call=True,
    )
    @needs("incident")
    def undo(_clicks: list[int | None]) -> tuple[Any, ...]:
        if not isinstance(ctx.triggered_id, dict) or not ctx.triggered[0]["value"]:
            return no_update, no_update
        what, key = str(ctx.triggered_id["undo"]), str(ctx.triggered_id["key"])
        try:
            with context.changing("incident", key, f"undo {what}") as connection:
                if what == "silence":
                    acts.unsilence(connection, int(key), actor())
                else:
                    acts.mark_false(connection, key, actor(), false=False)
        except UserError as error:
            return done_line(str(error), None), no_update
        return done_line("Taken back.", None), f"undo {what} {key}"

    clientside(app, "close", Output("act-modal", "opened", allow_duplicate=True), Input("act-no", "n_clicks"))


def _do(context: Context, kind: str, text: str, lasts: str, chosen: str) -> str:
    """Do an act; returns what taking it back goes by."""
    row = context.reader.incident(chosen)
    now = context.reader.clock()
    if row is None or now is None:
        raise UserError("This incident is not in the database any more.")
    detail = {"text": text, "for": lasts} if kind == "silence" else {"text": text}
    with context.changing("incident", chosen, kind, **detail) as connection:
        if kind == "acknowledge":
            acts.acknowledge(connection, chosen, actor(), text)
        elif kind == "note":
            acts.note(connection, chosen, actor(), text)
        elif kind == "false":
            acts.mark_false(connection, chosen, actor(), text=text)
        else:
            return str(acts.silence(connection, row.scope.partition("/")[0], now + LASTS[lasts], actor(), text))
    return chosen
