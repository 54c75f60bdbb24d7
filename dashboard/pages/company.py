"""One company, or a sector, a topic, the market: price, incidents and mood on one time axis, and what was said."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import dash_mantine_components as dmc
from dash import Dash, Input, Output, Patch, State, dcc, html, no_update

from dashboard import figures, formats
from dashboard.clientside import attributes, clientside
from dashboard.components import marks
from dashboard.components.chart_words import chart_words
from dashboard.components.lead_lag import lead_lag_panel, leads_of
from dashboard.components.movers import tones_table
from dashboard.components.news import TALL, news_grid, news_rows
from dashboard.components.panels import code, empty, page, panel, stacks
from dashboard.components.span import span_control
from dashboard.components.words import words_panel
from dashboard.context import Context, Stretch, asked, first_range, limit_to, span_of, stretch, viewer
from dashboard.ranges import POINTS, buckets, zone_label
from dashboard.reads.movers import tones, topics_of
from dashboard.rows import NewsRow
from dashboard.scopes import MARKET, Names, company_scope, scope_path

BUCKETS = 48
NARROW_BARS = 64
"""On a phone more candles are lines of 3 px."""
NEWS = 200
LONG_BAR = timedelta(hours=5)
"""Daily bars are longer: a range of a few of them shows nothing."""
GROUPS = (("company", "Companies"), ("sector", "Sectors"), ("topic", "Topics"))
CONFIG: Any = {"displayModeBar": False, "scrollZoom": False, "doubleClick": "reset", "responsive": True, "showTips": False}


def first_scope(context: Context) -> str:
    """What the page shows where the address names nothing: the newest open incident's scope, else the market."""
    incidents = context.reader.incidents(only_open=True, most=1, only=limit_to(context), brief=True)
    return incidents[0].scope.partition("/")[0] if incidents else MARKET


def render(context: Context, scope: str, search: str | None) -> Any:
    """The page; its chart follows with its own callback."""
    reader = context.reader
    names = reader.names()
    kind, _, name = scope.partition(":")
    now = reader.clock()
    picker = _picker(context, scope, names)
    if kind == "company" and name not in names.companies:
        body = empty("No company has this address.", ["Pick one above, or add it to the table: ", code("squall companies add")])
        return page([_head([html.H1("Unknown company")], picker), body], name="company", title="Unknown company")
    if now is None:
        body = empty("No scored news yet.", "The page fills by itself as soon as there is some.")
        return page([_head([html.H1(names.scope(scope))], picker), body], name="company", title=names.scope(scope), again="news")
    view = viewer()
    bar = reader.last_bar(name, now) if kind == "company" else None
    preset = first_range(context, search, scope, now, "1m" if bar and bar.end - bar.start > LONG_BAR else "5d")
    until = asked(search, "to")
    rows = _news(context, scope, stretch(preset, until, now))
    ranges = span_control("range", preset, search)
    graph = dcc.Graph(id="chart", figure=_blank(), config=CONFIG, className="chart", responsive=True, style=TALL)
    note = f"times: {zone_label(now, view.zone)}"
    title = html.Div(
        [html.H1(names.scope(scope)), *_facts(scope, names), html.Span(_open(context, scope), id="scope-open")], className="who"
    )
    return page(
        [
            dcc.Store(id="scope", data=scope),
            dcc.Store(id="drawn"),
            _head([title], picker),
            panel(_chart_title(kind), graph, name="chart", aside=ranges, note=note),
            html.Div(
                [
                    panel(
                        "Scored news",
                        news_grid("stories", rows, names, view.size, with_company=kind != "company"),
                        name="stories",
                        note=html.Span(_said(rows), id="stories-count"),
                    ),
                    words_panel(),
                    *_around(
                        kind,
                        _tones(context, scope, stretch(preset, until, now), names),
                        [lead_lag_panel(leads_of(reader, name))] if kind == "company" else [],
                    ),
                    *_received(context, name if kind == "company" else "", now),
                ],
                className="below",
            ),
        ],
        name="company",
        title=names.scope(scope),
    )


def register(app: Dash, context: Context) -> None:
    """Keep the chart and the news current."""

    @app.callback(
        Output("chart", "figure"),
        Output("drawn", "data"),
        Output("chart", "relayoutData"),
        Input("range", "value"),
        Input("until", "data"),
        Input("env", "data"),
        Input("rev-scope", "data"),
        Input("rev-incidents", "data"),
        State("scope", "data"),
        State("drawn", "data"),
        State("chart", "relayoutData"),
    )
    def chart(
        preset: str,
        until: str | None,
        _env: Any,
        _scope_revision: str,
        _incidents: str,
        scope: str,
        drawn: str | None,
        touched: dict[str, Any] | None,
    ) -> tuple[Any, str, Any]:
        view = viewer()
        data = _data(context, scope, preset, until)
        names = context.reader.names()
        figure = figures.chart(data, view.palette, view.zone, names, f"{scope} {preset} {until}", narrow=view.size == "narrow")
        key = f"{scope} {preset} {until} {view}"
        if key != drawn:
            return figure, key, None
        delta = Patch()
        delta["data"] = figure["data"]
        for part in ("shapes", "annotations"):
            delta["layout"][part] = figure["layout"][part]
        if "xaxis.range[0]" not in (touched or {}):
            delta["layout"]["xaxis"]["range"] = figure["layout"]["xaxis"]["range"]
        return delta, key, no_update

    @app.callback(
        Output("stories", "rowData"),
        Output("stories-count", "children"),
        Output("scope-open", "children"),
        Input("rev-scope", "data"),
        Input("rev-incidents", "data"),
        Input("range", "value"),
        Input("until", "data"),
        State("scope", "data"),
        prevent_initial_call=True,
    )
    def stories(
        _revision: str, _incidents: str, preset: str, until: str | None, scope: str
    ) -> tuple[list[dict[str, Any]], str, Any]:
        now = context.reader.clock()
        rows = _news(context, scope, stretch(preset, until, now)) if now else []
        return news_rows(rows, context.reader.names()), _said(rows), _open(context, scope)

    @app.callback(
        Output("company-topics", "children"),
        Output("company-peers", "children"),
        Input("rev-scope", "data"),
        Input("range", "value"),
        Input("until", "data"),
        State("scope", "data"),
        prevent_initial_call=True,
    )
    def around(_revision: str, preset: str, until: str | None, scope: str) -> tuple[Any, Any]:
        now = context.reader.clock()
        return _tones(context, scope, stretch(preset, until, now), context.reader.names()) if now else (no_update, no_update)

    clientside(app, "goTo", Output("picker", "error"), Input("picker", "value"), State("scope", "data"))
    clientside(app, "range", Input("range", "value"))
    clientside(app, "clicked", Output("chart", "clickData"), Input("chart", "clickData"))


def _tones(context: Context, scope: str, span: Stretch, names: Names) -> tuple[Any, Any]:
    """The topics of a company, and the companies of its sector; of a sector, its companies."""
    kind, _, name = scope.partition(":")
    start, _, stop = span
    only = limit_to(context)
    sector = names.sectors.get(name) if kind == "company" else name if kind == "sector" else None
    listed = set(names.sectors if only is None else only)
    peers = [f"company:{key}" for key, one in names.sectors.items() if one == sector and key != name and key in listed][:500]
    topics = topics_of(context.reader, name, start, stop) if kind == "company" else []
    near = tones(context.reader, peers, start, stop) if peers else []
    return tones_table(topics, names, "Topic"), tones_table(near, names, "Company")


def _around(kind: str, tables: tuple[Any, Any], more: Sequence[Any]) -> list[Any]:
    topics = panel("Topics", html.Div(tables[0], id="company-topics"), name="topics", note="of its news in the range")
    words = "others of its sector" if kind == "company" else "of which most was said"
    peers = panel(
        "Peers" if kind == "company" else "Companies", html.Div(tables[1], id="company-peers"), name="peers", note=words
    )
    return [html.Div(stacks([topics], [peers, *more]), className="around", hidden=kind not in {"company", "sector"})]


def _head(title: list[Any], picker: Any) -> Any:
    return html.Div([*title, picker], className="page-head")


def _picker(context: Context, scope: str, names: Names) -> Any:
    only = limit_to(context)
    listed = None if only is None else {company_scope(one) for one in only}
    known = {one for one in context.reader.known_scopes() if listed is None or one in listed or not one.startswith("company:")}
    known |= {scope, MARKET}
    data: list[dict[str, Any]] = [{"group": "Wide", "items": [{"value": scope_path(MARKET), "label": "Market"}]}]
    for kind, title in GROUPS:
        items = sorted((names.scope(one), one) for one in known if one.startswith(kind + ":"))
        if items:
            data.append({"group": title, "items": [{"value": scope_path(one), "label": label} for label, one in items]})
    return dmc.Select(
        id="picker",
        data=data,
        value=scope_path(scope),
        searchable=True,
        allowDeselect=False,
        size="sm",
        w=240,
        limit=60,
        nothingFoundMessage="No scope with news has this name",
        maxDropdownHeight=360,
        **attributes(aria_label="Company, sector or topic"),
    )


def _facts(scope: str, names: Names) -> list[Any]:
    company = scope.removeprefix("company:") if scope.startswith("company:") else ""
    facts: list[Any] = []
    if ticker := names.tickers.get(company):
        facts.append(html.Span(ticker, className="second", title="Ticker"))
    if sector := names.sectors.get(company):
        facts.append(marks.scope_link(f"sector:{sector}", names))
    return facts


def _open(context: Context, scope: str) -> Any:
    rows = [row for row in context.reader.incidents(scope=scope, only_open=True, most=20, brief=True) if row.state != "pending"]
    return [
        dcc.Link(
            [marks.severity(row.severity), " ", marks.state(row), " ", marks.moment(row.opened_at, "age")],
            href=f"/incidents?sel={row.id}",
            className="open-incident",
        )
        for row in rows[:3]
    ]


def _chart_title(kind: str) -> str:
    return "Price and mood" if kind == "company" else "Mood"


def _news(context: Context, scope: str, span: Stretch) -> list[NewsRow]:
    start, _, stop = span
    only = None if scope.startswith("company:") else limit_to(context)
    return context.reader.news(scope, start, stop, NEWS, only)


def _said(rows: list[NewsRow]) -> str:
    if len(rows) >= NEWS:
        return f"the newest {NEWS} of the range"
    return f"{formats.plural(len(rows), 'mention')} in the range"


def _blank() -> dict[str, Any]:
    palette = viewer().palette
    hidden = {"visible": False}
    # A delta of the page before may still come, with candles: Plotly would draw a range slider, and fail for want of a title.
    time = {**hidden, "rangeslider": hidden}
    return {
        "data": [],
        "layout": {"paper_bgcolor": palette.surface, "plot_bgcolor": palette.surface, "xaxis": time, "yaxis": hidden},
    }


def _data(context: Context, scope: str, preset: str, until: str | None) -> figures.ChartData:
    reader, view = context.reader, viewer()
    span = stretch(preset, until, reader.clock() or datetime.fromtimestamp(0, view.zone))
    now = span[1]
    window = buckets(now, span_of(preset), BUCKETS, view.zone)
    kind, _, name = scope.partition(":")
    most = NARROW_BARS if view.size == "narrow" else POINTS
    bars = reader.bars(name, window.start, now, most) if kind == "company" else []
    no_price = ""
    if kind == "company" and not bars:
        last = reader.last_bar(name, now)
        no_price = f"No price since {last.end.astimezone(view.zone):%d %b %Y %H:%M}" if last else "No price has been received"
    return figures.ChartData(
        window,
        bars,
        reader.mood(scope, window),
        _news(context, scope, (window.start, *span[1:])),
        [row for row in reader.incidents(scope=scope, start=window.start, most=80, brief=True) if row.opened_at <= now],
        now,
        no_price,
        reader.epochs(window.start, now),
    )


def _received(context: Context, company_id: str, now: datetime) -> list[Any]:
    if not company_id:
        return []
    row = context.reader.last_chart(company_id, now)
    if row is None:
        return [
            panel(
                "Received chart",
                empty("No chart has been received.", ["Send one: ", code("squall ingest charts FOLDER")]),
                name="received",
            )
        ]
    image = html.Img(
        src=f"/squall/chart/{row.id}",
        alt=f"Chart of {row.interval} bars",
        width=row.width,
        height=row.height,
        className="received",
    )
    note = html.Span(["up to ", marks.moment(row.end), f", from {row.source or 'an unnamed source'}"])
    told = chart_words(context.reader, row.id)
    shown = [image, html.P(told[0], title=f"as read by {told[1]}", className="note", id="chart-words")] if told else image
    return [panel("Received chart", shown, name="received", note=note)]
