"""The application: Dash on Flask, with the pages, the routes beside them, and headers."""

import json
import logging
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dash import Dash, Input, Output
from flask import request
from sqlalchemy.exc import SQLAlchemyError

from dashboard import pages
from dashboard.access import Logins, cookie, protect
from dashboard.clientside import clientside
from dashboard.components import palette, words
from dashboard.components.panels import failed
from dashboard.components.shell import PAGES, shell
from dashboard.context import Context, viewer
from dashboard.login import add_login
from dashboard.oidc import add_oidc
from dashboard.queries import Reader
from dashboard.scopes import MARKET, path_scope
from dashboard.scrape import add_metrics
from dashboard.server import Link, add_routes, advice
from models.explainer import Explainer
from squall.db.engine import make_engine
from squall.settings import Settings

STATEMENT_TIMEOUT_S = 10

# boot.js runs before the first paint: it knows the scheme, the zone and the width, tells them to the server in a cookie, and asks
# for the first layout, which the server then makes while the browser still reads the components' scripts.
INDEX = """<!DOCTYPE html>
<html lang="en">
<head>
{%metas%}
<title>{%title%}</title>
<link rel="stylesheet" href="/squall/tokens.css">
<script src="/assets/boot.js" data-ask="/_dash-layout /_dash-dependencies"></script>
<link rel="icon" type="image/svg+xml" href="/assets/icons/favicon.svg">
{%css%}
</head>
<body>
{%app_entry%}
<footer>{%config%}{%scripts%}{%renderer%}</footer>
</body>
</html>
"""


def create_app(settings: Settings, database_url: str) -> Dash:
    """The application of the settings' namespace; starts also while the database is away."""
    database = settings.database.model_copy(
        update={
            "pool_size": max(settings.database.pool_size, settings.dashboard.threads),
            "statement_timeout_s": STATEMENT_TIMEOUT_S,
        }
    )
    chosen = settings.model_copy(update={"database": database})
    reading, writer = make_engine(chosen, database_url, read_only=True), make_engine(chosen, database_url)
    context = Context(Reader(reading, replay=bool(settings.namespace)), Link(), settings.namespace, writer, Explainer(settings))
    app = Dash(
        "dashboard",
        assets_folder=str(Path(__file__).parent / "assets"),
        assets_ignore=r"boot\.js|login\.css",
        title="Squall",
        update_title=None,  # type: ignore[arg-type]
        index_string=INDEX,
        meta_tags=[
            {"name": "viewport", "content": "width=device-width, initial-scale=1"},
            {"name": "color-scheme", "content": "light dark"},
        ],
        suppress_callback_exceptions=True,
        serve_locally=True,
        enable_mcp=False,
        csrf_token_name=cookie(settings, "token"),
        on_error=keep_what_is_shown,
    )
    app.layout = lambda: _first_layout(context)
    _add_callbacks(app, context)
    logins = Logins(reading)
    protect(app, settings, logins)
    add_login(app.server, settings, writer, logins)
    add_oidc(app.server, settings, writer, logins)
    add_routes(app.server, context.reader, context.link, app.csp_hashes())
    add_metrics(app.server, settings, context.reader)
    return app


def _first_layout(context: Context) -> Any:
    """The page is in it where the request says from which address it comes; else it follows with the first callback."""
    origin = urlsplit(request.headers.get("Referer", ""))
    if origin.netloc != request.host:
        return shell(context, viewer(), None, None, None)
    search = f"?{origin.query}" if origin.query else ""
    return shell(context, viewer(), origin.path, search, _page(context, origin.path, search))


def _page(context: Context, path: str | None, search: str | None) -> Any:
    try:
        # Taken before the page is read: what it shows is as new or newer, and the browser's script asks for nothing twice.
        seen = context.reader.pulse(path_scope(path or "") or MARKET).revisions
        body = pages.render(context, path or "/", search)
        setattr(body, "data-seen", json.dumps(dict(seen)))
        return body
    except SQLAlchemyError as error:
        return failed(advice(error))


def keep_what_is_shown(error: Exception) -> None:
    """A live callback that finds no database changes nothing on the screen; the banner says why.

    Raises:
        Exception: any other error, as it is.
    """
    if not isinstance(error, SQLAlchemyError):
        raise error
    logging.getLogger("dashboard").warning("%s", advice(error))


def _add_callbacks(app: Dash, context: Context) -> None:
    @app.callback(
        Output("page", "children"),
        Input("url", "pathname"),
        Input("url", "search"),
        Input("size", "data"),
        Input("retry", "data"),
        prevent_initial_call=True,
    )
    def route(path: str | None, search: str | None, _size: str | None, _retry: int | None) -> Any:
        return _page(context, path, search)

    clientside(app, "start", Output("zone", "data"), Output("zone", "value"), Input("url", "id"), first=True)
    clientside(app, "list", Output("retry", "data"), Input("list", "value"))
    clientside(app, "zone", Output("env", "data"), Input("zone", "value"))
    clientside(
        app,
        "theme",
        Output("mantine", "forceColorScheme"),
        Output("env", "data", allow_duplicate=True),
        Input("theme", "n_clicks"),
    )
    palette.register(app, context, PAGES)
    words.register(app, context)
    pages.register(app, context)
