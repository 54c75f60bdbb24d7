"""The first page: is anything wrong, where does the mood turn, what has just been said."""

from datetime import datetime, timedelta
from typing import Any

import dash_mantine_components as dmc
from dash import Dash, Input, Output, State, dcc, html

from dashboard import still
from dashboard.clientside import attributes, clientside
from dashboard.components.heat import heat_box, heat_map
from dashboard.components.incidents import open_list, verdict
from dashboard.components.movers import movers_table
from dashboard.components.news import news_grid, news_rows
from dashboard.components.panels import code, page, panel, stacks
from dashboard.components.pipeline import sources_table
from dashboard.components.span import span_control
from dashboard.context import Context, asked, first_range, limit_to, span_of, stretch, viewer
from dashboard.formats import step_words
from dashboard.ranges import DAY, buckets
from dashboard.reads.movers import movers
from dashboard.reads.pipeline import sources
from dashboard.rows import NewsRow
from dashboard.scopes import MARKET

HEAT_COLUMNS = 31
HEAT_ROWS = 40
TAPE = 100
TURNED = "Turned"
LONG_AGO = timedelta(days=365)


def render(context: Context, search: str | None) -> Any:
    """The page with its incidents, its map and its tape."""
    now = context.reader.clock()
    last = context.reader.pulse().last_item
    if now is None or last is None:
        return _first_run(context)
    preset = first_range(context, search, MARKET, now, "1d")
    title, short = _verdict(context, last)
    cells, step = _heat(context, preset, asked(search, "to"), now)
    ranges = span_control("now-range", preset, search, label="Range of the mood map")
    choice = dmc.SegmentedControl(
        id="now-moved", data=[TURNED, "Against the price"], value=TURNED, size="xs", **attributes(aria_label="Which movers")
    )
    names = context.reader.names()
    moved, speaking = _movers(context, now, TURNED), _sources(context)
    tape = news_grid("tape", _tape(context, now), names, viewer().size, with_company=True)
    return page(
        [
            dcc.Store(id="now-seen", data=still.marks([moved, speaking])),
            html.H1(title, id="now-verdict", className="verdict"),
            html.Div(
                [
                    *stacks(
                        [
                            panel("Open incidents", _incidents(context), name="incidents", note="surprise / alarm line"),
                            panel("Sources", html.Div(speaking, id="now-sources"), name="now-sources"),
                        ],
                        [
                            panel("Mood", heat_box(cells), name="mood", aside=ranges, note=html.Span(step, id="now-step")),
                            panel("Movers", html.Div(moved, id="now-movers"), name="movers", aside=choice),
                        ],
                    ),
                    panel("Latest scored news", tape, name="tape", aside=html.Button(id="held", className="held", type="button")),
                ],
                className="columns",
            ),
        ],
        name="now",
        title=short,
        ticks=True,
    )


def register(app: Dash, context: Context) -> None:
    """Keep the page current."""

    @app.callback(
        Output("now-verdict", "children"),
        Output("now-incidents", "children"),
        Input("rev-incidents", "data"),
        prevent_initial_call=True,
    )
    def incidents(_revision: str) -> tuple[Any, Any]:
        title, _ = _verdict(context, context.reader.pulse().last_item)
        return title, _incident_items(context)

    @app.callback(
        Output("now-cells", "data"),
        Output("now-step", "children"),
        Input("now-range", "value"),
        Input("until", "data"),
        Input("rev-news", "data"),
        Input("rev-incidents", "data"),
        Input("env", "data"),
        prevent_initial_call=True,
    )
    def heat(preset: str, until: str | None, _news: str, _incidents: str, _env: Any) -> tuple[Any, str]:
        now = context.reader.clock()
        return _heat(context, preset, until, now) if now else (None, "")

    @app.callback(
        Output("now-movers", "children"),
        Output("now-sources", "children"),
        Output("now-seen", "data"),
        Input("rev-tick", "data"),
        Input("now-moved", "value"),
        State("now-seen", "data"),
        prevent_initial_call=True,
    )
    def moved(_tick: Any, kind: str, seen: list[str] | None) -> tuple[Any, ...]:
        now = context.reader.clock()
        parts, seen = still.changed([_movers(context, now, kind) if now else None, _sources(context)], seen)
        return (*parts, seen)

    clientside(app, "heat", Input("now-cells", "data"))
    clientside(app, "range", Input("now-range", "value"))

    @app.callback(Output("tape", "rowData"), Input("rev-news", "data"), prevent_initial_call=True)
    def tape(_revision: str) -> list[dict[str, Any]]:
        now = context.reader.clock()
        return news_rows(_tape(context, now), context.reader.names()) if now else []


def _heat(context: Context, preset: str, until: str | None, now: datetime) -> tuple[dict[str, Any], str]:
    """The map of mood, and what one of its cells is."""
    tz, only = viewer().zone, limit_to(context)
    _, end, _ = stretch(preset, until, now)
    window = buckets(end, span_of(preset), HEAT_COLUMNS, tz)
    moods = context.reader.heat(window, HEAT_ROWS, only)
    rows = context.reader.incidents(start=window.start, only=only, brief=True)
    epochs = context.reader.epochs(window.start, end)
    cell = f"one cell: {step_words(window.step)}{' of UTC' if window.step >= DAY else ''}"
    return heat_map(moods, rows, window, end, context.reader.names(), tz, epochs, HEAT_ROWS), cell


def _movers(context: Context, now: datetime, kind: str) -> Any:
    return movers_table(movers(context.reader, now, limit_to(context)), context.reader.names(), kind)


def _sources(context: Context) -> Any:
    return sources_table(sources(context.reader), brief=True)


def _tape(context: Context, now: datetime) -> list[NewsRow]:
    return context.reader.news(MARKET, now - LONG_AGO, now + timedelta(days=1), TAPE, limit_to(context))


def _verdict(context: Context, since: datetime | None) -> tuple[Any, str]:
    reader = context.reader
    rows = reader.incidents(only_open=True, only=limit_to(context), brief=True)
    return verdict(rows, reader.last_resolved(), reader.names(), since)


def _incident_items(context: Context) -> Any:
    reader = context.reader
    return open_list(reader.incidents(only_open=True, only=limit_to(context)), reader.last_resolved(), reader.names())


def _incidents(context: Context) -> Any:
    return dmc.Accordion(
        _incident_items(context), id="now-incidents", chevronPosition="right", transitionDuration=0, className="incidents"
    )


def _first_run(context: Context) -> Any:
    if context.replay:
        steps = [html.Li("The replay has sent nothing that is scored yet. This page fills by itself as soon as it has.")]
    else:
        steps = [
            html.Li(["Read a feed: ", code("squall ingest rss https://example.com/feed.xml")]),
            html.Li(["Read a file of your own: ", code("squall ingest file news.jsonl")]),
            html.Li(["Watch the demo instead: ", code("make demo")]),
        ]
    body = html.Div([html.P("No scored news yet.", className="what"), html.Ul(steps)], className="empty first-run")
    return page([html.H1("Nothing to judge yet", className="verdict"), body], name="first", title="No news yet", again="news")
