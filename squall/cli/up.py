"""`squall up`: broker, database, workers and dashboard under one supervisor."""

import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from squall.settings import Settings, get_settings

if TYPE_CHECKING:
    from squall.embedded import Addresses
    from squall.embedded.stack import Stack


def up(
    workers: Annotated[int | None, typer.Option(min=1, max=64, help="worker processes; else SQUALL_WORKERS")] = None,
    dashboard: Annotated[bool, typer.Option(help="serve the dashboard")] = True,
    namespace: Annotated[str, typer.Option(help="namespace of a replay; empty: live")] = "",
) -> None:
    """Run broker, Postgres, workers, the dashboard and the scheduled tasks until Ctrl-C; what dies is started again.

    A broker or a database that the settings name is used as it is. The schema is migrated and missing topics are created.
    `squall maintain --help` says more about the scheduled tasks; SQUALL_MAINTAIN=false leaves them to others.
    """
    from squall.embedded.signals import Stopped, stoppable
    from squall.embedded.stack import stack
    from squall.topics import create_topics

    settings = get_settings().in_namespace(namespace)
    count = workers or settings.workers
    passwords: list[str] = []

    def prepare(inside: Settings, addresses: "Addresses") -> None:
        passwords.extend(_prepare(inside, addresses, people=dashboard and inside.dashboard.login))

    try:
        with (
            stoppable(),
            stack(
                settings,
                workers=count,
                dashboard=dashboard,
                prepare=prepare,
                maintain=settings.maintain and not settings.namespace,
                # Tansu forgets its topics when it dies.
                on_broker=lambda bootstrap: create_topics(settings, bootstrap),
            ) as running,
        ):
            _show(running, passwords)
            _follow(running)
    except Stopped as stopped:
        say(f"stopped everything ({signal.Signals(stopped.number).name})")


def say(line: str) -> None:
    """Print a line where there still is a terminal."""
    with suppress(OSError):
        print(line, flush=True)


def _prepare(settings: Settings, addresses: "Addresses", *, people: bool) -> list[str]:
    """Make schema and topics, and the first account where there is none; returns its password, if any."""
    from models.first import ensure_champion
    from squall.accounts import add_first
    from squall.db import migrate
    from squall.db.companies import store_companies
    from squall.db.engine import make_engine
    from squall.topics import create_topics

    engine = make_engine(settings, addresses.database_url)
    try:
        migrate.upgrade(engine, settings)
        store_companies(engine, settings)
        with engine.begin() as connection:
            ensure_champion(connection)
            password = add_first(connection) if people else None
    finally:
        engine.dispose()
    create_topics(settings, addresses.bootstrap)
    return [password] if password else []


def _show(running: "Stack", passwords: list[str]) -> None:
    about = running.describe()
    say(f"broker     {about['broker']} ({about['broker_kind']})")
    say(f"database   {about['database_url']}")
    if running.dashboard_url:
        say(f"dashboard  {running.dashboard_url}")
    for password in passwords:
        say(f"log in     admin, password {password} (shown this once; `squall users passwd admin` sets another)")
    say(f"logs       {running.workers[0].program.log.parent}")
    say("Ctrl-C, or `squall down` from another terminal, stops everything")


def _follow(running: "Stack") -> None:
    """Say what changes, until a signal comes."""
    import time

    told: dict[str, tuple[str, int]] = {}
    while True:
        for child in running.supervisor.children:
            now = (child.state, child.restarts)
            before = told.get(child.program.name)
            told[child.program.name] = now
            if now == before:
                continue
            if child.state == "backoff":
                print(f"{child.program.name}: {child.reason}; it is started again", file=sys.stderr, flush=True)
            elif child.state == "running":
                say(f"{child.program.name} runs (process {child.pid})")
        time.sleep(0.2)
