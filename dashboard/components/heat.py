"""The map of mood: scopes by time, each cell the mean sentiment of a bucket.

Its thousand cells go to the browser as plain values, and assets/heat.js draws them: as components they hold it up for seconds.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from dash import dcc, html

from dashboard import formats
from dashboard.clientside import attributes
from dashboard.components import marks
from dashboard.ranges import DAY, Buckets
from dashboard.rows import IncidentRow, Mood
from dashboard.scopes import MARKET, Names, scope_path
from dashboard.theme import GLYPHS
from squall.db.minutes import Epoch

NARROW_COLUMNS = 12
LONG_STEP = timedelta(hours=3)
"""From here on a day has so few cells that it is named where it begins, and no hour is."""
HINT = "Point at a cell, or tap it, to read it."
NOTHING, SILENT = 0, 1
"""A cell without news, and one in which no source spoke at all. Any other is its class, its mean as text, and its mentions."""


def heat_box(first: Mapping[str, Any]) -> list[Any]:
    """Where the map stands, at first what `heat_map` has returned; what it returns later goes into the store `now-cells`."""
    return [
        dcc.Store(id="now-cells"),
        html.Div(id="now-heat", className="heat-box", **attributes(data_map=json.dumps(first))),
        html.P(HINT, id="now-explain", className="explain", **attributes(aria_live="polite")),
        _legend(),
    ]


def heat_map(
    moods: Sequence[Mood],
    incidents: Sequence[IncidentRow],
    window: Buckets,
    now: datetime,
    names: Names,
    tz: ZoneInfo,
    epochs: Sequence[Epoch] = (),
    most: int = 40,
) -> dict[str, Any]:
    """At most `most` rows: the market first, then the companies of which most was said.

    Returns:
        `step` in words; `heads`: by column where it begins, what of its name is shown (`hour`, `day` or nothing), the time that
        names it, whether a narrow page leaves it out, and the model version that began to score in it (or nothing); `rows`: the
        scope's name and address, its cells, and by column severity and glyph of an incident that opened there and has fired. No
        rows without any news.
    """
    cells: dict[str, dict[datetime, Mood]] = {}
    for mood in moods:
        cells.setdefault(mood.scope, {})[mood.at] = mood
    spoke = set(cells.get(MARKET, ()))
    opened = _opened(incidents, window)
    order = sorted(
        cells,
        key=lambda scope: (scope != MARKET, scope not in {row.scope for row in incidents if row.open}, -_said(cells[scope])),
    )
    starts = [at for at in window.starts if at <= now]
    return {
        "step": formats.step_words(window.step),
        "heads": _heads(window, tz, epochs),
        "rows": [
            {
                "name": names.scope(scope),
                "href": scope_path(scope),
                "cells": [_cell(cells[scope].get(at), at in spoke) for at in starts],
                "opened": opened.get(scope, {}),
            }
            for scope in order[:most]
        ],
    }


def _said(cells: Mapping[datetime, Mood]) -> int:
    return sum(mood.mentions for mood in cells.values())


def _opened(incidents: Sequence[IncidentRow], window: Buckets) -> dict[str, dict[int, list[str]]]:
    found: dict[str, dict[int, list[str]]] = {}
    for row in incidents:
        if row.fired_at and window.start <= row.opened_at < window.end:
            column = (row.opened_at - window.start) // window.step
            found.setdefault(row.scope.partition("/")[0], {})[column] = [row.severity, GLYPHS.get(row.severity, "○")]
    return found


def _heads(window: Buckets, tz: ZoneInfo, epochs: Sequence[Epoch]) -> list[list[Any]]:
    short = window.step < DAY
    began = {(epoch.since - window.start) // window.step: epoch.version for epoch in epochs}
    every = 4 if short else 5
    heads: list[list[Any]] = []
    for index, at in enumerate(window.starts):
        local = at.astimezone(tz)
        new_day = (at - window.step).astimezone(tz).date() < local.date()
        if LONG_STEP <= window.step < DAY:
            kind, shown = "day", new_day
        else:
            kind = "day" if not short or local.hour == local.minute == 0 else "hour"
            shown = (window.number - 1 - index) % every == 0
        shown = shown and index >= 1
        # A day of UTC is named by its noon, which is of the same date almost everywhere.
        named = at if short else at + DAY / 2
        old = index < window.number - NARROW_COLUMNS
        heads.append([at.isoformat(), kind if shown else "", named.isoformat(), old, began.get(index, "")])
    return heads


def _cell(mood: Mood | None, spoke: bool) -> int | list[Any]:
    mean = mood.mean if mood else None
    if mood is None or mean is None:
        return NOTHING if spoke else SILENT
    return [f"{marks.mood_class(mean)} step{abs(formats.mood_step(mean))}", formats.signed(mean), mood.mentions]


def _legend() -> Any:
    words = ("−1", "", "", "0", "", "", "+1")
    steps = [
        html.Span(word, className=f"c {name}")
        for word, name in zip(words, ("mn3", "mn2", "mn1", "mp0", "mp1", "mp2", "mp3"), strict=True)
    ]
    keys = [html.Span(words) for words in ("· no news", "× no source spoke", "◆▲●○ incident opened")]
    keys.append(html.Span("┊ another model begins", className="key-epoch"))
    return html.Div([html.Span("Mean sentiment"), html.Span(steps, className="scale"), *keys], className="legend")
