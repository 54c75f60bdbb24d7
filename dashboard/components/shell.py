"""What surrounds every page: header, rail, bottom bar, and the stores that the browser's script drives."""

from typing import Any

import dash_mantine_components as dmc
from dash import dcc, html
from sqlalchemy.exc import SQLAlchemyError

from dashboard.clientside import HIDDEN, attributes
from dashboard.components.account import account_menu
from dashboard.components.palette import palette
from dashboard.context import Context, Viewer, viewer
from dashboard.reads.watchlists import watchlists
from dashboard.theme import mantine_theme

PAGES = (
    ("Now", "/", "now", "n"),
    ("Company", "/company", "company", "c"),
    ("Incidents", "/incidents", "incidents", "i"),
    ("Stories", "/stories", "stories", "s"),
    ("Labels", "/labels", "labels", "l"),
    ("Watch-lists", "/watchlists", "watchlists", "w"),
    ("Models", "/models", "models", "m"),
    ("Pipeline", "/pipeline", "pipeline", "p"),
    ("Audit", "/audit", "audit", "a"),
)
"""Name, address, icon, and the letter that leads there after `g`."""
BAR = (*PAGES[:4], ("More", "/more", "more", ""))


def shell(context: Context, view: Viewer, path: str | None, search: str | None, page: Any) -> Any:
    """The first layout, with the page of an address in it; no address and no page: the browser's first callback asks for it."""
    stores = [dcc.Store(id=name) for name in ("env", "retry", "rev-incidents", "rev-news", "rev-scope", "rev-tick")]
    stores.append(dcc.Store(id="size", data=view.size))
    return dmc.MantineProvider(
        id="mantine",
        forceColorScheme=view.scheme,
        theme=mantine_theme(),
        children=[
            dcc.Location(id="url", refresh="callback-nav", pathname=path, search=search),
            *stores,
            html.A("Skip to the page", href="#page", className="skip"),
            dmc.AppShell(
                [
                    dmc.AppShellHeader(_header(context)),
                    dmc.AppShellNavbar(html.Nav(_links("rail"), className="rail", **attributes(aria_label="Pages"))),
                    dmc.AppShellMain(
                        [
                            html.Div(id="banner", className="banner", role="alert"),
                            html.Div(page, id="page", tabIndex=-1),
                            html.Div(id="copied", className="act-done", role="status"),
                        ]
                    ),
                    dmc.AppShellFooter(html.Nav(_links("bar"), className="bar", **attributes(aria_label="Pages"))),
                ],
                header={"height": 48},
                navbar={"width": {"base": 0, "sm": 56, "lg": 200}, "breakpoint": "sm", "collapsed": {"mobile": True}},
                footer={"height": {"base": 56, "sm": 0}},
                padding=0,
            ),
        ],
    )


def _copy_link() -> Any:
    inner = html.Span(className="icon icon-link", **HIDDEN)
    title = "Copy the link to this view"
    button = dmc.ActionIcon(inner, id="copy-link", variant="subtle", color="gray", size=32, **attributes(aria_label=title))
    return html.Span(button, title=title, className="copy-link")


def _list_options(context: Context) -> list[dict[str, str]]:
    try:
        return [{"value": row.name, "label": row.name} for row in watchlists(context.reader)]
    except SQLAlchemyError:
        return []


def _links(where: str) -> list[Any]:
    return [
        dmc.NavLink(
            label=label,
            href=path,
            active="exact" if path == "/" else "partial",
            leftSection=html.Span(className=f"icon icon-{name}", **HIDDEN),
            className=f"page-link page-link-{name}",
            id={"nav": where, "page": name},
            **attributes(data_go=key),
        )
        for label, path, name, key in (BAR if where == "bar" else PAGES)
    ]


def _header(context: Context) -> Any:
    title = (
        "The pages' clock is that of the replayed events: the newest item or the watermark, whichever is later"
        if context.replay
        else "The pages' clock is the time of day"
    )
    kind: list[Any] = ["Replay", html.Span(f" {context.namespace}:", className="of")] if context.replay else []
    live: Any = {"data-live": "" if context.replay else "yes"}
    clock = html.Span(
        [html.Span(kind, className="kind"), html.Span(id="clock", className="num")], className="clock", title=title, **live
    )
    return html.Div(
        [
            dcc.Link(
                [html.Span(className="logo", **HIDDEN), html.Span("Squall", className="brand-word")],
                href="/",
                title="Squall: the first page",
                className="brand",
            ),
            clock,
            html.Span(id="link-state", className="link-state", role="status"),
            html.Span(className="gap"),
            dmc.Select(
                id="list",
                data=_list_options(context),
                value=viewer().list or None,
                placeholder="All companies",
                size="xs",
                w=150,
                clearable=True,
                className="list-choice",
                nothingFoundMessage="No watch-list yet",
                **attributes(aria_label="Watch-list that the pages are limited to"),
            ),
            html.Label(
                [
                    html.Span("Times in", className="zone-word"),
                    dcc.Store(id="zones"),
                    dmc.Select(
                        id="zone",
                        data=[],
                        value=None,
                        size="xs",
                        w=176,
                        allowDeselect=False,
                        checkIconPosition="right",
                        **attributes(aria_label="Zone of all times"),
                    ),
                ],
                className="zone",
            ),
            dmc.ActionIcon(
                html.Span(className="icon icon-theme", **HIDDEN),
                id="theme",
                variant="subtle",
                color="gray",
                size=32,
                **attributes(aria_label="Colours: automatic, light or dark"),
            ),
            _copy_link(),
            *palette(PAGES),
            *account_menu(),
        ],
        className="topbar",
    )
