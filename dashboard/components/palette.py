"""The command palette and the list of keys."""

from typing import Any

import dash_mantine_components as dmc
from dash import Dash, Input, Output, html

from dashboard.clientside import HIDDEN, attributes, clientside
from dashboard.components.tables import table
from dashboard.context import Context
from dashboard.scopes import MARKET
from dashboard.scopes import scope_path as path

KEYS = (
    ("Ctrl K", "Go to a page, a company, a topic"),
    ("?", "This list"),
    ("/", "Search or filter"),
    ("j  k", "Next row, row before"),
    ("Enter", "Open the row"),
    ("a  s  n  f", "Incident: acknowledge, silence, note, false alarm"),
    ("1  2  3", "Label: negative, neutral, positive"),
    ("t  c  u  x", "Label: another topic, another company, undo, skip"),
    ("[  ]", "Shift the range back, on"),
    ("-  .", "A longer range; its end follows the clock again"),
    ("Esc", "Close"),
)
MOST = 4_000


def palette(pages: tuple[tuple[str, str, str, str], ...]) -> list[Any]:
    """Both buttons of the header, and the windows that they open."""
    rows = [(key, words) for key, words in KEYS] + [(f"g {key}", f"Go to {label}") for label, _, _, key in pages]
    return [
        _button("palette-open", "search", "Go to … (Ctrl K)"),
        _button("help-open", "keys", "Keys (?)"),
        dmc.Modal(
            dmc.Select(
                id="palette",
                data=[],
                searchable=True,
                selectFirstOptionOnChange=True,
                placeholder="A page, a company, a sector, a topic",
                limit=40,
                nothingFoundMessage="Nothing has this name",
                maxDropdownHeight=360,
                **attributes(aria_label="Go to", data_autofocus="yes"),
            ),
            id="palette-modal",
            title="Go to",
            opened=False,
            size="lg",
            returnFocus=True,
        ),
        dmc.Modal(
            table(["Key", "What it does"], [[dmc.Kbd(key), words] for key, words in rows]),
            id="help-modal",
            title="Keys, outside of fields",
            opened=False,
            size="lg",
        ),
    ]


def _button(name: str, icon: str, title: str) -> Any:
    inner = html.Span(className=f"icon icon-{icon}", **HIDDEN)
    button = dmc.ActionIcon(inner, id=name, variant="subtle", color="gray", size=32, **attributes(aria_label=title))
    return html.Span(button, title=title)


def register(app: Dash, context: Context, pages: tuple[tuple[str, str, str, str], ...]) -> None:
    """Open, fill, and go."""

    @app.callback(
        Output("palette-modal", "opened"),
        Output("palette", "data"),
        Output("palette", "value"),
        Input("palette-open", "n_clicks"),
        prevent_initial_call=True,
    )
    def fill(_clicks: int) -> tuple[bool, list[dict[str, Any]], None]:
        names = context.reader.names()
        groups = [
            ("Pages", [(address, label) for label, address, _, _ in pages]),
            (
                "Companies",
                [(path(f"company:{key}"), _named(name, names.tickers.get(key))) for key, name in _first(names.companies)],
            ),
            (
                "Sectors",
                [(path(f"sector:{key}"), names.scope(f"sector:{key}")) for key in sorted(set(names.sectors.values()))],
            ),
            ("Topics", [(path(f"topic:{slug}"), label.replace("|", "/")) for slug, label in sorted(names.topics.items())]),
            ("Wide", [(path(MARKET), "Market")]),
        ]
        data = [
            {"group": title, "items": [{"value": value, "label": label} for value, label in items]}
            for title, items in groups
            if items
        ]
        return True, data, None

    clientside(app, "goFrom", Output("palette-modal", "opened", allow_duplicate=True), Input("palette", "value"))
    clientside(app, "openHelp", Output("help-modal", "opened"), Input("help-open", "n_clicks"))


def _group(title: str, items: list[tuple[str, str]]) -> dict[str, Any]:
    return {"group": title, "items": [{"value": value, "label": label} for value, label in items]}


def _first(companies: Any) -> list[tuple[str, str]]:
    return sorted(companies.items(), key=lambda one: one[1])[:MOST]


def _named(name: str, ticker: str | None) -> str:
    return f"{name} ({ticker})" if ticker else name
