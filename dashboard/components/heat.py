"""The map of mood: scopes by time, each cell the mean sentiment of a bucket."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from dash import html

from dashboard import formats
from dashboard.clientside import attributes
from dashboard.components import marks
from dashboard.components.panels import empty
from dashboard.ranges import DAY, Buckets
from dashboard.rows import IncidentRow, Mood
from dashboard.scopes import MARKET, Names
from dashboard.theme import GLYPHS

NARROW_COLUMNS = 12


def heat_map(
    moods: Sequence[Mood],
    incidents: Sequence[IncidentRow],
    window: Buckets,
    now: datetime,
    names: Names,
    tz: ZoneInfo,
    most: int = 40,
) -> Any:
    """A table of at most `most` rows: the market first, then the companies of which most was said."""
    cells: dict[str, dict[datetime, Mood]] = {}
    for mood in moods:
        cells.setdefault(mood.scope, {})[mood.at] = mood
    if not cells:
        return empty("No news in this range.", "Choose a longer range above.")
    spoke = set(cells.get(MARKET, ()))
    opened = _opened(incidents, window)
    order = sorted(
        cells,
        key=lambda scope: (scope != MARKET, scope not in {row.scope for row in incidents if row.open}, -_said(cells[scope])),
    )
    rows = [_row(scope, cells[scope], spoke, opened.get(scope, {}), window, now, names) for scope in order[:most]]
    return html.Div(
        [
            html.Table(
                [html.Thead(_head(window, tz)), html.Tbody(rows)],
                className="heat",
                **attributes(data_step=formats.step_words(window.step)),
            ),
            html.P("Point at a cell, or tap it, to read it.", className="explain", **attributes(aria_live="polite")),
            _legend(),
        ]
    )


def _said(cells: Mapping[datetime, Mood]) -> int:
    return sum(mood.mentions for mood in cells.values())


def _opened(incidents: Sequence[IncidentRow], window: Buckets) -> dict[str, dict[datetime, IncidentRow]]:
    found: dict[str, dict[datetime, IncidentRow]] = {}
    for row in incidents:
        if window.start <= row.opened_at < window.end:
            at = window.start + (row.opened_at - window.start) // window.step * window.step
            found.setdefault(row.scope.partition("/")[0], {})[at] = row
    return found


def _old(index: int, window: Buckets) -> str:
    return "old" if index < window.number - NARROW_COLUMNS else ""


def _head(window: Buckets, tz: ZoneInfo) -> Any:
    short = window.step < DAY
    every = 4 if short else 5
    ticks: list[Any] = []
    for index, at in enumerate(window.starts):
        shown = (window.number - 1 - index) % every == 0 and index >= 1
        midnight = at.astimezone(tz).hour == 0 and at.astimezone(tz).minute == 0
        # A day of UTC is named by its noon, which is of the same date almost everywhere.
        tick = marks.moment(at if short else at + DAY / 2, "day" if not short or midnight else "hour") if shown else None
        ticks.append(html.Th(html.Span(tick) if shown else None, className=_old(index, window), scope="col"))
    return html.Tr([html.Td(className="corner"), *ticks])


def _row(
    scope: str,
    cells: Mapping[datetime, Mood],
    spoke: set[datetime],
    opened: Mapping[datetime, IncidentRow],
    window: Buckets,
    now: datetime,
    names: Names,
) -> Any:
    tds = [
        _cell(at, cells.get(at), at in spoke, opened.get(at), names.scope(scope), _old(index, window))
        for index, at in enumerate(window.starts)
        if at <= now
    ]
    return html.Tr([html.Th(marks.scope_link(scope, names), scope="row"), *tds])


def _cell(at: datetime, mood: Mood | None, spoke: bool, incident: IncidentRow | None, name: str, old: str) -> Any:
    about: Any = {"data-scope": name, "data-at": at.isoformat()}
    if incident:
        about["data-incident"] = f"{incident.severity.capitalize()} incident opened"
    mark = html.B(GLYPHS.get(incident.severity, "○"), className=f"sev-{incident.severity}") if incident else None
    mean = mood.mean if mood else None
    if mood is None or mean is None:
        about["data-says"] = "no news" if spoke else "no news from any source"
        return html.Td(mark or ("·" if spoke else "×"), className=f"c {'none' if spoke else 'silent'} {old}", **about)
    about["data-says"] = f"mean sentiment {formats.signed(mean)}, {formats.plural(mood.mentions, 'mention')}"
    step = formats.mood_step(mean)
    sign = {1: "+", -1: formats.MINUS}.get((mean > 0) - (mean < 0), "0") if formats.signed(mean) != "0.00" else "0"
    return html.Td(
        mark or sign, className=f"c {marks.mood_class(mean)}{' opened' if mark else ''} step{abs(step)} {old}", **about
    )


def _legend() -> Any:
    words = ("−1", "", "", "0", "", "", "+1")
    steps = [
        html.Span(word, className=f"c {name}")
        for word, name in zip(words, ("mn3", "mn2", "mn1", "mp0", "mp1", "mp2", "mp3"), strict=True)
    ]
    keys = [html.Span("· no news"), html.Span("× no source spoke"), html.Span("◆▲●○ incident opened")]
    return html.Div([html.Span("Mean sentiment"), html.Span(steps, className="scale"), *keys], className="legend")
