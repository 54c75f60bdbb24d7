"""How the scheduled tasks stand."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from dash import html

from dashboard import formats
from dashboard.components import marks
from dashboard.components.panels import code, empty
from dashboard.components.tables import Head, table
from squall.schedule import Run, Standing

AIRFLOW = "Where Airflow runs them, its own pages tell."
NEXT_STEP = [code("squall maintain"), " does, as ", code("squall up"), f". {AIRFLOW}"]


def tasks_panel(rows: Sequence[Standing], held: bool, now: datetime, *, wanted: bool, replay: bool) -> Any:
    """Of each task: its last run, how that ended, and when it runs next; where nobody runs them, what to do.

    Args:
        held: somebody runs them.
        now: by the time of day.
        wanted: the settings do not leave them to others.
        replay: the pages show a replay.
    """
    known = any(row.last for row in rows)
    if replay and not known:
        return empty("A replay has none.", "They keep the live namespace in order.")
    if not held and not wanted:
        return empty("Left to others by SQUALL_MAINTAIN=false.", AIRFLOW)
    if not held and not known:
        return empty("Nobody runs them.", NEXT_STEP)
    heads: list[Head] = [
        "",
        ("Last run", "When it began, by the time of day"),
        "Outcome",
        ("Next run", "By the time of day, in the zone of the page"),
    ]
    lines = [[_name(row), _began(row.last), _outcome(row.last, held), _next(row, held, now)] for row in rows]
    nobody = None if held else html.P(["▲ Nobody runs them at present: ", *NEXT_STEP], className="trouble")
    return html.Div([nobody, table(heads, lines, "tasks")])


def _name(row: Standing) -> Any:
    return html.Strong(row.task.name.replace("_", " ").capitalize(), title=row.task.about, className="whole")


def _began(last: Run | None) -> Any:
    return html.Span([marks.moment(last.started_at, "wall"), " ago"], className="whole") if last else "Never"


def _outcome(last: Run | None, held: bool) -> Any:
    if last is None:
        return formats.UNKNOWN
    if last.outcome == "running":
        return "Runs" if held else html.Span("▲ Broken off", className="trouble")
    on = f"On {last.host}"
    if last.outcome in ("failed", "retrying"):
        then = ", is tried again" if last.outcome == "retrying" and held else ""
        return html.Span(f"▲ Failed{then}: {last.said}", className="trouble", title=on)
    return html.Span(f"{last.outcome.capitalize()}{f': {last.said}' if last.said else ''}", title=on)


def _next(row: Standing, held: bool, now: datetime) -> Any:
    if not held:
        return formats.UNKNOWN
    return marks.moment(row.next_at) if row.next_at > now else "Due now"
