"""`squall incidents`: what fired, when, and on what evidence."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from squall.settings import get_settings

if TYPE_CHECKING:
    from rich.console import Console
    from sqlalchemy import Connection

    from squall.settings import Settings

app = typer.Typer(help="Read incidents back, and raise those of scheduled tasks.", no_args_is_help=True)
Namespace = Annotated[str, typer.Option(help="namespace of a replay; empty: live")]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]


@app.command("list")
def list_(namespace: Namespace = "", as_json: AsJson = False) -> None:
    """Print all incidents, the newest first."""
    from squall.cli.reading import reading, when
    from squall.db.readback import list_incidents

    with reading(get_settings().in_namespace(namespace)) as connection:
        rows = list_incidents(connection)
    if as_json:
        print(json.dumps(rows, default=_plain))
        return
    if not rows:
        print("no incidents")
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(
        "id", "scope", "state", "severity", "opened (UTC)", "fired", "resolved", "surprise", "summary", box=None, pad_edge=False
    )
    for row in rows:
        times = (when(row[name]) for name in ("opened_at", "fired_at", "resolved_at"))
        surprise = f"{row['peak_surprise']:.1f} / {row['threshold']:.1f}"
        table.add_row(row["id"][:8], row["name"], row["state"], row["severity"], *times, surprise, row["summary"])
    Console().print(table)


@app.command()
def show(
    incident: Annotated[str, typer.Argument(help="id of an incident, or how it begins")],
    namespace: Namespace = "",
    as_json: AsJson = False,
) -> None:
    """Print one incident with its evidence, its inputs and what happened to it."""
    from rich.console import Console

    from squall.cli.reading import reading
    from squall.db.readback import find_incident

    with reading(get_settings().in_namespace(namespace)) as connection:
        row = find_incident(connection, incident)
    if as_json:
        print(json.dumps(row, default=_plain))
    else:
        _show(Console(soft_wrap=True, highlight=False), row)


Task = Annotated[str, typer.Argument(help="name of the task, e.g. that of its DAG")]
SEVERITY = "high"


@app.command("raise")
def raise_(
    task: Task, summary: Annotated[str, typer.Argument(help="what went wrong, in a sentence")], namespace: Namespace = ""
) -> None:
    """Open an incident because a scheduled task failed, and alert; while one of the task is open this changes nothing."""
    settings = get_settings().in_namespace(namespace)
    with _writing(settings) as connection:
        opened = raise_task(connection, settings, task, summary)
    print("opened" if opened else "one is open already")


@app.command()
def clear(task: Task, namespace: Namespace = "") -> None:
    """Resolve the open incident of a scheduled task, because it has succeeded since."""
    settings = get_settings().in_namespace(namespace)
    with _writing(settings) as connection:
        count = clear_task(connection, settings, task)
    print("resolved" if count else "none was open")


def raise_task(connection: "Connection", settings: "Settings", task: str, summary: str) -> bool:
    """Open the incident of a scheduled task, unless it is open; returns whether it did."""
    from streams.operational import open_incident

    rule, now = f"task {task}", datetime.now(UTC)
    return open_incident(connection, settings, rule=rule, severity=SEVERITY, at=now, summary=summary, inputs={"task": task})


def clear_task(connection: "Connection", settings: "Settings", task: str) -> int:
    """Resolve the open incidents of a scheduled task; returns how many."""
    from streams.operational import resolve_incidents

    rule, summary = f"task {task}", f"The task {task} succeeds again"
    return resolve_incidents(connection, settings, rule=rule, severity=SEVERITY, at=datetime.now(UTC), summary=summary)


@contextmanager
def _writing(settings: "Settings") -> "Iterator[Connection]":
    from squall.db.engine import make_engine
    from squall.db.migrate import check_revision
    from squall.embedded import running

    with running(settings, broker=False) as services:
        engine = make_engine(settings, services.database_url)
        check_revision(engine, settings)
        with engine.begin() as connection:
            yield connection
        engine.dispose()


def _show(console: "Console", row: dict[str, Any]) -> None:
    from rich.markup import escape
    from rich.table import Table

    from squall.cli.reading import when

    console.print(f"[bold]{escape(row['summary'])}[/]")
    console.print(f"{row['severity']}, {row['state']}; id {row['id']}")
    console.print(f"surprise {row['surprise']:.2f}, at its highest {row['peak_surprise']:.2f}, alarm line {row['threshold']:.2f}")
    evidence = Table(
        "time (UTC)", "P(negative)", "weight", "source", "headline", "address", title="Evidence", box=None, title_justify="left"
    )
    for story in row["evidence"]:
        at = when(datetime.fromisoformat(story["event_time"]))
        numbers = (f"{story['negative']:.2f}", f"{story['weight']:.2f}")
        evidence.add_row(at, *numbers, *(escape(story[name]) for name in ("source", "title", "url")))
    for line in context_lines(row["context"]):
        console.print(escape(line))
    events = Table("number", "time (UTC)", "event", "state", "by", title="Events", box=None, title_justify="left")
    for event in row["events"]:
        events.add_row(str(event["number"]), when(event["at"]), event["kind"], event["state"], event["actor"])
    inputs = Table("input", "value", title="Decided from", box=None, title_justify="left")
    for name, value in row["inputs"].items():
        inputs.add_row(name, escape(json.dumps(value)))
    for table in (evidence, events, inputs):
        console.print()
        console.print(table)


def context_lines(context: dict[str, Any]) -> list[str]:
    """What was known beside the evidence, a line each."""
    lines = []
    if price := context.get("price"):
        change = "" if price["change"] is None else f", {price['change']:+.1%} on the bar before"
        lines.append(f"Price then: {price['close']:g}{change}, known at {price['known_at'][:16]}")
    if (chart := context.get("chart")) and chart.get("words"):
        lines.append(f"Chart then, up to {chart['end'][:16]}: {chart['words']}")
    if others := context.get("others"):
        lines.append("Also in these stories: " + ", ".join(f"{other['name']} ({other['stories']})" for other in others))
    for past in context.get("similar", ()):
        moves = (past["after"] or {}).items()
        after = ", ".join(f"{name} {move:+.1%}" for name, move in moves if move is not None)
        known = f"; what the price did then, as known later: {after}" if after else ""
        lines.append(f"Similar ({past['likeness']:.0%} of the words), {past['fired_at'][:16]}: {past['summary']}{known}")
    return lines


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is no JSON")
