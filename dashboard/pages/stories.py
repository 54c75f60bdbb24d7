"""All scored news as stories: searched by words, filtered; the address keeps what was asked, so that a view can be shared."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import dash_mantine_components as dmc
from dash import Dash, Input, Output, html

from dashboard import formats
from dashboard.clientside import attributes, clientside
from dashboard.components import marks
from dashboard.components.panels import code, empty, page
from dashboard.components.span import span_control
from dashboard.context import Context, asked, first_range, limit_to, stretch, viewer
from dashboard.reads import stories as reads
from dashboard.reads.meaning import NEAREST, NEAREST_FILTERED, nearest, vectors_of
from dashboard.reads.stories import Found, ItemRow, StoryRow
from dashboard.scopes import MARKET, Names
from squall import registry
from squall.errors import UserError

PAGE = 40
MOST = 400
MOODS = ["Any", "Negative", "Neutral", "Positive"]
NO_VECTORS = [
    "By meaning is off: no vectors of stories are stored yet. To store them: ",
    code("squall embed"),
    ". By words works.",
]
WORDS, MEANING = "words", "meaning"


def render(context: Context, search: str | None) -> Any:
    """The controls as the address says; the stories follow with their own callback."""
    now = context.reader.clock()
    if now is None:
        body = empty("No scored news yet.", ["The page fills by itself. To send some: ", code("squall ingest --help")])
        return page([html.H1("Stories"), body], name="stories", title="Stories", again="news")
    preset = first_range(context, search, MARKET, now, "5d")
    vectors = vectors_of(context.reader)
    topics = [{"value": slug, "label": label} for slug, label in sorted(context.reader.names().topics.items())]
    small: dict[str, Any] = {"size": "sm", "clearable": True, "searchable": True}
    controls = [
        dmc.TextInput(
            id="story-words",
            value=asked(search, "q"),
            placeholder='Words, "a phrase", or -without',
            debounce=350,
            className="story-words",
            **attributes(aria_label="Search the news", data_slash="yes"),
        ),
        dmc.SegmentedControl(
            id="story-mode",
            data=[{"value": WORDS, "label": "Words"}, {"value": MEANING, "label": "Meaning", "disabled": not vectors}],
            value=MEANING if vectors and asked(search, "mode") == MEANING else WORDS,
            size="sm",
            **attributes(aria_label="Search by words or by meaning"),
        ),
        dmc.Select(
            id="story-topic",
            data=topics,
            value=asked(search, "topic") or None,
            placeholder="Any topic",
            w=190,
            **small,
            **attributes(aria_label="Topic"),
        ),
        dmc.SegmentedControl(
            id="story-mood",
            data=MOODS,
            value=asked(search, "mood").capitalize() or "Any",
            size="sm",
            **attributes(aria_label="Mood"),
        ),
        dmc.Select(
            id="story-source",
            data=reads.source_names(context.reader),
            value=asked(search, "source") or None,
            placeholder="Any source",
            w=170,
            **small,
            **attributes(aria_label="Source"),
        ),
        span_control("story-range", preset, search, size="sm"),
    ]
    return page(
        [
            html.Div([html.H1("Stories"), html.Span(id="story-count", className="second", role="status")], className="page-head"),
            html.Div(
                [html.Div(controls, className="story-filters"), html.P(NO_VECTORS, className="note", hidden=bool(vectors))],
                className="story-head",
            ),
            html.Button(id="story-new", type="button", className="held"),
            html.Div(id="story-list", className="story-list"),
            html.Div(
                dmc.Button(f"Show {PAGE} more", id="story-more", variant="default", n_clicks=0),
                id="story-rest",
                className="actions",
            ),
        ],
        name="stories",
        title="Stories",
    )


def register(app: Dash, context: Context) -> None:
    """Search whenever the controls change."""

    @app.callback(
        Output("story-list", "children"),
        Output("story-count", "children"),
        Output("story-rest", "hidden"),
        Input("story-words", "value"),
        Input("story-mode", "value"),
        Input("story-topic", "value"),
        Input("story-mood", "value"),
        Input("story-source", "value"),
        Input("story-range", "value"),
        Input("until", "data"),
        Input("story-more", "n_clicks"),
        Input("story-new", "n_clicks"),
        Input("env", "data"),
    )
    def found(
        words: str | None,
        mode: str,
        topic: str | None,
        mood: str,
        source: str | None,
        preset: str,
        until: str | None,
        more: int | None,
        _new: Any,
        _env: Any,
    ) -> tuple[Any, str, bool]:
        reader, names = context.reader, context.reader.names()
        now = reader.clock()
        if now is None:
            return [], "", True
        start, _, stop = stretch(preset, until, now)
        plain = " ".join((words or "").replace("\0", " ").split())[:200]
        query = reads.Search(
            start,
            stop,
            plain,
            names.topics.get(topic or "", topic or ""),
            "" if mood == "Any" else mood.lower(),
            source or "",
            limit_to(context),
        )
        most = min(MOST, PAGE * (1 + (more or 0)))
        near: Near | None = None
        wide = NEAREST_FILTERED if query.filtered else NEAREST
        if mode == MEANING and plain:
            try:
                near = _near(context, plain, query, wide)
            except UserError as error:
                return empty("The search by meaning does not work.", f"{error}. By words works."), "", True
            query = replace(query, words="", among=list(near.closeness))
        answer = reads.search(reader, query, wide if near else most)
        if not answer.rows:
            among = f"None of the newest {formats.count(reads.READ)} items with these words does. " if answer.cut else ""
            return empty("No story fits.", f"{among}Widen the range, take a filter away, or use other words."), "", True
        rows = sorted(answer.rows, key=lambda row: -near.closeness[row.id])[:most] if near else answer.rows
        items = reads.inside(reader, [row.id for row in rows])
        shown = [_story(row, items.get(row.id, []), names, near.closeness[row.id] if near else None) for row in rows]
        if near:
            said = f"the nearest {formats.count(len(rows))} of {formats.plural(near.compared, 'story', 'stories')}"
            return shown, said, len(rows) == min(MOST, len(answer.rows))
        return shown, _said(answer), len(rows) >= min(MOST, rows[0].stories)

    clientside(
        app,
        "storyAddress",
        Input("story-words", "value"),
        Input("story-mode", "value"),
        Input("story-topic", "value"),
        Input("story-mood", "value"),
        Input("story-source", "value"),
        Input("story-range", "value"),
    )
    clientside(app, "storyNew", Output("story-new", "children"), Input("rev-news", "data"), Input("story-new", "n_clicks"))


@dataclass(frozen=True)
class Near:
    """Cosine by story, and how many stories were compared."""

    closeness: dict[str, float]
    compared: int


def _near(context: Context, words: str, query: reads.Search, most: int) -> Near:
    version = vectors_of(context.reader)
    if version is None:
        return Near({}, 0)
    with context.reader.engine.connect() as connection:
        registered = registry.registered(connection, version)
    vector, model = context.explainer.meaning(words, registered)
    if model != version:
        raise UserError(f"the stored vectors are of {version}, which is not here: run `squall embed` again")
    return Near(*nearest(context.reader, vector, version, query.start, query.stop, most))


def _said(answer: Found) -> str:
    first, more = answer.rows[0], "+" if answer.cut else ""
    stories = "story" if first.stories == 1 and not more else "stories"
    items = "item" if first.items == 1 and not more else "items"
    return f"{formats.count(first.stories)}{more} {stories}, {formats.count(first.items)}{more} {items}"


def _story(row: StoryRow, items: Sequence[ItemRow], names: Names, closeness: float | None) -> Any:
    wide = viewer().size != "narrow"
    companies = formats.listed([names.company(one) for one in row.companies], 3) if row.companies else "No company"
    title = row.title or (items[0].title if items else "Headline not kept")
    copies = [html.Span(f"×{row.articles}", className="num", title="Articles of this story")] if row.articles > 1 else []
    if closeness is not None:
        hint = "How near its first text is to what you ask for: 100 the same, 0 nothing in common"
        copies.append(html.Span(f"closeness {max(0, round(100 * closeness))}", className="num", title=hint))
    meta = [
        html.Span(companies, className="companies"),
        *copies,
        html.Span(formats.listed(list(row.sources), 2), className="second"),
    ]
    head = html.Summary(
        [
            html.Span(marks.moment(row.last_at), className="second when"),
            marks.sentiment(row.sentiment),
            html.Span(title, className="title"),
            html.Span(meta, className="meta"),
        ],
        className="wide" if wide else "",
    )
    return html.Details(
        [head, html.Ul([_item(item, names) for item in items])], className="story", **attributes(data_story=row.id)
    )


def _item(row: ItemRow, names: Names) -> Any:
    scope = f"company:{row.company_id}" if row.company_id else MARKET
    facts = [
        marks.scope_link(scope, names),
        " · ",
        row.source or "Unnamed source",
        " · ",
        marks.moment(row.at),
        f" · {names.topic(row.topic)} · ",
        html.Span(f"novelty {row.novelty}", title="100 for the first article of a story, 50 for the second, …"),
        ", ",
        html.Span(f"relevance {row.relevance}", title="How much the text is about the company, 0 to 100"),
    ]
    return html.Li(
        [
            marks.sentiment(row.sentiment),
            html.Div([marks.headline(row.title, row.url), html.Div(facts, className="second facts-line")]),
        ]
    )
