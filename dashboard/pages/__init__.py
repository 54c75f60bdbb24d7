"""The pages: which address shows which, and the callbacks of all."""

from typing import Any

from dash import Dash, dcc, html

from dashboard.components.panels import empty, page
from dashboard.context import Context
from dashboard.pages import audit, company, incident_acts, incidents, labels, models, more, now, pipeline, stories, watchlists
from dashboard.scopes import path_scope

AT = {
    "/": now.render,
    "/incidents": incidents.render,
    "/pipeline": pipeline.render,
    "/stories": stories.render,
    "/labels": labels.render,
    "/watchlists": watchlists.render,
    "/models": models.render,
    "/audit": audit.render,
    "/more": more.render,
}


def render(context: Context, path: str, search: str | None) -> Any:
    """The page of an address."""
    if found := AT.get(path.rstrip("/") or "/"):
        return found(context, search)
    if path.rstrip("/") in {"/company", "/scope"}:
        return company.render(context, company.first_scope(context), search)
    if scope := path_scope(path):
        return company.render(context, scope, search)
    body = empty("There is no page at this address.", dcc.Link("Go to the first page", href="/"))
    return page([html.H1("Not found"), body], name="missing", title="Not found")


def register(app: Dash, context: Context) -> None:
    """Add the callbacks of all pages."""
    for module in (now, company, incidents, incident_acts, stories, labels, watchlists, models, pipeline, audit):
        module.register(app, context)
