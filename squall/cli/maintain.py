"""`squall maintain`: the scheduled tasks, without Airflow."""

import os
import signal
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from squall.cli.up import say
from squall.errors import UsageError
from squall.settings import Settings, get_settings

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from pipelines.maintenance.maintainer import Maintainer


def maintain(
    *,
    once: Annotated[bool, typer.Option("--once", help="run what is due, one try each, and end; exit 1 where one failed")] = False,
    list_: Annotated[
        bool, typer.Option("--list", help="print the tasks and how they stand; exit 1 where nobody runs them, and should")
    ] = False,
    settle: Annotated[float, typer.Option(min=0, help="seconds to wait before what was missed is caught up")] = 0,
) -> None:
    """Run the scheduled tasks until Ctrl-C: retention, prices, calibrate, drift, lead_lag, embed; `squall up` does it, too.

    Each is a `squall` command that runs at its time in UTC, one after another, at low priority. What was missed is caught up. A
    try that fails is repeated with growing pauses; a task that fails for good is an incident. Of several machines one runs them,
    the others stand by.

    The DAGs of the same names do the same under Airflow, whose runs leave no trace here. Both at once do no harm, since a second
    run for a period changes nothing, but the work is done twice: SQUALL_MAINTAIN=false leaves it to Airflow. A new model is made
    by Airflow alone, as its DAG `retrain`.
    """
    settings = get_settings()
    if settings.namespace:
        raise UsageError("a replay has no scheduled tasks: they are the live namespace's")
    if list_:
        _list(settings)
    elif once:
        _once(settings)
    else:
        _run(settings, settle)


def _run(settings: Settings, settle: float) -> None:
    from squall.db.engine import make_engine
    from squall.db.migrate import check_revision
    from squall.embedded import addresses
    from squall.embedded.signals import Stopped, stoppable

    os.nice(10)
    try:
        with stoppable():
            if not settings.maintain:
                _say("SQUALL_MAINTAIN=false: the scheduled tasks are left to others, and this one idles")
                while True:
                    signal.pause()
            found = addresses(settings)
            engine = make_engine(settings, found.database_url)
            try:
                check_revision(engine, settings)
                _maintainer(settings, engine, found.bootstrap, found.database_url).run(settle)
            finally:
                engine.dispose()
    except Stopped as stopped:
        _say(f"stopped ({signal.Signals(stopped.number).name})")


def _once(settings: Settings) -> None:
    from squall.db.engine import make_engine
    from squall.db.migrate import check_revision
    from squall.embedded import running
    from squall.embedded.signals import Stopped, stoppable

    os.nice(10)
    try:
        with stoppable(), running(settings, broker=False) as found:
            engine = make_engine(settings, found.database_url)
            try:
                check_revision(engine, settings)
                well = _maintainer(settings, engine, found.bootstrap, found.database_url).once()
            finally:
                engine.dispose()
    except Stopped as stopped:
        raise typer.Exit(128 + stopped.number) from None
    if well is None:
        _say("another `squall maintain` runs the scheduled tasks: there is nothing to do here")
    elif not well:
        raise typer.Exit(1)


def _list(settings: Settings) -> None:
    from rich.console import Console
    from rich.table import Table

    from squall.cli.reading import reading, when
    from squall.db.maintenance import is_held, standings

    now = datetime.now(UTC)
    with reading(settings) as connection:
        found, held = standings(connection, now), is_held(connection)
    table = Table("task", "what for", "when (UTC)", "last run", "outcome", "on", "next", box=None, pad_edge=False)
    for one in found:
        last = one.last
        said = f"{last.outcome}{f': {last.said}' if last.said else ''}" if last else "–"
        following = when(one.next_at) if one.next_at > now else "due"
        started = when(last.started_at) if last else "never"
        table.add_row(one.task.name, one.task.about, one.task.cron, started, said, last.host if last else "", following)
    console = Console(highlight=False, markup=False)
    console.print(table)
    if not held and settings.maintain:
        console.print("nobody runs them: `squall maintain` does, or `squall up`; of Airflow nothing is known here")
        raise typer.Exit(1)


def _maintainer(settings: Settings, engine: "Engine", bootstrap: str, database_url: str) -> "Maintainer":
    from pipelines.maintenance.maintainer import Maintainer
    from squall.cli.incidents import clear_task, raise_task
    from squall.embedded.environment import environment

    def tell(connection: "Connection", task: str, problem: str | None) -> None:
        if problem is None:
            clear_task(connection, settings, task)
        else:
            raise_task(connection, settings, task, problem)

    variables = environment(settings, bootstrap, database_url)
    return Maintainer(engine, settings, environment=variables, tell=tell, say=_say)


def _say(line: str) -> None:
    """Say a line with its time."""
    say(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC  {line}")
