"""How the work flows, and what could not be processed."""

from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

import dash_mantine_components as dmc
from dash import ALL, MATCH, Dash, Input, Output, State, ctx, dcc, html, no_update

from dashboard import formats, still
from dashboard.access import needs
from dashboard.clientside import clientside
from dashboard.components import marks
from dashboard.components.lines import lines_panel
from dashboard.components.news import TALL
from dashboard.components.panels import code, empty, page, panel, stacks
from dashboard.components.pipeline import letters_table, outbox_table, partitions_table, sources_table, workers_table
from dashboard.components.span import span_control
from dashboard.components.tables import tiles
from dashboard.components.tasks import tasks_panel
from dashboard.context import Context, actor, first_range, may, span_of, stretch, viewer
from dashboard.flow_figure import flow_figure
from dashboard.ranges import buckets
from dashboard.reads import pipeline as reads
from dashboard.scopes import MARKET
from dashboard.workers import messages_waiting, read_workers
from squall.durations import lasting
from squall.settings import get_settings

COLUMNS = 48
AGAIN = "{} will go to their topic again, as they were. If what they failed of is not mended, they come back here."
REFUSED = "Your role may look at dead letters, not send them again: ask an analyst or an admin."


def render(context: Context, search: str | None) -> Any:
    """The page; its chart follows with its own callback."""
    now = context.reader.clock()
    preset = first_range(context, search, MARKET, now, "6h")
    ranges = span_control("flow-range", preset, search)
    graph = dcc.Graph(
        id="flow", config={"displayModeBar": False, "responsive": True}, className="flow", responsive=True, style=TALL
    )
    live = _live(context, now)
    return page(
        [
            dcc.Store(id="flow-seen", data=still.marks(live)),
            dcc.Store(id="redrive-key"),
            html.Div([html.H1("Pipeline")], className="page-head"),
            html.Div(live[0], id="flow-tiles"),
            html.Div(
                stacks(
                    [
                        panel("Rate and latency", graph, name="flow", aside=ranges, note="— median, ··· 95th percentile"),
                        panel("Workers", html.Div(live[2], id="flow-workers"), name="workers", note="what each says of itself"),
                        panel("Notifications", html.Div(live[3], id="flow-outbox"), name="outbox", note="of the last 7 days"),
                        panel("Alarm line", html.Div(live[5], id="flow-lines"), name="lines", note="false incidents a day"),
                    ],
                    [
                        panel(
                            "Dead letters", html.Div(live[6], id="flow-dead"), name="dead", note="of the last 7 days, by reason"
                        ),
                        panel("Partitions", html.Div(live[1], id="flow-partitions"), name="partitions", note="of the news topic"),
                        panel("Sources", html.Div(live[4], id="flow-sources"), name="sources"),
                        panel("Scheduled tasks", html.Div(live[7], id="flow-tasks"), name="tasks"),
                    ],
                ),
                className="halves",
            ),
            dmc.Modal(
                [
                    html.P(id="redrive-words"),
                    html.Div(
                        [
                            dmc.Button("Cancel", id="redrive-no", variant="default"),
                            dmc.Button("Send again", id="redrive-yes", **{"data-autofocus": True}),
                        ],
                        className="actions",
                    ),
                ],
                id="redrive-ask",
                title="Send dead letters again",
                centered=True,
            ),
        ],
        name="pipeline",
        title="Pipeline",
        ticks=True,
    )


def register(app: Dash, context: Context) -> None:
    """Keep the page current; send dead letters again."""

    @app.callback(
        Output("flow-tiles", "children"),
        Output("flow-partitions", "children"),
        Output("flow-workers", "children"),
        Output("flow-outbox", "children"),
        Output("flow-sources", "children"),
        Output("flow-lines", "children"),
        Output("flow-dead", "children"),
        Output("flow-tasks", "children"),
        Output("flow-seen", "data"),
        Input("rev-tick", "data"),
        State("flow-seen", "data"),
        prevent_initial_call=True,
    )
    def refresh(_tick: Any, seen: list[str] | None) -> tuple[Any, ...]:
        parts, seen = still.changed(_live(context, context.reader.clock()), seen)
        return (*parts, seen)

    @app.callback(
        Output("flow", "figure"),
        Input("flow-range", "value"),
        Input("until", "data"),
        Input("rev-news", "data"),
        Input("env", "data"),
    )
    def chart(preset: str, until: str | None, _news: Any, _env: Any) -> Any:
        view = viewer()
        _, end, _ = stretch(preset, until, context.reader.clock() or datetime.fromtimestamp(0, view.zone))
        window = buckets(end, span_of(preset), COLUMNS, view.zone)
        rows = reads.flow(context.reader, window)
        return flow_figure(rows, window, end, view.palette, view.zone, narrow=view.size == "narrow")

    @app.callback(
        Output({"dead": "letters", "key": MATCH}, "children"),
        Input({"dead": "reason", "key": MATCH}, "n_clicks"),
        State({"dead": "reason", "key": MATCH}, "id"),
        prevent_initial_call=True,
    )
    def letters(_clicks: int, name: dict[str, str]) -> Any:
        one = _reason(context, name["key"])
        return letters_table(reads.letters(context.reader, one)) if one else "These are gone."

    @app.callback(
        Output("redrive-ask", "opened"),
        Output("redrive-words", "children"),
        Output("redrive-key", "data"),
        Input({"redrive": ALL}, "n_clicks"),
        prevent_initial_call=True,
    )
    def ask(_asked: list[int]) -> tuple[Any, ...]:
        if not isinstance(ctx.triggered_id, dict) or not ctx.triggered[0]["value"]:
            return (no_update,) * 3
        key = str(ctx.triggered_id["redrive"])
        one = _reason(context, key)
        if one is None:
            return True, "These are gone.", None
        if not may("redrive"):
            return True, REFUSED, None
        return True, AGAIN.format(formats.plural(one.waiting, "message")), key

    @app.callback(
        Output("redrive-ask", "opened", allow_duplicate=True),
        Output("flow-dead", "children", allow_duplicate=True),
        Input("redrive-yes", "n_clicks"),
        State("redrive-key", "data"),
        prevent_initial_call=True,
    )
    @needs("redrive")
    def redrive(_clicks: int, key: str | None) -> tuple[Any, ...]:
        one = _reason(context, key) if key else None
        if one is None:
            return False, no_update
        with context.changing("redrive", subject=one.reason, what="redrive", stage=one.stage, letters=one.waiting) as connection:
            reads.ask_redrive(connection, one, actor())
        return False, _dead(context)

    clientside(app, "close", Output("redrive-ask", "opened", allow_duplicate=True), Input("redrive-no", "n_clicks"))
    clientside(app, "range", Input("flow-range", "value"))


def _live(context: Context, now: datetime | None) -> tuple[Any, ...]:
    """Tiles, partitions, workers, notifications, sources, alarm lines, dead letters, scheduled tasks."""
    reader, settings, today = context.reader, get_settings(), datetime.now(UTC)
    parts = reads.partitions(reader)
    took = reads.latency(reader)
    workers = read_workers(context.namespace)
    waiting = reads.outbox(reader)
    speaking = reads.sources(reader)
    troubled = reads.troubled(speaking)
    figures = [
        (
            "Mentions in the last hour",
            formats.count(reads.last_hour(reader, now)),
            "Of event time; each company that an article names counts",
        ),
        (
            "Late in the last day",
            formats.count(reads.late(reader, now)),
            "Mentions of the last 24 hours that came after their minute had been decided: in the mood, and in no decision",
        ),
        (
            "Latency, 95th percentile",
            lasting(took.p95),
            f"From an article's being stored to its score's; newest {formats.count(reads.RECENT)}",
        ),
        (
            "Messages waiting",
            formats.count(messages_waiting(workers)),
            "On the broker, as this machine's workers say; – where none says",
        ),
        ("Notifications waiting", formats.count(sum(row.waiting for row in waiting)), "Not delivered yet"),
        ("Dead letters", formats.count(reads.dead_letters(reader)), "Of the last 7 days, not sent again"),
        (
            "Sources in trouble",
            f"{len(troubled)} of {len(speaking)}",
            "Whose last attempt failed, or that are silent",
        ),
    ]
    decided = reads.decided(reader)
    return (
        tiles(figures),
        partitions_table(parts, now, decided),
        workers_table(workers),
        outbox_table(waiting),
        sources_table(speaking),
        lines_panel(reads.lines(reader, settings.detection)),
        _dead(context),
        tasks_panel(*reads.tasks(reader, today), today, wanted=settings.maintain, replay=reader.replay),
    )


def _key(one: reads.Reason) -> str:
    return blake2b("\0".join((one.stage, one.topic, one.reason)).encode(), digest_size=8).hexdigest()


def _reason(context: Context, key: str) -> reads.Reason | None:
    return next((one for one in reads.reasons(context.reader) if _key(one) == key), None)


def _dead(context: Context) -> Any:
    rows = reads.reasons(context.reader)
    if not rows:
        hint = ["What cannot be processed comes here with its reason. Also: ", code("squall deadletters list")]
        return empty("None in 7 days.", hint)
    return [_item(row) for row in rows]


def _item(row: reads.Reason) -> Any:
    key = _key(row)
    facts = [f"{formats.count(row.waiting)} waiting"]
    facts += [f"{formats.count(row.asked)} asked for"] if row.asked else []
    facts += [f"{formats.count(row.again)} sent again"] if row.again else []
    button = dmc.Button(f"Send {formats.count(row.waiting)} again", id={"redrive": key}, size="xs", variant="default")
    head = html.Summary(
        [
            html.Strong(f"×{formats.count(row.letters)}", className="num"),
            html.Span(row.example, className="reason", title="The newest of those that failed alike"),
            html.Span(
                [f"{row.stage}, {', '.join(facts)}, last ", marks.moment(row.last_at, "wall"), " ago"],
                className="second",
            ),
        ]
    )
    return html.Div(
        [
            html.Details(
                [head, html.Div("Reading…", id={"dead": "letters", "key": key}, className="second")],
                id={"dead": "reason", "key": key},
            ),
            button if row.waiting else None,
        ],
        className="dead-reason",
    )
