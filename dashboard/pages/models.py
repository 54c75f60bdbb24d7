"""The models: versions, what each has scored, its metrics, and how far people agree with it."""

from collections.abc import Mapping, Sequence
from typing import Any

from dash import Dash, Input, Output, dcc, html

from dashboard import formats
from dashboard.components import marks
from dashboard.components.drift import drift_panel
from dashboard.components.news import TALL
from dashboard.components.panels import code, empty, page, panel, stacks
from dashboard.components.shadow import shadow_panel
from dashboard.components.tables import Head, table
from dashboard.context import Context, viewer
from dashboard.drift_figure import drift_figure
from dashboard.reads import models as reads
from dashboard.reads.drift import latest
from dashboard.reads.labels import SENTIMENTS
from dashboard.reads.models import Confused, Version
from dashboard.reads.shadow import NEWEST as SHADOWED
from dashboard.reads.shadow import apart, compared
from dashboard.scopes import pretty
from squall.registry import CHALLENGER, Promotion, Serving

COMPARED = 4
FEW = 10
METRICS = {
    "tfns_sentiment": "TFNS sentiment, accuracy",
    "tfns_topic": "TFNS topic, accuracy",
    "sentfin": "SEntFiN sentiment of a company, macro-F1",
    "sentfin_disagreeing": "The same, where the companies of a headline disagree",
}
ACTS = {"first": "First", "promote": "Promoted", "rollback": "Rolled back"}


def render(context: Context, _search: str | None) -> Any:
    """The page; the chart of drift follows with its own callback."""
    rows = reads.versions(context.reader)
    if not rows:
        body = empty(
            "No model has scored anything yet.",
            ["It does with the first news. The model of this version: ", code("squall evaluate")],
        )
        return page([html.H1("Models"), body], name="models", title="Models", again="news")
    graph = dcc.Graph(
        id="drift", config={"displayModeBar": False, "responsive": True}, className="drift", responsive=True, style=TALL
    )
    return page(
        [
            html.Div([html.H1("Models")], className="page-head"),
            panel(
                "Versions",
                _versions(rows),
                name="versions",
                note=f"counts are of the newest {formats.count(reads.NEWEST)} scores",
            ),
            html.Div(
                [
                    panel("In service", _served(reads.served(context.reader)), name="served", note="what each worker said last"),
                    panel(
                        "Challenger",
                        [
                            _judged(rows),
                            shadow_panel(compared(context.reader), apart(context.reader), context.reader.names()),
                        ],
                        name="challenger",
                        note=f"on the newest {formats.count(SHADOWED)} that it has scored: it moves neither mood nor alerts",
                    ),
                ],
                className="halves",
            ),
            panel("Promotions", _promotions(reads.promotions(context.reader)), name="promotions", note="who made which champion"),
            html.Div(
                stacks(
                    [
                        panel(
                            "Metrics",
                            _metrics(rows[:COMPARED]),
                            name="metrics",
                            note="on held-out data, as the version's manifest says",
                        ),
                        panel(
                            "Against people",
                            _confusion(reads.confusion(context.reader), rows),
                            name="confusion",
                            note="labelled items: rows are people's answers, in % of each row",
                        ),
                    ],
                    [
                        panel(
                            "Drift", graph, name="drift", note=f"mean probability a day, last {reads.DAYS} days, version in use"
                        ),
                        panel(
                            "Week to week", drift_panel(latest(context.reader)), name="weeks", note="what has moved, by its size"
                        ),
                    ],
                ),
                className="halves",
            ),
        ],
        name="models",
        title="Models",
    )


def register(app: Dash, context: Context) -> None:
    """Draw the drift."""

    @app.callback(Output("drift", "figure"), Input("env", "data"), Input("rev-news", "data"))
    def drift(_env: Any, _news: Any) -> Any:
        now = context.reader.clock()
        rows = reads.days(context.reader, now) if now else []
        newest = rows[-1].version if rows else ""
        return drift_figure([row for row in rows if row.version == newest], viewer().palette)


def _versions(rows: Sequence[Version]) -> Any:
    used = [(row.last_scored_at, row.version) for row in rows if row.last_scored_at]
    live = max(used)[1] if used else None
    return table(
        [
            (">No.", "Of its registration"),
            "Version",
            ("State", "The champion serves; In use: it scored last"),
            ("First used", "By the time of day"),
            (">Scored", "Of the newest scores"),
            ("Last", "How long ago it scored something"),
            (">Certainty", "Mean probability of the likeliest sentiment"),
            "Trained on",
            "Base",
        ],
        [
            [
                formats.UNKNOWN if row.number is None else row.number,
                html.Strong(row.version),
                ", ".join([*map(str.capitalize, row.aliases), *(["In use"] if row.version == live else [])]),
                marks.moment(row.first_used_at),
                formats.count(row.scored),
                marks.moment(row.last_scored_at, "wall") if row.last_scored_at else formats.UNKNOWN,
                formats.share(row.certainty),
                _trained(row.manifest),
                _base(row.manifest),
            ]
            for row in rows
        ],
    )


def _served(rows: Sequence[Serving]) -> Any:
    if not rows:
        return empty("No worker has said what it serves.", ["Workers do while they run: ", code("squall up")])

    def state(row: Serving) -> str:
        if row.refused:
            return f"Refuses {row.refused}: {row.error}"
        return "Pinned by its settings: it follows no promotion" if row.pinned else ""

    return table(
        ["Worker", "Serves", "Since", "Note"],
        [[row.worker, row.version, marks.moment(row.since, "wall"), state(row)] for row in rows],
    )


def _judged(rows: Sequence[Version]) -> Any:
    """What the gate said of the challenger, and why; nothing where it has not judged it."""
    for row in rows:
        if CHALLENGER in row.aliases and row.verdict:
            said = "passed" if row.verdict["promote"] else "▲ refused"
            head: list[Any] = ["The gate ", html.Strong(said), f" {row.version} beside {row.verdict['champion']} "]
            reasons = html.Ul([html.Li(reason) for reason in row.verdict["reasons"]])
            return html.Div([html.P([*head, marks.moment(row.judged_at, "wall"), " ago:"]), reasons], className="judged")
    return None


def _promotions(rows: Sequence[Promotion]) -> Any:
    if not rows:
        return empty("Nothing has been promoted.", ["The model that ships is registered by ", code("squall db upgrade")])
    gate = {True: "Passed", False: "Refused", None: formats.UNKNOWN}
    return table(
        ["When", "Act", "Champion", "After", "By", "Why", ("Gate", "What the comparison before it said")],
        [
            [
                marks.moment(row.at),
                ACTS.get(row.kind, row.kind),
                html.Strong(row.to_version),
                row.from_version or formats.UNKNOWN,
                row.actor,
                row.reason,
                gate[(row.verdict or {}).get("promote")],
            ]
            for row in rows
        ],
    )


def _inner(manifest: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = manifest.get(name)
    return found if isinstance(found, Mapping) else {}


def _trained(manifest: Mapping[str, Any]) -> str:
    number = _inner(manifest, "data").get("rows")
    return formats.plural(number, "text") if isinstance(number, int) else formats.UNKNOWN


def _base(manifest: Mapping[str, Any]) -> str:
    base = _inner(manifest, "base")
    return f"{base['package']} {base.get('version', '')}".strip() if base.get("package") else formats.UNKNOWN


def _measured(row: Version) -> dict[str, float]:
    """Metrics that the version was registered with, beside those of the last epoch in its manifest."""
    epochs = row.manifest.get("held_out")
    last = epochs[-1] if isinstance(epochs, list) and epochs and isinstance(epochs[-1], Mapping) else {}
    found = {name: float(value) for name, value in last.items() if name != "epoch" and isinstance(value, int | float)}
    return {**found, **row.metrics}


def _metrics(rows: Sequence[Version]) -> Any:
    measured = [_measured(row) for row in rows]
    found = {name for one in measured for name in one}
    names = [*(name for name in METRICS if name in found), *sorted(found - METRICS.keys())]
    if not names:
        hint = [
            "The versions' manifests in the database hold no measurements. To measure the one in use: ",
            code("squall evaluate"),
        ]
        return empty("No metrics are stored.", hint)
    first = next((one for one in measured if one), {})

    def cell(index: int, name: str) -> Any:
        value = measured[index].get(name)
        if value is None:
            return formats.UNKNOWN
        better = f" ({formats.signed((first[name] - value) * 100, 1)})" if measured[index] is not first and name in first else ""
        return f"{value * 100:.1f} %{better}"

    heads: list[Head] = ["", *(f">{row.version}" for row in rows)]
    lines = [[METRICS.get(name, pretty(name)), *(cell(index, name) for index in range(len(rows)))] for name in names]
    note = html.P("In brackets: how much better the newest is, in points.", className="note") if len(rows) > 1 else None
    return html.Div([table(heads, lines), note])


def _confusion(cells: Sequence[Confused], rows: Sequence[Version]) -> Any:
    by_version: dict[str, dict[tuple[str, str], int]] = {}
    for one in cells:
        by_version.setdefault(one.version, {})[one.said, one.model] = one.number
    known = [row.version for row in rows if row.version in by_version]
    if not known:
        return empty("Nobody has labelled anything that a model scored.", dcc.Link("Label some", href="/labels"))
    return [_matrix(version, by_version[version]) for version in known[:2]]


def _matrix(version: str, counts: Mapping[tuple[str, str], int]) -> Any:
    total = sum(counts.values())
    same = sum(counts.get((name, name), 0) for name in SENTIMENTS)
    lines = []
    for said in SENTIMENTS:
        number = sum(counts.get((said, model), 0) for model in SENTIMENTS)
        shares = [formats.share(counts.get((said, model), 0) / number) if number else formats.UNKNOWN for model in SENTIMENTS]
        lines.append([said.capitalize(), *shares, formats.count(number)])
    few = f"; fewer than {FEW} labels say little" if total < FEW else ""
    return html.Div(
        [
            html.P(f"{version}: {formats.plural(same, 'answer')} of {formats.count(total)} alike{few}", className="second"),
            table(["People said", *(f">Model: {name}" for name in SENTIMENTS), ">Labels"], lines, "matrix"),
        ]
    )
