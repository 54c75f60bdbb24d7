"""The pages that the bar of a narrow screen has no place for."""

from typing import Any

import dash_mantine_components as dmc
from dash import html

from dashboard.clientside import HIDDEN
from dashboard.components.panels import page
from dashboard.components.shell import BAR, PAGES
from dashboard.context import Context


def render(_context: Context, _search: str | None) -> Any:
    """Links to them."""
    rest = [one for one in PAGES if one not in BAR]
    links = [
        dmc.NavLink(label=label, href=path, leftSection=html.Span(className=f"icon icon-{name}", **HIDDEN), className="page-link")
        for label, path, name, _ in rest
    ]
    return page([html.H1("More pages"), html.Nav(links, className="more-pages")], name="more", title="More pages")
