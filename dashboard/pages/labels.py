"""The queue in which a person corrects what the model said: one key an item."""

from datetime import datetime
from typing import Any

import dash_mantine_components as dmc
from dash import ALL, Dash, Input, Output, State, ctx, dcc, html, no_update

from dashboard import formats
from dashboard.access import needs, why_not
from dashboard.agreement import agreements, overall
from dashboard.clientside import attributes
from dashboard.components import marks
from dashboard.components.panels import code, empty, page, panel
from dashboard.components.tables import Head, table
from dashboard.context import Context, actor, asked, limit_to, may
from dashboard.reads import labels as reads
from dashboard.reads.labels import QUEUES, SENTIMENTS, Answer, Item
from dashboard.scopes import Names

WHY = {
    "uncertain": "The model is not sure of its sentiment.",
    "disagree": "The price of the next session went against a strong sentiment.",
    "random": "Drawn at random: only these say how good the model is.",
}
KEPT = "who, when, and what the model had said"
ABOUT_NONE = "-"


def render(context: Context, search: str | None) -> Any:
    """The first item of the queue that the address names."""
    now = context.reader.clock()
    if now is None:
        body = empty(
            "No scored news yet.", ["There is nothing to label before the model has said something: ", code("squall up")]
        )
        return page([html.H1("Labels"), body], name="labels", title="Labels", again="news")
    queue = asked(search, "queue")
    queue = queue if queue in QUEUES else "uncertain"
    names = context.reader.names()
    card, item, tabs, figures, given = _state(context, queue, now, [])
    companies = [{"value": ABOUT_NONE, "label": "About no company"}]
    companies += [{"value": key, "label": name} for key, name in sorted(names.companies.items(), key=lambda one: one[1])]
    topics = [{"value": label, "label": label.replace("|", "/")} for label in sorted(names.topics.values())]
    small: dict[str, Any] = {"size": "sm", "clearable": True, "searchable": True, "w": 230, "limit": 60}
    buttons = [
        dmc.Button(
            word.capitalize(),
            id={"label": word},
            leftSection=dmc.Kbd(str(number), size="xs"),
            variant="default",
            size="md",
            **attributes(data_key=str(number)),
        )
        for number, word in enumerate(SENTIMENTS, 1)
    ]
    more = [
        dmc.Button("Undo", id="label-undo", leftSection=dmc.Kbd("u", size="xs"), variant="subtle", **attributes(data_key="u")),
        dmc.Button("Skip", id="label-skip", leftSection=dmc.Kbd("x", size="xs"), variant="subtle", **attributes(data_key="x")),
    ]
    change = html.Div(
        [
            html.Label(
                [
                    html.Span(["Another topic ", dmc.Kbd("t", size="xs")]),
                    dmc.Select(
                        id="label-topic",
                        data=topics,
                        placeholder="Leave as it is",
                        **small,
                        **attributes(aria_label="Another topic", data_key="t"),
                    ),
                ]
            ),
            html.Label(
                [
                    html.Span(["Another company ", dmc.Kbd("c", size="xs")]),
                    dmc.Select(
                        id="label-company",
                        data=companies,
                        placeholder="Leave as it is",
                        **small,
                        **attributes(aria_label="Another company", data_key="c"),
                    ),
                ]
            ),
        ],
        className="label-change",
    )
    tabs_control = dmc.SegmentedControl(id="label-queue", data=tabs, value=queue, size="sm", **attributes(aria_label="Queue"))
    refused = "" if may("label") else why_not("label")
    return page(
        [
            dcc.Store(id="label-item", data=item),
            dcc.Store(id="label-skipped", data=[]),
            html.Div([html.H1("Labels"), html.Span(figures, id="label-figures", className="second")], className="page-head"),
            tabs_control,
            html.Div(
                [
                    html.Section(
                        [
                            html.Div(card, id="label-card"),
                            html.P(refused, className="trouble") if refused else None,
                            html.Div(buttons, className="label-buttons", role="group", **attributes(aria_label="Sentiment")),
                            change,
                            html.Div(
                                [*more, html.Span(id="label-said", role="status", className="second")], className="label-more"
                            ),
                        ],
                        className="panel label-panel",
                    ),
                    panel("Latest labels", html.Div(given, id="label-given"), name="given", note=KEPT),
                ],
                className="halves",
            ),
        ],
        name="labels",
        title="Labels",
    )


def register(app: Dash, context: Context) -> None:
    """Take answers, take them back, and show the next."""
    shown = (
        Output("label-card", "children"),
        Output("label-item", "data"),
        Output("label-queue", "data"),
        Output("label-figures", "children"),
        Output("label-given", "children"),
        Output("label-said", "children"),
        Output("label-topic", "value"),
        Output("label-company", "value"),
    )
    again = tuple(Output(one.component_id, one.component_property, allow_duplicate=True) for one in shown)

    @app.callback(
        *shown,
        Output("label-skipped", "data"),
        Input("label-queue", "value"),
        Input("label-skip", "n_clicks"),
        State("label-item", "data"),
        State("label-skipped", "data"),
        prevent_initial_call=True,
    )
    def turn(queue: str, _skip: int, item: dict[str, Any] | None, skipped: list[str]) -> tuple[Any, ...]:
        if ctx.triggered_id == "label-skip" and item:
            skipped = [*skipped, item["mention_id"]][-500:]
        return (*_state(context, queue, context.reader.clock(), skipped), "", None, None, skipped)

    @app.callback(
        *again,
        Input({"label": ALL}, "n_clicks"),
        State("label-item", "data"),
        State("label-queue", "value"),
        State("label-topic", "value"),
        State("label-company", "value"),
        State("label-skipped", "data"),
        prevent_initial_call=True,
    )
    @needs("label")
    def answer(
        _clicks: list[int], item: dict[str, Any] | None, queue: str, topic: str | None, company: str | None, skipped: list[str]
    ) -> tuple[Any, ...]:
        if not item or not isinstance(ctx.triggered_id, dict) or not ctx.triggered[0]["value"]:
            return (no_update,) * len(again)
        sentiment = str(ctx.triggered_id["label"])
        given = Answer(sentiment, topic, None if company == ABOUT_NONE else company, company == ABOUT_NONE)
        with context.changing("label", item["mention_id"], "label", sentiment=sentiment, queue=queue) as connection:
            reads.keep(connection, item, queue, actor(), given)
        said = f"You: {sentiment}. The model: {item['said']}"
        return (*_state(context, queue, context.reader.clock(), skipped), said, None, None)

    @app.callback(
        *again,
        Input("label-undo", "n_clicks"),
        State("label-queue", "value"),
        State("label-skipped", "data"),
        prevent_initial_call=True,
    )
    @needs("label")
    def undo(_clicks: int, queue: str, skipped: list[str]) -> tuple[Any, ...]:
        with context.changing("label", queue, "undo label") as connection:
            title = reads.take_back(connection, actor())
        said = f"Taken back: {title}" if title else "You have no label to take back."
        return (*_state(context, queue, context.reader.clock(), skipped), said, None, None)


def _state(context: Context, queue: str, now: datetime | None, skipped: list[str]) -> tuple[Any, ...]:
    """The card, the item behind it, the queues with their counts, the figures, the latest labels."""
    reader, names, who, only = context.reader, context.reader.names(), actor(), limit_to(context)
    counts, item = reads.waiting(reader, queue, who, now, skipped, only) if now else (dict.fromkeys(QUEUES, 0), None)
    tabs = [{"value": name, "label": f"{name.capitalize()} {formats.count(counts[name])}"} for name in QUEUES]
    found = agreements(reads.pairs(reader))
    kappa = overall(found)
    agree = "agreement – (no item has two labels yet)" if kappa is None else f"agreement κ {kappa:.2f}"
    hint = "; ".join(f"{one.first} and {one.second}: {one.same} of {one.items} alike" for one in found[:5])
    figures = [
        f"{formats.count(reads.labelled_today(reader, who))} of yours in 24 h · ",
        html.Span(agree, title=hint or "Cohen's kappa of sentiments: 0 is chance, 1 is always alike"),
    ]
    stored = None
    if item:
        probable = max(SENTIMENTS, key=lambda word: getattr(item, word))
        said = f"{probable} {formats.share(getattr(item, probable) / 1e6)}, {item.topic.replace('|', '/')}"
        stored = {
            "mention_id": item.mention_id,
            "event_time": item.event_time.isoformat(),
            "model_version": item.model_version,
            "said": said + (f"; the price moved {formats.move(item.move)}" if item.move is not None else ""),
        }
    return _card(item, queue, names), stored, tabs, figures, _given(reads.latest(reader))


def _card(item: Item | None, queue: str, names: Names) -> Any:
    if item is None:
        return empty("This queue is empty.", "It fills as news is scored: it looks at the last 30 days. Try another queue above.")
    title: list[Any] = [item.title]
    if item.span_start is not None and item.span_end is not None and item.span_end <= len(item.title):
        start, end = item.span_start, item.span_end
        title = [item.title[:start], html.Mark(item.title[start:end]), item.title[end:]]
    about = f"What does it say of {names.company(item.company_id)}?" if item.company_id else "What mood is it?"
    return [
        html.P(about, className="second"),
        html.P(title, className="label-title"),
        html.P(item.body, className="label-body") if item.body else None,
        html.P([item.source or "Unnamed source", " · ", marks.moment(item.event_time), " · ", WHY[queue]], className="note"),
    ]


def _given(rows: list[reads.Given]) -> Any:
    if not rows:
        return empty("Nobody has labelled anything yet.", "Press 1, 2 or 3 for the item shown. Labels feed the next training.")
    heads: list[Head] = [
        "When",
        "Who",
        "Headline",
        "Said",
        ("Model", "What the model had said"),
        ("Others", "Who else labelled it"),
    ]
    return table(
        heads,
        [
            [
                [marks.moment(row.at, "wall"), " ago"],
                row.labeller,
                row.title,
                f"{row.sentiment}{f', {row.topic}' if row.topic else ''}",
                row.model,
                ", ".join(row.others or ()) or formats.UNKNOWN,
            ]
            for row in rows
        ],
    )
