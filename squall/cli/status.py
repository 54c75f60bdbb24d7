"""`squall status`: what runs, where, how well, and how far behind."""

import json
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from squall.settings import Settings, get_settings


def status(as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False) -> None:
    """Print what a running `squall up` runs; exit 0 where all of it is well, 1 where it is not or nothing runs.

    The lag of a topic is how many of its messages the workers have not acknowledged yet. Passwords are masked.
    """
    from squall.embedded.inspect import snapshot

    settings = get_settings()
    about = snapshot(settings)
    if about is None:
        home = settings.home.expanduser().resolve()
        print(json.dumps({"running": False, "healthy": False, "home": str(home)}) if as_json else _nothing(settings))
        raise typer.Exit(1)
    about = {"running": True, **about, "lag": _lag(settings, about), **_kept(settings, about)}
    if as_json:
        print(json.dumps(about))
    else:
        _show(about)
    raise typer.Exit(0 if about["healthy"] else 1)


def _nothing(settings: Settings) -> str:
    from squall.embedded.services import find
    from squall.embedded.state import Home

    home = Home(settings)
    used = [f"{name} at {found.address}" for name in ("broker", "database") if (found := find(home, name))]
    beside = f"; another command runs {' and '.join(used)}" if used else ""
    return f"nothing runs in {home.path}: `squall up` starts it{beside}"


def _lag(settings: Settings, about: dict[str, Any]) -> dict[str, int | None]:
    """Messages that wait, by topic; None where the broker does not say."""
    from kafka.errors import KafkaError

    from pipelines.ingest.standing import messages_waiting
    from squall.topics import CHARTS, MENTIONS, NEWS, PRICES

    inside = settings.in_namespace(about["namespace"])
    lag: dict[str, int | None] = {}
    for topic in (NEWS, PRICES, CHARTS, MENTIONS):
        name = topic.on_broker(inside)
        try:
            lag[name] = messages_waiting(inside, about["broker"], (topic,)) if about["broker_answers"] else None
        except (KafkaError, OSError):
            lag[name] = None
    return lag


def _kept(settings: Settings, about: dict[str, Any]) -> dict[str, Any]:
    """What the alarm line of each family rests on, and how the scheduled tasks stand; nothing where the database is away."""
    from sqlalchemy.exc import DBAPIError

    from squall.db import calibrations, maintenance
    from squall.db.engine import make_engine
    from squall.db.minutes import MINUTE, read_cursor
    from squall.embedded import addresses
    from squall.errors import UserError
    from squall.schedule import words

    inside = settings.in_namespace(about["namespace"])
    now = datetime.now(UTC)
    tasks = ""
    try:
        engine = make_engine(inside, addresses(inside).database_url)
        try:
            with engine.connect() as connection:
                lines = calibrations.standings(connection, read_cursor(connection) + MINUTE, inside.detection)
                if not about["namespace"]:
                    held = maintenance.is_held(connection)
                    tasks = words(maintenance.standings(connection, now), held, inside.maintain, now)
        finally:
            engine.dispose()
    except (DBAPIError, UserError):
        return {"alarm_lines": {}, "maintenance": ""}
    return {"alarm_lines": {one.family: calibrations.words(one) for one in lines}, "maintenance": tasks}


def _show(about: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(soft_wrap=True)
    console.print(f"[bold]{_verdict(about)}[/], supervisor process {about['pid']}")
    console.print(f"broker     {about['broker']} ({about['broker_kind']})", highlight=False)
    console.print(f"database   {about['database_url']}", highlight=False)
    console.print(f"dashboard  {about['dashboard'] or 'none'}", highlight=False)
    console.print(f"namespace  {about['namespace'] or 'live'}", highlight=False)
    processes = Table("process", "id", "state", "restarts", "says", box=None, pad_edge=False)
    for one in about["processes"]:
        state = one["state"] if one["healthy"] or one["state"] != "running" else "unwell"
        processes.add_row(one["name"], str(one["pid"] or ""), state, str(one["restarts"]), _says(one))
    console.print(processes)
    lag = ", ".join(f"{name} {'unknown' if count is None else count}" for name, count in about["lag"].items())
    console.print(f"waiting: {lag}", highlight=False)
    for family, words in about["alarm_lines"].items():
        console.print(f"alarm line of {family}: {words}", highlight=False)
    if about["maintenance"]:
        console.print(f"maintenance: {about['maintenance']}", highlight=False, markup=False)


def _verdict(about: dict[str, Any]) -> str:
    if not about["healthy"]:
        return "not all is well"
    return "all runs, some of it degraded" if any(_named(one, "degraded") for one in about["processes"]) else "all is well"


def _named(process: dict[str, Any], name: str) -> str:
    return str(((process.get("health") or {}).get("about") or {}).get(name, ""))


def _says(process: dict[str, Any]) -> str:
    said = process.get("health")
    if not said:
        return str(process["reason"])
    words = [f"{said['state']}, {said['processed']} processed, lag {said['lag']}"]
    words += [f"{name} {line}" for name in ("scores on", "degraded") if (line := _named(process, name))]
    return "; ".join(words)
