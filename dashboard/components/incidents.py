"""Incidents: the list of the open ones, their evidence, their audit."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import dash_mantine_components as dmc
from dash import dcc, html

from dashboard import formats
from dashboard.components import marks
from dashboard.components.panels import empty
from dashboard.rows import EventRow, Evidence, IncidentRow
from dashboard.scopes import Names, pretty, scope_path
from dashboard.theme import SEVERITIES

SHOWN = 4
"""Articles that the list of open incidents shows of each; its page shows all."""


def by_severity(rows: Sequence[IncidentRow]) -> list[IncidentRow]:
    """What has fired before what is pending, the gravest first, then the newest."""
    rank = {name: number for number, name in enumerate(SEVERITIES)}

    def place(row: IncidentRow) -> tuple[bool, int, float, str]:
        return row.state == "pending", rank.get(row.severity, len(rank)), -row.opened_at.timestamp(), row.id

    return sorted(rows, key=place)


def verdict(rows: Sequence[IncidentRow], last: IncidentRow | None, names: Names, since: datetime | None) -> tuple[Any, str]:
    """The first line of the first page, which says whether anything is wrong; and the same in short, for the tab."""
    firing = [row for row in by_severity(rows) if row.state != "pending"]
    if firing:
        numbers = [(name, sum(row.severity == name for row in firing)) for name in SEVERITIES]
        counts = ", ".join(f"{number} {name.capitalize()}" for name, number in numbers if number)
        scopes = formats.listed(list(dict.fromkeys(names.scope(row.scope) for row in firing)))
        return [html.Span(f"{counts}: "), scopes], f"{counts}: {scopes}"
    waiting = [html.Span(f" · {formats.plural(len(rows), 'pending incident')}", className="second")] if rows else []
    if last and last.resolved_at:
        return ["Quiet since ", marks.moment(last.resolved_at), *waiting], "Quiet"
    if since:
        return ["Quiet: nothing has surged yet", *waiting], "Quiet"
    return ["Nothing to judge yet: no scored news"], "No news yet"


def open_list(rows: Sequence[IncidentRow], last: IncidentRow | None, names: Names) -> Any:
    """One item an open incident; what it rests on opens below it."""
    if not rows:
        if last is None:
            return empty(
                "No incident is open, and none has been.",
                "An incident opens when a company's negative news leaves its own past behind.",
            )
        title = ["The last one was ", marks.scope_link(last.scope, names), ", resolved ", marks.moment(last.resolved_at), ". "]
        return empty("No incident is open.", [*title, dcc.Link("See its evidence", href=f"/incidents?sel={last.id}")])
    return [_item(row, names) for row in by_severity(rows)]


def _item(row: IncidentRow, names: Names) -> Any:
    top = row.evidence[0].title if row.evidence else row.summary
    head = html.Div(
        [
            html.Div(
                [
                    marks.severity(row.severity),
                    html.Strong(names.scope(row.scope), className="name"),
                    marks.state(row),
                    html.Span([marks.surprise(row)], className="surprise"),
                    html.Span([marks.moment(row.opened_at, "age")], className="since"),
                ],
                className="line",
            ),
            html.Div(top, className="top"),
        ],
        className="incident-head",
    )
    links = html.Div(
        [
            dcc.Link("Open incident", href=f"/incidents?sel={row.id}", className="action"),
            dcc.Link(f"{names.scope(row.scope)} page", href=scope_path(row.scope), className="action"),
        ],
        className="actions",
    )
    body = [html.P(row.summary, className="summary"), *waits(row), evidence_list(row.evidence, SHOWN), links]
    return dmc.AccordionItem(
        [dmc.AccordionControl(head), dmc.AccordionPanel(body)],
        value=row.id,
        className=f"incident incident-{row.severity} is-{row.state}",
    )


def waits(row: IncidentRow) -> list[Any]:
    """What a pending incident needs to fire; nothing of others."""
    if row.state != "pending":
        return []
    rule = row.inputs.get("rule", {})
    needs = [formats.plural(rule.get("min_stories", 1), "negative story", "negative stories")]
    if companies := rule.get("min_companies"):
        needs.append(f"of {companies} companies")
    if hold := rule.get("for"):
        needs.append(f"for {hold} min")
    return [html.P(f"Told to nobody yet: it fires with {' '.join(needs)}.", className="second waits")]


def evidence_list(evidence: Sequence[Evidence], most: int | None = None) -> Any:
    """The articles that an incident rests on, at most so many."""
    if not evidence:
        return empty("This incident came without evidence.", "Its inputs say what it was decided from.")
    head = html.Thead(html.Tr([html.Th("Sentiment"), html.Th("Headline"), html.Th("Weight", className="r")]))
    shown = evidence[:most]
    rest = len(evidence) - len(shown)
    more = [html.P(f"and {formats.plural(rest, 'more article')}", className="second more")] if rest > 0 else []
    return html.Div([html.Table([head, html.Tbody([_evidence(item) for item in shown])], className="evidence"), *more])


def _evidence(item: Evidence) -> Any:
    weight = formats.UNKNOWN if item.weight is None else f"{item.weight:.2f}"
    return html.Tr(
        [
            html.Td(marks.sentiment(item.sentiment)),
            html.Td(
                [
                    marks.headline(item.title, item.url),
                    *_copies(item),
                    html.Div([item.source or "Unnamed source", " · ", marks.moment(item.at), *_risk(item)], className="meta"),
                ]
            ),
            html.Td(weight, className="r num", title="Relevance × novelty × credibility, 0 to 1"),
        ]
    )


def _risk(item: Evidence) -> list[Any]:
    if item.impact is None:
        return []
    return [" · ", html.Span(f"{formats.share(item.impact)} risk of a fall", title=formats.FALL, className="whole")]


def _copies(item: Evidence) -> list[Any]:
    return (
        [html.Span(f" ×{item.articles}", className="second", title=f"{item.articles} articles of this story")]
        if item.articles > 1
        else []
    )


def timeline(events: Sequence[EventRow]) -> Any:
    """What happened to an incident, in order."""
    return dmc.Timeline(
        [
            dmc.TimelineItem(
                title=html.Span([marks.moment(event.at), " ", html.Strong(pretty(event.kind)), *_actor(event)]),
                children=html.Span(_detail(event), className="second") if event.detail else None,
            )
            for event in events
        ],
        bulletSize=12,
        lineWidth=1,
        active=len(events) - 1,
        className="timeline",
    )


TOLD = {"mass": "negative weight"}


def _actor(event: EventRow) -> list[Any]:
    return [] if event.actor in {"", "squall"} else [f" by {event.actor}"]


def _detail(event: EventRow) -> Any:
    detail = event.detail
    said = str(detail.get("text") or detail.get("reason") or "")
    quoted = f"“{said}”" if said else ""
    if until := _time(detail.get("until")):
        return html.Span(["until ", marks.moment(until), ": ", quoted])
    hidden = {"text", "reason", "until", "pattern", "silence"}
    return quoted or ", ".join(
        f"{TOLD.get(name, pretty(name).lower())} {plain(value)}"
        for name, value in detail.items()
        if name not in hidden and not isinstance(value, dict | list)
    )


def _time(value: object) -> datetime | None:
    try:
        return datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


INPUTS = {
    "window_min": ("Window", "min"),
    "mass": ("Negative weight in it", "articles"),
    "expected": ("Expected", "articles"),
    "mentions": ("Mentions in it", ""),
    "negative_share": ("Share of negative", "%"),
    "stories": ("Negative stories", ""),
    "past_share": ("Share of negative before", "%"),
    "line": ("Alarm line", ""),
    "volume_surprise": ("Surprise at the volume alone", ""),
    "awaited": ("Expected since the last one", "articles"),
    "silence": ("Silence", ""),
    "baseline_mass": ("Negative weight of the past", "articles"),
    "baseline_min": ("Length of that past", "days"),
    "rule_version": ("Rule version", ""),
}
UNSAID = {"since", "level", "share_up", "rules_version"}
"""Of the engine's own book-keeping: no words for people."""


def inputs_table(inputs: Mapping[str, Any]) -> Any:
    """What the decision was made from, as it was when the incident fired."""
    flat = {name: value for name, value in inputs.items() if not isinstance(value, dict | list) and name not in UNSAID}
    order = [*(name for name in INPUTS if name in flat), *(name for name in flat if name not in INPUTS)]
    return html.Dl([part for name in order for part in _input(name, flat[name])], className="inputs")


def _input(name: str, value: object) -> tuple[Any, Any]:
    label, unit = INPUTS.get(name, (pretty(name), ""))
    if isinstance(value, int | float) and not isinstance(value, bool):
        if unit == "%":
            return html.Dt(label), html.Dd(formats.share(value), className="num")
        if unit == "days":
            return html.Dt(label), html.Dd(f"{value / 1440:.1f} days", className="num")
    words = plain(value)
    return html.Dt(label), html.Dd(f"{words} {unit}" if unit and words != formats.UNKNOWN else words, className="num")


def plain(value: object) -> str:
    """A value of JSON for people; unknown is an en dash."""
    if value is None or value == "":
        return formats.UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return formats.count(value)
    if isinstance(value, float):
        if math.isnan(value):
            return formats.UNKNOWN
        return "less than 0.001" if 0 < value < 0.0005 else f"{value:,.3f}".rstrip("0").rstrip(".")
    return str(value)
